// Whoever has no mouse scrolls a box with the keyboard: what is wider than its place can be reached with Tab.
const BOXES = "article pre, .output.text_html, .table-wrapper, mjx-container";

function reachable() {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

addEventListener("load", reachable);
addEventListener("resize", reachable);
