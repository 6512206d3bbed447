// rmkit's pictures: plain functions that return SVG elements. A missing value (null, NaN) leaves a gap.
//
//   lineChart({series: [{name, x, y, low?, high?, colour?, dash?}], xtext, ydomain?, ytext?, ...})
//                                                   onselect(x)
//   histogram({edges, series: [{name, counts, colour?, dash?}], zero?, most?, ...})
//                                                   onselect(first bin, last bin) or onselect(null)
//   pointChart({points: [{x, y, low?, high?, n?, range?}], diagonal?, ...})
//   barChart({bars: [{label, y, low?, high?, n?}], line?: {y, label}, ...})
//                                                   bars lie; as high as it needs; onselect(index) or onselect(null)
//   dotChart({x, y, ids, marks?, regions?: [{x, y, label}], xdomain, onopen?, onbrush?, ...})
//                                                   onopen(id), onbrush({x: [low, high], y: [low, high]})
//
// All take {xlabel, ylabel, width, height, label?}, all but lines {onhover?}, and those with `onselect` {selected?}.
// `onhover` is told {text, ...} or null. A picture has a read-out on hover, `showSelected(selected)` where it has
// `onselect`, and arrow keys, Enter, Escape (Shift extends in a histogram).

const pathPoint = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

// ---- lines

// The numbers of the points that are drawn, at most about four a pixel column: first, lowest, highest, last.
function thinned(series, x) {
  const n = series.x.length, columns = Math.max(x.range[1] - x.range[0], 1);
  if (n <= 4 * columns) return [...Array(n).keys()];
  const kept = [];
  for (let c = 0; c < columns; c++) {
    const start = Math.floor(c * n / columns), end = Math.floor((c + 1) * n / columns);
    let low = start, high = start;
    for (let i = start; i < end; i++) {
      if (series.y[i] < series.y[low]) low = i;
      if (series.y[i] > series.y[high]) high = i;
    }
    kept.push(...new Set([start, Math.min(low, high), Math.max(low, high), end - 1]));
  }
  return kept;
}

function linePath(xs, ys, kept, x, y) {
  let path = "", isDown = false;
  for (const i of kept) {
    const isThere = finite(xs[i]) && finite(ys[i]);
    if (isThere) path += `${isDown ? "L" : "M"}${pathPoint(x(xs[i]), y(ys[i]))}`;
    isDown = isThere;
  }
  return path;
}

function bandPath(series, kept, x, y) {
  const there = kept.filter(i => finite(series.low[i]) && finite(series.high[i]));
  const corner = values => i => pathPoint(x(series.x[i]), y(values[i]));
  if (there.length < 2) return "";
  return `M${there.map(corner(series.high)).join("L")}L${there.reverse().map(corner(series.low)).join("L")}Z`;
}

function drawLine(series, {x, y}) {
  const {colour, dash} = series, kept = thinned(series, x), there = kept.filter(i => finite(series.y[i]));
  const hasBand = series.low && series.high, [only] = there;
  const line = linePath(series.x, series.y, kept, x, y);
  return [
    hasBand && svgElement("path", {d: bandPath(series, kept, x, y), fill: colour, "fill-opacity": 0.18}),
    svgElement("path", {class: "rmkit-line", d: line, stroke: colour, "stroke-dasharray": dash}),
    there.length === 1 && svgElement("circle", {cx: x(series.x[only]), cy: y(series.y[only]), r: 3, fill: colour}),
  ].filter(Boolean);
}

function everyX(series) {
  return [...new Set(series.flatMap(one => Array.from(one.x)))].filter(finite).sort((a, b) => a - b);
}

function* everyY(series) {
  for (const {y, low, high} of series) {
    for (const list of [y, low, high]) if (list) yield* list;
  }
}

function lineChart({series, width = 480, height = 220, ydomain, ...options}) {
  const drawn = coloured(series), xs = everyX(drawn);
  const plot = frame({...options, width, height, series: drawn, xwhole: xs.every(Number.isInteger),
    xdomain: niceDomain(xs, {pad: 0}), ydomain: ydomain ?? niceDomain(everyY(drawn))});
  const {svg, y, left, right} = plot;
  if (y.domain[0] < 0 && y.domain[1] > 0) svg.append(svgLine("rmkit-zero", left, y(0), right, y(0)));
  svg.append(...drawn.flatMap(one => drawLine(one, plot)));
  lineHover(plot, drawn, xs, options);
  return svg;
}

// A rule at the nearest x, with the values of all series there; and one at the x that is selected.
function lineHover(plot, series, xs, {xlabel, xtext, ytext, selected = null, onselect}) {
  const {svg, x, top, bottom} = plot, box = readout(plot), rule = svgLine("rmkit-rule", null, top, null, bottom);
  const places = series.map(one => new Map(Array.from(one.x, (value, i) => [value, i])));
  const valueText = value => ytext && finite(value) ? ytext(value) : numberText(value, 3);
  fill(rule, {visibility: "hidden"});
  svg.append(rule);
  const show = i => {
    const value = xs[i], values = series.map((one, s) => one.y[places[s].get(value)]);
    const lines = [`${xlabel} ${xtext(value)}`, ...series.map(({name}, s) => `${name}: ${valueText(values[s])}`)];
    fill(rule, {x1: x(value), x2: x(value), visibility: "visible"});
    box.show(x(value), top + 20, lines);
  };
  const hide = () => {
    rule.setAttribute("visibility", "hidden");
    box.hide();
  };
  const under = event => nearest(xs, x.invert(pointer(svg, event)[0]));
  svg.addEventListener("pointermove", event => { if (xs.length) show(under(event)); });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", event => { if (xs.length) onselect?.(xs[under(event)]); });
  itemKeys(svg, {count: xs.length, show: (first, last, i) => show(i), hide, select: i => onselect?.(xs[i])});
  selectedRule(plot, selected);
}

// Where an x is selected that isn't within the picture, it has no rule.
function selectedRule({svg, x, top, bottom}, selected) {
  const [low, high] = x.domain, rule = markOf(svgLine("rmkit-selected", null, top, null, bottom),
    (node, value) => fill(node, {x1: x(value), x2: x(value)}));
  svg.append(rule.node);
  svg.showSelected = value => rule.moveTo(finite(value) && value >= low && value <= high ? value : null);
  svg.showSelected(selected);
}

// ---- histograms

const sideColour = end => end <= 1e-12 ? "var(--rm-bad)" : "var(--rm-good)";

// Bars that part at zero, each in the colour of its side.
function drawSides({counts}, edges, {x, y}) {
  return counts.map((count, bin) => {
    const left = x(edges[bin]), right = x(edges[bin + 1]), top = y(count ?? 0);
    return svgElement("rect", {x: left + 0.5, y: top, width: Math.max(right - left - 1, 0.5),
      height: Math.max(y(0) - top, 0), fill: sideColour(edges[bin + 1]), "fill-opacity": 0.85});
  });
}

// Bars without gaps, and the line around them.
function drawOutlined({counts, colour, dash}, edges, {x, y}) {
  const tops = counts.map(count => y(count ?? 0)), base = y(0);
  const bars = tops.map((top, bin) => svgElement("rect", {x: x(edges[bin]), y: top,
    width: Math.max(x(edges[bin + 1]) - x(edges[bin]), 0.5), height: Math.max(base - top, 0), fill: colour,
    "fill-opacity": 0.28}));
  const steps = tops.map((top, bin) => `L${pathPoint(x(edges[bin]), top)}L${pathPoint(x(edges[bin + 1]), top)}`);
  const outline = `M${x(edges[0]).toFixed(1)} ${base}${steps.join("")}L${x(edges.at(-1)).toFixed(1)} ${base}`;
  return [...bars, svgElement("path", {class: "rmkit-line", d: outline, stroke: colour, "stroke-dasharray": dash})];
}

function drawZero({svg, x, left, right, top, bottom}) {
  const zero = x(0);
  if (zero < left || zero > right) return;
  svg.append(svgLine("rmkit-zero", zero, top, zero, bottom));
  if (zero - left > 60) svg.append(svgText(zero - 6, top + 4, "← wrong", {"text-anchor": "end", class: "rmkit-side"}));
  if (right - zero > 60) svg.append(svgText(zero + 6, top + 4, "right →", {class: "rmkit-side"}));
}

function binsText(edges, series) {
  const step = edges.length > 1 ? (edges.at(-1) - edges[0]) / 100 : 0.1;
  const total = (counts, first, last) => counts.slice(first, last + 1).reduce((sum, count) => sum + (count ?? 0), 0);
  return (first, last) => [`${tickText(edges[first], step)} to ${tickText(edges[last + 1], step)}`,
    ...series.map(({name, counts}) => `${name}: ${countText(total(counts, first, last))}`)];
}

function histogram(
  {edges, series, zero = false, most = 1, width = 480, height = 240, selected = null, onselect, onhover, ...options},
) {
  const drawn = coloured(series), counts = drawn.flatMap(one => one.counts.map(count => count ?? 0));
  const highest = Math.max(most, ...counts);
  const plot = frame({...options, width, height, series: drawn, ywhole: true,
    xdomain: edges.length > 1 ? [edges[0], edges.at(-1)] : [0, 1], ydomain: [0, highest * (zero ? 1.15 : 1.05)]});
  plot.svg.append(...drawn.flatMap(one => (zero ? drawSides : drawOutlined)(one, edges, plot)));
  if (zero) drawZero(plot);
  brushBins(plot, edges, {describe: binsText(edges, drawn), selected, onselect, onhover});
  return plot.svg;
}

// ---- points with intervals

function intervalText({y, low, high, n}) {
  const between = finite(low) && finite(high) ? `95% interval ${percentText(low)} to ${percentText(high)}` : null;
  return [percentText(y, 1), between, finite(n) ? counted(n, "pair") : null].filter(Boolean);
}

function whisker({x, low, high}, plot) {
  if (!finite(low) || !finite(high)) return [];
  const [px, bottom, top] = [plot.x(x), plot.y(low), plot.y(high)];
  const ends = [bottom, top].map(end => `M${px - 3} ${end}h6`).join("");
  return [svgElement("path", {class: "rmkit-whisker", d: `M${px} ${bottom}V${top}${ends}`})];
}

function drawDiagonal({svg, x, y}) {
  const from = Math.max(x.domain[0], y.domain[0]);
  svg.append(svgLine("rmkit-diagonal", x(from), y(from), x(1), y(1)));
}

function pointChart(
  {points, diagonal = false, width = 480, height = 240, selected = null, onselect, onhover, ...options},
) {
  const shown = points.map((point, i) => ({...point, i})).filter(({x, y}) => finite(x) && finite(y));
  shown.sort((a, b) => a.x - b.x);
  const lowest = Math.min(diagonal ? 0.5 : 1, ...shown.map(({y, low}) => Math.min(low ?? y, y)));
  const xs = shown.flatMap(({x, range}) => [x, ...(range ?? [])]);
  const plot = frame({...options, width, height, ytext: percentText, ydomain: [Math.floor(lowest * 10) / 10, 1],
    xdomain: diagonal ? [Math.min(0.5, ...xs), 1] : niceDomain(xs)});
  const {svg, x, y} = plot, places = shown.map(point => [x(point.x), y(point.y)]);
  if (diagonal) drawDiagonal(plot);
  const line = linePath(shown.map(point => point.x), shown.map(point => point.y), [...shown.keys()], x, y);
  svg.append(...shown.flatMap(point => whisker(point, plot)),
    svgElement("path", {class: "rmkit-line", stroke: "var(--rm-third)", "stroke-opacity": 0.45, d: line}),
    ...places.map(([cx, cy]) => svgElement("circle", {class: "rmkit-point", cx, cy, r: 4.5, fill: "var(--rm-third)"})));
  pickPoints(plot, shown, places, {selected, onselect, onhover});
  return svg;
}

// Outside a point has the number that it had before they were sorted.
function pickPoints(plot, shown, places, {selected, onselect, onhover}) {
  const where = i => i === null ? null : shown.findIndex(point => point.i === i);
  const spanText = ({x, range}) => range ? range.map(value => numberText(value)).join(" to ") : numberText(x);
  pickItems(plot, places, {describe: k => [spanText(shown[k]), ...intervalText(shown[k])], selected: where(selected),
    onselect: k => onselect?.(k === null ? null : shown[k].i), onhover, itemAt: place => closest(places, place, 24),
    mark: name => ringAround(name, places, 9)});
  const {showSelected} = plot.svg;
  plot.svg.showSelected = i => showSelected(where(i));
}

// ---- lying bars with intervals

const BAR = 24; // pixels from one bar to the next

function drawBar({label, y, low, high, n}, middle, {x, left, right}) {
  const hasInterval = finite(low) && finite(high), of = finite(n) ? ` of ${countText(n)}` : "";
  const ends = hasInterval && [low, high].map(value => `M${x(value)} ${middle - 3}v6`).join("");
  return [
    svgText(left - 8, middle + 4, fitted(label, left - 12), {"text-anchor": "end", class: "rmkit-label"}),
    finite(y) && svgElement("rect", {class: "rmkit-rod", x: x(0), y: middle - 6, width: Math.max(x(y) - x(0), 1),
      height: 12}),
    hasInterval && svgElement("path", {class: "rmkit-whisker", d: `M${x(low)} ${middle}H${x(high)}${ends}`}),
    svgText(right + 8, middle + 4, percentText(y) + of),
  ].filter(Boolean);
}

// The line that all bars are compared with, and what it is.
function drawLevel(svg, {y, label}, {x, left, width, top, bottom}) {
  const half = textWidth(label) / 2;
  svg.append(svgLine("rmkit-diagonal", x(y), top - 2, x(y), bottom),
    svgText(clamp(x(y), left + half, width - 4 - half), top - 6, label, {"text-anchor": "middle"}));
}

// Room for the bars, their names and their numbers.
function barLayout(bars, width, {xlabel, ylabel, line}) {
  const names = Math.max(20, ...bars.map(bar => textWidth(bar.label.slice(0, 80)))) + 12;
  const figures = 12 + Math.max(40, ...bars.map(bar => textWidth(`100% of ${countText(bar.n ?? 0)}`)));
  const left = clamp(names, 40, width * 0.36), right = width - figures - 6;
  const top = (xlabel ? 20 : 6) + (line ? 16 : 0), bottom = top + BAR * bars.length;
  return {left, right, top, bottom, width, height: bottom + (ylabel ? 38 : 22), x: linearScale([0, 1], [left, right])};
}

function barChart({bars, line, xlabel, ylabel, width = 480, selected = null, onselect, onhover, label}) {
  const layout = barLayout(bars, width, {xlabel, ylabel, line}), {x, top, bottom, height} = layout;
  const svg = chartElement(width, height, label ?? `${ylabel} by ${xlabel}`);
  svg.append(...ticks(0, 1, 4).map(value => svgLine("rmkit-grid", x(value), top, x(value), bottom)),
    ...bars.flatMap((bar, i) => drawBar(bar, top + BAR * (i + 0.5), layout)), ...xTicks(x, bottom, percentText),
    ...axisLabels(layout, xlabel, ylabel));
  if (line && finite(line.y)) drawLevel(svg, line, layout);
  const places = bars.map((bar, i) => [x(bar.y ?? 0), top + BAR * i]);
  const itemAt = ([, py]) => {
    const i = Math.floor((py - top) / BAR);
    return i >= 0 && i < bars.length ? i : -1;
  };
  const band = name => markOf(svgElement("rect", {class: name, x: 1, width: width - 2, height: BAR - 2, rx: 3}),
    (node, i) => node.setAttribute("y", top + BAR * i + 1));
  pickItems({svg, width, height}, places, {describe: i => [bars[i].label, ...intervalText(bars[i])], selected, onselect,
    onhover, itemAt, mark: band});
  return svg;
}

// ---- dots: a map of pairs

const REACH = 12; // pixels from a dot to a pointer that means it

function dotChart(
  {x: xs, y: ys, ids, marks, regions = [], width = 560, height = 360, onopen, onbrush, onhover, ...options},
) {
  const order = [...ids.keys()].filter(i => finite(xs[i]) && finite(ys[i])).sort((a, b) => xs[a] - xs[b]);
  const plot = frame({...options, width, height, ydomain: [0, 1]});
  const {svg, x, y} = plot, places = order.map(i => [x(xs[i]), y(ys[i])]);
  const dot = ([cx, cy], k) => svgElement("circle", {class: `rmkit-dot ${marks?.[order[k]] ?? ""}`, cx: cx.toFixed(1),
    cy: cy.toFixed(1), r: 2.6});
  svg.append(...places.map(dot), ...regions.map(region => regionText(region, plot)));
  const describe = k => [`pair ${ids[order[k]]}`, `${options.ylabel}: ${numberText(ys[order[k]], 3)}`,
    `${options.xlabel}: ${numberText(xs[order[k]], 3)}`];
  openDots(plot, places, order.map(i => ids[i]), {describe, onopen, onbrush, onhover});
  return svg;
}

function regionText({x, y, label}, plot) {
  const room = textWidth(label) / 2 + 4;
  return svgText(clamp(plot.x(x), plot.left + room, plot.right - room), plot.y(y), label,
    {class: "rmkit-region", "text-anchor": "middle"});
}

function openDots(plot, places, ids, {describe, onopen, onbrush, onhover}) {
  const {svg} = plot, box = readout(plot), cursor = ringAround("rmkit-cursor", places, 7);
  svg.append(cursor.node);
  const show = k => {
    const lines = describe(k);
    cursor.moveTo(k);
    box.show(...places[k], lines);
    onhover?.({id: ids[k], text: lines.join(" · ")});
  };
  const hide = () => {
    cursor.moveTo(null);
    box.hide();
    onhover?.(null);
  };
  const hover = place => {
    const k = closest(places, place, REACH);
    if (k >= 0) show(k); else hide();
  };
  const click = place => {
    const k = closest(places, place, REACH);
    if (k >= 0) onopen?.(ids[k]);
  };
  dragBox(plot, {onbrush, hover, click, hide});
  itemKeys(svg, {count: places.length, show: (first, last, k) => show(k), hide,
    select: (first, last) => onopen?.(ids[last]), clear: () => onbrush?.(null)});
}
