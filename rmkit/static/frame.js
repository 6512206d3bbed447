// A picture's frame in SVG: labels, legend, grid, ticks; and the box that draws it as wide as there is room.
// Colours are CSS colours or variables of explorer.css ("var(--rm-chosen)").
//
//   frame({width, height, xdomain, ydomain, xlabel, ylabel, series?, xtext?, ytext?, xwhole?, ywhole?, label?})
//                                                   {svg, x, y, left, right, top, bottom, width, height}
//   fluid(draw)                                     a div that shows draw(width), and again when its width changes;
//                                                   .redraw(), .chart

const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';
const COLOURS = ["var(--rm-chosen)", "var(--rm-rejected)", "var(--rm-third)", "var(--rm-soft)"];
const LEGEND_ROW = 16; // pixels

// ---- text

let pen = null;
function textWidth(text) {
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return 6.2 * text.length;
  pen.font = `11px ${FONT}`;
  return pen.measureText(text).width;
}

// The text, or as much of it as the width has room for.
function fitted(text, width) {
  const letters = Array.from(text.slice(0, 200));
  if (text.length <= 200 && textWidth(text) <= width) return text;
  while (letters.length && textWidth(letters.join("") + "…") > width) letters.pop();
  return letters.join("") + "…";
}

const svgText = (x, y, text, attributes) => svgElement("text", {x, y, ...attributes}, text);
const svgLine = (name, x1, y1, x2, y2) => svgElement("line", {class: name, x1, x2, y1, y2});

// ---- legend

const coloured = series => series.map((one, i) => ({...one, colour: one.colour ?? COLOURS[i % COLOURS.length]}));

// The entries of a legend by row, each with the place where it begins.
function legendRows(series, left, width) {
  const rows = [[]];
  let x = left;
  for (const one of series) {
    const name = fitted(one.name, Math.max(width - left - 40, 40)), wide = 24 + textWidth(name) + 14;
    if (x + wide > width && rows.at(-1).length) {
      rows.push([]);
      x = left;
    }
    rows.at(-1).push({...one, name, at: x});
    x += wide;
  }
  return rows;
}

function legend(rows, top) {
  const entry = ({name, at, colour, dash}, y) => svgElement("g", null,
    svgElement("line", {x1: at, x2: at + 18, y1: y, y2: y, stroke: colour, "stroke-width": 2.5,
      "stroke-dasharray": dash}),
    svgText(at + 24, y + 4, name));
  return svgElement("g", {class: "rmkit-legend"},
    ...rows.flatMap((row, i) => row.map(one => entry(one, top + LEGEND_ROW * i))));
}

// ---- the frame

function chartElement(width, height, label) {
  return svgElement("svg", {class: "rmkit-chart", width, height, viewBox: `0 0 ${width} ${height}`,
    role: "application", tabindex: 0, "aria-label": label});
}

function frame({width, height, xdomain, ydomain, xlabel, ylabel, series = [], xtext, ytext, xwhole, ywhole, label}) {
  const svg = chartElement(width, height, label ?? [ylabel, xlabel].filter(Boolean).join(" by "));
  const yticks = labelledTicks(ydomain, clamp(Math.round(height / 45), 2, 6), ytext, ywhole);
  const left = 12 + Math.max(...yticks.map(([, text]) => textWidth(text)), 8), right = width - 18;
  const rows = series.length > 1 ? legendRows(series, 4, width) : [];
  const top = (ylabel ? 22 : 8) + LEGEND_ROW * rows.length + (rows.length ? 4 : 0);
  const bottom = height - (xlabel ? 38 : 22);
  const x = linearScale(xdomain, [left, right]), y = linearScale(ydomain, [bottom, top]);
  svg.append(...yticks.flatMap(([value, text]) => [svgLine("rmkit-grid", left, y(value), right, y(value)),
    svgText(left - 6, y(value) + 4, text, {"text-anchor": "end"})]));
  svg.append(...xTicks(x, bottom, xtext, xwhole), ...axisLabels({left, right, width, height}, ylabel, xlabel));
  if (rows.length) svg.append(legend(rows, ylabel ? 28 : 12));
  return {svg, x, y, left, right, top, bottom, width, height};
}

function xTicks(x, bottom, text, whole) {
  const [left, right] = x.range, count = clamp(Math.floor((right - left) / 70), 2, 10);
  return [svgLine("rmkit-axis", left, bottom, right, bottom),
    ...labelledTicks(x.domain, count, text, whole).flatMap(([value, label]) => [
      svgLine("rmkit-axis", x(value), bottom, x(value), bottom + 4),
      svgText(x(value), bottom + 16, label, {"text-anchor": "middle"})])];
}

// What stands above a picture, and below it.
function axisLabels({left, right, width, height}, above, below) {
  const label = (x, y, text, anchor) =>
    svgText(x, y, fitted(text, width - 8), {class: "rmkit-label", "text-anchor": anchor});
  return [above && label(4, 13, above), below && label((left + right) / 2, height - 6, below, "middle")]
    .filter(Boolean);
}

// ---- as wide as there is room

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
