// The pair explorer as a whole: tabs, the overview, keys. charts.js, table.js, sources.js, parts.js, list.js, pair.js,
// reading.js, tokens.js, whatif.js and training.js stand in front of this file, in one module.

// ---- page: what is shown changes

function setFilters(view, filters) {
  view.filters = filters;
  refresh(view);
  showFilters(view);
  showSelections(view);
}

function refresh(view) {
  const start = performance.now();
  view.shown = matching(view.table, view.filters, view.sort, view.marks);
  view.cursor = 0;
  drawStatus(view);
  textsChanged(view);
  drawRows(view);
  if (view.pair) view.nodes.pair.querySelector("header").replaceWith(pairHead(view));
  view.root.dataset.ms = (performance.now() - start).toFixed(1);
}

function setPicture(view, id, filter) {
  const filters = withoutFilter(view.filters, id);
  if (filter) filters.pictures = new Map(filters.pictures).set(id, filter);
  setFilters(view, filters);
}

function setMarks(view, marks) {
  view.marks = marks;
  if (view.filters.mark) refresh(view); else drawRows(view);
}

function drawStatus(view) {
  const {filters, shown, table} = view, chips = chipsOf(filters, table.sources);
  const count = element("span", {class: "rmkit-count", role: "status"}, `${countText(shown.length)} of ${counted(table.n, "pair")}`);
  redrawn(view, view.nodes.status, [count,
    ...chips.map(([key, label]) => element("span", {class: "rmkit-chip"}, isolated(cut(label, 60)),
      button("×", () => setFilters(view, withoutFilter(view.filters, key)), {"aria-label": `Remove filter ${cut(label, 60)}`, class: "rmkit-remove", "data-keep": `chip ${key}`}))),
    chips.length > 0 && button("Clear filters", () => setFilters(view, noFilters()), {"data-keep": "clear"}),
    chips.length > 0 && view.tab === "Overview" && button("Show these pairs", () => selectTab(view, "Pairs", true), {class: "rmkit-button rmkit-first"})]);
}

// ---- page: tabs

const tabsOf = meta => ["Overview", "Pairs", ...(meta.moves ? ["Over training"] : [])];

function drawTabs(view) {
  const names = tabsOf(view.meta);
  view.nodes.tabs.replaceChildren(...names.map(name => element("button", {type: "button", role: "tab", class: "rmkit-tab", id: `${view.id}-tab-${names.indexOf(name)}`,
    "aria-controls": `${view.id}-panel`, onclick: () => selectTab(view, name)}, name)));
  selectTab(view, names.includes(view.tab) ? view.tab : "Overview");
}

function tabKeys(view, event) {
  const names = tabsOf(view.meta), at = names.indexOf(view.tab), step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? names.length - 1 : step ? (at + step + names.length) % names.length : null;
  if (to === null) return;
  event.preventDefault();
  selectTab(view, names[to], true);
}

function selectTab(view, name, focus = false) {
  const {tabs, panel, overview, training, workbench} = view.nodes;
  view.tab = name;
  [...tabs.children].forEach((tab, i) => {
    const on = tabsOf(view.meta)[i] === name;
    filled(tab, {"aria-selected": String(on), tabindex: on ? "0" : "-1"}, []);
    if (on) { panel.setAttribute("aria-labelledby", tab.id); if (focus) tab.focus(); }
  });
  panel.replaceChildren(...{Overview: [overview], Pairs: [workbench], "Over training": [training, workbench]}[name]);
  drawStatus(view);
  drawRows(view);
}

// ---- page: overview

function drawOverview(view) {
  const {summary, pictures} = view.meta;
  view.pictures = new Map();
  view.nodes.overview.replaceChildren(
    element("dl", {class: "rmkit-tiles"}, ...(summary ?? []).map(([name, value, note]) => element("div", {class: "rmkit-tile"},
      element("dt", null, isolated(name)), element("dd", null, element("b", null, isolated(value)), element("span", null, isolated(note ?? "")))))),
    element("p", {class: "rmkit-hint"}, "Drag over bars, or click a point or a bar, to filter the pairs. By keyboard: arrow keys move, Shift extends, Enter filters, Escape clears."),
    element("div", {class: "rmkit-pictures"}, ...(pictures ?? []).map(picture => pictureCard(view, picture))));
}

function pictureCard(view, picture) {
  const said = element("p", {class: "rmkit-unseen", "aria-live": "polite"}), onhover = info => { said.textContent = info ? info.text : ""; };
  const draw = {histogram: histogramOf, points: pointsOf, bars: barsOf}[picture.kind];
  const chart = fluid(width => draw(view, picture, {width, xlabel: picture.xlabel, ylabel: picture.ylabel, label: picture.title, onhover}));
  view.pictures.set(picture.id, {chart, selected: () => selectedIn(picture, view.filters.pictures.get(picture.id))});
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": picture.id}, element("h3", null, isolated(picture.title)),
    element("div", {class: "rmkit-frame"}, chart), element("p", {class: "rmkit-note"}, isolated(picture.note ?? "")), said);
}

const selectedIn = (picture, filter) => !filter ? null : picture.kind === "histogram" ? filter.bins : filter.item;

function histogramOf(view, picture, options) {
  const {edges, series, columns, id, title} = picture, last = edges.length - 2;
  const dashed = series.map((one, i) => ({...one, dash: i ? "6 3" : null}));
  return histogram({...options, edges, series: dashed, zero: picture.zero, selected: selectedIn(picture, view.filters.pictures.get(id)),
    onselect: (from, to) => setPicture(view, id, from === null ? null
      : {columns, low: edges[from], high: edges[to + 1], closed: to === last, bins: [from, to], label: `${title}: ${rangeText(edges[from], edges[to + 1])}`})});
}

const itemFilter = (picture, item, last) => item.source !== undefined && item.source !== null
  ? {source: item.source, label: `${picture.title}: ${item.label}`}
  : {columns: picture.columns, low: item.range[0], high: item.range[1], closed: last, label: `${picture.title}: ${item.label ?? rangeText(...item.range)}`};

function pickFrom(view, picture, items) {
  const highest = Math.max(...items.map(item => item.range?.[1] ?? -Infinity));
  return i => setPicture(view, picture.id, i === null || !(items[i].range || finite(items[i].source)) ? null
    : {...itemFilter(picture, items[i], items[i].range?.[1] === highest), item: i});
}

function pointsOf(view, picture, options) {
  return pointChart({...options, points: picture.points, diagonal: picture.diagonal,
    selected: selectedIn(picture, view.filters.pictures.get(picture.id)), onselect: pickFrom(view, picture, picture.points)});
}

function barsOf(view, picture, options) {
  return barChart({...options, bars: picture.bars, line: picture.line, selected: selectedIn(picture, view.filters.pictures.get(picture.id)), onselect: pickFrom(view, picture, picture.bars)});
}

function showSelections(view) {
  for (const {chart, selected} of view.pictures.values()) chart.chart?.showSelected?.(selected());
  view.steps?.chart.chart?.showSelected?.(view.filters.pictures.get("step")?.step === view.step ? view.filters.pictures.get("step").bins : null);
}

// ---- page: the whole

const isField = node => node.matches?.('textarea, select, input:not([type="radio"]):not([type="checkbox"]):not([type="range"])');

function rootKeys(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // The notebook around has its own single keys.
  event.stopPropagation();
  const {list, pair, status} = view.nodes, target = event.target, inPair = pair.contains(target), step = {j: 1, k: -1}[event.key.toLowerCase()];
  if (isField(target)) return;
  if (step && (inPair || list.contains(target)) && view.open !== null) stepPair(view, step);
  else if (inPair && view.pair && view.meta.can?.mark && "123".includes(event.key)) {
    const mark = Object.keys(MARKS)[event.key - 1], now = view.marks[view.pair.id] ?? {};
    markPair(view, now.mark === mark ? "" : mark, pair.querySelector('[data-keep="note"]')?.value ?? now.note ?? "");
  } else if (event.key === "Escape" && (list.contains(target) || status.contains(target))) setFilters(view, noFilters());
  else return;
  event.preventDefault();
}

function nodesOf(view) {
  const nodes = {title: element("h2", {class: "rmkit-title", dir: "auto"}), alert: element("div", {class: "rmkit-alert", role: "alert"}), busy: element("p", {class: "rmkit-busy", role: "status"}),
    tabs: element("div", {class: "rmkit-tabs", role: "tablist", "aria-label": "Views", onkeydown: event => tabKeys(view, event)}), status: element("div", {class: "rmkit-bar rmkit-chips", tabindex: -1}),
    panel: element("div", {class: "rmkit-panel", role: "tabpanel", id: `${view.id}-panel`}), overview: element("div", {class: "rmkit-overview"}), training: element("div", {class: "rmkit-training"}),
    filters: element("div", {class: "rmkit-filters", role: "group", "aria-label": "Filters", tabindex: -1}), head: element("div"),
    list: element("div", {class: "rmkit-list", role: "listbox", "aria-label": "Pairs", onkeydown: event => listKeys(view, event)}),
    none: element("p", {class: "rmkit-hint rmkit-none", hidden: true}, "No pair matches."), pager: element("nav", {class: "rmkit-bar rmkit-pager", "aria-label": "Pages", tabindex: -1}),
    pair: element("section", {class: "rmkit-hint rmkit-empty", tabindex: -1}, "Click a row, or press Enter on it, to open its pair here. J and K go to the next and the previous one.")};
  nodes.workbench = element("div", {class: "rmkit-workbench"}, nodes.filters, element("div", {class: "rmkit-split"},
    element("div", {class: "rmkit-column"}, element("div", {class: "rmkit-table"}, nodes.head, nodes.list, nodes.none), nodes.pager), nodes.pair));
  return nodes;
}

// Draws everything that meta says; filters, order and open pair stay.
function takeMeta(view) {
  view.meta = view.source.meta;
  view.table = tableOf(view.meta);
  view.marks = view.meta.marks ?? {};
  if (!sortsOf(view.table).some(([key]) => key === view.sort)) view.sort = "wrong";
  view.snippets.clear();
  if (view.open >= view.table.n) Object.assign(view, {open: null, pair: null});
  view.nodes.title.textContent = view.meta.title ?? "";
  view.nodes.title.hidden = !view.meta.title;
  view.shown = matching(view.table, view.filters, view.sort, view.marks);
  drawOverview(view);
  drawTraining(view);
  drawFilterBar(view);
  drawTabs(view);
  refresh(view);
  if (view.open !== null && !view.nodes.pair.contains(activeElement(view))) openPair(view, view.open);
  if (view.filters.text) search(view, view.filters.text);
}

export function mount(el, source) {
  const view = {source, id: `${PREFIX}-${++made}`, alive: true, filters: noFilters(), sort: "wrong", tab: "Overview", cursor: 0, open: null, pair: null, searches: 0,
    snippets: new Map(), asked: new Set(), drafts: new Map(), show: {tokens: false, edit: false}, tokens: {by: "value", specials: true}, pictures: new Map()};
  view.nodes = nodesOf(view);
  prepareReading(view);
  const {title, alert, busy, tabs, status, panel} = view.nodes;
  view.root = ownsItsKeys(element("div", {class: "rmkit", onkeydown: event => rootKeys(view, event)}, title, tabs, alert, busy, status, panel));
  el.append(view.root);
  takeMeta(view);
  const stop = source.on_update?.(() => takeMeta(view));
  return () => { view.alive = false; stop?.(); view.root.remove(); };
}

export default {
  render({model, el}) {
    return mount(el, kernel(model));
  },
};
