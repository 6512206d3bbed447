// The table of scored pairs: orders, filters and counts. Functions of data alone: nothing here knows a page or a view.

// ---- the table

const VERDICTS = {right: ["✓", "right"], wrong: ["✗", "wrong"], tie: ["=", "tie"], none: ["?", "no reward"]};
const MARKS = {mislabelled: "Mislabelled", unclear: "Unclear", interesting: "Interesting"};
const DECISIONS = {keep: "Keep", swap: "Swap", tie: "Tie", "both bad": "Both bad", drop: "Drop"};

function verdictOf(margin) {
  if (!finite(margin)) return "none";
  return margin > 0 ? "right" : margin < 0 ? "wrong" : "tie";
}

const numbers = values => Float64Array.from(values, value => finite(value) ? value : NaN);
const derived = (n, value) => Float64Array.from({length: n}, (_, i) => value(i));

// What a source says of all pairs, ready to be sorted and filtered. A missing number is NaN.
function tableOf(meta) {
  const {n, moves, facets = []} = meta, columns = {};
  for (const [name, values] of Object.entries(meta.columns)) {
    if (values && name !== "source") columns[name] = numbers(values);
  }
  const {reward_margin, p_chosen, length_chosen, length_rejected, margin} = columns;
  columns.confidence = derived(n, i => Math.max(p_chosen[i], 1 - p_chosen[i]));
  if (length_chosen && length_rejected) columns.length_gap = derived(n, i => length_chosen[i] - length_rejected[i]);
  if (margin) columns.disagreement = disagreement(reward_margin, margin);
  if (moves) columns.moved = derived(n, i => spread(moves.margins.map(margins => margins[i])));
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

// How far apart the places of a pair are, by the model's margin and by the label's.
function disagreement(ours, labels) {
  const a = ranks(ours), b = ranks(labels);
  return a.map((rank, i) => Math.abs(rank - b[i]));
}

// ---- orders

// Orders that have a name of their own: [name, column that is needed, key of a row].
const SORTS = {
  wrong: ["most confidently wrong first", "reward_margin", (columns, i) => columns.reward_margin[i]],
  unsure: ["least certain", "reward_margin", (columns, i) => Math.abs(columns.reward_margin[i])],
  gap: ["largest length gap", "length_gap", (columns, i) => -Math.abs(columns.length_gap[i])],
  label: ["against the label's margin", "disagreement", (columns, i) => -columns.disagreement[i]],
  right: ["most confidently right", "reward_margin", (columns, i) => -columns.reward_margin[i]],
  data: ["in the order of the data", "reward_margin", (columns, i) => i],
  moved: ["moved most", "moved", (columns, i) => -columns.moved[i]],
};
const COLUMN_SORTS = {reward_margin: "Margin", p_chosen: "P(chosen)", reward_chosen: "Reward of chosen",
  reward_rejected: "Reward of rejected", length_chosen: "Length of chosen", length_rejected: "Length of rejected",
  length_gap: "Length gap", margin: "Label's margin"};
const REVIEW_SORTS = {decision: "Decision", mark: "Mark"};
const VERDICT_ORDER = ["wrong", "tie", "right"];

// The orders that there are for a table, each with its name.
function sortsOf({columns, facets}) {
  const named = Object.entries(SORTS).filter(([, [, needs]]) => columns[needs]).map(([by, [name]]) => [by, name]);
  const own = [...facets.keys()].filter(name => !(name in columns)).map(name => [name, name]);
  return [...named, ["verdict", "Verdict"], ...Object.entries(COLUMN_SORTS).filter(([name]) => columns[name]),
    ...Object.entries(REVIEW_SORTS), ...own];
}

// A row's place in an order; null where it has none. The values of a category are numbered in their order.
function sortKey({columns, facets, verdicts}, by, entries) {
  const numbered = values => i => Number.isNaN(values[i]) ? null : values[i];
  const placed = (list, valueOf) => i => list.includes(valueOf(i)) ? list.indexOf(valueOf(i)) : null;
  if (by === "verdict") return placed(VERDICT_ORDER, i => verdicts[i]);
  if (by === "decision") return placed(Object.keys(DECISIONS), i => entries[i]?.decision);
  if (by === "mark") return placed(Object.keys(MARKS), i => entries[i]?.mark);
  if (SORTS[by]) return numbered(derived(verdicts.length, i => SORTS[by][2](columns, i)));
  if (columns[by]) return numbered(columns[by]);
  const facet = facets.get(by);
  if (!facet) return i => i;
  return facet.kind === "number" ? numbered(facet.values) : i => facet.codes[i] < 0 ? null : facet.codes[i];
}

// All pairs in an order, equal ones in the order of the data; what has no key comes last, both ways.
function orderOf(table, {by, down}, entries = {}) {
  const name = `${by} ${down}`;
  if (table.orders.has(name)) return table.orders.get(name);
  const rows = Array.from({length: table.n}, (_, i) => i), keys = rows.map(sortKey(table, by, entries));
  const way = down ? -1 : 1;
  const order = Uint32Array.from(rows).sort((a, b) => {
    if (keys[a] === keys[b]) return a - b;
    if (keys[a] === null || keys[b] === null) return keys[a] === null ? 1 : -1;
    return keys[a] < keys[b] ? -way : way;
  });
  if (!(by in REVIEW_SORTS)) table.orders.set(name, order);
  return order;
}

// ---- filters

const noFilters = () =>
  ({verdict: "", decision: "", mark: "", text: "", from: null, to: null, columns: {}, pictures: {}});

// Whether a number lies between two, which are in it; with neither, anything does.
const within = (value, low = null, high = null) =>
  low === null && high === null || value >= (low ?? -Infinity) && value <= (high ?? Infinity);

// Tests of a decision and of a mark, by the filter's value; any other value is a decision or a mark itself.
const DECISION_TESTS = {decided: entry => Boolean(entry?.decision), undecided: entry => !entry?.decision};
const MARK_TESTS = {any: entry => Boolean(entry?.mark), note: entry => Boolean(entry?.note),
  without: entry => !entry?.mark};

function columnTest(table, name, filter) {
  const facet = table.facets.get(name), values = facet?.values ?? table.columns[name];
  if (values) return i => within(values[i], filter.from, filter.to);
  if (!facet || !filter.values?.length) return () => true;
  const wanted = new Set(filter.values.map(value => value === null ? -1 : facet.names.indexOf(value)));
  return i => wanted.has(facet.codes[i]);
}

// What a picture filters by is data: {columns, low, high, closed}, {source}, {step, low, high, closed}, {mean, std},
// {region, wide} or {step, became}.
function pictureTest(table, filter) {
  const {columns, moves} = table, {low, high, closed} = filter;
  const inside = value => value >= low && (closed ? value <= high : value < high);
  if ("source" in filter) return i => table.source?.[i] === filter.source;
  if ("columns" in filter) return i => filter.columns.some(name => columns[name] && inside(columns[name][i]));
  if (!moves) return () => true;
  const {mean, std, margins} = moves;
  if ("mean" in filter) return i => finite(mean[i]) && within(mean[i], ...filter.mean) && within(std[i], ...filter.std);
  if ("region" in filter) return i => regionOf(mean[i], std[i], filter.wide) === filter.region;
  if ("became" in filter) return i => becameAt(moves, filter.step, i) === filter.became;
  return i => finite(margins[filter.step]?.[i]) && inside(margins[filter.step][i]);
}

// `found`: the rows that the search found, or null. `review`: {entries, seen}.
function filterTests(table, filters, {entries, seen}, found) {
  const {verdict, decision, mark, from, to} = filters, {reward_chosen, reward_rejected} = table.columns, list = [];
  if (verdict) list.push(i => table.verdicts[i] === verdict);
  if (decision === "unseen") list.push(i => !seen.has(i));
  else if (decision) list.push(i => (DECISION_TESTS[decision] ?? (entry => entry?.decision === decision))(entries[i]));
  if (mark) list.push(i => (MARK_TESTS[mark] ?? (entry => entry?.mark === mark))(entries[i]));
  if (found) list.push(i => found.has(i));
  if (from !== null || to !== null) {
    list.push(i => within(reward_chosen[i], from, to) || within(reward_rejected[i], from, to));
  }
  for (const [name, filter] of Object.entries(filters.columns)) list.push(columnTest(table, name, filter));
  for (const filter of Object.values(filters.pictures)) list.push(pictureTest(table, filter));
  return list;
}

// The rows that pass every filter, in an order.
function matching(table, filters, sort, review, found) {
  const tests = filterTests(table, filters, review, found), order = orderOf(table, sort, review.entries);
  return tests.length ? order.filter(i => tests.every(test => test(i))) : order;
}

const without = (record, key) => Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));

function withoutFilter(filters, key) {
  if (key === "rewards") return {...filters, from: null, to: null};
  if (key.startsWith("column ")) return {...filters, columns: without(filters.columns, key.slice(7))};
  if (key.startsWith("picture ")) return {...filters, pictures: without(filters.pictures, key.slice(8))};
  return {...filters, [key]: noFilters()[key]};
}

// ---- filters in words, and out of pictures

const DECISION_FILTERS = {...DECISIONS, decided: "Decided", undecided: "Undecided", unseen: "Unseen"};
const MARK_FILTERS = {...MARKS, any: "Any mark", note: "With a note", without: "Without a mark"};
const noneText = value => value === null ? "none" : value || "(empty)";
const limitsText = ({from, to}) => `${from ?? "any"} to ${to ?? "any"}`;

// Each filter that is set: [key for `withoutFilter`, what it says].
function chipsOf(filters) {
  const {verdict, decision, mark, text, from, to, columns, pictures} = filters;
  const columnText = filter => filter.values ? filter.values.map(noneText).join(" or ") : limitsText(filter);
  const hasLimits = from !== null || to !== null;
  return [
    verdict && ["verdict", `verdict: ${VERDICTS[verdict][1]}`],
    decision && ["decision", `decision: ${DECISION_FILTERS[decision].toLowerCase()}`],
    mark && ["mark", `mark: ${MARK_FILTERS[mark].toLowerCase()}`],
    text && ["text", `text: ${text}`],
    hasLimits && ["rewards", `reward: ${limitsText(filters)}`],
    ...Object.entries(columns).map(([name, filter]) => [`column ${name}`, `${name}: ${columnText(filter)}`]),
    ...Object.entries(pictures).map(([id, filter]) => [`picture ${id}`, filter.label]),
  ].filter(Boolean);
}

// A limit as the table has its numbers: a picture's edges have more digits, and its outermost pairs would lie beyond.
const asSent = value => Math.round(value * 1e5) / 1e5 || value;

// The filter of some neighbouring bins: `what` says of which values, `name` says it in words. The last bin is closed.
function binsFilter(what, name, edges, first, last) {
  const low = asSent(edges[first]), high = asSent(edges[last + 1]), closed = last === edges.length - 2;
  return {...what, low, high, closed, bins: [first, last], label: `${name}: ${rangeText(low, high)}`};
}

// The filter of one point or bar of a picture: its source, or the range from its least to its greatest value.
function itemFilter({title, columns}, item) {
  if (finite(item.source)) return {source: item.source, label: `${title}: ${item.label}`};
  const [low, high] = item.range.map(asSent);
  return {columns, low, high, closed: true, label: `${title}: ${item.label ?? rangeText(low, high)}`};
}

// ---- counts

// How far a review is: of the pairs that match all but the filters by mark and decision.
function progressOf(table, filters, review, found) {
  const undecided = {...filters, decision: "", mark: ""};
  const stack = matching(table, undecided, {by: "data", down: false}, review, found);
  const decided = stack.filter(i => review.entries[i]?.decision), seen = stack.filter(i => review.seen.has(i));
  return {total: stack.length, decided: decided.length, seen: seen.length};
}

// The values of a category with the number of pairs that have each, the most frequent first; null stands for none.
function facetCounts({codes, names}) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([code, n]) => [names[code] ?? null, n]);
}

// Edges of at most about `bins` equal bins for all values, zero among them.
function commonEdges(lists, bins = 40) {
  let low = 0, high = 0;
  for (const values of lists) {
    for (const value of values.filter(finite)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const width = (high - low) / bins || 1;
  const below = Math.ceil(-low / width - 1e-9), above = Math.ceil(high / width - 1e-9) || 1;
  return Array.from({length: below + above + 1}, (_, i) => (i - below) * width);
}

function countsIn(edges, values) {
  const counts = new Array(edges.length - 1).fill(0), width = edges[1] - edges[0];
  for (const value of values.filter(finite)) {
    counts[clamp(Math.floor((value - edges[0]) / width + 1e-9), 0, counts.length - 1)]++;
  }
  return counts;
}

// At most so many of the rows, evenly spread.
function sampled(n, most) {
  return n <= most ? [...Array(n).keys()] : Array.from({length: most}, (_, k) => Math.floor(k * n / most));
}

// ---- over training: `moves` has the margins of every step, and each pair's mean and deviation of P(chosen)

const sideOf = margin => finite(margin) ? (margin > 0 ? "right" : "wrong") : null;

// The side a pair has at a step, if it had the other at the first step.
function becameAt({margins}, step, i) {
  const before = sideOf(margins[0][i]), now = sideOf(margins[step]?.[i]);
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

// Pairs whose P(chosen) varies more than `wide` are ambiguous; the others are easy or hard to learn by their mean.
const REGIONS = ["easy-to-learn", "ambiguous", "hard-to-learn"];

function regionOf(mean, std, wide) {
  if (!finite(mean) || !finite(std)) return null;
  return std > wide ? "ambiguous" : mean >= 0.5 ? "easy-to-learn" : "hard-to-learn";
}

function regionCounts({mean, std}, wide) {
  const found = mean.map((value, i) => regionOf(value, std[i], wide));
  return REGIONS.map(region => found.filter(each => each === region).length);
}
