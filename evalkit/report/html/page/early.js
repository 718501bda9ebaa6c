// Runs before anything is drawn: tells the styles that scripts run, and which theme was chosen.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted-page");
  try {
    const theme = localStorage.getItem("evalkit-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // a file opened from disk may have no storage
  }
})();
