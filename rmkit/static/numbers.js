// Numbers: what is one, how it is written, where it lies on a scale. Functions of values alone: no page is known here.

// ---- values

const finite = value => typeof value === "number" && Number.isFinite(value);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The value below which a share `q` of the finite values lies; 0 where there are none.
function quantile(values, q) {
  const sorted = Float64Array.from(values.filter(finite)).sort();
  return sorted.length ? sorted[Math.min(Math.floor(q * sorted.length), sorted.length - 1)] : 0;
}

// The place of the value that is nearest to `target`; -1 where there are none.
function nearest(values, target) {
  let best = -1, least = Infinity;
  values.forEach((value, i) => {
    const far = Math.abs(value - target);
    if (far < least) [best, least] = [i, far];
  });
  return best;
}

// ---- in words

function numberText(value, digits = 2) {
  if (!finite(value)) return "–";
  const isTiny = digits >= 4 && Math.abs(value) < 0.5 * 10 ** -digits;
  if (value !== 0 && (Math.abs(value) >= 1e7 || isTiny)) return value.toExponential(2);
  const text = value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
  return text.replace(/^-(0(\.0+)?)$/, "$1");
}

// About four digits, whatever the size.
function shortNumber(value) {
  const size = Math.abs(value);
  if (size >= 1000 || size === 0) return numberText(value, 0);
  return size < 1e-3 ? Number(value.toPrecision(3)).toExponential() : String(Number(value.toPrecision(4)));
}

const countText = value => finite(value) ? Math.round(value).toLocaleString("en") : "–";
const percentText = (value, digits = 0) => finite(value) ? `${(100 * value).toFixed(digits)}%` : "–";
const counted = (n, what) => `${countText(n)} ${what}${n === 1 ? "" : "s"}`;
const signed = (value, digits = 2) => finite(value) ? (value > 0 ? "+" : "") + numberText(value, digits) : "–";

// From one number to another, with about two digits of what lies between them.
function rangeText(low, high) {
  const digits = clamp(1 - Math.floor(Math.log10(Math.abs(high - low) || 1)), 0, 6);
  const text = value => Number(value.toFixed(digits)).toLocaleString("en", {maximumFractionDigits: digits});
  return `${text(low)} to ${text(high)}`;
}

// ---- on a scale

// value -> pixel, with its way back.
function linearScale([d0, d1], [r0, r1]) {
  const scale = value => r0 + (value - d0) / (d1 - d0 || 1) * (r1 - r0);
  const invert = pixel => d0 + (pixel - r0) / (r1 - r0 || 1) * (d1 - d0);
  return Object.assign(scale, {invert, domain: [d0, d1], range: [r0, r1]});
}

// [low, high] around the finite values, with some room.
function niceDomain(values, {pad = 0.05} = {}) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!finite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  if (low === high) return [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
  const room = (high - low) * pad;
  return [low - room, high + room];
}

function tickStep(low, high, count) {
  const raw = (high - low) / Math.max(count, 1), power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(factor => factor * power >= raw * 0.999);
}

// Round values within [low, high], about `count` of them.
function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const step = tickStep(low, high, count), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

// With as many digits as ticks of this step differ in.
function tickText(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e7 || step < 1e-4) {
    return value.toExponential().replace(/(\.\d{2})\d+/, "$1").replace("e+", "e");
  }
  const digits = clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 6);
  return value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
}

// Ticks with their labels; `whole`: of whole numbers only.
function labelledTicks([low, high], count, text, whole) {
  const step = Math.max(tickStep(low, high, count), whole ? 1 : 0);
  return ticks(low, high, (high - low) / step).map(value => [value, text ? text(value) : tickText(value, step)]);
}
