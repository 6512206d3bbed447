// The list of pairs: its cells, rows and pages, and the keys that move in it.

// ---- cells

const stepsShown = view => view.table.moves && view.tab === "Over training";
const numberCell = (view, i, name) => numberText(view.table.columns[name][i]);
const signedCell = (view, i, name, digits) => signed(view.table.columns[name][i], digits);
const markText = ({mark, note, edit} = {}) =>
  [MARKS[mark], note && !mark && "note", edit && "edited"].filter(Boolean).join(", ");

// Cells of a row: `by` is the order that the head sets, `there` says whether the cell is. Those of the review are last.
const NUMBER_CELLS = [
  {name: "id", title: "Pair", by: "data", content: (view, i) => String(i)},
  {name: "call", title: "Verdict", by: "verdict", content: (view, i) => verdictSign(view.table.verdicts[i])},
  {name: "number", title: "Margin", by: "reward_margin", content: (view, i) => signedCell(view, i, "reward_margin", 2)},
  {name: "number", title: "P(chosen)", by: "p_chosen", content: (view, i) => numberCell(view, i, "p_chosen")},
  {name: "step", title: "At step", there: stepsShown, content: (view, i) => stepCell(view, i)},
  {name: "number rmkit-gap", title: "Length gap", by: "length_gap",
    there: view => view.table.columns.length_gap && !stepsShown(view),
    content: (view, i) => signedCell(view, i, "length_gap", 0)},
];
const REVIEW_CELLS = [
  {name: "decision", title: "Decision", by: "decision",
    there: view => Object.values(view.marks).some(entry => entry.decision),
    content: (view, i) => DECISIONS[view.marks[i]?.decision] ?? ""},
  {name: "mark", title: "Mark", by: "mark", there: view => Object.values(view.marks).some(markText),
    content: (view, i) => markText(view.marks[i])},
];

// The cells of the list: those above, the source, and the column that the list is sorted by.
function listCells(view) {
  const {table: {facets, columns}, sort: {by}} = view, isThere = ({there}) => !there || there(view);
  const shown = new Set(["source", by].filter(name => facets.has(name)));
  const own = [...shown].map(name =>
    ({name: "source", title: name, by: name, content: (view, i) => facetCell(facets.get(name), i)}));
  const hasHead = NUMBER_CELLS.some(cell => cell.by === by) || shown.has(by);
  const more = by in COLUMN_SORTS && columns[by] && !hasHead
    ? [{name: "number", title: COLUMN_SORTS[by], by, content: (view, i) => numberCell(view, i, by)}] : [];
  return [...NUMBER_CELLS.filter(isThere), ...more, ...own, ...REVIEW_CELLS.filter(isThere)];
}

function facetCell({codes, names, values}, i) {
  return codes ? isolated(cut(names[codes[i]] ?? "", 100)) : numberText(values[i]);
}

function stepCell(view, i) {
  const {moves} = view.table, became = becameAt(moves, view.step, i);
  return element("span", {class: became ? `rmkit-is-${became}` : ""}, signed(moves.margins[view.step][i]),
    became && ` → ${became}`);
}

// ---- the head, which sorts

function headCell(view, {name, title, by}) {
  const {sort, table: {moves}} = view, text = name === "step" ? `Step ${moves.steps[view.step]}` : title;
  return element("span", {class: `rmkit-cell rmkit-${name}`}, by ? sortButton(view, text, by, sort)
    : element("span", null, text));
}

function sortButton(view, text, by, sort) {
  const isOn = sort.by === by, said = isOn ? `, now ${sort.down ? "descending" : "ascending"}` : "";
  return element("button", {type: "button", class: "rmkit-headcell", "data-keep": `head ${by}`,
    "data-sorted": isOn ? (sort.down ? "down" : "up") : null, "aria-label": `Sort by ${text}${said}`,
    onclick: () => setSort(view, {by, down: isOn && !sort.down})}, isolated(cut(text, 40)));
}

function drawHead(view, cells) {
  const snippetHead = name =>
    element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${name}`}, name[0].toUpperCase() + name.slice(1));
  redraw(view, view.nodes.head, [...cells.map(cell => headCell(view, cell)), ...TEXTS.map(snippetHead)]);
}

function setSort(view, sort) {
  view.sort = sort;
  view.leftAt = null;
  sendPlace(view);
  refresh(view);
  showFilters(view);
}

// ---- rows

const pageSize = view => view.meta.page ?? 20;

function rowNode(view, i, at, cells) {
  const name = `rmkit-row${view.review.seen.has(i) ? " rmkit-seen" : ""}`, snippet = view.snippets.get(i);
  const open = () => {
    goTo(view, at, true);
    openPair(view, i);
  };
  const cell = ({name, title, content}) =>
    element("span", {class: `rmkit-cell rmkit-${name}`}, unseen(`${title} `), content(view, i));
  const snippetCell = part =>
    element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${part}`, dir: "auto"}, snippet ? snippet[part] : "…");
  return element("div", {class: name, role: "option", "data-id": i, tabindex: at === view.cursor ? 0 : -1,
    "aria-selected": String(i === view.open), "aria-posinset": at + 1, "aria-setsize": view.shown.length,
    onclick: open}, ...cells.map(cell), ...TEXTS.map(snippetCell));
}

function drawRows(view) {
  const {list, none} = view.nodes, size = pageSize(view), start = Math.floor(view.cursor / size) * size;
  const hadFocus = list.contains(activeElement(view)), ids = Array.from(view.shown.slice(start, start + size));
  const cells = listCells(view);
  drawHead(view, cells);
  list.replaceChildren(...ids.map((i, k) => rowNode(view, i, start + k, cells)));
  none.hidden = ids.length > 0;
  drawPager(view);
  if (hadFocus) focusRow(view);
  fetchSnippets(view, ids);
}

const SNIPPETS_KEPT = 5000; // rows

async function fetchSnippets(view, ids) {
  const missing = ids.filter(i => !view.snippets.has(i) && !view.asked.has(i));
  if (!missing.length) return;
  missing.forEach(i => view.asked.add(i));
  const reply = await ask(view, {what: "rows", ids: missing});
  missing.forEach(i => view.asked.delete(i));
  if (view.snippets.size > SNIPPETS_KEPT) view.snippets.clear();
  for (const row of reply ?? []) view.snippets.set(row.id, row);
  for (const row of view.nodes.list.children) {
    const snippet = view.snippets.get(Number(row.dataset.id));
    if (!snippet) continue;
    row.querySelectorAll(".rmkit-snippet").forEach((cell, k) => { cell.textContent = snippet[TEXTS[k]]; });
  }
}

// The row is brought into sight within the list; the page around stays where it is.
function focusRow(view) {
  const {list} = view.nodes, row = list.querySelector('[tabindex="0"]');
  if (!row) return;
  row.focus({preventScroll: true});
  const above = row.offsetTop - list.offsetTop - list.scrollTop, below = above + row.offsetHeight - list.clientHeight;
  if (above < 0 || below > 0) list.scrollTop += above < 0 ? above : below;
}

// ---- pages

function drawPager(view) {
  const {pager} = view.nodes, size = pageSize(view), active = activeElement(view);
  const page = Math.floor(view.cursor / size), last = Math.max(Math.ceil(view.shown.length / size), 1) - 1;
  const to = (name, text, target, disabled) => button(text, () => goTo(view, clamp(target, 0, last) * size),
    {"aria-label": name, disabled, "data-keep": name});
  if (pager.contains(active) && isField(active)) return;
  const number = `page ${countText(page + 1)} of ${countText(last + 1)}`;
  redraw(view, pager, [
    to("First page", "« First", 0, page === 0), to("Previous page", "‹ Previous", page - 1, page === 0),
    element("span", {class: "rmkit-pageno"}, number),
    to("Next page", "Next ›", page + 1, page >= last), to("Last page", "Last »", last, page >= last),
    numberInput(view)]);
}

function numberInput(view) {
  const open = event => {
    const i = Number(event.target.value), last = view.table.n - 1;
    if (event.key !== "Enter" || event.target.value === "") return;
    event.preventDefault();
    if (!Number.isInteger(i) || i < 0 || i > last) return showAlert(view, `There are pairs 0 to ${countText(last)}.`);
    event.target.value = "";
    view.nodes.pair.focus({preventScroll: true});
    openPair(view, i);
  };
  return element("label", {class: "rmkit-goto"}, "Pair ", element("input", {type: "number", min: 0,
    max: view.table.n - 1, onkeydown: open, "aria-label": "Go to pair", placeholder: "number"}));
}

// ---- moving

function goTo(view, at, focus = false) {
  const size = pageSize(view), before = Math.floor(view.cursor / size), rows = [...view.nodes.list.children];
  view.cursor = clamp(at, 0, Math.max(view.shown.length - 1, 0));
  if (Math.floor(view.cursor / size) !== before) drawRows(view);
  else rows.forEach((row, k) => { row.tabIndex = before * size + k === view.cursor ? 0 : -1; });
  if (focus) focusRow(view);
}

function listKeys(view, event) {
  const {cursor, shown} = view, size = pageSize(view), last = shown.length - 1;
  const to = {ArrowDown: cursor + 1, ArrowUp: cursor - 1, PageDown: cursor + size, PageUp: cursor - size,
    Home: 0, End: last}[event.key];
  if (to !== undefined) goTo(view, clamp(to, 0, last), true);
  else if ((event.key === "Enter" || event.key === " ") && last >= 0) openPair(view, shown[cursor]);
  else return;
  event.preventDefault();
}

// From the open pair, or from where it stood before a decision took it out of the list.
function stepPair(view, step) {
  const at = view.open === null ? -1 : view.shown.indexOf(view.open), from = view.leftAt ?? view.cursor;
  const to = at >= 0 ? at + step : step > 0 ? from : from - 1;
  if (to < 0 || to >= view.shown.length) return;
  openPair(view, view.shown[to]);
}

// A pair was opened: the list shows where it is, and everything that follows it hears of it.
function followOpened(view, i) {
  const at = view.shown.indexOf(i), {list} = view.nodes;
  if (at >= 0) {
    view.leftAt = null;
    goTo(view, at, list.contains(activeElement(view)));
  }
  for (const row of list.children) row.setAttribute("aria-selected", String(Number(row.dataset.id) === i));
  sendPlace(view);
  if (!view.review.seen.has(i)) markSeen(view, i);
}

async function markSeen(view, i) {
  view.justSeen.add(i);
  takeReview(view);
  drawProgress(view);
  view.nodes.list.querySelector(`[data-id="${i}"]`)?.classList.add("rmkit-seen");
  if (view.meta.can?.mark) await view.source.ask({what: "change", pair: i, seen: true}).catch(() => null);
}
