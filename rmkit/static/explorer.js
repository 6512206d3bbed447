// The pair explorer. charts.js stands in front of this file, in the same module.
// A source is {meta, ask(request) -> Promise<reply>, on_update?(callback)}: a kernel, or the data of a saved page.
// First come functions of data, then functions of the page. Texts are set as text, never as markup.

// ---- data: the table, verdicts, orders, filters

const VERDICTS = {right: ["✓", "right"], wrong: ["✗", "wrong"], tie: ["=", "tie"], none: ["?", "no reward"]};
const MARKS = {mislabelled: "Mislabelled", unclear: "Unclear", interesting: "Interesting"};

function verdictOf(margin) {
  if (!finite(margin)) return "none";
  return margin > 0 ? "right" : margin < 0 ? "wrong" : "tie";
}

const numbers = values => Float64Array.from(values, value => finite(value) ? value : NaN);
const derived = (n, value) => Float64Array.from({length: n}, (_, i) => value(i));

function tableOf(meta) {
  const {n, moves} = meta, columns = {};
  for (const [name, values] of Object.entries(meta.columns)) if (values && name !== "source") columns[name] = numbers(values);
  const {reward_margin, p_chosen, length_chosen, length_rejected, margin} = columns;
  columns.confidence = derived(n, i => Math.max(p_chosen[i], 1 - p_chosen[i]));
  if (length_chosen && length_rejected) columns.length_gap = derived(n, i => length_chosen[i] - length_rejected[i]);
  if (margin) columns.disagreement = disagreement(reward_margin, margin);
  if (moves) columns.moved = derived(n, i => spread(moves.margins.map(at => at[i])));
  return {n, columns, moves, sources: meta.sources ?? [], source: meta.columns.source ? Int32Array.from(meta.columns.source) : null,
    verdicts: Array.from(reward_margin, verdictOf), orders: new Map()};
}

function spread(values) {
  const there = values.filter(finite);
  return there.length > 1 ? Math.max(...there) - Math.min(...there) : NaN;
}

// Ranks within 0..1, equal values sharing the mean of their places; NaN has none.
function ranks(values) {
  const order = [...values.keys()].filter(i => finite(values[i])).sort((a, b) => values[a] - values[b]), found = new Float64Array(values.length).fill(NaN);
  for (let start = 0, end; start < order.length; start = end) {
    for (end = start + 1; end < order.length && values[order[end]] === values[order[start]];) end++;
    for (let k = start; k < end; k++) found[order[k]] = (start + end - 1) / 2 / Math.max(order.length - 1, 1);
  }
  return found;
}

function disagreement(ours, labels) {
  const a = ranks(ours), b = ranks(labels);
  return a.map((rank, i) => Math.abs(rank - b[i]));
}

const SORTS = {
  wrong: ["most confidently wrong first", "reward_margin", (c, i) => c.reward_margin[i]],
  unsure: ["least certain", "reward_margin", (c, i) => Math.abs(c.reward_margin[i])],
  gap: ["largest length gap", "length_gap", (c, i) => -Math.abs(c.length_gap[i])],
  label: ["against the label's margin", "disagreement", (c, i) => -c.disagreement[i]],
  right: ["most confidently right", "reward_margin", (c, i) => -c.reward_margin[i]],
  data: ["in the order of the data", "reward_margin", (c, i) => i],
  moved: ["moved most", "moved", (c, i) => -c.moved[i]],
};

const sortsOf = table => Object.entries(SORTS).filter(([, [, needs]]) => table.columns[needs]).map(([key, [label]]) => [key, label]);

// All pairs in the order of `sort`; what has no number comes last. Kept, so that a filter is one pass.
function orderOf(table, sort) {
  if (!table.orders.has(sort)) {
    const key = SORTS[sort][2], keys = derived(table.n, i => { const value = key(table.columns, i); return Number.isNaN(value) ? Infinity : value; });
    table.orders.set(sort, Uint32Array.from({length: table.n}, (_, i) => i).sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] < keys[b] ? -1 : 1)));
  }
  return table.orders.get(sort);
}

const noFilters = () => ({verdict: "", source: "", mark: "", text: "", found: null, from: null, to: null, pictures: new Map()});

const within = (value, low, high) => value >= (low ?? -Infinity) && value <= (high ?? Infinity);

// What a picture filters by is data: {columns, low, high, closed} | {source} | {step, low, high, closed} | {mean, std} | {region, ...} | {step, became}
function pictureTest(table, filter) {
  const {columns, moves} = table, {low, high, closed} = filter;
  const inside = value => value >= low && (closed ? value <= high : value < high);
  if ("source" in filter) return i => table.source?.[i] === filter.source;
  if ("columns" in filter) return i => filter.columns.some(name => columns[name] && inside(columns[name][i]));
  if (!moves) return () => true;
  if ("mean" in filter) return i => finite(moves.mean[i]) && within(moves.mean[i], ...filter.mean) && within(moves.std[i], ...filter.std);
  if ("region" in filter) return i => regionOf(moves.mean[i], moves.std[i], filter.wide) === filter.region;
  if ("became" in filter) return i => becameAt(moves, filter.step, i) === filter.became;
  return i => finite(moves.margins[filter.step]?.[i]) && inside(moves.margins[filter.step][i]);
}

function tests(table, filters, marks) {
  const {verdict, source, mark, found, from, to} = filters, {reward_chosen, reward_rejected} = table.columns, list = [];
  if (verdict) list.push(i => table.verdicts[i] === verdict);
  if (source !== "") list.push(i => table.source?.[i] === Number(source));
  if (mark) list.push(i => mark === "any" ? Boolean(marks[i]?.mark) : mark === "without" ? !marks[i]?.mark : marks[i]?.mark === mark);
  if (found) list.push(i => found.has(i));
  if (from !== null || to !== null) list.push(i => within(reward_chosen[i], from, to) || within(reward_rejected[i], from, to));
  for (const filter of filters.pictures.values()) list.push(pictureTest(table, filter));
  return list;
}

function matching(table, filters, sort, marks) {
  const passed = tests(table, filters, marks), order = orderOf(table, sort);
  return passed.length ? order.filter(i => passed.every(test => test(i))) : order;
}

function rangeText(low, high) {
  const digits = clamp(1 - Math.floor(Math.log10(Math.abs(high - low) || 1)), 0, 6), text = value => Number(value.toFixed(digits)).toLocaleString("en", {maximumFractionDigits: digits});
  return `${text(low)} to ${text(high)}`;
}

function chipsOf(filters, sources) {
  const {verdict, source, mark, text, from, to, pictures} = filters, chips = [];
  if (verdict) chips.push(["verdict", `verdict: ${VERDICTS[verdict][1]}`]);
  if (source !== "") chips.push(["source", `source: ${sources[source] ?? "none"}`]);
  if (mark) chips.push(["mark", `mark: ${MARKS[mark]?.toLowerCase() ?? mark}`]);
  if (text) chips.push(["text", `text: ${text}`]);
  if (from !== null || to !== null) chips.push(["rewards", `reward: ${from ?? "any"} to ${to ?? "any"}`]);
  for (const [id, filter] of pictures) chips.push([id, filter.label]);
  return chips;
}

function withoutFilter(filters, key) {
  const empty = noFilters();
  if (key === "rewards") return {...filters, from: null, to: null};
  if (key === "text") return {...filters, text: "", found: null};
  if (key in empty) return {...filters, [key]: empty[key]};
  const pictures = new Map(filters.pictures);
  pictures.delete(key);
  return {...filters, pictures};
}

// ---- data: training

const sideOf = margin => finite(margin) ? (margin > 0 ? "right" : "wrong") : null;

// The side a pair has at a step, if it had the other at the first step.
function becameAt(moves, step, i) {
  const before = sideOf(moves.margins[0][i]), now = sideOf(moves.margins[step]?.[i]);
  return before && now && before !== now ? now : null;
}

function countsAt(moves, step) {
  const counts = {right: 0, wrong: 0, becameRight: 0, becameWrong: 0};
  moves.margins[step].forEach((margin, i) => {
    const now = sideOf(margin), became = becameAt(moves, step, i);
    if (now) counts[now]++;
    if (became) counts[became === "right" ? "becameRight" : "becameWrong"]++;
  });
  return counts;
}

function commonEdges(lists, bins = 40) {
  let low = 0, high = 0;
  for (const list of lists) for (const value of list) if (finite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  const width = (high - low) / bins || 1, below = Math.ceil(-low / width - 1e-9), above = Math.ceil(high / width - 1e-9) || 1;
  return Array.from({length: below + above + 1}, (_, i) => (i - below) * width);
}

function countsIn(edges, values) {
  const counts = new Array(edges.length - 1).fill(0), width = edges[1] - edges[0];
  for (const value of values) if (finite(value)) counts[clamp(Math.floor((value - edges[0]) / width + 1e-9), 0, counts.length - 1)]++;
  return counts;
}

// Pairs whose P(chosen) varies more than `wide` are ambiguous; the others are easy or hard to learn by their mean.
function regionOf(mean, std, wide) {
  if (!finite(mean) || !finite(std)) return null;
  return std > wide ? "ambiguous" : mean >= 0.5 ? "easy-to-learn" : "hard-to-learn";
}

function quantile(values, q) {
  const sorted = Float64Array.from(values.filter(finite)).sort();
  return sorted.length ? sorted[Math.min(Math.floor(q * sorted.length), sorted.length - 1)] : 0;
}

function sampled(n, most) {
  return n <= most ? [...Array(n).keys()] : Array.from({length: most}, (_, k) => Math.floor(k * n / most));
}

// ---- data: tokens

const tokenValue = (trace, i, by) => by === "value" ? trace.reward[i] : i > 0 && finite(trace.reward[i - 1]) ? trace.reward[i] - trace.reward[i - 1] : null;

function shownTokens(trace, unfolded, specials) {
  const start = unfolded ? 0 : trace.start;
  return trace.text.map((_, i) => i).filter(i => i >= start && (specials || !trace.special[i]));
}

// Steps lie around 0, values around the middle of the responses' values.
function shadeScale(tokens, by) {
  const values = ["chosen", "rejected"].flatMap(side => tokens[side].text.map((_, i) => i).slice(tokens[side].start).map(i => tokenValue(tokens[side], i, by))).filter(finite);
  if (!values.length) return {centre: 0, span: 1};
  const [low, high] = [quantile(values, 0), quantile(values, 1)], centre = by === "value" ? (low + high) / 2 : 0;
  return {centre, span: quantile(values.map(value => Math.abs(value - centre)), 0.99) || 1};
}

// How many of a branch's tokens are drawn, so that both together stay within the limit.
function shares(limit, a, b) {
  const half = limit / 2;
  return a <= half ? [a, Math.min(b, limit - a)] : b <= half ? [Math.min(a, limit - b), b] : [half, half];
}

// ---- data: texts and rows

function cut(text, most) {
  return text.length <= most ? text : text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…";
}

const oneLine = text => cut(text.slice(0, 1000).replace(/\s+/g, " ").trim(), 200);
const allText = messages => messages.map(message => message.text).join(" ");

function snippetOf(row, id) {
  return {id, prompt: oneLine(row.prompt.at(-1)?.text ?? ""), chosen: oneLine(allText(row.chosen)), rejected: oneLine(allText(row.rejected))};
}

const asContent = messages => messages.map(({role, text}) => ({role, content: text}));
const plain = value => Array.isArray(value) ? value.map(message => message.content ?? message.text ?? "").join("\n") : String(value ?? "");
const textKey = row => JSON.stringify(["prompt", "chosen", "rejected"].map(column => plain(row[column])));

function exportedRow(data, id) {
  const {meta, rows} = data, {source, ...columns} = meta.columns, note = meta.marks[id];
  const values = Object.fromEntries(Object.entries(columns).filter(([, list]) => list).map(([name, list]) => [name, list[id]]));
  return {id, prompt: asContent(rows[id].prompt), chosen: asContent(rows[id].chosen), rejected: asContent(rows[id].rejected),
    ...(source ? {source: meta.sources[source[id]] ?? null} : {}), mark: note?.mark ?? "", note: note?.note ?? "", ...values};
}

function rowOfLine(line, k) {
  try { return JSON.parse(line); } catch { throw new Error(`Line ${k + 1} of the file isn't JSON. A marks file is one that “Export marks .jsonl” wrote.`); }
}

// Marks from a file belong to the pair with the same texts, or to the pair with the same number and rewards.
function takenMarks(data, text) {
  const {meta, rows} = data, places = new Map(rows.map((row, i) => [textKey(row), i])), marks = {...meta.marks};
  const same = row => finite(row.reward_chosen) && ["reward_chosen", "reward_rejected"].every(name => Math.abs(meta.columns[name][row.id] - row[name]) < 1e-6) ? row.id : undefined;
  let lost = 0;
  for (const row of text.split("\n").filter(line => line.trim()).map(rowOfLine)) {
    const id = places.get(textKey(row)) ?? same(row);
    if (id === undefined) lost++;
    else if (row.mark in MARKS || row.note) marks[id] = {mark: row.mark in MARKS ? row.mark : "", note: String(row.note ?? "")};
  }
  return {marks, message: lost ? `${countText(lost)} of the marks in the file belong to no pair here.` : null};
}

// ---- sources

export function embedded(data) {
  const {meta, rows} = data;
  let searchable = null;
  meta.marks ??= {};
  const haystack = () => searchable ??= rows.map((row, i) =>
    [allText(row.prompt), allText(row.chosen), allText(row.rejected), meta.sources?.[meta.columns.source?.[i]] ?? ""].join("\n").toLowerCase());
  const answers = {
    rows: ({ids}) => ids.map(id => snippetOf(rows[id], id)),
    search: ({text}) => ({ids: haystack().flatMap((hay, i) => hay.includes(text.toLowerCase()) ? [i] : [])}),
    pair: ({pair}) => ({id: pair, details: [], ...rows[pair]}),
    mark: ({pair, mark, note}) => { meta.marks = {...meta.marks, [pair]: {mark, note}}; return {marks: meta.marks}; },
    take_marks: ({text}) => { const taken = takenMarks(data, text); meta.marks = taken.marks; return taken; },
    export: ({rows: which, ids}) => ({name: `${which}.jsonl`, mime: "application/jsonl",
      text: ids.map(id => JSON.stringify(exportedRow(data, id)) + "\n").join("")}),
  };
  return {meta, saved: true, ask: async request => {
    if (!answers[request.what]) throw new Error("A saved page can't do this: it has no kernel.");
    return answers[request.what](request);
  }};
}

function kernel(model) {
  const waiting = new Map(), view = Math.random().toString(36).slice(2);
  let sent = 0;
  const receive = message => {
    const asked = waiting.get(message?.id);
    if (!asked) return;
    waiting.delete(message.id);
    "error" in message ? asked.reject(new Error(message.error)) : asked.resolve(message.reply);
  };
  model.on("msg:custom", receive);
  return {
    get meta() { return JSON.parse(model.get("meta")); },
    ask: request => new Promise((resolve, reject) => {
      const id = `${view}-${++sent}`;
      waiting.set(id, {resolve, reject});
      model.send({id, ...request});
    }),
    on_update(callback) { model.on("change:meta", callback); return () => { model.off("change:meta", callback); model.off("msg:custom", receive); }; },
  };
}

// ---- page: small parts

const button = (text, onclick, attributes) => element("button", {type: "button", class: "rmkit-button", onclick, ...attributes}, text);
const toggle = (text, on, onclick, attributes) => button(text, onclick, {"aria-pressed": String(on), ...attributes});
const isolated = (text, name = "rmkit-isolated") => element("bdi", {class: name, dir: "auto"}, text);
const unseen = text => element("span", {class: "rmkit-unseen"}, text);

const PREFIX = `rmkit-${Math.random().toString(36).slice(2, 8)}`;
let made = 0;
function field(label, control, name = "") {
  control.id = `${PREFIX}-${++made}`;
  return element("div", {class: `rmkit-field ${name}`}, element("label", {for: control.id}, label), control);
}

function selectOf(options, value, onchange) {
  return element("select", {onchange: event => onchange(event.target.value)},
    ...options.map(([key, text]) => element("option", {value: key, selected: String(key) === String(value)}, cut(text, 60))));
}

function verdictSign(verdict, text = VERDICTS[verdict][1]) {
  return element("span", {class: `rmkit-verdict rmkit-is-${verdict}`}, element("span", {class: "rmkit-sign", "aria-hidden": "true"}, VERDICTS[verdict][0]), text);
}

const counted = (n, what) => `${countText(n)} ${what}${n === 1 ? "" : "s"}`;
const signed = (value, digits = 2) => finite(value) ? (value > 0 ? "+" : "") + numberText(value, digits) : "–";

function textBox(content, label) {
  const box = element("div", {class: "rmkit-text", dir: "auto"}, content);
  return box.textContent.length > 800 ? filled(box, {tabindex: 0, role: "group", "aria-label": label}, []) : box;
}

function tableNode(head, rows, name) {
  return element("div", {class: "rmkit-scroll"}, element("table", {class: name}, element("thead", null, element("tr", null, ...head.map(text => element("th", {scope: "col"}, text)))),
    element("tbody", null, ...rows)));
}

const activeElement = view => view.root.getRootNode().activeElement;

// Draws what a part of the page holds anew; the focus stays with the control of the same name.
function redrawn(view, part, children) {
  const active = activeElement(view), keep = part.contains(active) ? active.dataset.keep ?? "" : null;
  part.replaceChildren(...children.filter(Boolean));
  if (keep === null) return;
  const again = keep && [...part.querySelectorAll("[data-keep]")].find(node => node.dataset.keep === keep && !node.disabled);
  (again || part).focus({preventScroll: true});
}

// ---- page: asking

function say(view, text) {
  view.nodes.alert.replaceChildren(...(text ? [isolated(text), button("Dismiss", () => say(view, null))] : []));
}

async function ask(view, request) {
  const busy = setTimeout(() => view.nodes.busy.textContent = "The kernel is busy, with training perhaps. The answer comes as soon as it is free.", 30_000);
  try {
    return await view.source.ask(request);
  } catch (error) {
    if (view.alive) say(view, error.message || String(error));
    return null;
  } finally {
    clearTimeout(busy);
    view.nodes.busy.textContent = "";
  }
}

function download({name, mime, base64, text}) {
  const bytes = text ?? Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const link = element("a", {download: name});
  link.href = URL.createObjectURL(new Blob([bytes], {type: mime}));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

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

// ---- page: one pair

async function openPair(view, i) {
  view.open = i;
  for (const row of view.nodes.list.children) row.setAttribute("aria-selected", String(Number(row.dataset.id) === i));
  view.nodes.pair.setAttribute("aria-busy", "true");
  const reply = await ask(view, {what: "pair", pair: i});
  if (view.open !== i) return;
  view.nodes.pair.removeAttribute("aria-busy");
  if (!reply) return;
  view.pair = reply;
  Object.assign(view.tokens, {limit: 2000, chosen: false, rejected: false});
  drawPair(view);
}

function stepPair(view, step) {
  const at = view.shown.indexOf(view.open), to = at < 0 ? view.cursor : at + step;
  if (to < 0 || to >= view.shown.length) return;
  goTo(view, to, view.nodes.list.contains(activeElement(view)));
  openPair(view, view.shown[to]);
}

function drawPair(view) {
  const {pair} = view, part = view.nodes.pair;
  if (!pair) return;
  part.className = "rmkit-pair rmkit-card";
  part.setAttribute("aria-label", `Pair ${pair.id}`);
  view.nodes.tokens = element("div", {class: "rmkit-part"});
  view.nodes.edit = element("div", {class: "rmkit-part"});
  redrawn(view, part, [pairHead(view), pairMarks(view), promptPart(pair), responsesPart(view), pairFacts(view), pairTools(view), view.nodes.tokens, view.nodes.edit]);
  drawTokens(view);
  drawEdit(view);
}

function pairHead(view) {
  const {pair, table, shown} = view, at = shown.indexOf(pair.id), source = table.source && table.sources[table.source[pair.id]];
  return element("header", {class: "rmkit-bar"}, element("h3", null, `Pair ${pair.id}`), verdictSign(table.verdicts[pair.id]),
    source && element("span", {class: "rmkit-soft"}, "source ", isolated(cut(source, 100))),
    element("span", {class: "rmkit-spring"}),
    element("span", {class: "rmkit-soft"}, at < 0 ? "not in the list" : `${countText(at + 1)} of ${countText(shown.length)} in the list`),
    button("‹ Previous", () => stepPair(view, -1), {"aria-label": "Previous pair", "aria-keyshortcuts": "K", title: "K", "data-keep": "previous", disabled: at === 0 || !shown.length}),
    button("Next ›", () => stepPair(view, 1), {"aria-label": "Next pair", "aria-keyshortcuts": "J", title: "J", "data-keep": "next", disabled: at === shown.length - 1 || !shown.length}));
}

function pairMarks(view) {
  const {pair, marks, meta} = view, {mark = "", note = ""} = marks[pair.id] ?? {};
  if (!meta.can?.mark) return null;
  const input = element("input", {type: "text", value: note, "data-keep": "note", dir: "auto", placeholder: "why, in a few words", onchange: event => markPair(view, mark, event.target.value)});
  return element("div", {class: "rmkit-bar", role: "group", "aria-label": "Mark"},
    ...Object.entries(MARKS).map(([key, text], k) => toggle(text, mark === key, () => markPair(view, mark === key ? "" : key, input.value), {"data-keep": key, "aria-keyshortcuts": k + 1, title: `key ${k + 1}`})),
    field("Note", input, "rmkit-inline"));
}

async function markPair(view, mark, note) {
  const {id} = view.pair, reply = await ask(view, {what: "mark", pair: id, mark, note});
  if (!reply) return;
  setMarks(view, reply.marks);
  const bar = view.nodes.pair.querySelector('[aria-label="Mark"]');
  if (view.pair.id === id && bar) redrawn(view, bar, [...pairMarks(view).children]);
}

function promptPart(pair) {
  return element("section", {class: "rmkit-prompt", "aria-label": "Prompt"}, ...pair.prompt.map(({role, text}, k) =>
    element("details", {open: k === pair.prompt.length - 1}, element("summary", null, `turn ${k + 1} of ${pair.prompt.length} · `, isolated(cut(role ?? "", 40)), ` · ${counted(text.length, "character")}`),
      textBox(text, `prompt, turn ${k + 1}`))));
}

const pieces = parts => parts.map(([only, piece]) => only ? element("mark", null, piece) : piece);

function responsesPart(view) {
  const {pair, table: {columns}} = view;
  const card = side => responseCard(side, pair[side], pair.diff?.[side], columns[`reward_${side}`][pair.id], columns[`length_${side}`]?.[pair.id]);
  return element("section", {"aria-label": "Responses"}, element("div", {class: "rmkit-sides"}, card("chosen"), card("rejected")),
    element("p", {class: "rmkit-hint"}, pair.diff ? ["Marked and underlined: only in this response."] : null, pair.diff_note && [" ", isolated(pair.diff_note)]));
}

function responseCard(side, messages, diff, reward, length) {
  const single = messages.length === 1;
  return element("article", {class: `rmkit-side rmkit-${side}`, "aria-label": side}, element("h4", null, side,
    element("span", {class: "rmkit-reward"}, "reward ", element("b", null, numberText(reward))), finite(length) && element("span", {class: "rmkit-soft"}, `length ${countText(length)}`)),
    ...messages.flatMap(({role, text}) => [!single && element("p", {class: "rmkit-role"}, isolated(cut(role ?? "", 40))),
      textBox(diff && single ? element("span", null, ...pieces(diff)) : text, `${side} response`)]));
}

function pairFacts(view) {
  const {pair, table: {columns}} = view, i = pair.id;
  const facts = [["reward margin", signed(columns.reward_margin[i])], ["P(chosen)", numberText(columns.p_chosen[i], 3)],
    columns.length_gap && ["length gap", signed(columns.length_gap[i], 0)], columns.margin && ["label's margin", numberText(columns.margin[i])], ...(pair.details ?? []).filter(([name]) => !(name === "margin" && columns.margin))].filter(Boolean);
  return element("dl", {class: "rmkit-facts"}, ...facts.map(([name, value]) => element("div", null, element("dt", null, isolated(String(name))), element("dd", null, isolated(String(value))))));
}

function pairTools(view) {
  const flip = (key, draw) => event => { view.show[key] = !view.show[key]; event.currentTarget.setAttribute("aria-pressed", String(view.show[key])); draw(view); };
  return element("div", {class: "rmkit-bar rmkit-tools"}, toggle("Tokens", view.show.tokens, flip("tokens", drawTokens), {"data-keep": "tokens"}),
    view.meta.can?.score && toggle("Edit and rescore", view.show.edit, flip("edit", drawEdit), {"data-keep": "edit"}));
}

// ---- page: tokens

const READING = "A running reward is what the head would say if the text ended there. It is a reading, not an explanation: it doesn't say which words caused the reward.";

function drawTokens(view) {
  const {pair, nodes, show} = view;
  if (!show.tokens) return nodes.tokens.replaceChildren();
  const note = pair.tokens_note && element("p", {class: "rmkit-hint"}, isolated(pair.tokens_note));
  nodes.tokens.replaceChildren(...(pair.tokens ? [tokenView(pair.tokens, view.tokens)] : [element("p", {class: "rmkit-hint"}, pair.tokens_note ? "" : "There are no token readings for this pair.")]), ...(note ? [note] : []));
}

function tokenView(tokens, state) {
  const status = element("p", {class: "rmkit-said rmkit-status", "aria-live": "polite"}, "Point at a token, or move with the arrow keys, to read it.");
  const legendPart = element("div", {class: "rmkit-shades"}), blocks = element("div", {class: "rmkit-sides"}), more = element("div", {class: "rmkit-bar"});
  const draw = () => drawBlocks({tokens, state, status, legendPart, blocks, more, draw});
  const part = element("section", {class: "rmkit-tokens", "aria-label": "Tokens"}, element("p", {class: "rmkit-hint"}, READING), runningChart(tokens),
    element("div", {class: "rmkit-bar"}, shadeChoice(state, draw), specialsChoice(state, draw), legendPart), status, blocks, more);
  draw();
  return part;
}

function runningChart(tokens) {
  const line = (side, colour, dash) => { const {reward, start} = tokens[side]; return {name: side, colour, dash, x: reward.slice(start).map((_, k) => k + 1), y: reward.slice(start)}; };
  return fluid(width => lineChart({width, height: 200, xlabel: "token of the response", ylabel: "running reward", xtext: countText, label: "Running reward over the tokens of both responses",
    series: [line("chosen", "var(--rm-chosen)", null), line("rejected", "var(--rm-rejected)", "6 4")]}));
}

function shadeChoice(state, draw) {
  const name = `${PREFIX}-${++made}`;
  const radio = (by, text) => element("label", null, element("input", {type: "radio", name, value: by, checked: state.by === by, onchange: () => { state.by = by; draw(); }}), text);
  return element("fieldset", {class: "rmkit-choice"}, element("legend", null, "Shade by"), radio("value", "value"), radio("step", "step"));
}

function specialsChoice(state, draw) {
  return element("label", {class: "rmkit-choice"}, element("input", {type: "checkbox", checked: state.specials, onchange: event => { state.specials = event.target.checked; draw(); }}), "Special tokens");
}

function drawBlocks(parts) {
  const {tokens, state, legendPart, blocks, more, draw} = parts, scale = shadeScale(tokens, state.by);
  const lists = ["chosen", "rejected"].map(side => shownTokens(tokens[side], state[side], state.specials)), [a, b] = shares(state.limit, lists[0].length, lists[1].length);
  drawShades(legendPart, scale, state.by);
  blocks.replaceChildren(tokenBlock(parts, "chosen", lists[0].slice(0, a), scale), tokenBlock(parts, "rejected", lists[1].slice(0, b), scale));
  const left = lists[0].length + lists[1].length - a - b;
  more.replaceChildren(...(left > 0 ? [button("Show 2,000 more", () => { state.limit += 2000; draw(); }), element("span", {class: "rmkit-soft"}, `${counted(left, "token")} not drawn`)] : []));
}

function drawShades(part, {centre, span}, by) {
  const digits = span < 0.1 ? 3 : 2, text = by === "step" ? signed : numberText;
  part.replaceChildren(element("span", null, text(centre - span, digits)), element("span", {class: "rmkit-ramp", role: "img", "aria-label": "orange is low, blue is high"}),
    element("span", null, text(centre + span, digits)), element("span", {class: "rmkit-soft"}, `middle ${numberText(centre, digits)}`));
}

function tokenBlock({tokens, state, status, draw}, side, shown, scale) {
  const trace = tokens[side], prompt = trace.start;
  const list = element("div", {class: "rmkit-text rmkit-stream", dir: "auto", role: "listbox", "aria-label": `Tokens of ${side}`}, ...shown.map((i, k) => tokenNode(trace, i, state.by, scale, k === 0)));
  const tell = event => { const i = event.target.dataset?.i; if (i !== undefined) tellToken(status, trace, Number(i), side); };
  // Not pointerover: a page that scrolls under a resting pointer would take the word from the keyboard.
  list.addEventListener("pointermove", tell);
  list.addEventListener("focusin", tell);
  list.addEventListener("keydown", tokenKeys);
  return element("article", {class: `rmkit-side rmkit-${side}`}, element("h4", null, side, element("span", {class: "rmkit-soft"}, counted(trace.text.length - prompt, "token"))),
    prompt > 0 && button(`${state[side] ? "Hide" : "Show"} ${counted(prompt, "prompt token")}`, () => { state[side] = !state[side]; draw(); }, {class: "rmkit-button rmkit-fold", "aria-expanded": String(state[side])}), list);
}

function tokenNode(trace, i, by, {centre, span}, first) {
  const value = tokenValue(trace, i, by), away = finite(value) ? clamp((value - centre) / span, -1, 1) : 0, text = trace.text[i];
  const name = ["rmkit-token", trace.special[i] && "rmkit-special", i < trace.start && "rmkit-before", /^\s*\n\s*$/.test(text) && "rmkit-newline", away >= 0 ? "rmkit-up" : "rmkit-down"].filter(Boolean).join(" ");
  return element("span", {class: name, "data-i": i, role: "option", tabindex: first ? 0 : -1, style: {"--rm-away": Math.abs(away).toFixed(2)}}, text);
}

function tellToken(status, trace, i, side) {
  const value = trace.reward[i], step = tokenValue(trace, i, "step"), place = i < trace.start ? `prompt token ${i + 1} of ${trace.start}` : `token ${i - trace.start + 1} of ${trace.text.length - trace.start}`;
  status.replaceChildren(`${side}, ${place}: `, element("code", {dir: "auto"}, isolated(cut(JSON.stringify(trace.text[i]), 80))), ` · value ${numberText(value, 3)} · step ${signed(step, 3)}${trace.special[i] ? " · special" : ""}`);
}

function tokenKeys(event) {
  const token = event.target.closest(".rmkit-token"), list = event.currentTarget;
  const to = {ArrowLeft: token?.previousElementSibling, ArrowUp: token?.previousElementSibling, ArrowRight: token?.nextElementSibling, ArrowDown: token?.nextElementSibling, Home: list.firstElementChild, End: list.lastElementChild}[event.key];
  if (!to) return;
  token.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
  event.preventDefault();
}

// ---- page: what if

const PARTS = ["prompt", "chosen", "rejected"];

function draftOf(view) {
  const {pair} = view;
  if (!view.drafts.has(pair.id)) view.drafts.set(pair.id, {texts: Object.fromEntries(PARTS.map(part => [part, pair[part].map(message => lines(message.text))])), history: [], scored: null});
  return view.drafts.get(pair.id);
}

// A textarea knows one kind of line end.
const lines = text => text.replace(/\r\n?/g, "\n");

function changesOf(pair, texts) {
  return PARTS.flatMap(part => pair[part].flatMap((message, k) => texts[part][k] === lines(message.text) ? [] : [part === "prompt" ? `prompt, turn ${k + 1}` : pair[part].length > 1 ? `${part}, message ${k + 1}` : part]));
}

function editedMessages(pair, texts) {
  return Object.fromEntries(PARTS.map(part => [part, pair[part].map(({role, text}, k) => ({role, text: texts[part][k] === lines(text) ? null : texts[part][k]}))]));
}

function drawEdit(view) {
  const {nodes, show, meta} = view;
  if (!show.edit || !meta.can?.score) return nodes.edit.replaceChildren();
  const draft = draftOf(view), result = element("div", {class: "rmkit-result", "aria-live": "polite"});
  const areas = PARTS.map(part => element("div", {class: `rmkit-edit rmkit-edit-${part}`}, ...view.pair[part].map((message, k) => editArea(view, draft, part, k))));
  nodes.result = result;
  nodes.edit.replaceChildren(element("section", {class: "rmkit-whatif", "aria-label": "Edit and rescore", onkeydown: event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); rescore(view); } }},
    areas[0], element("div", {class: "rmkit-sides"}, areas[1], areas[2]),
    element("div", {class: "rmkit-bar"}, button("Rescore", () => rescore(view), {class: "rmkit-button rmkit-first rmkit-rescore", title: "Ctrl+Enter"}), button("Copy as a preference row", () => copyRow(view)),
      button("Reset", () => { view.drafts.delete(view.pair.id); drawEdit(view); }), element("span", {class: "rmkit-soft"}, "Ctrl+Enter rescores")), result));
  drawResult(view);
}

function editArea(view, draft, part, k) {
  const {role} = view.pair[part][k], texts = draft.texts[part];
  const area = element("textarea", {rows: clamp(Math.ceil(texts[k].length / 70) + texts[k].split("\n").length - 1, 2, 10), dir: "auto", spellcheck: "false", oninput: event => { texts[k] = event.target.value; }});
  area.value = texts[k];
  return field(part === "prompt" ? `Prompt, turn ${k + 1} · ${cut(role ?? "", 40)}` : `${part === "chosen" ? "Chosen" : "Rejected"}${texts.length > 1 ? `, message ${k + 1}` : ""} · ${cut(role ?? "", 40)}`, area, "rmkit-stacked");
}

async function rescore(view) {
  const {pair} = view, draft = draftOf(view), texts = structuredClone(draft.texts), press = view.nodes.edit.querySelector(".rmkit-rescore");
  if (press?.disabled) return;
  Object.assign(press, {disabled: true, textContent: "Scoring…"});
  const reply = await ask(view, {what: "score", pair: pair.id, ...editedMessages(pair, texts)});
  Object.assign(press, {disabled: false, textContent: "Rescore"});
  if (!reply) return;
  draft.scored = reply;
  draft.history.push({texts, what: changesOf(pair, texts).join("; ") || "nothing", scored: reply});
  if (view.pair.id === pair.id && view.show.edit) drawResult(view);
}

function originalScores(view) {
  const {columns} = view.table, names = ["reward_chosen", "reward_rejected", "reward_margin", "p_chosen", "length_chosen", "length_rejected"];
  return Object.fromEntries(names.map(name => [name, columns[name]?.[view.pair.id] ?? null]));
}

const SCORES = [["reward of chosen", "reward_chosen", 2], ["reward of rejected", "reward_rejected", 2], ["reward margin", "reward_margin", 2], ["P(chosen)", "p_chosen", 3], ["length of chosen", "length_chosen", 0], ["length of rejected", "length_rejected", 0]];

function drawResult(view) {
  const {scored, history} = draftOf(view), before = originalScores(view);
  if (!scored) return view.nodes.result.replaceChildren();
  const change = key => finite(scored[key]) && finite(before[key]) ? scored[key] - before[key] : null;
  const rows = SCORES.map(([title, key, digits]) => element("tr", null, element("th", {scope: "row"}, title),
    element("td", null, numberText(before[key], digits)), element("td", null, numberText(scored[key], digits)), element("td", {class: "rmkit-change"}, signed(change(key), digits))));
  view.nodes.result.replaceChildren(element("div", {class: "rmkit-rescored"}, element("p", null, "Edited: ", verdictSign(verdictOf(scored.reward_margin)),
    finite(scored.seconds) && element("span", {class: "rmkit-soft"}, `, scored in ${numberText(scored.seconds)} s`)),
    tableNode(["", "original", "edited", "change"], rows, "rmkit-numbers")), editedParts(view, scored), historyTable(view, history));
}

function editedParts(view, scored) {
  const part = element("div", null), side = name => element("article", {class: `rmkit-side rmkit-${name}`}, element("h4", null, `${name}, edited`), textBox(element("span", null, ...pieces(scored.diff[name])), `${name}, edited`));
  if (scored.diff) part.append(element("details", null, element("summary", null, "Edited responses, differences marked"), element("div", {class: "rmkit-sides"}, side("chosen"), side("rejected"))));
  if (scored.tokens) {
    const fold = element("details", {ontoggle: () => { if (fold.open && fold.children.length === 1) fold.append(tokenView(scored.tokens, {...view.tokens, limit: 2000, chosen: false, rejected: false})); }}, element("summary", null, "Tokens of the edited texts"));
    part.append(fold);
  }
  return part;
}

function historyTable(view, history) {
  const restore = entry => { const draft = draftOf(view); draft.texts = structuredClone(entry.texts); draft.scored = entry.scored; drawEdit(view); };
  return element("div", {class: "rmkit-history"}, element("h4", null, "Edits"), tableNode(["edit", "changed", "chosen", "rejected", "reward margin", ""], history.map((entry, k) => element("tr", {onclick: () => restore(entry)},
    element("td", null, String(k + 1)), element("td", null, entry.what), ...["reward_chosen", "reward_rejected", "reward_margin"].map(key => element("td", null, numberText(entry.scored[key]))),
    element("td", null, button("Restore", event => { event.stopPropagation(); restore(entry); }, {"aria-label": `Restore edit ${k + 1}`})))), "rmkit-numbers"));
}

async function copyRow(view) {
  const {texts} = draftOf(view), row = Object.fromEntries(PARTS.map(part => [part, view.pair[part].map(({role}, k) => ({role, content: texts[part][k]}))]));
  const line = JSON.stringify(row), old = view.nodes.edit.querySelector(".rmkit-copied");
  old?.remove();
  let said = "Copied.";
  try { await navigator.clipboard.writeText(line); } catch { said = "The browser doesn't let this page copy. Copy it from here:"; }
  const box = element("div", {class: "rmkit-copied", role: "status"}, said);
  view.nodes.result.before(box);
  if (said === "Copied.") return;
  const area = element("textarea", {rows: 3, readonly: true, "aria-label": "Preference row"});
  area.value = line;
  box.append(area);
  area.select();
}

// ---- page: over training

function drawTraining(view) {
  const {moves} = view.table, {training} = view.nodes;
  view.step = moves ? clamp(view.step ?? moves.steps.length - 1, 0, moves.steps.length - 1) : null;
  view.steps = null;
  if (!moves) return training.replaceChildren();
  training.replaceChildren(element("div", {class: "rmkit-pictures rmkit-two"}, stepCard(view), mapCard(view)));
  showStep(view);
}

function stepCard(view) {
  const {moves} = view.table, edges = commonEdges(moves.margins), said = element("p", {class: "rmkit-unseen", "aria-live": "polite"});
  const slider = element("input", {type: "range", min: 0, max: moves.steps.length - 1, step: 1, value: view.step, "aria-label": "Step", oninput: event => { view.step = Number(event.target.value); showStep(view); }});
  const name = element("output", {class: "rmkit-stepname"}), sides = element("div", {class: "rmkit-bar rmkit-became"});
  const counts = moves.margins.map(at => countsIn(edges, at)), most = Math.max(...counts.flat());
  const chart = fluid(width => stepHistogram(view, edges, counts[view.step], {width, most, onhover: info => { said.textContent = info ? info.text : ""; }}));
  view.steps = {slider, name, sides, chart};
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "step"}, element("h3", null, "Reward margins at a step"), element("div", {class: "rmkit-bar rmkit-slider"}, slider, name), element("div", {class: "rmkit-frame"}, chart), said, sides);
}

function stepHistogram(view, edges, counts, options) {
  const {moves} = view.table, step = view.step, filter = view.filters.pictures.get("step");
  return histogram({...options, height: 240, edges, zero: true, xlabel: "reward margin", ylabel: "pairs", label: `Reward margins at step ${moves.steps[step]}`, series: [{name: "pairs", counts}],
    selected: filter?.step === step ? filter.bins : null,
    onselect: (from, to) => setPicture(view, "step", from === null ? null : {step, low: edges[from], high: edges[to + 1], closed: to === edges.length - 2, bins: [from, to],
      label: `margin at step ${moves.steps[step]}: ${rangeText(edges[from], edges[to + 1])}`})});
}

function showStep(view) {
  const {moves} = view.table, {slider, name, sides, chart} = view.steps, counts = countsAt(moves, view.step), text = `step ${countText(moves.steps[view.step])}`;
  slider.setAttribute("aria-valuetext", text);
  name.textContent = text;
  chart.redraw();
  const became = (side, n) => button(`${countText(n)} became ${side}`, () => setPicture(view, "became", {step: view.step, became: side, label: `became ${side} by ${text}`}), {disabled: n === 0, "data-keep": side});
  redrawn(view, sides, [element("span", {class: "rmkit-soft"}, `${countText(counts.right)} right, ${countText(counts.wrong)} wrong. Since step ${countText(moves.steps[0])}:`), became("right", counts.becameRight), became("wrong", counts.becameWrong)]);
  drawRows(view);
}

function mapCard(view) {
  const {moves, verdicts, n} = view.table, ids = sampled(n, 2000), wide = quantile(moves.std, 0.67), said = element("p", {class: "rmkit-unseen", "aria-live": "polite"});
  const most = Math.max(0.05, ...ids.map(i => moves.std[i]).filter(finite));
  const chart = fluid(width => dotChart({width, height: 300, ids, x: ids.map(i => moves.std[i]), y: ids.map(i => moves.mean[i]), marks: ids.map(i => `rmkit-dot-${verdicts[i]}`), xlabel: "standard deviation of P(chosen) over steps", ylabel: "mean of P(chosen) over steps",
    label: "Map of the pairs: mean of P(chosen) by its standard deviation", xdomain: [0, most * 1.05],
    regions: [{x: most * 0.16, y: 0.95, label: "easy-to-learn"}, {x: most * 0.9, y: 0.5, label: "ambiguous"}, {x: most * 0.16, y: 0.04, label: "hard-to-learn"}],
    onopen: i => openPair(view, i), onhover: info => { said.textContent = info ? info.text : ""; },
    onbrush: span => setPicture(view, "map", span && {mean: span.y, std: span.x, label: `mean of P(chosen) ${rangeText(...span.y)}, deviation ${rangeText(...span.x)}`})}));
  const region = name => button(`${countText(moves.mean.filter((mean, i) => regionOf(mean, moves.std[i], wide) === name).length)} ${name}`, () => setPicture(view, "map", {region: name, wide, label: name}));
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "map"}, element("h3", null, "Map of the pairs"), element("div", {class: "rmkit-frame"}, chart), said,
    element("div", {class: "rmkit-bar"}, ...["easy-to-learn", "ambiguous", "hard-to-learn"].map(region)),
    element("p", {class: "rmkit-note"}, `${ids.length < n ? `${countText(ids.length)} of ${countText(n)} pairs are drawn` : `All ${countText(n)} pairs are drawn`}; a ring is a pair that is wrong at the end. Ambiguous: the third whose P(chosen) varied most. Click a dot to open its pair, drag to filter.`));
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
