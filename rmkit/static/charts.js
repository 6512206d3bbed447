// rmkit's pictures: plain functions that return SVG elements, and `element`, their counterpart for HTML.
// No imports and no exports: the text of this file goes in front of explorer.js or dashboard.js in one module.
// Colours are CSS colours or variables of explorer.css ("var(--rm-chosen)"). No text becomes markup.
//
//   element(name, attributes, ...children)          an HTML element; `onclick: f` listens, `style: {name: value}` sets, null and false are left out
//   svgElement(name, attributes, ...children)       the same in SVG
//   ownsItsKeys(root)                               root, whose keys a notebook leaves alone
//   linearScale(domain, range)                      value -> pixel, with .invert, .domain, .range
//   ticks(low, high, count = 5)                     round values within [low, high]
//   tickText(value, step)                           a tick's label; numberText(value, digits = 2); countText(value); percentText(value, digits = 0)
//   niceDomain(values, {zero, pad})                 [low, high] around the finite values
//   fluid(draw)                                     a div that shows draw(width) and draws again when its width changes; .redraw(), .chart
//   lineChart({series: [{name, x, y, low?, high?, colour?, dash?}], xlabel, ylabel, width, height, onhover?, xdomain?, ydomain?, zero?, xtext?, ytext?, label?})
//   histogram({edges, series: [{name, counts, colour?, dash?}], xlabel, ylabel, width, height, zero?, most?, selected?, onselect?, onhover?, label?})
//                                                   onselect(first bin, last bin) or onselect(null)
//   pointChart({points: [{x, y, low?, high?, n?, range?}], diagonal?, xlabel, ylabel, width, height, selected?, onselect?, onhover?, label?})
//   barChart({bars: [{label, y, low?, high?, n?}], line?: {y, label}, xlabel, ylabel, width, selected?, onselect?, onhover?, label?})
//                                                   bars lie; as high as it needs; onselect(index) or onselect(null)
//   dotChart({x, y, ids, marks?, regions?: [{x, y, label}], xlabel, ylabel, width, height, onopen?, onbrush?, onhover?, label?})
//                                                   onopen(id), onbrush({x: [low, high], y: [low, high]})
//
// A missing value (null, NaN) leaves a gap. `onhover` gets {text, ...} or null. Each picture has `showSelected(selected)`
// where it has `onselect`, hover read-out, and arrow keys, Enter, Escape (Shift extends in a histogram).

const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';
const COLOURS = ["var(--rm-chosen)", "var(--rm-rejected)", "var(--rm-third)", "var(--rm-soft)"];

// ---- elements

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    else if (name === "fill" || name === "stroke") node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svgElement(name, attributes, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

// JupyterLab and Notebook 7 look upwards from the focused element for this attribute before they take a key for themselves,
// and in Notebook 7 the focused element itself already matches.
function ownsItsKeys(root) {
  root.addEventListener("focusin", event => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  return root;
}

// ---- numbers

const finite = value => typeof value === "number" && Number.isFinite(value);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function linearScale([d0, d1], [r0, r1]) {
  const scale = value => r0 + (value - d0) / (d1 - d0 || 1) * (r1 - r0);
  scale.invert = pixel => d0 + (pixel - r0) / (r1 - r0 || 1) * (d1 - d0);
  return Object.assign(scale, {domain: [d0, d1], range: [r0, r1]});
}

function tickStep(low, high, count) {
  const raw = (high - low) / Math.max(count, 1), power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(factor => factor * power >= raw * 0.999);
}

function ticks(low, high, count = 5) {
  if (!(high > low)) return [low];
  const step = tickStep(low, high, count), found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

function tickText(value, step) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 1e7 || step < 1e-4) return value.toExponential().replace(/(\.\d{2})\d+/, "$1").replace("e+", "e");
  const digits = clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 6);
  return value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
}

function numberText(value, digits = 2) {
  if (!finite(value)) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e7 || Math.abs(value) < 0.5 * 10 ** -digits && digits >= 4)) return value.toExponential(2);
  return value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits}).replace(/^-(0(\.0+)?)$/, "$1");
}

const countText = value => finite(value) ? Math.round(value).toLocaleString("en") : "–";
const percentText = (value, digits = 0) => finite(value) ? `${(100 * value).toFixed(digits)}%` : "–";

function niceDomain(values, {zero = false, pad = 0.05} = {}) {
  let low = zero ? 0 : Infinity, high = zero ? 0 : -Infinity;
  for (const value of values) if (finite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) return [0, 1];
  if (low === high) return [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
  const room = (high - low) * pad;
  return [zero && low === 0 ? 0 : low - room, zero && high === 0 ? 0 : high + room];
}

// ---- text in SVG

let pen = null;
function textWidth(text) {
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return 6.2 * text.length;
  pen.font = `11px ${FONT}`;
  return pen.measureText(text).width;
}

function fitted(text, width) {
  const letters = Array.from(text.slice(0, 200));
  if (text.length <= 200 && textWidth(text) <= width) return text;
  while (letters.length && textWidth(letters.join("") + "…") > width) letters.pop();
  return letters.join("") + "…";
}

const svgText = (x, y, text, attributes) => svgElement("text", {x, y, ...attributes}, text);

// ---- a frame: labels, legend, grid, ticks

function legendRows(series, left, width) {
  const rows = [[]];
  let x = left;
  for (const one of series) {
    const name = fitted(one.name, Math.max(width - left - 40, 40)), wide = 24 + textWidth(name) + 14;
    if (x + wide > width && rows.at(-1).length) { rows.push([]); x = left; }
    rows.at(-1).push({...one, name, at: x});
    x += wide;
  }
  return rows;
}

function legend(rows, top) {
  return svgElement("g", {class: "rmkit-legend"}, ...rows.flatMap((row, i) => row.map(one => svgElement("g", null,
    svgElement("line", {x1: one.at, x2: one.at + 18, y1: top + 16 * i, y2: top + 16 * i, stroke: one.colour, "stroke-width": 2.5, "stroke-dasharray": one.dash}),
    svgText(one.at + 24, top + 16 * i + 4, one.name)))));
}

const coloured = series => series.map((one, i) => ({...one, colour: one.colour ?? COLOURS[i % COLOURS.length]}));

function frame({width, height, xdomain, ydomain, xlabel, ylabel, series = [], xtext, ytext, xwhole, ywhole, label, interactive}) {
  const svg = svgElement("svg", {class: "rmkit-chart", width, height, viewBox: `0 0 ${width} ${height}`, role: interactive ? "application" : "img",
    tabindex: interactive ? 0 : null, "aria-label": label ?? [ylabel, xlabel].filter(Boolean).join(" by ")});
  const yticks = labelled(ydomain, clamp(Math.round(height / 45), 2, 6), ytext, ywhole);
  const left = 12 + Math.max(...yticks.map(([, text]) => textWidth(text)), 8), right = width - 18;
  const rows = series.length > 1 ? legendRows(series, 4, width) : [];
  const top = (ylabel ? 22 : 8) + 16 * rows.length + (rows.length ? 4 : 0), bottom = height - (xlabel ? 38 : 22);
  const x = linearScale(xdomain, [left, right]), y = linearScale(ydomain, [bottom, top]);
  for (const [value, text] of yticks) svg.append(
    svgElement("line", {class: "rmkit-grid", x1: left, x2: right, y1: y(value), y2: y(value)}),
    svgText(left - 6, y(value) + 4, text, {"text-anchor": "end"}));
  svg.append(...xTicks(x, bottom, xtext, xwhole));
  if (ylabel) svg.append(svgText(4, 13, fitted(ylabel, width - 8), {class: "rmkit-label"}));
  if (xlabel) svg.append(svgText((left + right) / 2, height - 6, fitted(xlabel, width - 8), {class: "rmkit-label", "text-anchor": "middle"}));
  if (rows.length) svg.append(legend(rows, ylabel ? 28 : 12));
  return {svg, x, y, left, right, top, bottom, width, height};
}

function labelled([low, high], count, text, whole) {
  const step = Math.max(tickStep(low, high, count), whole ? 1 : 0);
  return ticks(low, high, (high - low) / step).map(value => [value, text ? text(value) : tickText(value, step)]);
}

function xTicks(x, bottom, xtext, xwhole) {
  const [left, right] = x.range, nodes = [svgElement("line", {class: "rmkit-axis", x1: left, x2: right, y1: bottom, y2: bottom})];
  for (const [value, text] of labelled(x.domain, clamp(Math.floor((right - left) / 70), 2, 10), xtext, xwhole)) nodes.push(
    svgElement("line", {class: "rmkit-axis", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4}),
    svgText(x(value), bottom + 16, text, {"text-anchor": "middle"}));
  return nodes;
}

// ---- read-out, pointer, keys

function readout(svg, width, height) {
  const box = svgElement("g", {class: "rmkit-readout", visibility: "hidden"});
  svg.append(box);
  const hide = () => box.setAttribute("visibility", "hidden");
  const show = (x, y, lines) => {
    const texts = lines.map(line => fitted(line, width - 24)), wide = 16 + Math.max(...texts.map(textWidth)), high = 8 + 15 * texts.length;
    const left = clamp(x + 12 + wide > width ? x - 12 - wide : x + 12, 1, Math.max(width - wide - 1, 1)), top = clamp(y - high - 8, 1, Math.max(height - high - 1, 1));
    box.replaceChildren(svgElement("rect", {x: left, y: top, width: wide, height: high, rx: 4}),
      ...texts.map((text, i) => svgText(left + 8, top + 15 + 15 * i, text)));
    box.setAttribute("visibility", "visible");
    svg.append(box);
  };
  return {show, hide};
}

function pointer(svg, event) {
  const box = svg.getBoundingClientRect();
  return [(event.clientX - box.left) * svg.viewBox.baseVal.width / box.width, (event.clientY - box.top) * svg.viewBox.baseVal.height / box.height];
}

// Arrow keys over `count` items: show(first, last) moves, select(first, last) takes, clear() undoes.
function itemKeys(svg, {count, show, hide, select, clear, ranged = false}) {
  let from = -1, at = -1;
  svg.addEventListener("keydown", event => {
    const to = {ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: count - 1}[event.key];
    if (to !== undefined && count) {
      at = clamp(to, 0, count - 1);
      if (!(ranged && event.shiftKey) || from < 0) from = at;
      show(Math.min(from, at), Math.max(from, at), at);
    } else if ((event.key === "Enter" || event.key === " ") && at >= 0) select?.(Math.min(from, at), Math.max(from, at));
    else if (event.key === "Escape") { from = at = -1; hide(); clear?.(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  svg.addEventListener("blur", hide);
}

function nearest(values, target) {
  let best = -1, least = Infinity;
  values.forEach((value, i) => { const far = Math.abs(value - target); if (far < least) { least = far; best = i; } });
  return best;
}

function fluid(draw) {
  const box = element("div", {class: "rmkit-fluid"});
  let width = 0, waiting = false;
  box.redraw = () => {
    waiting = false;
    if (box.clientWidth < 1) return;
    width = box.clientWidth;
    box.chart = draw(Math.max(width, 200));
    box.replaceChildren(box.chart);
  };
  // Drawing inside the observer would change what it observes in the same frame.
  new ResizeObserver(() => {
    if (waiting || Math.abs(box.clientWidth - width) < 1) return;
    waiting = true;
    requestAnimationFrame(box.redraw);
  }).observe(box);
  return box;
}

// ---- lines

// At most about four points a pixel column: first, lowest, highest, last.
function thinned(series, x) {
  const n = series.x.length, columns = Math.max(x.range[1] - x.range[0], 1);
  if (n <= 4 * columns) return [...Array(n).keys()];
  const kept = [];
  for (let c = 0; c < columns; c++) {
    const start = Math.floor(c * n / columns), end = Math.floor((c + 1) * n / columns);
    let low = start, high = start;
    for (let i = start; i < end; i++) { if (series.y[i] < series.y[low]) low = i; if (series.y[i] > series.y[high]) high = i; }
    kept.push(...new Set([start, Math.min(low, high), Math.max(low, high), end - 1]));
  }
  return kept;
}

function linePath(xs, ys, kept, x, y) {
  let path = "", down = false;
  for (const i of kept) {
    if (!finite(xs[i]) || !finite(ys[i])) { down = false; continue; }
    path += `${down ? "L" : "M"}${x(xs[i]).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
    down = true;
  }
  return path;
}

function bandPath(series, kept, x, y) {
  const there = kept.filter(i => finite(series.low[i]) && finite(series.high[i]));
  const corner = values => i => `${x(series.x[i]).toFixed(1)} ${y(values[i]).toFixed(1)}`;
  return there.length < 2 ? "" : `M${there.map(corner(series.high)).join("L")}L${there.reverse().map(corner(series.low)).join("L")}Z`;
}

function drawLine(series, {x, y}) {
  const kept = thinned(series, x), there = kept.filter(i => finite(series.y[i]));
  const nodes = [];
  if (series.low && series.high) nodes.push(svgElement("path", {d: bandPath(series, kept, x, y), fill: series.colour, "fill-opacity": 0.18}));
  nodes.push(svgElement("path", {class: "rmkit-line", d: linePath(series.x, series.y, kept, x, y), stroke: series.colour, "stroke-dasharray": series.dash}));
  if (there.length === 1) nodes.push(svgElement("circle", {cx: x(series.x[there[0]]), cy: y(series.y[there[0]]), r: 3, fill: series.colour}));
  return nodes;
}

function everyX(series) {
  return [...new Set(series.flatMap(one => Array.from(one.x)))].filter(finite).sort((a, b) => a - b);
}

function lineChart({series, xlabel, ylabel, width = 480, height = 220, onhover, xdomain, ydomain, zero = false, xtext, ytext, label}) {
  const drawn = coloured(series), xs = everyX(drawn);
  const values = function* () { for (const one of drawn) for (const list of [one.y, one.low, one.high]) if (list) yield* list; };
  const plot = frame({width, height, xlabel, ylabel, xtext, ytext, label, series: drawn, interactive: true, xwhole: xs.every(Number.isInteger),
    xdomain: xdomain ?? niceDomain(xs, {pad: 0}), ydomain: ydomain ?? niceDomain(values(), {zero})});
  const {svg, x, y} = plot;
  if (y.domain[0] < 0 && y.domain[1] > 0) svg.append(svgElement("line", {class: "rmkit-zero", x1: plot.left, x2: plot.right, y1: y(0), y2: y(0)}));
  svg.append(...drawn.flatMap(one => drawLine(one, plot)));
  lineHover(plot, drawn, xs, {xlabel, xtext, ytext, onhover});
  return svg;
}

function lineHover(plot, series, xs, {xlabel, xtext, ytext, onhover}) {
  const {svg, x, y} = plot, box = readout(svg, plot.width, plot.height), rule = svgElement("line", {class: "rmkit-rule", y1: plot.top, y2: plot.bottom, visibility: "hidden"});
  const places = series.map(one => new Map(Array.from(one.x, (value, i) => [value, i])));
  svg.append(rule);
  const show = i => {
    const at = xs[i], values = series.map((one, s) => one.y[places[s].get(at)]);
    const head = `${xlabel ?? "x"} ${xtext ? xtext(at) : numberText(at, Number.isInteger(at) ? 0 : 3)}`;
    const lines = series.map((one, s) => `${one.name}: ${ytext && finite(values[s]) ? ytext(values[s]) : numberText(values[s], 3)}`);
    for (const end of ["x1", "x2"]) rule.setAttribute(end, x(at));
    rule.setAttribute("visibility", "visible");
    box.show(x(at), plot.top + 20, [head, ...lines]);
    onhover?.({x: at, index: i, values, text: [head, ...lines].join(" · ")});
  };
  const hide = () => { rule.setAttribute("visibility", "hidden"); box.hide(); onhover?.(null); };
  svg.addEventListener("pointermove", event => { if (xs.length) show(nearest(xs, x.invert(pointer(svg, event)[0]))); });
  svg.addEventListener("pointerleave", hide);
  itemKeys(svg, {count: xs.length, show: (first, last, at) => show(at), hide});
}

// ---- histograms

function binColour(one, edges, bin, zero) {
  return zero ? (edges[bin + 1] <= 1e-12 ? "var(--rm-bad)" : "var(--rm-good)") : one.colour;
}

function drawBins(one, edges, {x, y}, zero) {
  const bars = [], base = y(0);
  let outline = `M${x(edges[0]).toFixed(1)} ${base}`;
  one.counts.forEach((count, bin) => {
    const x0 = x(edges[bin]), x1 = x(edges[bin + 1]), top = y(count ?? 0);
    bars.push(svgElement("rect", {class: "rmkit-bin", "data-bin": bin, x: x0 + (zero ? 0.5 : 0), width: Math.max(x1 - x0 - (zero ? 1 : 0), 0.5), y: top, height: Math.max(base - top, 0),
      fill: binColour(one, edges, bin, zero), "fill-opacity": zero ? 0.85 : 0.28}));
    outline += `L${x0.toFixed(1)} ${top.toFixed(1)}L${x1.toFixed(1)} ${top.toFixed(1)}`;
  });
  if (!zero) bars.push(svgElement("path", {class: "rmkit-line", d: `${outline}L${x(edges.at(-1)).toFixed(1)} ${base}`, stroke: one.colour, "stroke-dasharray": one.dash}));
  return bars;
}

function zeroSides({svg, x, left, right, top, bottom}) {
  const at = x(0);
  if (at < left || at > right) return;
  svg.append(svgElement("line", {class: "rmkit-zero", x1: at, x2: at, y1: top, y2: bottom}));
  if (at - left > 60) svg.append(svgText(at - 6, top + 4, "← wrong", {"text-anchor": "end", class: "rmkit-side"}));
  if (right - at > 60) svg.append(svgText(at + 6, top + 4, "right →", {class: "rmkit-side"}));
}

function histogram({edges, series, xlabel, ylabel, width = 480, height = 240, zero = false, most = 1, selected = null, onselect, onhover, label}) {
  const drawn = coloured(series), top = Math.max(most, ...drawn.flatMap(one => one.counts.map(count => count ?? 0)));
  const plot = frame({width, height, xlabel, ylabel, series: drawn, label, interactive: true, ywhole: true,
    xdomain: edges.length > 1 ? [edges[0], edges.at(-1)] : [0, 1], ydomain: [0, top * (zero ? 1.15 : 1.05)]});
  plot.svg.append(...drawn.flatMap(one => drawBins(one, edges, plot, zero)));
  if (zero) zeroSides(plot);
  const step = edges.length > 1 ? (edges.at(-1) - edges[0]) / 10 : 1;
  const describe = (first, last) => [`${tickText(edges[first], step / 10)} to ${tickText(edges[last + 1], step / 10)}`,
    ...drawn.map(one => `${one.name}: ${countText(one.counts.slice(first, last + 1).reduce((sum, count) => sum + (count ?? 0), 0))}`)];
  brushBins(plot, edges, {describe, selected, onselect, onhover});
  return plot.svg;
}

function brushBins(plot, edges, {describe, selected, onselect, onhover}) {
  const {svg, x, top, bottom} = plot, bins = edges.length - 1, box = readout(svg, plot.width, plot.height);
  const chosen = svgElement("rect", {class: "rmkit-selected", y: top, height: bottom - top, visibility: "hidden"});
  const cursor = svgElement("rect", {class: "rmkit-cursor", y: top, height: bottom - top, visibility: "hidden"});
  svg.append(chosen, cursor);
  const place = (rect, first, last) => {
    rect.setAttribute("x", x(edges[first])); rect.setAttribute("width", x(edges[last + 1]) - x(edges[first])); rect.setAttribute("visibility", "visible");
  };
  const show = (first, last) => {
    const lines = describe(first, last);
    place(cursor, first, last);
    box.show(x(edges[last + 1]), top + 30, lines);
    onhover?.({first, last, text: lines.join(" · ")});
  };
  const hide = () => { cursor.setAttribute("visibility", "hidden"); box.hide(); onhover?.(null); };
  const binAt = event => clamp(edges.findLastIndex(edge => edge <= x.invert(pointer(svg, event)[0])), 0, bins - 1);
  svg.showSelected = range => range ? place(chosen, ...range) : chosen.setAttribute("visibility", "hidden");
  if (bins < 1) return;
  svg.showSelected(selected);
  dragBins(svg, binAt, show, hide, onselect);
  itemKeys(svg, {count: bins, show, hide, select: (first, last) => onselect?.(first, last), clear: () => onselect?.(null), ranged: true});
}

function dragBins(svg, binAt, show, hide, onselect) {
  let from = null;
  svg.addEventListener("pointerdown", event => { if (event.button === 0) { from = binAt(event); svg.setPointerCapture(event.pointerId); } });
  svg.addEventListener("pointermove", event => { const at = binAt(event); show(Math.min(from ?? at, at), Math.max(from ?? at, at)); });
  svg.addEventListener("pointerup", event => {
    if (from === null) return;
    const at = binAt(event);
    onselect?.(Math.min(from, at), Math.max(from, at));
    from = null;
  });
  svg.addEventListener("pointercancel", () => { from = null; hide(); });
  svg.addEventListener("pointerleave", () => { if (from === null) hide(); });
}

// ---- points and bars, with intervals

function intervalText({y, low, high, n}) {
  const between = finite(low) && finite(high) ? `95% interval ${percentText(low)} to ${percentText(high)}` : null;
  return [percentText(y, 1), between, finite(n) ? `${countText(n)} ${n === 1 ? "pair" : "pairs"}` : null].filter(Boolean);
}

// Pointer and keys over items with a place each; selected is an index.
function pickItems(plot, places, {describe, selected, onselect, onhover, itemAt, ring}) {
  const {svg} = plot, box = readout(svg, plot.width, plot.height);
  const chosen = ring("rmkit-selected"), cursor = ring("rmkit-cursor");
  let picked = selected;
  svg.append(chosen.node, cursor.node);
  const show = i => { const lines = describe(i); cursor.at(i); box.show(...places[i], lines); onhover?.({index: i, text: lines.join(" · ")}); };
  const hide = () => { cursor.at(null); box.hide(); onhover?.(null); };
  svg.showSelected = i => { picked = i; chosen.at(i); };
  svg.showSelected(selected);
  svg.addEventListener("pointermove", event => { const i = itemAt(pointer(svg, event)); i >= 0 ? show(i) : hide(); });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", event => { const i = itemAt(pointer(svg, event)); if (i >= 0) onselect?.(i === picked ? null : i); });
  itemKeys(svg, {count: places.length, show, hide, select: i => onselect?.(i), clear: () => onselect?.(null)});
}

function ringAround(name, places, radius) {
  const node = svgElement("circle", {class: name, r: radius, visibility: "hidden"});
  return {node, at(i) {
    node.setAttribute("visibility", i === null ? "hidden" : "visible");
    if (i !== null) { node.setAttribute("cx", places[i][0]); node.setAttribute("cy", places[i][1]); }
  }};
}

function closest(places, [px, py], reach) {
  let best = -1, least = reach * reach;
  places.forEach(([x, y], i) => { const far = (x - px) ** 2 + (y - py) ** 2; if (far < least) { least = far; best = i; } });
  return best;
}

function whisker(point, {x, y}) {
  if (!finite(point.low) || !finite(point.high)) return [];
  const at = x(point.x);
  return [svgElement("path", {class: "rmkit-whisker", d: `M${at} ${y(point.low)}V${y(point.high)}M${at - 3} ${y(point.low)}h6M${at - 3} ${y(point.high)}h6`})];
}

function pointChart({points, diagonal = false, xlabel, ylabel, width = 480, height = 240, selected = null, onselect, onhover, label}) {
  const shown = points.map((point, i) => ({...point, i})).filter(point => finite(point.x) && finite(point.y)).sort((a, b) => a.x - b.x);
  const lowest = Math.min(diagonal ? 0.5 : 1, ...shown.map(point => Math.min(point.low ?? point.y, point.y)));
  const xs = shown.flatMap(point => [point.x, ...(point.range ?? [])]);
  const plot = frame({width, height, xlabel, ylabel, label, interactive: true, ytext: percentText,
    xdomain: diagonal ? [Math.min(0.5, ...xs), 1] : niceDomain(xs), ydomain: [Math.floor(lowest * 10) / 10, 1]});
  const {svg, x, y} = plot;
  if (diagonal) {
    const from = Math.max(x.domain[0], y.domain[0]);
    svg.append(svgElement("line", {class: "rmkit-diagonal", x1: x(from), y1: y(from), x2: x(1), y2: y(1)}));
  }
  svg.append(...shown.flatMap(point => whisker(point, plot)), svgElement("path", {class: "rmkit-line", stroke: "var(--rm-third)", "stroke-opacity": 0.45,
    d: linePath(shown.map(point => point.x), shown.map(point => point.y), [...shown.keys()], x, y)}));
  const places = shown.map(point => [x(point.x), y(point.y)]);
  svg.append(...places.map(([cx, cy]) => svgElement("circle", {class: "rmkit-point", cx, cy, r: 4.5, fill: "var(--rm-third)"})));
  const where = i => i === null ? null : shown.findIndex(point => point.i === i);
  const describe = i => [shown[i].range ? `${numberText(shown[i].range[0])} to ${numberText(shown[i].range[1])}` : numberText(shown[i].x), ...intervalText(shown[i])];
  pickItems(plot, places, {describe, selected: where(selected), onselect: i => onselect?.(i === null ? null : shown[i].i), onhover,
    itemAt: at => closest(places, at, 24), ring: name => ringAround(name, places, 9)});
  const mark = svg.showSelected;
  svg.showSelected = i => mark(where(i));
  return svg;
}

const BAR = 24;

function bandRound(name, {left, right, top}) {
  const node = svgElement("rect", {class: name, x: 1, width: right - 2, height: BAR - 2, rx: 3, visibility: "hidden"});
  return {node, at(i) {
    node.setAttribute("visibility", i === null ? "hidden" : "visible");
    if (i !== null) node.setAttribute("y", top + BAR * i + 1);
  }};
}

function barRow(bar, i, {x, top, left, right}) {
  const middle = top + BAR * i + BAR / 2, nodes = [svgText(left - 8, middle + 4, fitted(bar.label, left - 12), {"text-anchor": "end", class: "rmkit-label"})];
  if (finite(bar.y)) nodes.push(svgElement("rect", {class: "rmkit-rod", x: x(0), width: Math.max(x(bar.y) - x(0), 1), y: middle - 6, height: 12}));
  if (finite(bar.low) && finite(bar.high)) nodes.push(svgElement("path", {class: "rmkit-whisker",
    d: `M${x(bar.low)} ${middle}H${x(bar.high)}M${x(bar.low)} ${middle - 3}v6M${x(bar.high)} ${middle - 3}v6`}));
  nodes.push(svgText(right + 8, middle + 4, `${percentText(bar.y)}${finite(bar.n) ? ` of ${countText(bar.n)}` : ""}`));
  return nodes;
}

function barChart({bars, line, xlabel, ylabel, width = 480, selected = null, onselect, onhover, label}) {
  const left = clamp(Math.max(20, ...bars.map(bar => textWidth(bar.label.slice(0, 80)))) + 12, 40, width * 0.36);
  const figures = 12 + Math.max(40, ...bars.map(bar => textWidth(`100% of ${countText(bar.n ?? 0)}`)));
  const top = (xlabel ? 20 : 6) + (line ? 16 : 0), bottom = top + BAR * bars.length, right = width - figures - 6;
  const height = bottom + (ylabel ? 38 : 22), x = linearScale([0, 1], [left, right]);
  const svg = svgElement("svg", {class: "rmkit-chart", width, height, viewBox: `0 0 ${width} ${height}`, role: "application", tabindex: 0, "aria-label": label ?? `${ylabel} by ${xlabel}`});
  for (const value of ticks(0, 1, 4)) svg.append(svgElement("line", {class: "rmkit-grid", x1: x(value), x2: x(value), y1: top, y2: bottom}));
  svg.append(...bars.flatMap((bar, i) => barRow(bar, i, {x, top, left, right})), ...xTicks(x, bottom, percentText));
  if (xlabel) svg.append(svgText(4, 13, fitted(xlabel, width - 8), {class: "rmkit-label"}));
  if (ylabel) svg.append(svgText((left + right) / 2, height - 6, fitted(ylabel, width - 8), {class: "rmkit-label", "text-anchor": "middle"}));
  if (line && finite(line.y)) svg.append(svgElement("line", {class: "rmkit-diagonal", x1: x(line.y), x2: x(line.y), y1: top - 2, y2: bottom}),
    svgText(clamp(x(line.y), left + textWidth(line.label) / 2, width - 4 - textWidth(line.label) / 2), top - 6, line.label, {"text-anchor": "middle"}));
  const plot = {svg, width, height, top, left, right: width}, places = bars.map((bar, i) => [x(bar.y ?? 0), top + BAR * i]);
  const itemAt = ([, py]) => { const i = Math.floor((py - top) / BAR); return i >= 0 && i < bars.length ? i : -1; };
  pickItems(plot, places, {describe: i => [bars[i].label, ...intervalText(bars[i])], selected, onselect, onhover, itemAt, ring: name => bandRound(name, plot)});
  return svg;
}

// ---- dots: a map of pairs

function dotChart({x: xs, y: ys, ids, marks, regions = [], xlabel, ylabel, width = 560, height = 360, xdomain, ydomain, onopen, onbrush, onhover, label}) {
  const order = [...ids.keys()].filter(i => finite(xs[i]) && finite(ys[i])).sort((a, b) => xs[a] - xs[b]);
  const plot = frame({width, height, xlabel, ylabel, label, interactive: true, xdomain: xdomain ?? niceDomain(xs, {zero: true}), ydomain: ydomain ?? [0, 1]});
  const {svg, x, y} = plot, places = order.map(i => [x(xs[i]), y(ys[i])]);
  svg.append(...places.map(([cx, cy], k) => svgElement("circle", {class: `rmkit-dot ${marks?.[order[k]] ?? ""}`, cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.6})));
  svg.append(...regions.map(region => svgText(clamp(x(region.x), plot.left + textWidth(region.label) / 2 + 4, plot.right - textWidth(region.label) / 2 - 4),
    y(region.y), region.label, {class: "rmkit-region", "text-anchor": "middle"})));
  const box = readout(svg, width, height), cursor = ringAround("rmkit-cursor", places, 7);
  svg.append(cursor.node);
  const show = k => {
    const i = order[k], lines = [`pair ${ids[i]}`, `${ylabel}: ${numberText(ys[i], 3)}`, `${xlabel}: ${numberText(xs[i], 3)}`];
    cursor.at(k); box.show(...places[k], lines); onhover?.({id: ids[i], text: lines.join(" · ")});
  };
  const hide = () => { cursor.at(null); box.hide(); onhover?.(null); };
  dragBox(plot, {onbrush, hover: at => { const k = closest(places, at, 12); k >= 0 ? show(k) : hide(); },
    click: at => { const k = closest(places, at, 12); if (k >= 0) onopen?.(ids[order[k]]); }, hide});
  itemKeys(svg, {count: order.length, show: (first, last, at) => show(at), hide, select: (first, last) => onopen?.(ids[order[last]]), clear: () => onbrush?.(null)});
  return svg;
}

function dragBox({svg, x, y, left, right, top, bottom}, {onbrush, hover, click, hide}) {
  const rect = svgElement("rect", {class: "rmkit-cursor", visibility: "hidden"});
  let from = null;
  svg.append(rect);
  const inside = event => { const [px, py] = pointer(svg, event); return [clamp(px, left, right), clamp(py, top, bottom)]; };
  const moved = ([px, py]) => Math.abs(px - from[0]) + Math.abs(py - from[1]) > 8;
  svg.addEventListener("pointerdown", event => { if (event.button === 0) { from = inside(event); svg.setPointerCapture(event.pointerId); } });
  svg.addEventListener("pointermove", event => {
    const at = inside(event);
    if (from === null || !moved(at)) return hover(pointer(svg, event));
    hide();
    filled(rect, {x: Math.min(at[0], from[0]), y: Math.min(at[1], from[1]), width: Math.abs(at[0] - from[0]), height: Math.abs(at[1] - from[1]), visibility: "visible"}, []);
  });
  svg.addEventListener("pointerup", event => {
    if (from === null) return;
    const at = inside(event), start = from, drag = moved(at);
    from = null;
    rect.setAttribute("visibility", "hidden");
    if (!drag) return click(pointer(svg, event));
    const span = (scale, a, b) => [scale.invert(a), scale.invert(b)].sort((p, q) => p - q);
    onbrush?.({x: span(x, start[0], at[0]), y: span(y, start[1], at[1])});
  });
  svg.addEventListener("pointercancel", () => { from = null; rect.setAttribute("visibility", "hidden"); });
  svg.addEventListener("pointerleave", () => { if (from === null) hide(); });
}
