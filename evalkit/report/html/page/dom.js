// Elements whose content is always set as text, so that no text of a case can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text nodes, null is left out. */
function make(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    node.append(child);
  }
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("width", "16");
  svg.setAttribute("height", "16");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Symbol and word in a tone. */
function mark(symbol, tone, word) {
  return make("span", { class: `mark tone-${tone}` }, icon(symbol), make("span", null, word));
}

const byId = (id) => document.getElementById(id);
