// Opened from a disk, a page may not read another one: search lists what it found, without excerpts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// The arrows of the table of contents, for those who do not see them.
document.addEventListener("DOMContentLoaded", () => {
  for (const toggle of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
    const entry = toggle.closest("li").querySelector("a").textContent.trim();
    toggle.setAttribute("aria-label", `Pages below ${entry}`);
  }
  // What scrolls inside an output can be reached by the keyboard.
  for (const part of document.querySelectorAll(".cell_output .text_html *")) {
    if (/auto|scroll/.test(getComputedStyle(part).overflowX)) part.tabIndex = 0;
  }
  // Printed columns stay columns; all else that a cell printed is wrapped.
  for (const printed of document.querySelectorAll(".cell_output pre")) {
    printed.classList.toggle("columns", /\S {2,}\S/.test(printed.textContent));
  }
});
