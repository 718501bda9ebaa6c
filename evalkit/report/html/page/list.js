// The list of cases: only the rows that can be seen are elements, so that its length costs nothing.

const ROW = 68; // as in the styles
const SPARE = 6;
const list = byId("list");
const rows = byId("rows");
let listed = [];
let current = null;

function drawRows() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const last = Math.min(listed.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  const drawn = [];
  for (let position = first; position < last; position += 1) drawn.push(row(listed[position], position));
  rows.style.transform = `translateY(${first * ROW}px)`;
  rows.replaceChildren(...drawn);
  if (current && rows.querySelector("[aria-selected=true]")) {
    list.setAttribute("aria-activedescendant", `case-${current.number}`);
  } else {
    list.removeAttribute("aria-activedescendant");
  }
}

function row(item, position) {
  const { symbol, tone } = KINDS[item.kind];
  const broke = item.scorers.map((scorer) => index.scorers[scorer]).join(", ");
  const flags = item.flags.map((flag) => make("span", { class: "flag" }, flag));
  return make(
    "div",
    {
      id: `case-${item.number}`,
      class: "row",
      role: "option",
      "aria-selected": String(item === current),
      "aria-posinset": position + 1,
      "aria-setsize": listed.length,
      "data-position": position,
    },
    make("span", { class: `tone-${tone}` }, icon(symbol)),
    make("span", { class: "row-id" }, item.id),
    make("span", { class: "row-words" }, item.words, broke ? ` · ${broke}` : null, flags),
    make("span", { class: "row-excerpt", dir: "auto" }, item.excerpt),
  );
}

function showList(found) {
  listed = found;
  byId("list-length").style.height = `${found.length * ROW}px`;
  byId("nothing").hidden = found.length > 0;
  list.scrollTop = 0;
  drawRows();
}

/** Bring the row of the current case into view and draw what is there. */
function followCurrent() {
  const position = listed.indexOf(current);
  if (position >= 0) {
    const top = position * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  }
  drawRows();
}

function setUpList(choose) {
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawRows();
    });
  };
  list.addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  list.addEventListener("click", (event) => {
    const found = event.target.closest("[data-position]");
    if (found) choose(listed[Number(found.dataset.position)], { open: true });
  });
}
