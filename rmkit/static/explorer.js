// The pair explorer as a whole: tabs, the overview, keys. The files that it uses stand in front
// of it, in one module (see PARTS in rmkit.visualizer).

// ---- page: what is shown changes

// What is looked at goes to the kernel, and from there to other views; what it sends back meanwhile is older than this.
function tellPlace(view) {
  if (view.following) return;
  clearTimeout(view.telling);
  view.telling = setTimeout(async () => {
    view.telling = null;
    view.told++;
    const place = {filters: view.filters, sort: view.sort, open: view.open};
    await view.source.ask({what: "place", place}).catch(() => null);
    view.told--;
  }, 100);
  if (view.source.saved && view.open !== null) history.replaceState(null, "", `#pair=${view.open}`);
}

// Filters, order and open pair as they were set elsewhere: in another view, or in Python.
function followPlace(view) {
  if (view.telling || view.told) return;
  const {filters, sort, open = null} = view.source.get("place"), before = JSON.stringify([view.filters, view.sort]);
  view.filters = {...noFilters(), ...filters};
  view.sort = sort?.by ? sort : view.sort;
  if (JSON.stringify([view.filters, view.sort]) !== before) {
    view.gone = null;
    if (view.filters.text) search(view, view.filters.text, false);
    else Object.assign(view, {found: null, terms: []});
    refresh(view);
    showFilters(view);
    showSelections(view);
  }
  if (open === null || open === view.open || open >= view.table.n) return;
  if (view.tab === "Overview") selectTab(view, "Pairs");
  // Whoever follows doesn't lead: else two views would send each other back to where one was before.
  view.following = true;
  openPair(view, open);
  view.following = false;
}

function setFilters(view, filters) {
  if (!filters.text) Object.assign(view, {found: null, terms: []});
  view.filters = filters;
  view.gone = null;
  tellPlace(view);
  refresh(view);
  showFilters(view);
  showSelections(view);
}

function refresh(view) {
  const start = performance.now();
  view.shown = matching(view.table, view.filters, view.sort, view.review, view.found);
  view.cursor = 0;
  drawStatus(view);
  textsChanged(view);
  drawRows(view);
  drawPairHead(view);
  view.root.dataset.ms = (performance.now() - start).toFixed(1);
}

function drawPairHead(view) {
  const head = view.pair && view.nodes.pair.querySelector("header");
  if (head) redrawn(view, head, [...pairHead(view).children]);
}

function setPicture(view, id, filter) {
  const pictures = without(view.filters.pictures, id);
  setFilters(view, {...view.filters, pictures: filter ? {...pictures, [id]: filter} : pictures});
}

const countOf = ({shown, table}) => `${countText(shown.length)} of ${counted(table.n, "pair")}`;

function drawStatus(view) {
  const chips = chipsOf(view.filters), count = element("span", {class: "rmkit-count", role: "status"}, countOf(view));
  redrawn(view, view.nodes.status, [count,
    ...chips.map(([key, label]) => element("span", {class: "rmkit-chip"}, isolated(cut(label, 60)),
      button("×", () => setFilters(view, withoutFilter(view.filters, key)),
        {"aria-label": `Remove filter ${cut(label, 60)}`, class: "rmkit-remove", "data-keep": `chip ${key}`}))),
    chips.length > 0 && button("Clear filters", () => setFilters(view, noFilters()), {"data-keep": "clear"}),
    chips.length > 0 && view.tab === "Overview" && showPairs(view)]);
  drawProgress(view);
  for (const {picked} of view.pictures.values()) picked();
}

const showPairs = view => button("Show these pairs", () => selectTab(view, "Pairs", true),
  {class: "rmkit-button rmkit-first"});

// ---- page: tabs

const tabsOf = meta => ["Overview", "Pairs", ...(meta.moves ? ["Over training"] : [])];

function drawTabs(view) {
  const names = tabsOf(view.meta);
  view.nodes.tabs.replaceChildren(...names.map(name => element("button",
    {type: "button", role: "tab", class: "rmkit-tab", id: `${view.id}-tab-${names.indexOf(name)}`,
    "aria-controls": `${view.id}-panel`, onclick: () => selectTab(view, name)}, name)));
  selectTab(view, names.includes(view.tab) ? view.tab : "Overview");
}

function tabKeys(view, event) {
  const names = tabsOf(view.meta), at = names.indexOf(view.tab), step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? names.length - 1 : step
    ? (at + step + names.length) % names.length : null;
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
    element("dl", {class: "rmkit-tiles"}, ...(summary ?? []).map(([name, value, note]) =>
      element("div", {class: "rmkit-tile"},
      element("dt", null, isolated(name)), element("dd", null, element("b", null, isolated(value)),
        element("span", null, isolated(note ?? "")))))),
    element("p", {class: "rmkit-hint"},
      "Drag over bars, or click a point or a bar, to filter the pairs. By keyboard: arrow keys move, Shift extends, Enter filters, Escape clears."),
    element("div", {class: "rmkit-pictures"}, ...(pictures ?? []).map(picture => pictureCard(view, picture))));
}

function pictureCard(view, picture) {
  const said = element("p", {class: "rmkit-unseen", "aria-live": "polite"}),
    onhover = info => { said.textContent = info ? info.text : ""; };
  const draw = {histogram: histogramOf, points: pointsOf, bars: barsOf}[picture.kind];
  const chart = fluid(width => draw(view, picture, {width, xlabel: picture.xlabel, ylabel: picture.ylabel,
    label: picture.title, onhover}));
  const foot = element("div", {class: "rmkit-bar rmkit-picked", tabindex: -1});
  view.pictures.set(picture.id, {chart, selected: () => selectedIn(picture, view.filters.pictures[picture.id]),
    picked: () => drawPicked(view, picture.id, foot)});
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": picture.id},
    element("h3", null, isolated(picture.title)),
    element("div", {class: "rmkit-frame"}, chart), foot,
      element("p", {class: "rmkit-note"}, isolated(picture.note ?? "")), said);
}

// What a click on a picture did, below it: the count above may be out of sight.
function drawPicked(view, id, foot) {
  const on = id in view.filters.pictures;
  redrawn(view, foot, on ? [element("span", {class: "rmkit-soft"}, countOf(view)), showPairs(view),
    button("Clear", () => setPicture(view, id, null), {"data-keep": "clear picture"})] : []);
}

const selectedIn = (picture, filter) => !filter ? null : picture.kind === "histogram" ? filter.bins : filter.item;

function histogramOf(view, picture, options) {
  const {edges, series, columns, id, title} = picture, last = edges.length - 2;
  const dashed = series.map((one, i) => ({...one, dash: i ? "6 3" : null}));
  return histogram({...options, edges, series: dashed, zero: picture.zero,
    selected: selectedIn(picture, view.filters.pictures[id]),
    onselect: (from, to) => setPicture(view, id, from === null ? null
      : {columns, low: edges[from], high: edges[to + 1], closed: to === last, bins: [from, to],
        label: `${title}: ${rangeText(edges[from], edges[to + 1])}`})});
}

const itemFilter = (picture, item, last) => item.source !== undefined && item.source !== null
  ? {source: item.source, label: `${picture.title}: ${item.label}`}
  : {columns: picture.columns, low: item.range[0], high: item.range[1], closed: last,
    label: `${picture.title}: ${item.label ?? rangeText(...item.range)}`};

function pickFrom(view, picture, items) {
  const highest = Math.max(...items.map(item => item.range?.[1] ?? -Infinity));
  return i => setPicture(view, picture.id, i === null || !(items[i].range || finite(items[i].source)) ? null
    : {...itemFilter(picture, items[i], items[i].range?.[1] === highest), item: i});
}

function pointsOf(view, picture, options) {
  return pointChart({...options, points: picture.points, diagonal: picture.diagonal,
    selected: selectedIn(picture, view.filters.pictures[picture.id]),
      onselect: pickFrom(view, picture, picture.points)});
}

function barsOf(view, picture, options) {
  return barChart({...options, bars: picture.bars, line: picture.line,
    selected: selectedIn(picture, view.filters.pictures[picture.id]), onselect: pickFrom(view, picture, picture.bars)});
}

function showSelections(view) {
  for (const {chart, selected} of view.pictures.values()) chart.chart?.showSelected?.(selected());
  view.steps?.chart.chart?.showSelected?.(view.filters.pictures.step?.step === view.step
    ? view.filters.pictures.step.bins : null);
}

// ---- page: the whole

function nodesOf(view) {
  const nodes = {title: element("h2", {class: "rmkit-title", dir: "auto"}),
    alert: element("div", {class: "rmkit-alert", role: "alert"}),
    gone: element("div", {class: "rmkit-gone", role: "alert"}),
      busy: element("p", {class: "rmkit-busy", role: "status"}),
    tabs: element("div", {class: "rmkit-tabs", role: "tablist", "aria-label": "Views", onkeydown: event =>
      tabKeys(view, event)}),
    status: element("div", {class: "rmkit-bar rmkit-chips", tabindex: -1}),
      progress: element("div", {class: "rmkit-bar rmkit-progress"}),
    panel: element("div", {class: "rmkit-panel", role: "tabpanel", id: `${view.id}-panel`}), keys: keySheet(view),
    overview: element("div", {class: "rmkit-overview"}), training: element("div", {class: "rmkit-training"}),
    filters: element("div", {class: "rmkit-filters", role: "group", "aria-label": "Filters", tabindex: -1}),
    head: element("div", {class: "rmkit-head", role: "group", "aria-label": "Sort by", tabindex: -1}),
    list: element("div", {class: "rmkit-list", role: "listbox", "aria-label": "Pairs", onkeydown: event =>
      listKeys(view, event)}),
    none: element("p", {class: "rmkit-hint rmkit-none", hidden: true}, "No pair matches."),
    pager: element("nav", {class: "rmkit-bar rmkit-pager", "aria-label": "Pages", tabindex: -1}),
    pair: element("section", {class: "rmkit-hint rmkit-empty", tabindex: -1},
      "Click a row, or press Enter on it, to open its pair here. J and K go to the next and the previous one, ? shows all keys.")};
  nodes.workbench = element("div", {class: "rmkit-workbench"}, nodes.filters, nodes.progress,
    element("div", {class: "rmkit-split"},
    element("div", {class: "rmkit-column"}, element("div", {class: "rmkit-table"}, nodes.head, nodes.list,
      nodes.none), nodes.pager), nodes.pair));
  return nodes;
}

// Draws everything that meta says; filters, order and open pair stay.
function takeMeta(view) {
  view.meta = view.source.get("meta");
  view.table = tableOf(view.meta);
  takeReview(view);
  if (!sortsOf(view.table).some(([key]) => key === view.sort.by)) view.sort = {by: "wrong", down: false};
  view.snippets.clear();
  if (view.open >= view.table.n) Object.assign(view, {open: null, pair: null});
  view.nodes.title.textContent = view.meta.title ?? "";
  view.nodes.title.hidden = !view.meta.title;
  view.shown = matching(view.table, view.filters, view.sort, view.review, view.found);
  drawOverview(view);
  drawTraining(view);
  drawFilterBar(view);
  drawTabs(view);
  refresh(view);
  if (view.open !== null && !view.nodes.pair.contains(activeElement(view))) loadPair(view, view.open);
  if (view.filters.text) search(view, view.filters.text, false);
}

const FOLLOWED = {
  meta: takeMeta,
  review(view) { takeReview(view); reviewChanged(view); textsChanged(view); },
  place: followPlace,
  drafts(view) { view.draftsKept = view.source.get("drafts"); takeDrafts(view); },
  gone(view) {
    const waiting = view.pending.length;
    view.nodes.gone.replaceChildren(element("p", null, GONE), ...(waiting ? [element("p", null,
      `${counted(waiting, "change")} had not reached it: `,
        button("Save them as a file", () => download(pendingFile(view))))] : []));
    view.root.classList.add("rmkit-is-gone");
  },
};

// What the kernel never heard, as a file that `take_marks` reads.
function pendingFile({pending, marks, review}) {
  const time = new Date().toISOString(), rows = pending.map(({pair, key}) =>
    ({key, row: pair, ...reviewed(marks[pair] ?? {}), reviewer: review.reviewer, time}));
  return {name: "review.jsonl", mime: "application/jsonl", text: rows.map(row => JSON.stringify(row) + "\n").join("")};
}

// What a reader chose for all pairs stays, where the browser lets it.
const readingStore = () => storeOf("rmkit-reading");
function keepReading(view) { readingStore().write(view.show); }

export function mount(el, source) {
  const show = {tokens: false, edit: false, goOn: true, ...readingStore().read()};
  const view = {source, id: `${PREFIX}-${++made}`, alive: true, filters: noFilters(),
    sort: {by: "wrong", down: false}, tab: "Overview",
    cursor: 0, open: null, gone: null, pair: null, searches: 0, found: null, terms: [], pending: [],
      justSeen: new Set(), told: 0, telling: null,
    snippets: new Map(), asked: new Set(), drafts: new Map(), show, tokens: {by: "value", specials: true},
      pictures: new Map(), switches: {}};
  view.nodes = nodesOf(view);
  prepareReading(view);
  const {title, alert, gone, busy, tabs, status, keys, panel} = view.nodes;
  view.root = ownsItsKeys(element("div", {class: "rmkit", tabindex: -1, onkeydown: event => rootKeys(view, event)},
    title, tabs, gone, alert, busy, status, keys, panel));
  // What a notebook shows in place of a view that is gone isn't wanted beside one that is there.
  const {left} = source.get("meta");
  if (left) view.root.append(element("style", null, `[data-rmkit-left="${left}"] { display: none }`));
  el.append(view.root);
  view.draftsKept = source.get("drafts");
  const place = source.get("place");
  Object.assign(view, {filters: {...noFilters(), ...place.filters}, sort: place.sort?.by ? place.sort : view.sort});
  takeMeta(view);
  followPlace(view);
  if (source.saved) followAddress(view);
  const stop = source.follow(name => { if (view.alive) FOLLOWED[name](view); });
  return () => { view.alive = false; stop(); view.root.remove(); };
}

// A saved page's address can name a pair: page.html#pair=17
function followAddress(view) {
  const follow = () => {
    const i = Number(/^#pair=(\d+)$/.exec(location.hash)?.[1] ?? NaN);
    if (!(i < view.table.n) || i === view.open) return;
    selectTab(view, "Pairs");
    openPair(view, i);
  };
  addEventListener("hashchange", follow);
  follow();
}

export default {
  render({model, el}) {
    return mount(el, kernel(model));
  },
};
