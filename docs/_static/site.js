// Whoever has no mouse scrolls a box with the keyboard: what is wider than its place can be reached with Tab.
const BOXES = "article pre, .output.text_html, .table-wrapper, mjx-container";

function reachable() {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

// pandas writes all columns alike: numbers stay on the right, words begin on the left.
function alignWords() {
  for (const table of document.querySelectorAll("table.dataframe")) {
    const rows = [...table.rows];
    for (let column = 0; column < rows.at(-1).cells.length; column++) {
      const cells = rows.map((row) => row.cells[column]).filter(Boolean);
      const words = cells.some((cell) => cell.tagName === "TD" && /[a-z]{3}/i.test(cell.textContent));
      for (const cell of words ? cells : []) cell.style.textAlign = "left";
    }
  }
}

addEventListener("load", () => { alignWords(); reachable(); });
addEventListener("resize", reachable);

// Sphinx writes a signature of several lines as a list of definitions that defines nothing.
addEventListener("load", () => {
  for (const part of document.querySelectorAll("dt.sig > dl, dt.sig > dl > dd")) part.setAttribute("role", "none");
});
