// The theme: as the system says, or light, or dark.

const THEMES = ["system", "light", "dark"];

function nextTheme() {
  const root = document.documentElement;
  const now = THEMES.indexOf(root.dataset.theme || "system");
  const next = THEMES[(now + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme;
  else root.dataset.theme = next;
  showTheme();
  try {
    localStorage.setItem("evalkit-theme", next);
  } catch {
    // it then holds until the page is left
  }
}

function showTheme() {
  byId("theme-name").textContent = document.documentElement.dataset.theme || "system";
}

function setUpTheme() {
  byId("theme").addEventListener("click", nextTheme);
  showTheme();
}
