// Which cases are listed, and in which order.

const filters = { search: "", suite: "", tag: "", scorer: "", mode: "", kinds: new Set(), order: "worst" };
const ORDERS = {
  worst: ["what broke first", (a, b) => a.number - b.number],
  golden: ["as in the golden set", (a, b) => a.place - b.place],
  cost: ["highest cost first", (a, b) => (b.cost ?? -1) - (a.cost ?? -1)],
  latency: ["slowest first", (a, b) => (b.latency ?? -1) - (a.latency ?? -1)],
};

/** Whether all filters but the outcome let a case through. */
function matches(item, words) {
  if (filters.suite !== "" && item.suite !== Number(filters.suite)) return false;
  if (filters.tag !== "" && !item.tags.includes(Number(filters.tag))) return false;
  if (filters.scorer !== "" && !item.scorers.includes(Number(filters.scorer))) return false;
  if (filters.mode !== "" && item.mode !== Number(filters.mode)) return false;
  if (!words.length) return true;
  const text = searchable(item);
  return words.every((word) => text.includes(word));
}

/** The listed cases in their order, and how many of each outcome the other filters leave. */
function filtered() {
  // every word has to be there; what stands in quotes is one
  const words = [...filters.search.toLowerCase().matchAll(/"([^"]+)"|([^\s"]+)/g)]
    .map(([, quoted, word]) => quoted ?? word);
  const counts = {};
  const found = [];
  for (const item of cases) {
    if (!matches(item, words)) continue;
    counts[item.kind] = (counts[item.kind] || 0) + 1;
    if (!filters.kinds.size || filters.kinds.has(item.kind)) found.push(item);
  }
  if (filters.order !== "worst") found.sort(ORDERS[filters.order][1]);
  return { found, counts };
}

/** Fill a select with the names that any case has; hidden where there is nothing to choose. */
function fillSelect(select, all, entries) {
  select.append(make("option", { value: "" }, all));
  for (const [value, name] of entries) select.append(make("option", { value }, name));
  select.closest(".field").hidden = entries.length < 1;
}

function countBy(read) {
  const counts = new Map();
  for (const item of cases) for (const value of read(item)) counts.set(value, (counts.get(value) || 0) + 1);
  return counts;
}

function namedEntries(names, read) {
  const counts = countBy(read);
  return names
    .map((name, number) => [number, `${name} (${(counts.get(number) || 0).toLocaleString("en")})`])
    .sort(([, a], [, b]) => a.localeCompare(b));
}

function setUpFilters(changed) {
  const suites = index.suites.map((suite) => suite.name);
  fillSelect(byId("filter-suite"), "all suites", suites.length > 1 ? namedEntries(suites, (item) => [item.suite]) : []);
  fillSelect(byId("filter-tag"), "all slices", namedEntries(index.tags, (item) => item.tags));
  fillSelect(byId("filter-scorer"), "any scorer", namedEntries(index.scorers, (item) => item.scorers));
  fillSelect(byId("filter-mode"), "any failure mode", namedEntries(index.modes, (item) => (item.mode < 0 ? [] : [item.mode])));
  for (const [value, [name]] of Object.entries(ORDERS)) {
    byId("filter-order").append(make("option", { value }, name));
  }
  for (const name of ["suite", "tag", "scorer", "mode", "order"]) {
    byId(`filter-${name}`).addEventListener("change", (event) => {
      filters[name] = event.target.value;
      changed();
    });
  }
  const present = new Set(cases.map((item) => item.kind));
  for (const [kind, label] of index.kinds) {
    if (!present.has(kind)) continue;
    const { symbol, tone } = KINDS[kind];
    const button = make(
      "button",
      { type: "button", "aria-pressed": "false", "data-kind": kind, class: `kind tone-${tone}` },
      icon(symbol), make("span", null, label), make("b", null, ""),
    );
    button.addEventListener("click", () => {
      if (!filters.kinds.delete(kind)) filters.kinds.add(kind);
      changed();
    });
    byId("filter-kinds").append(button);
  }
  let timer = 0;
  byId("filter-search").addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      filters.search = event.target.value;
      changed();
    }, 120);
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => {
    Object.assign(filters, { search: "", suite: "", tag: "", scorer: "", mode: "", order: "worst" });
    filters.kinds.clear();
    clearTimeout(timer);
    // the form's fields are reset after this event
    setTimeout(changed);
  });
  for (const link of document.querySelectorAll("a[data-kind]")) {
    link.addEventListener("click", () => {
      filters.kinds = new Set([link.dataset.kind]);
      filters.suite = index.suites.length > 1 ? link.dataset.suite : "";
      byId("filter-suite").value = filters.suite;
      changed();
    });
  }
}

/** Show on the form how many cases each outcome has, and how many are listed. */
function showFilters(found, counts) {
  for (const button of byId("filter-kinds").querySelectorAll("button")) {
    const { kind } = button.dataset;
    button.setAttribute("aria-pressed", String(filters.kinds.has(kind)));
    button.querySelector("b").textContent = (counts[kind] || 0).toLocaleString("en");
  }
  const all = cases.length.toLocaleString("en");
  const cut = index.left ? ` on this page; ${index.left.toLocaleString("en")} more are not on it` : "";
  byId("found").textContent = `${found.toLocaleString("en")} of ${all} cases${cut}`;
  const any = filters.kinds.size || filters.order !== "worst" ||
    ["search", "suite", "tag", "scorer", "mode"].some((name) => filters[name] !== "");
  byId("filter-reset").hidden = !any;
}
