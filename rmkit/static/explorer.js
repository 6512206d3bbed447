// The pair explorer as a whole: what is shown, and the tabs. The files that it uses stand in front of it, in one module
// (see `PARTS` in rmkit.browser).

// ---- what is shown changes

const SEND_AFTER = 100; // milliseconds

// What is looked at goes to the kernel, and from there to other views; what it sends back meanwhile is older than this.
function sendPlace(view) {
  if (view.following) return;
  clearTimeout(view.placeTimer);
  view.placeTimer = setTimeout(async () => {
    view.placeTimer = null;
    view.placesUnderWay++;
    const place = {filters: view.filters, sort: view.sort, open: view.open};
    await view.source.ask({what: "place", place}).catch(() => null);
    view.placesUnderWay--;
  }, SEND_AFTER);
  if (view.source.saved && view.open !== null) history.replaceState(null, "", `#pair=${view.open}`);
}

// Filters, order and open pair as they were set elsewhere: in another view, or in Python.
function followPlace(view) {
  if (view.placeTimer || view.placesUnderWay) return;
  const {filters, sort, open = null} = view.source.get("place"), before = JSON.stringify([view.filters, view.sort]);
  view.filters = {...noFilters(), ...filters};
  view.sort = sort?.by ? sort : view.sort;
  if (JSON.stringify([view.filters, view.sort]) !== before) {
    if (view.filters.text) search(view, view.filters.text, false);
    filtersChanged(view);
  }
  if (open === null || open === view.open || open >= view.table.n) return;
  if (view.tab === "Overview") selectTab(view, "Pairs");
  // Whoever follows doesn't lead: else two views would send each other back to where one was before.
  view.following = true;
  openPair(view, open);
  view.following = false;
}

function setFilters(view, filters) {
  view.filters = filters;
  sendPlace(view);
  filtersChanged(view);
}

function filtersChanged(view) {
  if (!view.filters.text) Object.assign(view, {found: null, terms: []});
  view.leftAt = null;
  refresh(view);
  showFilters(view);
  showSelections(view);
}

const takeShown = view => { view.shown = matching(view.table, view.filters, view.sort, view.review, view.found); };

function refresh(view) {
  const start = performance.now();
  takeShown(view);
  view.cursor = 0;
  drawStatus(view);
  textsChanged(view);
  drawRows(view);
  drawPairHead(view);
  view.root.dataset.ms = (performance.now() - start).toFixed(1);
}

function drawPairHead(view) {
  const head = view.pair && view.nodes.pair.querySelector("header");
  if (head) redraw(view, head, [...pairHead(view).children]);
}

// ---- the count, and what is filtered by

const countOf = ({shown, table}) => `${countText(shown.length)} of ${counted(table.n, "pair")}`;

function drawStatus(view) {
  const chips = chipsOf(view.filters), isFiltered = chips.length > 0;
  redraw(view, view.nodes.status, [element("span", {class: "rmkit-count", role: "status"}, countOf(view)),
    ...chips.map(([key, label]) => filterChip(view, key, cut(label, 60))),
    isFiltered && button("Clear filters", () => setFilters(view, noFilters()), {"data-keep": "clear"}),
    isFiltered && view.tab === "Overview" && showPairs(view)]);
  drawProgress(view);
  for (const picture of view.pictures.values()) picture.drawPicked();
}

function filterChip(view, key, label) {
  const remove = button("×", () => setFilters(view, withoutFilter(view.filters, key)),
    {"aria-label": `Remove filter ${label}`, class: "rmkit-remove", "data-keep": `chip ${key}`});
  return element("span", {class: "rmkit-chip"}, isolated(label), remove);
}

const showPairs = view => button("Show these pairs", () => selectTab(view, "Pairs", true),
  {class: "rmkit-button rmkit-first"});

// ---- tabs

const tabsOf = meta => ["Overview", "Pairs", ...(meta.moves ? ["Over training"] : [])];

function drawTabs(view) {
  const names = tabsOf(view.meta);
  view.nodes.tabs.replaceChildren(...names.map((name, i) => element("button", {type: "button", role: "tab",
    class: "rmkit-tab", id: `${view.id}-tab-${i}`, "aria-controls": `${view.id}-panel`,
    onclick: () => selectTab(view, name)}, name)));
  selectTab(view, names.includes(view.tab) ? view.tab : "Overview");
}

function tabKeys(view, event) {
  const names = tabsOf(view.meta), at = names.indexOf(view.tab), n = names.length;
  const to = {ArrowLeft: (at + n - 1) % n, ArrowRight: (at + 1) % n, Home: 0, End: n - 1}[event.key];
  if (to === undefined) return;
  event.preventDefault();
  selectTab(view, names[to], true);
}

function selectTab(view, name, focus = false) {
  const {tabs, panel, overview, training, workbench} = view.nodes, at = tabsOf(view.meta).indexOf(name);
  view.tab = name;
  [...tabs.children].forEach((tab, i) => {
    fill(tab, {"aria-selected": String(i === at), tabindex: i === at ? 0 : -1});
  });
  panel.setAttribute("aria-labelledby", tabs.children[at].id);
  if (focus) tabs.children[at].focus();
  panel.replaceChildren(...{Overview: [overview], Pairs: [workbench], "Over training": [training, workbench]}[name]);
  drawStatus(view);
  drawRows(view);
}

// ---- the parts of the page

const EMPTY_PANEL = "Click a row, or press Enter on it, to open its pair here. J and K go to the next and the previous "
  + "one, ? shows all keys.";

function nodesOf(view) {
  const keyed = keys => event => keys(view, event);
  const part = (name, attributes, ...children) => element("div", {class: name, ...attributes}, ...children);
  const nodes = {
    title: element("h2", {class: "rmkit-title", dir: "auto"}), alert: part("rmkit-alert", {role: "alert"}),
    gone: part("rmkit-gone", {role: "alert"}), busy: element("p", {class: "rmkit-busy", role: "status"}),
    tabs: part("rmkit-tabs", {role: "tablist", "aria-label": "Views", onkeydown: keyed(tabKeys)}),
    status: part("rmkit-bar rmkit-chips", {tabindex: -1}), progress: part("rmkit-bar rmkit-progress"),
    panel: part("rmkit-panel", {role: "tabpanel", id: `${view.id}-panel`}), keys: keySheet(view),
    overview: part("rmkit-overview"), training: part("rmkit-training"),
    filters: part("rmkit-filters", {role: "group", "aria-label": "Filters", tabindex: -1}),
    head: part("rmkit-head", {role: "group", "aria-label": "Sort by", tabindex: -1}),
    list: part("rmkit-list", {role: "listbox", "aria-label": "Pairs", onkeydown: keyed(listKeys)}),
    none: element("p", {class: "rmkit-hint rmkit-none", hidden: true}, "No pair matches."),
    pager: element("nav", {class: "rmkit-bar rmkit-pager", "aria-label": "Pages", tabindex: -1}),
    pair: element("section", {class: "rmkit-hint rmkit-empty", tabindex: -1}, EMPTY_PANEL)};
  const table = part("rmkit-table", null, nodes.head, nodes.list, nodes.none);
  const split = part("rmkit-split", null, part("rmkit-column", null, table, nodes.pager), nodes.pair);
  nodes.workbench = part("rmkit-workbench", null, nodes.filters, nodes.progress, split);
  return nodes;
}

// ---- what the source tells

// Draws everything that meta says; filters, order and open pair stay.
function takeMeta(view) {
  view.meta = view.source.get("meta");
  view.table = tableOf(view.meta);
  takeReview(view);
  if (!sortsOf(view.table).some(([by]) => by === view.sort.by)) view.sort = {by: "wrong", down: false};
  view.snippets.clear();
  if (view.open >= view.table.n) Object.assign(view, {open: null, pair: null});
  view.nodes.title.textContent = view.meta.title ?? "";
  view.nodes.title.hidden = !view.meta.title;
  takeShown(view);
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
  review(view) {
    takeReview(view);
    reviewChanged(view);
    textsChanged(view);
  },
  place: followPlace,
  drafts(view) {
    view.draftsKept = view.source.get("drafts");
    takeDrafts(view);
  },
  gone: showGone,
};

function showGone(view) {
  const waiting = view.pending.length, save = () => download(pendingFile(view));
  const unheard = waiting > 0 && element("p", null, `${counted(waiting, "change")} had not reached it: `,
    button("Save them as a file", save));
  view.nodes.gone.replaceChildren(...[element("p", null, GONE), unheard].filter(Boolean));
  view.root.classList.add("rmkit-is-gone");
}

// What the kernel never heard, as a file that `take_marks` reads.
function pendingFile({pending, marks, review}) {
  const time = new Date().toISOString(), rows = pending.map(({pair, key}) =>
    ({key, row: pair, ...reviewed(marks[pair] ?? {}), reviewer: review.reviewer, time}));
  return {name: "review.jsonl", mime: "application/jsonl", text: linesOf(rows)};
}

// ---- a view

// What a reader chose for all pairs stays, where the browser lets it.
const readingStore = () => storeOf("rmkit-reading");
const keepReading = view => readingStore().write(view.show);

function newView(source) {
  const place = source.get("place"), sort = place.sort?.by ? place.sort : {by: "wrong", down: false};
  return {source, id: newId(), alive: true, tab: "Overview",
    // what is shown
    filters: {...noFilters(), ...place.filters}, sort, found: null, terms: [], searches: 0,
    // where one is in the list: `leftAt` is where the open pair stood before a decision took it out
    cursor: 0, open: null, leftAt: null, pair: null, snippets: new Map(), asked: new Set(),
    // what the source hasn't confirmed yet
    pending: [], justSeen: new Set(), placeTimer: null, placesUnderWay: 0,
    // how pairs are read
    show: {goOn: true, ...readingStore().read()}, switches: {},
    tokens: {by: "value", specials: true}, drafts: new Map(), draftsKept: source.get("drafts"), pictures: new Map()};
}

export function mount(el, source) {
  const view = newView(source);
  view.nodes = nodesOf(view);
  prepareReading(view);
  const {title, alert, gone, busy, tabs, status, keys, panel} = view.nodes;
  view.root = ownsItsKeys(element("div", {class: "rmkit", tabindex: -1, onkeydown: event => rootKeys(view, event)},
    title, tabs, gone, alert, busy, status, keys, panel));
  // What a notebook shows in place of a view that is gone isn't wanted beside one that is there.
  const {left} = source.get("meta");
  if (left) view.root.append(element("style", null, `[data-rmkit-left="${left}"] { display: none }`));
  el.append(view.root);
  takeMeta(view);
  followPlace(view);
  if (source.saved) followAddress(view);
  const stop = source.follow(name => { if (view.alive) FOLLOWED[name](view); });
  return () => {
    view.alive = false;
    stop();
    view.root.remove();
  };
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
