// The filters, and the list of pairs.

// ---- page: filters

function drawFilterBar(view) {
  const {filters, table, nodes} = view, set = key => value => setFilters(view, {...view.filters, [key]: value});
  const named = (label, control, name) => {
    return field(label, filled(control, {"data-filter": label.split(" ").at(-1).toLowerCase()}, []), name);
  };
  const choice = (label, options, key) => named(label, selectOf([["", "All"], ...Object.entries(options)],
    filters[key], set(key)));
  const verdicts = {right: "Right", wrong: "Wrong", tie: "Tie", none: "No reward"}, facets = [...table.facets.values()];
  redrawn(view, nodes.filters, [
    choice("Verdict", verdicts, "verdict"), choice("Decision", DECISION_FILTERS, "decision"),
      choice("Mark", MARK_FILTERS, "mark"),
    ...facets.slice(0, 1).map(facet => facetMenu(view, facet)),
    facets.length > 1 && moreFacets(view, facets.slice(1)),
    named("Reward from", rewardInput(view, "from"), "rmkit-short"),
    named("Reward to", rewardInput(view, "to"), "rmkit-short"),
    named("Sort", selectOf(sortsOf(table), view.sort.by, by => setSort(view, {by, down: false})), "rmkit-middle"),
    named("Search", searchInput(view), "rmkit-wide"),
    reviewMenu(view)]);
}

// The controls follow filters that were set elsewhere; the one in use is left alone.
function showFilters(view) {
  const values = {...view.filters, search: view.filters.text, sort: view.sort.by};
  for (const control of view.nodes.filters.querySelectorAll("[data-filter]")) {
    if (control !== activeElement(view)) control.value = values[control.dataset.filter] ?? "";
  }
  for (const part of view.nodes.filters.querySelectorAll("[data-facet]")) part.follow();
}

function rewardInput(view, end) {
  const change = event => setFilters(view, {...view.filters, [end]: numberOf(event.target.value)});
  return element("input", {type: "number", step: "any", value: view.filters[end], placeholder: "any",
    onchange: change});
}

const numberOf = text => text === "" || !finite(Number(text)) ? null : Number(text);

// A column of the dataset's own: its values, several at once, or from one number to another.
function facetMenu(view, facet) {
  const name = element("summary", {"aria-label": facet.name});
  const menu = element("details", {class: "rmkit-menu rmkit-facet"}, name,
    element("div", {class: "rmkit-card"}, facetPart(view, facet)));
  const follow = () => { name.textContent = facetText(view, facet); };
  follow();
  return Object.assign(element("div", {class: "rmkit-field", "data-facet": ""},
    element("span", {class: "rmkit-soft"}, isolated(cut(facet.name, 60))), menu), {follow});
}

function facetText(view, {name}) {
  const filter = view.filters.columns[name];
  if (!filter) return "All";
  if (!filter.values) return `${filter.from ?? "any"} to ${filter.to ?? "any"}`;
  return filter.values.length === 1 ? cut(noneText(filter.values[0]), 24) : `${filter.values.length} of them`;
}

function moreFacets(view, facets) {
  const parts = facets.map(facet => element("fieldset", {class: "rmkit-choices"},
    element("legend", null, isolated(cut(facet.name, 60))),
    facetPart(view, facet)));
  return element("details", {class: "rmkit-menu rmkit-facet"},
    element("summary", null, counted(facets.length, "more column")),
    element("div", {class: "rmkit-card"}, ...parts));
}

function setColumn(view, name, filter) {
  const columns = without(view.filters.columns, name);
  setFilters(view, {...view.filters, columns: filter ? {...columns, [name]: filter} : columns});
}

function facetPart(view, facet) {
  return facet.kind === "number" ? numberFacet(view, facet) : categoryFacet(view, facet);
}

function numberFacet(view, {name}) {
  const now = () => view.filters.columns[name] ?? {from: null, to: null};
  const input = end => element("input", {type: "number", step: "any", placeholder: "any",
    "aria-label": `${name} ${end}`,
    value: now()[end], onchange: event => {
      const filter = {...now(), [end]: numberOf(event.target.value)};
      setColumn(view, name, filter.from === null && filter.to === null ? null : filter);
    }});
  const inputs = {from: input("from"), to: input("to")};
  const follow = () => {
    for (const [end, node] of Object.entries(inputs)) if (node !== activeElement(view)) node.value = now()[end] ?? "";
  };
  return Object.assign(element("div", {class: "rmkit-bar", "data-facet": ""}, "from ", inputs.from, " to ",
    inputs.to), {follow});
}

function categoryFacet(view, {name, names, codes}) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const options = [...counts].sort((a, b) => b[1] - a[1]).map(([code, n]) => [names[code] ?? null, n]);
  const now = () => view.filters.columns[name]?.values ?? [];
  const flip = value => event => {
    const values = event.target.checked ? [...now(), value] : now().filter(each => each !== value);
    setColumn(view, name, values.length ? {values} : null);
  };
  const boxes = options.map(([value, n]) => [value, element("input", {type: "checkbox", checked: now().includes(value),
    onchange: flip(value), "data-value": value}), n]);
  const follow = () => { for (const [value, box] of boxes) box.checked = now().includes(value); };
  return Object.assign(element("div", {class: "rmkit-choices", "data-facet": ""}, ...boxes.map(([value, box, n]) =>
    element("label", null, box, isolated(cut(noneText(value), 60)),
      element("span", {class: "rmkit-soft"}, ` ${countText(n)}`)))),
    {follow});
}

function searchInput(view) {
  let timer = null;
  const begin = (event, wait) => {
    const text = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(() => search(view, text), wait);
  };
  const typed = event => begin(event, 200), keys = event => { if (event.key === "Enter") begin(event, 0); };
  return element("input", {type: "search", value: view.filters.text, placeholder: 'words, or "a phrase"', dir: "auto",
    autocomplete: "off", spellcheck: "false", oninput: typed, onkeydown: keys});
}

// The search box keeps what is typed into it while the answer is under way: only the rest is drawn.
async function search(view, text, told = true) {
  const turn = ++view.searches, wait = setTimeout(() => { view.nodes.busy.textContent = "Searching all texts…"; }, 300);
  const reply = text.trim() ? await ask(view, {what: "search", text}) : {ids: null, terms: []};
  clearTimeout(wait);
  if (!reply || turn !== view.searches) return;
  view.filters = {...view.filters, text: reply.ids ? text : ""};
  view.found = reply.ids ? new Set(reply.ids) : null;
  view.terms = reply.terms ?? [];
  if (told) tellPlace(view);
  refresh(view);
}

function reviewMenu(view) {
  const {can} = view.meta, send = (rows, format) => () => exportRows(view, rows, format);
  if (!can?.export && !can?.mark) return null;
  const chooser = element("input", {type: "file", accept: ".jsonl", class: "rmkit-unseen", tabindex: -1,
    "aria-hidden": "true",
    onchange: event => takeMarks(view, event.target)});
  return element("details", {class: "rmkit-menu"}, element("summary", null, "Decisions and export"),
    element("div", {class: "rmkit-card"},
    can.export && button("Save decisions .jsonl", send("review", "jsonl"),
      {title: "what marks=... reads, in a notebook too"}),
    can.export && button("Export marked pairs .jsonl", send("marks", "jsonl")),
    can.export && button("Export shown rows .jsonl", send("shown", "jsonl")),
    can.export && !view.source.saved && button("Export shown rows .parquet", send("shown", "parquet")),
    can.mark && button("Take decisions from a file", () => chooser.click()), chooser,
    view.source.saved && can.mark && reviewerField(view)));
}

// Whose decisions they are: a page may be mailed to several people.
function reviewerField(view) {
  return field("Your name, in the file", element("input",
    {type: "text", value: view.review.reviewer, autocomplete: "off",
    onchange: event => ask(view, {what: "reviewer", name: event.target.value})}));
}

async function exportRows(view, rows, format) {
  const reviewed = Object.keys(view.marks).map(Number);
  const isEmpty = rows !== "shown" && !reviewed.length && !view.review.seen.size;
  if (isEmpty) return say(view, "Nothing is decided yet: open a pair and decide.");
  const reply = await ask(view, {what: "export", rows, ids: rows === "shown" ? Array.from(view.shown) : reviewed,
    format});
  if (reply) download(reply);
}

async function takeMarks(view, input) {
  const file = input.files[0];
  if (!file) return;
  const reply = await ask(view, {what: "take_marks", text: await file.text()});
  input.value = "";
  if (reply) say(view, reply.message ?? null);
}

// ---- page: the list

const stepsShown = view => view.table.moves && view.tab === "Over training";
const numberCell = (view, i, name) => numberText(view.table.columns[name][i]);
const signedCell = (view, i, name, digits) => signed(view.table.columns[name][i], digits);
const markText = ({mark, note, edit} = {}) =>
  [MARKS[mark], note && !mark && "note", edit && "edited"].filter(Boolean).join(", ");

// Cells of a row: `by` is the order that the head sets, `there` says whether the cell is. Those of the review come last.
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
const SNIPPETS = ["prompt", "chosen", "rejected"];

// The cells of the list: those above, the source, and the column that the list is sorted by.
function listCells(view) {
  const {table: {facets, columns}, sort: {by}} = view, isThere = ({there}) => !there || there(view);
  const shown = new Set(["source", by].filter(name => facets.has(name)));
  const own = [...shown].map(name => ({name: "source", title: name, by: name,
    content: (view, i) => facetCell(facets.get(name), i)}));
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
  return element("span", {class: became ? `rmkit-is-${became}` : ""}, signed(moves.margins[view.step][i]), became
    && ` → ${became}`);
}

function headCell(view, {name, title, by}) {
  const {sort, table: {moves}} = view, text = name === "step" ? `Step ${moves.steps[view.step]}` : title;
  const on = sort.by === by, sorted = on ? (sort.down ? "down" : "up") : null;
  const press = !by ? element("span", null, text)
    : element("button", {type: "button", class: "rmkit-headcell", "data-keep": `head ${by}`, "data-sorted": sorted,
      "aria-label": `Sort by ${text}${on ? `, now ${sort.down ? "descending" : "ascending"}` : ""}`,
      onclick: () => setSort(view, {by, down: on && !sort.down})}, isolated(cut(text, 40)));
  return element("span", {class: `rmkit-cell rmkit-${name}`}, press);
}

function drawHead(view) {
  redrawn(view, view.nodes.head, [...listCells(view).map(cell => headCell(view, cell)),
    ...SNIPPETS.map(name => element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${name}`},
      name[0].toUpperCase() + name.slice(1)))]);
}

function setSort(view, sort) {
  view.sort = sort;
  view.gone = null;
  tellPlace(view);
  refresh(view);
  showFilters(view);
}

function rowNode(view, i, at, cells) {
  const name = `rmkit-row${view.review.seen.has(i) ? " rmkit-seen" : ""}`;
  const row = element("div", {class: name, role: "option", "data-id": i, tabindex: at === view.cursor ? 0 : -1,
    "aria-selected": String(i === view.open), "aria-posinset": at + 1, "aria-setsize": view.shown.length,
    onclick: () => { goTo(view, at, true); openPair(view, i); }},
    ...cells.map(({name, title, content}) => element("span", {class: `rmkit-cell rmkit-${name}`},
      unseen(`${title} `), content(view, i))));
  const snippet = view.snippets.get(i);
  row.append(...SNIPPETS.map(name => element("span", {class: `rmkit-cell rmkit-snippet rmkit-of-${name}`, dir: "auto"},
    snippet ? snippet[name] : "…")));
  return row;
}

function drawRows(view) {
  const {list, pager} = view.nodes, size = view.meta.page ?? 20, page = Math.floor(view.cursor / size),
    start = page * size;
  const focused = list.contains(activeElement(view)), ids = Array.from(view.shown.slice(start, start + size));
  const cells = listCells(view);
  drawHead(view);
  list.replaceChildren(...ids.map((i, k) => rowNode(view, i, start + k, cells)));
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
    if (!snippet) continue;
    row.querySelectorAll(".rmkit-snippet").forEach((cell, k) => { cell.textContent = snippet[SNIPPETS[k]]; });
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

function drawPager(view, page, pages, pager) {
  const size = view.meta.page ?? 20;
  const to = (name, text, target, off) => button(text, () => goTo(view, clamp(target, 0, pages - 1) * size),
    {"aria-label": name, disabled: off, "data-keep": name});
  if (pager.contains(activeElement(view)) && isField(activeElement(view))) return;
  redrawn(view, pager, [to("First page", "« First", 0, page === 0),
    to("Previous page", "‹ Previous", page - 1, page === 0),
    element("span", {class: "rmkit-pageno"}, `page ${countText(page + 1)} of ${countText(pages)}`),
    to("Next page", "Next ›", page + 1, page >= pages - 1), to("Last page", "Last »", pages - 1, page >= pages - 1),
      numberInput(view)]);
}

function numberInput(view) {
  const open = event => {
    const i = Number(event.target.value);
    if (event.key !== "Enter" || event.target.value === "") return;
    event.preventDefault();
    if (!Number.isInteger(i) || i < 0 || i >= view.table.n) return say(view,
      `There are pairs 0 to ${countText(view.table.n - 1)}.`);
    event.target.value = "";
    view.nodes.pair.focus({preventScroll: true});
    openPair(view, i);
  };
  return element("label", {class: "rmkit-goto"}, "Pair ",
    element("input", {type: "number", min: 0, max: view.table.n - 1, onkeydown: open,
    "aria-label": "Go to pair", placeholder: "number"}));
}

function goTo(view, at, focus = false) {
  const size = view.meta.page ?? 20, before = Math.floor(view.cursor / size);
  view.cursor = clamp(at, 0, Math.max(view.shown.length - 1, 0));
  if (Math.floor(view.cursor / size) !== before) drawRows(view);
  else [...view.nodes.list.children].forEach((row, k) => { row.tabIndex = before * size + k === view.cursor ? 0
    : -1; });
  if (focus) focusRow(view);
}

function listKeys(view, event) {
  const size = view.meta.page ?? 20, last = view.shown.length - 1;
  const to = {ArrowDown: view.cursor + 1, ArrowUp: view.cursor - 1, PageDown: view.cursor + size,
    PageUp: view.cursor - size, Home: 0, End: last}[event.key];
  if (to !== undefined) goTo(view, clamp(to, 0, last), true);
  else if ((event.key === "Enter" || event.key === " ") && last >= 0) openPair(view, view.shown[view.cursor]);
  else return;
  event.preventDefault();
}


// From the open pair, or from where it stood before a decision took it out of the list.
function stepPair(view, step) {
  const at = view.open === null ? -1 : view.shown.indexOf(view.open), from = view.gone ?? view.cursor;
  const to = at >= 0 ? at + step : step > 0 ? from : from - 1;
  if (to < 0 || to >= view.shown.length) return;
  openPair(view, view.shown[to]);
}

// A pair was opened: the list shows where it is, and everything that follows it hears of it.
function opened(view, i) {
  const at = view.shown.indexOf(i);
  if (at >= 0) view.gone = null;
  if (at >= 0) goTo(view, at, view.nodes.list.contains(activeElement(view)));
  for (const row of view.nodes.list.children) row.setAttribute("aria-selected", String(Number(row.dataset.id) === i));
  tellPlace(view);
  if (!view.review.seen.has(i)) markSeen(view, i);
}

async function markSeen(view, i) {
  view.justSeen.add(i);
  takeReview(view);
  drawProgress(view);
  view.nodes.list.querySelector(`[data-id="${i}"]`)?.classList.add("rmkit-seen");
  if (view.meta.can?.mark) await view.source.ask({what: "change", pair: i, seen: true}).catch(() => null);
}
