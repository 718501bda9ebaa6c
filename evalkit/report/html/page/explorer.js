// The list, the detail and the filters together, and what the keyboard does with them.

const explorer = byId("explorer");
const narrow = matchMedia("(max-width: 56rem)");

/** Make a case the current one. `open` shows it where list and detail do not fit side by side. */
function choose(item, { open = false, focus = false } = {}) {
  current = item;
  followCurrent();
  showDetail(item);
  detail.scrollTop = 0;
  showPosition();
  if (open && narrow.matches) openDetail();
  if (focus) byId("case-title").focus({ preventScroll: narrow.matches });
  try {
    history.replaceState(null, "", `#case=${encodeURIComponent(item.key)}`);
  } catch {
    // not every place that a file is opened from allows it
  }
}

/** Show the case that a link outside the list names. */
function follow(event) {
  const link = event.target.closest("a[href^='#case=']");
  const item = link && addressed(link.hash);
  if (!item) return;
  event.preventDefault();
  choose(item, { open: true });
  toTop();
}

function showPosition() {
  const position = listed.indexOf(current);
  byId("position").textContent = position < 0 ? "" : `${position + 1} of ${listed.length}`;
  byId("previous").disabled = position <= 0;
  byId("next").disabled = position < 0 || position >= listed.length - 1;
}

function openDetail() {
  explorer.classList.add("open");
  toTop();
  byId("case-title").focus({ preventScroll: true });
}

function toTop() {
  explorer.scrollIntoView({ block: "start", behavior: "instant" });
}

function closeDetail() {
  if (!explorer.classList.contains("open")) return false;
  explorer.classList.remove("open");
  followCurrent();
  list.focus({ preventScroll: true });
  explorer.scrollIntoView({ block: "nearest" });
  return true;
}

function refilter() {
  const { found, counts } = filtered();
  showFilters(found.length, counts);
  showList(found);
  if (!found.length) {
    current = null;
    detail.replaceChildren(make("p", { class: "about" }, "No case is selected."));
  } else if (!found.includes(current)) {
    current = found[0];
    showDetail(current);
    detail.scrollTop = 0;
  }
  followCurrent();
  showPosition();
}

/** Go so many cases on in the list, and keep list and detail in view. */
function move(steps) {
  if (!listed.length) return;
  const position = listed.indexOf(current);
  const next = Math.min(listed.length - 1, Math.max(0, position + steps));
  choose(listed[next]);
  const { top, bottom } = explorer.getBoundingClientRect();
  const away = top > innerHeight * 0.6 || bottom < innerHeight * 0.4;
  if (away || explorer.classList.contains("open")) toTop();
}

function page() {
  return Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
}

const LIST_KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(page()),
  PageUp: () => move(-page()),
  Home: () => move(-listed.length),
  End: () => move(listed.length),
  Enter: () => current && choose(current, { open: true, focus: true }),
  " ": () => current && choose(current, { open: true, focus: true }),
};

const PAGE_KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => {
    closeDetail();
    byId("filter-search").focus();
  },
  "?": () => byId("help").showModal(),
  t: () => nextTheme(),
};

function setUpKeys() {
  list.addEventListener("keydown", (event) => act(LIST_KEYS, event));
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || byId("help").open) return;
    if (event.key === "Escape") return leave(event);
    if (event.target.closest("input, select, textarea")) return undefined;
    return act(PAGE_KEYS, event);
  });
}

function act(keys, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
}

/** Escape: out of the search, out of an open case, back to the list. */
function leave(event) {
  const search = byId("filter-search");
  if (event.target === search && search.value) {
    search.value = "";
    search.dispatchEvent(new Event("input"));
    event.preventDefault();
  } else if (event.target === search || detail.contains(event.target)) {
    if (!closeDetail()) list.focus();
    event.preventDefault();
  } else if (closeDetail()) {
    event.preventDefault();
  }
}

/** The case that an address names, if it names one. */
function addressed(hash = location.hash) {
  const [, key] = hash.match(/^#case=(.*)$/) || [];
  try {
    return key && cases.find((item) => item.key === decodeURIComponent(key));
  } catch {
    return undefined;
  }
}
