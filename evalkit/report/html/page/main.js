// Everything is put to work in this order; the mark tells how long it took until it could be used.

setUpTheme();
setUpFilters(refilter);
setUpList(choose);
setUpKeys();
byId("previous").addEventListener("click", () => move(-1));
byId("next").addEventListener("click", () => move(1));
byId("back").addEventListener("click", closeDetail);
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());
document.addEventListener("click", follow);
addEventListener("hashchange", () => {
  const item = addressed();
  if (item && item !== current) choose(item, { open: true });
});

// on paper everything that is folded is open
const folded = () => document.querySelectorAll("main details:not([open])");
addEventListener("beforeprint", () => {
  for (const each of folded()) {
    each.open = true;
    each.dataset.folded = "";
  }
});
addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("details[data-folded]")) {
    each.open = false;
    delete each.dataset.folded;
  }
});

refilter();
const first = addressed();
if (first) choose(first, { open: true });
else if (index.left && location.hash.startsWith("#case=")) byId("cut").scrollIntoView();
performance.mark("evalkit-usable");
