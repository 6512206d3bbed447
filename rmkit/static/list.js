// The filters, and the list of pairs.

// ---- page: filters

function drawFilterBar(view) {
  const {filters, table, nodes} = view, set = key => value => setFilters(view, {...view.filters, [key]: value});
  const named = (label, control, name) => field(label, filled(control, {"data-filter": label.split(" ").at(-1).toLowerCase()}, []), name);
  const sources = [["", "All"], ...table.sources.map((name, code) => [code, name || "(empty)"]), ...(table.source?.includes(-1) ? [[-1, "none"]] : [])];
  nodes.filters.replaceChildren(...[
    named("Verdict", selectOf([["", "All"], ["right", "Right"], ["wrong", "Wrong"], ["tie", "Tie"], ["none", "No reward"]], filters.verdict, set("verdict"))),
    table.source && named("Source", selectOf(sources, filters.source, set("source"))),
    named("Mark", selectOf([["", "All"], ...Object.entries(MARKS), ["any", "Any mark"], ["without", "Without a mark"]], filters.mark, set("mark"))),
    named("Reward from", rewardInput(view, "from"), "rmkit-short"),
    named("Reward to", rewardInput(view, "to"), "rmkit-short"),
    named("Sort", selectOf(sortsOf(table), view.sort, value => { view.sort = value; refresh(view); }), "rmkit-middle"),
    named("Search", searchInput(view), "rmkit-wide"),
    marksMenu(view)].filter(Boolean));
}

// The controls follow filters that were set elsewhere; the one in use is left alone.
function showFilters(view) {
  const values = {...view.filters, search: view.filters.text, sort: view.sort};
  for (const control of view.nodes.filters.querySelectorAll("[data-filter]")) if (control !== activeElement(view)) control.value = values[control.dataset.filter] ?? "";
}

function rewardInput(view, end) {
  const change = event => { const value = event.target.value; setFilters(view, {...view.filters, [end]: value === "" || !finite(Number(value)) ? null : Number(value)}); };
  return element("input", {type: "number", step: "any", value: view.filters[end], placeholder: "any", onchange: change});
}

function searchInput(view) {
  let timer = null;
  const typed = event => { clearTimeout(timer); const text = event.target.value; timer = setTimeout(() => search(view, text), 150); };
  const keys = event => {
    if (event.key === "Escape") { event.target.value = ""; clearTimeout(timer); search(view, ""); event.stopPropagation(); }
  };
  return element("input", {type: "text", value: view.filters.text, placeholder: "in prompts, responses, sources", dir: "auto", autocomplete: "off", spellcheck: "false", oninput: typed, onkeydown: keys});
}

// The search box keeps what is typed into it while the answer is under way: only the rest is drawn.
async function search(view, text) {
  const turn = ++view.searches;
  const reply = text.trim() ? await ask(view, {what: "search", text}) : {ids: null};
  if (!reply || turn !== view.searches) return;
  view.filters = {...view.filters, text: reply.ids ? text : "", found: reply.ids ? new Set(reply.ids) : null};
  refresh(view);
}

function marksMenu(view) {
  const {can} = view.meta, send = (rows, format) => () => exportRows(view, rows, format);
  if (!can?.export && !can?.mark) return null;
  const chooser = element("input", {type: "file", accept: ".jsonl", class: "rmkit-unseen", tabindex: -1, "aria-hidden": "true", onchange: event => takeMarks(view, event.target)});
  return element("details", {class: "rmkit-menu"}, element("summary", null, "Marks and export"), element("div", {class: "rmkit-card"},
    can.export && button("Export marks .jsonl", send("marks", "jsonl")),
    can.export && button("Export shown rows .jsonl", send("shown", "jsonl")),
    can.export && !view.source.saved && button("Export shown rows .parquet", send("shown", "parquet")),
    can.mark && button("Take marks from a file", () => chooser.click()), chooser,
    view.source.saved && can.mark && element("p", {class: "rmkit-hint"}, "Marks made here are lost when the page closes, unless they are exported.")));
}

async function exportRows(view, rows, format) {
  const marked = Object.keys(view.marks).filter(id => view.marks[id].mark || view.marks[id].note).map(Number);
  if (rows === "marks" && !marked.length) return say(view, "There are no marks yet: open a pair and mark it.");
  const reply = await ask(view, {what: "export", rows, ids: rows === "marks" ? marked : Array.from(view.shown), format});
  if (reply) download(reply);
}

async function takeMarks(view, input) {
  const file = input.files[0];
  if (!file) return;
  const reply = await ask(view, {what: "take_marks", text: await file.text()});
  input.value = "";
  if (!reply) return;
  setMarks(view, reply.marks);
  drawPair(view);
  say(view, reply.message ?? null);
}

// ---- page: the list

const stepsShown = view => view.table.moves && view.tab === "Over training";
const LIST_CELLS = [
  ["id", "Pair", () => true, (view, i) => String(i)],
  ["call", "Verdict", () => true, (view, i) => verdictSign(view.table.verdicts[i])],
  ["number", "Margin", () => true, (view, i) => signed(view.table.columns.reward_margin[i])],
  ["number", "P(chosen)", () => true, (view, i) => numberText(view.table.columns.p_chosen[i])],
  ["step", "At step", stepsShown, (view, i) => stepCell(view, i)],
  ["number rmkit-gap", "Length gap", view => view.table.columns.length_gap && !stepsShown(view), (view, i) => signed(view.table.columns.length_gap[i], 0)],
  ["source", "Source", view => view.table.source, (view, i) => isolated(cut(view.table.sources[view.table.source[i]] ?? "", 100))],
  ["mark", "Mark", view => Object.values(view.marks).some(mark => mark.mark || mark.note), (view, i) => MARKS[view.marks[i]?.mark] ?? (view.marks[i]?.note ? "note" : "")],
];
const SNIPPETS = ["prompt", "chosen", "rejected"];

function stepCell(view, i) {
  const {moves} = view.table, became = becameAt(moves, view.step, i);
  return element("span", {class: became ? `rmkit-is-${became}` : ""}, signed(moves.margins[view.step][i]), became && ` → ${became}`);
}

function listHead(view) {
  return element("div", {class: "rmkit-head", "aria-hidden": "true"},
    ...LIST_CELLS.filter(([, , there]) => there(view)).map(([name, title]) => element("span", {class: `rmkit-cell rmkit-${name}`}, name === "step" ? `Step ${view.table.moves.steps[view.step]}` : title)),
    ...SNIPPETS.map(name => element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${name}`}, name[0].toUpperCase() + name.slice(1))));
}

function rowNode(view, i, at) {
  const row = element("div", {class: "rmkit-row", role: "option", "data-id": i, tabindex: at === view.cursor ? 0 : -1, "aria-selected": String(i === view.open),
    "aria-posinset": at + 1, "aria-setsize": view.shown.length, onclick: () => { goTo(view, at, true); openPair(view, i); }},
    ...LIST_CELLS.filter(([, , there]) => there(view)).map(([name, title, , content]) => element("span", {class: `rmkit-cell rmkit-${name}`}, unseen(`${title} `), content(view, i))));
  const snippet = view.snippets.get(i);
  row.append(...SNIPPETS.map(name => element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${name}`, dir: "auto"}, snippet ? snippet[name] : "…")));
  return row;
}

function drawRows(view) {
  const {list, head, pager} = view.nodes, size = view.meta.page ?? 20, page = Math.floor(view.cursor / size), start = page * size;
  const focused = list.contains(activeElement(view)), ids = Array.from(view.shown.slice(start, start + size));
  head.replaceChildren(listHead(view));
  list.replaceChildren(...ids.map((i, k) => rowNode(view, i, start + k)));
  view.nodes.none.hidden = ids.length > 0;
  drawPager(view, page, Math.max(Math.ceil(view.shown.length / size), 1), pager);
  if (focused) focusRow(view);
  fetchSnippets(view, ids);
}

async function fetchSnippets(view, ids) {
  const missing = ids.filter(i => !view.snippets.has(i) && !view.asked.has(i));
  if (!missing.length) return;
  missing.forEach(i => view.asked.add(i));
  const reply = await ask(view, {what: "rows", ids: missing});
  missing.forEach(i => view.asked.delete(i));
  if (view.snippets.size > 5000) view.snippets.clear();
  for (const row of reply ?? []) view.snippets.set(row.id, row);
  for (const row of view.nodes.list.children) {
    const snippet = view.snippets.get(Number(row.dataset.id));
    if (snippet) row.querySelectorAll(".rmkit-snippet").forEach((cell, k) => { cell.textContent = snippet[SNIPPETS[k]]; });
  }
}

function focusRow(view) {
  const row = view.nodes.list.querySelector('[tabindex="0"]');
  row?.focus({preventScroll: true});
  row?.scrollIntoView({block: "nearest"});
}

function drawPager(view, page, pages, pager) {
  const size = view.meta.page ?? 20, to = (name, text, target, off) => button(text, () => goTo(view, clamp(target, 0, pages - 1) * size), {"aria-label": name, disabled: off, "data-keep": name});
  redrawn(view, pager, [to("First page", "« First", 0, page === 0), to("Previous page", "‹ Previous", page - 1, page === 0),
    element("span", {class: "rmkit-pageno"}, `page ${countText(page + 1)} of ${countText(pages)}`),
    to("Next page", "Next ›", page + 1, page >= pages - 1), to("Last page", "Last »", pages - 1, page >= pages - 1)]);
}

function goTo(view, at, focus = false) {
  const size = view.meta.page ?? 20, before = Math.floor(view.cursor / size);
  view.cursor = clamp(at, 0, Math.max(view.shown.length - 1, 0));
  if (Math.floor(view.cursor / size) !== before) drawRows(view);
  else [...view.nodes.list.children].forEach((row, k) => { row.tabIndex = before * size + k === view.cursor ? 0 : -1; });
  if (focus) focusRow(view);
}

function listKeys(view, event) {
  const size = view.meta.page ?? 20, last = view.shown.length - 1;
  const to = {ArrowDown: view.cursor + 1, ArrowUp: view.cursor - 1, PageDown: view.cursor + size, PageUp: view.cursor - size, Home: 0, End: last}[event.key];
  if (to !== undefined) goTo(view, clamp(to, 0, last), true);
  else if ((event.key === "Enter" || event.key === " ") && last >= 0) openPair(view, view.shown[view.cursor]);
  else return;
  event.preventDefault();
}

