// Functions of data alone: the table, verdicts, orders, filters, training, tokens' values. Nothing here touches a page.

// ---- data: the table, verdicts, orders, filters

const VERDICTS = {right: ["✓", "right"], wrong: ["✗", "wrong"], tie: ["=", "tie"], none: ["?", "no reward"]};
const MARKS = {mislabelled: "Mislabelled", unclear: "Unclear", interesting: "Interesting"};
const DECISIONS = {keep: "Keep", swap: "Swap", tie: "Tie", "both bad": "Both bad", drop: "Drop"};

function verdictOf(margin) {
  if (!finite(margin)) return "none";
  return margin > 0 ? "right" : margin < 0 ? "wrong" : "tie";
}

const numbers = values => Float64Array.from(values, value => finite(value) ? value : NaN);
const derived = (n, value) => Float64Array.from({length: n}, (_, i) => value(i));

function tableOf(meta) {
  const {n, moves, facets = []} = meta, columns = {};
  for (const [name, values] of Object.entries(meta.columns)) {
    if (values && name !== "source") columns[name] = numbers(values);
  }
  const {reward_margin, p_chosen, length_chosen, length_rejected, margin} = columns;
  columns.confidence = derived(n, i => Math.max(p_chosen[i], 1 - p_chosen[i]));
  if (length_chosen && length_rejected) columns.length_gap = derived(n, i => length_chosen[i] - length_rejected[i]);
  if (margin) columns.disagreement = disagreement(reward_margin, margin);
  if (moves) columns.moved = derived(n, i => spread(moves.margins.map(at => at[i])));
  const source = meta.columns.source ? Int32Array.from(meta.columns.source) : null;
  return {n, columns, moves, facets: facetsOf(facets), source, sources: meta.sources ?? [],
    verdicts: Array.from(reward_margin, verdictOf), orders: new Map()};
}

// The dataset's own columns by name: categories as codes (-1: none), numbers as they are.
function facetsOf(facets) {
  return new Map(facets.map(facet => [facet.name, facet.kind === "category"
    ? {...facet, codes: Int32Array.from(facet.codes)} : {...facet, values: numbers(facet.values)}]));
}

function spread(values) {
  const there = values.filter(finite);
  return there.length > 1 ? Math.max(...there) - Math.min(...there) : NaN;
}

// Ranks within 0..1, equal values sharing the mean of their places; NaN has none.
function ranks(values) {
  const order = [...values.keys()].filter(i => finite(values[i])).sort((a, b) => values[a] - values[b]);
  const found = new Float64Array(values.length).fill(NaN);
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

// Orders that have a name of their own: [name, column that is needed, key of a row].
const SORTS = {
  wrong: ["most confidently wrong first", "reward_margin", (c, i) => c.reward_margin[i]],
  unsure: ["least certain", "reward_margin", (c, i) => Math.abs(c.reward_margin[i])],
  gap: ["largest length gap", "length_gap", (c, i) => -Math.abs(c.length_gap[i])],
  label: ["against the label's margin", "disagreement", (c, i) => -c.disagreement[i]],
  right: ["most confidently right", "reward_margin", (c, i) => -c.reward_margin[i]],
  data: ["in the order of the data", "reward_margin", (c, i) => i],
  moved: ["moved most", "moved", (c, i) => -c.moved[i]],
};
const COLUMN_SORTS = {reward_margin: "Margin", p_chosen: "P(chosen)", reward_chosen: "Reward of chosen",
  reward_rejected: "Reward of rejected", length_chosen: "Length of chosen", length_rejected: "Length of rejected",
  length_gap: "Length gap", margin: "Label's margin"};
const REVIEW_SORTS = {decision: "Decision", mark: "Mark"};
const VERDICT_ORDER = ["wrong", "tie", "right"];

function sortsOf({columns, facets}) {
  return [...Object.entries(SORTS).filter(([, [, needs]]) => columns[needs]).map(([key, [label]]) => [key, label]),
    ["verdict", "Verdict"], ...Object.entries(COLUMN_SORTS).filter(([name]) => columns[name]),
    ...Object.entries(REVIEW_SORTS), ...[...facets.keys()].filter(name => !(name in columns)).map(name =>
      [name, name])];
}

// A row's place in an order; null where it has none. The values of a category are numbered in their order.
function sortKey(table, by, entries) {
  const {columns, facets, verdicts} = table, place = (list, value) => { const at = list.indexOf(value); return at < 0
    ? null : at; };
  const number = value => Number.isNaN(value) ? null : value;
  if (by === "verdict") return i => place(VERDICT_ORDER, verdicts[i]);
  if (by === "decision") return i => place(Object.keys(DECISIONS), entries[i]?.decision);
  if (by === "mark") return i => place(Object.keys(MARKS), entries[i]?.mark);
  if (SORTS[by]) return i => number(SORTS[by][2](columns, i));
  if (columns[by]) return i => number(columns[by][i]);
  const facet = facets.get(by);
  if (!facet) return i => i;
  return facet.kind === "number" ? i => number(facet.values[i]) : i => facet.codes[i] < 0 ? null : facet.codes[i];
}

// All pairs in an order, equal ones in the order of the data; what has no key comes last, both ways.
function orderOf(table, {by, down}, entries = {}) {
  const name = `${by} ${down}`;
  if (table.orders.has(name)) return table.orders.get(name);
  const key = sortKey(table, by, entries), keys = Array.from({length: table.n}, (_, i) => key(i)), way = down ? -1 : 1;
  const compare = (a, b) => keys[a] === keys[b] ? a - b : keys[a] === null ? 1 : keys[b] === null ? -1
    : keys[a] < keys[b] ? -way : way;
  const order = Uint32Array.from({length: table.n}, (_, i) => i).sort(compare);
  if (!(by in REVIEW_SORTS)) table.orders.set(name, order);
  return order;
}

const noFilters = () => ({verdict: "", decision: "", mark: "", text: "", from: null, to: null, columns: {},
  pictures: {}});

// Whether a number lies between two, which are in it; with neither, anything does.
const within = (value, low = null, high = null) =>
  low === null && high === null || value >= (low ?? -Infinity) && value <= (high ?? Infinity);

// What a picture filters by is data: {columns, low, high, closed} | {source} | {step, low, high, closed} | {mean, std} | {region, ...} | {step, became}
function pictureTest(table, filter) {
  const {columns, moves} = table, {low, high, closed} = filter;
  const inside = value => value >= low && (closed ? value <= high : value < high);
  if ("source" in filter) return i => table.source?.[i] === filter.source;
  if ("columns" in filter) return i => filter.columns.some(name => columns[name] && inside(columns[name][i]));
  if (!moves) return () => true;
  if ("mean" in filter) return i => finite(moves.mean[i]) && within(moves.mean[i], ...filter.mean)
    && within(moves.std[i], ...filter.std);
  if ("region" in filter) return i => regionOf(moves.mean[i], moves.std[i], filter.wide) === filter.region;
  if ("became" in filter) return i => becameAt(moves, filter.step, i) === filter.became;
  return i => finite(moves.margins[filter.step]?.[i]) && inside(moves.margins[filter.step][i]);
}

// Tests of a decision and of a mark, by the filter's value; any other value is a decision or a mark itself.
const DECISION_TESTS = {decided: entry => Boolean(entry?.decision), undecided: entry => !entry?.decision};
const MARK_TESTS = {any: entry => Boolean(entry?.mark), note: entry => Boolean(entry?.note), without: entry =>
  !entry?.mark};

function columnTest(table, name, filter) {
  const facet = table.facets.get(name), values = facet?.values ?? table.columns[name];
  if (values) return i => within(values[i], filter.from, filter.to);
  if (!facet || !filter.values?.length) return () => true;
  const wanted = new Set(filter.values.map(value => value === null ? -1 : facet.names.indexOf(value)));
  return i => wanted.has(facet.codes[i]);
}

// `found`: the rows that the search found, or null. `review`: {entries, seen}.
function tests(table, filters, {entries, seen}, found) {
  const {verdict, decision, mark, from, to} = filters, {reward_chosen, reward_rejected} = table.columns, list = [];
  if (verdict) list.push(i => table.verdicts[i] === verdict);
  if (decision === "unseen") list.push(i => !seen.has(i));
  else if (decision) list.push(i => (DECISION_TESTS[decision] ?? (entry => entry?.decision === decision))(entries[i]));
  if (mark) list.push(i => (MARK_TESTS[mark] ?? (entry => entry?.mark === mark))(entries[i]));
  if (found) list.push(i => found.has(i));
  if (from !== null || to !== null) list.push(i => within(reward_chosen[i], from, to)
    || within(reward_rejected[i], from, to));
  for (const [name, filter] of Object.entries(filters.columns)) list.push(columnTest(table, name, filter));
  for (const filter of Object.values(filters.pictures)) list.push(pictureTest(table, filter));
  return list;
}

function matching(table, filters, sort, review, found) {
  const passed = tests(table, filters, review, found), order = orderOf(table, sort, review.entries);
  return passed.length ? order.filter(i => passed.every(test => test(i))) : order;
}

// How far a review is: of the pairs that match all but the filters by mark and decision.
function progressOf(table, filters, review, found) {
  const stack = matching(table, {...filters, decision: "", mark: ""}, {by: "data", down: false}, review, found);
  let decided = 0, seen = 0;
  for (const i of stack) { decided += Boolean(review.entries[i]?.decision); seen += review.seen.has(i); }
  return {total: stack.length, decided, seen};
}

function rangeText(low, high) {
  const digits = clamp(1 - Math.floor(Math.log10(Math.abs(high - low) || 1)), 0, 6);
  const text = value => Number(value.toFixed(digits)).toLocaleString("en", {maximumFractionDigits: digits});
  return `${text(low)} to ${text(high)}`;
}

const DECISION_FILTERS = {...DECISIONS, decided: "Decided", undecided: "Undecided", unseen: "Unseen"};
const MARK_FILTERS = {...MARKS, any: "Any mark", note: "With a note", without: "Without a mark"};

function chipsOf(filters) {
  const {verdict, decision, mark, text, from, to, columns, pictures} = filters, chips = [];
  if (verdict) chips.push(["verdict", `verdict: ${VERDICTS[verdict][1]}`]);
  if (decision) chips.push(["decision", `decision: ${DECISION_FILTERS[decision].toLowerCase()}`]);
  if (mark) chips.push(["mark", `mark: ${MARK_FILTERS[mark].toLowerCase()}`]);
  if (text) chips.push(["text", `text: ${text}`]);
  if (from !== null || to !== null) chips.push(["rewards", `reward: ${from ?? "any"} to ${to ?? "any"}`]);
  for (const [name, filter] of Object.entries(columns)) chips.push([`column ${name}`, `${name}: ${filter.values
    ? filter.values.map(noneText).join(" or ") : `${filter.from ?? "any"} to ${filter.to ?? "any"}`}`]);
  for (const [id, filter] of Object.entries(pictures)) chips.push([`picture ${id}`, filter.label]);
  return chips;
}

const noneText = value => value === null ? "none" : value || "(empty)";
const without = (record, key) => Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));

function withoutFilter(filters, key) {
  const empty = noFilters();
  if (key === "rewards") return {...filters, from: null, to: null};
  if (key.startsWith("column ")) return {...filters, columns: without(filters.columns, key.slice(7))};
  if (key.startsWith("picture ")) return {...filters, pictures: without(filters.pictures, key.slice(8))};
  return {...filters, [key]: empty[key]};
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
  for (const list of lists) for (const value of list) if (finite(value)) { low = Math.min(low,
    value); high = Math.max(high, value); }
  const width = (high - low) / bins || 1, below = Math.ceil(-low / width - 1e-9),
    above = Math.ceil(high / width - 1e-9) || 1;
  return Array.from({length: below + above + 1}, (_, i) => (i - below) * width);
}

function countsIn(edges, values) {
  const counts = new Array(edges.length - 1).fill(0), width = edges[1] - edges[0];
  for (const value of values) if (finite(value)) counts[clamp(Math.floor((value - edges[0]) / width + 1e-9), 0,
    counts.length - 1)]++;
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

const tokenValue = (trace, i, by) => by === "value" ? trace.reward[i] : i > 0 && finite(trace.reward[i - 1])
  ? trace.reward[i] - trace.reward[i - 1] : null;

function shownTokens(trace, unfolded, specials) {
  const start = unfolded ? 0 : trace.start;
  return trace.text.map((_, i) => i).filter(i => i >= start && (specials || !trace.special[i]));
}

// Steps lie around 0, values around the middle of the responses' values.
function shadeScale(tokens, by) {
  const values = ["chosen", "rejected"].flatMap(side => tokens[side].text.map((_, i) =>
    i).slice(tokens[side].start).map(i => tokenValue(tokens[side], i, by))).filter(finite);
  if (!values.length) return {centre: 0, span: 1};
  const [low, high] = [quantile(values, 0), quantile(values, 1)], centre = by === "value" ? (low + high) / 2 : 0;
  return {centre, span: quantile(values.map(value => Math.abs(value - centre)), 0.99) || 1};
}

// How many of a branch's tokens are drawn, so that both together stay within the limit.
function shares(limit, a, b) {
  const half = limit / 2;
  return a <= half ? [a, Math.min(b, limit - a)] : b <= half ? [Math.min(a, limit - b), b] : [half, half];
}

