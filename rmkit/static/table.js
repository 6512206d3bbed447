// Functions of data alone: the table, verdicts, orders, filters, training, tokens' values. Nothing here touches a page.

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

