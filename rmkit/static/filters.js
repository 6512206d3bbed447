// The controls above the list: filters, search, and the menu that saves, exports and takes decisions.

// ---- the bar

const VERDICT_FILTERS = {right: "Right", wrong: "Wrong", tie: "Tie", none: "No reward"};

function drawFilterBar(view) {
  const {filters, table, nodes} = view, [first, ...others] = table.facets.values();
  const named = (label, control, name) =>
    field(label, fill(control, {"data-filter": label.split(" ").at(-1).toLowerCase()}), name);
  const choice = (label, options) => {
    const key = label.toLowerCase(), set = value => setFilters(view, {...view.filters, [key]: value});
    return named(label, selectOf([["", "All"], ...Object.entries(options)], filters[key], set));
  };
  const sorts = selectOf(sortsOf(table), view.sort.by, by => setSort(view, {by, down: false}));
  redraw(view, nodes.filters, [
    choice("Verdict", VERDICT_FILTERS), choice("Decision", DECISION_FILTERS), choice("Mark", MARK_FILTERS),
    first && facetMenu(view, first), others.length > 0 && moreFacets(view, others),
    named("Reward from", rewardInput(view, "from"), "rmkit-short"),
    named("Reward to", rewardInput(view, "to"), "rmkit-short"),
    named("Sort", sorts, "rmkit-middle"), named("Search", searchInput(view), "rmkit-wide"), reviewMenu(view)]);
}

// The controls follow filters that were set elsewhere; the one in use is left alone.
function showFilters(view) {
  const values = {...view.filters, search: view.filters.text, sort: view.sort.by};
  for (const control of view.nodes.filters.querySelectorAll("[data-filter]")) {
    if (control !== activeElement(view)) control.value = values[control.dataset.filter] ?? "";
  }
  for (const part of view.nodes.filters.querySelectorAll("[data-facet]")) part.follow();
}

const numberOf = text => text === "" || !finite(Number(text)) ? null : Number(text);
const numberField = attributes => element("input", {type: "number", step: "any", placeholder: "any", ...attributes});

function rewardInput(view, end) {
  const change = event => setFilters(view, {...view.filters, [end]: numberOf(event.target.value)});
  return numberField({value: view.filters[end], onchange: change});
}

// ---- columns of the dataset's own: some of their values, or from one number to another

function facetMenu(view, facet) {
  const name = element("summary", {"aria-label": facet.name});
  const menu = element("details", {class: "rmkit-menu rmkit-facet"}, name,
    element("div", {class: "rmkit-card"}, facetPart(view, facet)));
  const follow = () => { name.textContent = facetText(view.filters.columns[facet.name]); };
  follow();
  const part = element("div", {class: "rmkit-field", "data-facet": ""}, soft(isolated(cut(facet.name, 60))), menu);
  return Object.assign(part, {follow});
}

function facetText(filter) {
  if (!filter) return "All";
  if (!filter.values) return limitsText(filter);
  return filter.values.length === 1 ? cut(noneText(filter.values[0]), 24) : `${filter.values.length} of them`;
}

function moreFacets(view, facets) {
  const parts = facets.map(facet => element("fieldset", {class: "rmkit-choices"},
    element("legend", null, isolated(cut(facet.name, 60))), facetPart(view, facet)));
  return element("details", {class: "rmkit-menu rmkit-facet"},
    element("summary", null, counted(facets.length, "more column")), element("div", {class: "rmkit-card"}, ...parts));
}

function setColumn(view, name, filter) {
  const columns = without(view.filters.columns, name);
  setFilters(view, {...view.filters, columns: filter ? {...columns, [name]: filter} : columns});
}

const facetPart = (view, facet) => (facet.kind === "number" ? numberFacet : categoryFacet)(view, facet);

function numberFacet(view, {name}) {
  const now = () => view.filters.columns[name] ?? {from: null, to: null};
  const change = end => event => {
    const filter = {...now(), [end]: numberOf(event.target.value)};
    setColumn(view, name, filter.from === null && filter.to === null ? null : filter);
  };
  const [from, to] = ["from", "to"].map(end =>
    numberField({"aria-label": `${name} ${end}`, value: now()[end], onchange: change(end)}));
  const follow = () => {
    for (const [end, node] of [["from", from], ["to", to]]) {
      if (node !== activeElement(view)) node.value = now()[end] ?? "";
    }
  };
  const part = element("div", {class: "rmkit-bar", "data-facet": ""}, "from ", from, " to ", to);
  return Object.assign(part, {follow});
}

function categoryFacet(view, facet) {
  const now = () => view.filters.columns[facet.name]?.values ?? [];
  const flip = value => event => {
    const values = event.target.checked ? [...now(), value] : now().filter(each => each !== value);
    setColumn(view, facet.name, values.length ? {values} : null);
  };
  const options = facetCounts(facet).map(([value, n]) => {
    const checked = now().includes(value), onchange = flip(value);
    return {value, n, box: element("input", {type: "checkbox", checked, onchange, "data-value": value})};
  });
  const labels = options.map(({value, n, box}) =>
    element("label", null, box, isolated(cut(noneText(value), 60)), soft(` ${countText(n)}`)));
  const follow = () => options.forEach(({value, box}) => { box.checked = now().includes(value); });
  return Object.assign(element("div", {class: "rmkit-choices", "data-facet": ""}, ...labels), {follow});
}

// ---- search

const TYPED = 200, SLOW = 300; // milliseconds: without a key, before it is searched; and before it is said to take long

function searchInput(view) {
  let timer = null;
  const begin = (event, wait) => {
    const text = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(() => search(view, text), wait);
  };
  const typed = event => begin(event, TYPED);
  const keys = event => { if (event.key === "Enter") begin(event, 0); };
  return element("input", {type: "search", value: view.filters.text, placeholder: 'words, or "a phrase"', dir: "auto",
    autocomplete: "off", spellcheck: "false", oninput: typed, onkeydown: keys});
}

// The search box keeps what is typed into it while the answer is under way: only the rest is drawn. `sends`: other
// views hear of it.
async function search(view, text, sends = true) {
  const turn = ++view.searches;
  const wait = setTimeout(() => { view.nodes.busy.textContent = "Searching all texts…"; }, SLOW);
  const reply = text.trim() ? await ask(view, {what: "search", text}) : {ids: null, terms: []};
  clearTimeout(wait);
  if (!reply || turn !== view.searches) return;
  view.filters = {...view.filters, text: reply.ids ? text : ""};
  view.found = reply.ids ? new Set(reply.ids) : null;
  view.terms = reply.terms ?? [];
  if (sends) sendPlace(view);
  refresh(view);
}

// ---- decisions and export

function reviewMenu(view) {
  const {meta: {can}, source} = view;
  if (!can?.export && !can?.mark) return null;
  const send = (rows, format) => () => exportRows(view, rows, format);
  const chooser = element("input", {type: "file", accept: ".jsonl", class: "rmkit-unseen", tabindex: -1,
    "aria-hidden": "true", onchange: event => takeMarks(view, event.target)});
  const exports = can.export && [
    button("Save decisions .jsonl", send("review", "jsonl"), {title: "what marks=... reads, in a notebook too"}),
    button("Export marked pairs .jsonl", send("marks", "jsonl")),
    button("Export shown rows .jsonl", send("shown", "jsonl")),
    !source.saved && button("Export shown rows .parquet", send("shown", "parquet"))];
  return element("details", {class: "rmkit-menu"}, element("summary", null, "Decisions and export"),
    element("div", {class: "rmkit-card"}, exports,
      can.mark && button("Take decisions from a file", () => chooser.click()), chooser,
      source.saved && can.mark && reviewerField(view)));
}

// Whose decisions they are: a page may be mailed to several people.
function reviewerField(view) {
  const change = event => ask(view, {what: "reviewer", name: event.target.value});
  const input = element("input", {type: "text", value: view.review.reviewer, autocomplete: "off", onchange: change});
  return field("Your name, in the file", input);
}

async function exportRows(view, rows, format) {
  const marked = Object.keys(view.marks).map(Number);
  const isEmpty = rows !== "shown" && !marked.length && !view.review.seen.size;
  if (isEmpty) return showAlert(view, "Nothing is decided yet: open a pair and decide.");
  const ids = rows === "shown" ? Array.from(view.shown) : marked;
  const reply = await ask(view, {what: "export", rows, ids, format});
  if (reply) download(reply);
}

async function takeMarks(view, input) {
  const file = input.files[0];
  if (!file) return;
  const reply = await ask(view, {what: "take_marks", text: await file.text()});
  input.value = "";
  if (reply) showAlert(view, reply.message ?? null);
}
