// The overview: numbers of all pairs, and pictures in which one filters by pointer and keys.

function drawOverview(view) {
  const {summary, pictures} = view.meta;
  view.pictures = new Map();
  const tile = ([name, value, note]) => element("div", {class: "rmkit-tile"}, element("dt", null, isolated(name)),
    element("dd", null, element("b", null, isolated(value)), element("span", null, isolated(note ?? ""))));
  view.nodes.overview.replaceChildren(
    element("dl", {class: "rmkit-tiles"}, ...(summary ?? []).map(tile)),
    element("p", {class: "rmkit-hint"}, "Drag over bars, or click a point or a bar, to filter the pairs. By keyboard: "
      + "arrow keys move, Shift extends, Enter filters, Escape clears."),
    element("div", {class: "rmkit-pictures"}, ...(pictures ?? []).map(picture => pictureCard(view, picture))));
}

function pictureCard(view, picture) {
  const {id, kind, title, xlabel, ylabel} = picture, {said, onhover} = spokenHover();
  const selected = () => selectedIn(picture, view.filters.pictures[id]);
  const draw = {histogram: histogramOf, points: pointsOf, bars: barsOf}[kind];
  const chart = fluid(width => draw(view, picture, {width, xlabel, ylabel, label: title, onhover,
    selected: selected()}));
  const foot = element("div", {class: "rmkit-bar rmkit-picked", tabindex: -1});
  view.pictures.set(id, {chart, selected, drawPicked: () => drawPicked(view, id, foot)});
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": id},
    element("h3", null, isolated(title)), element("div", {class: "rmkit-frame"}, chart), foot, said);
}

// What a click on a picture did, below it: the count above may be out of sight.
function drawPicked(view, id, foot) {
  const clear = button("Clear", () => setPicture(view, id, null), {"data-keep": "clear picture"});
  redraw(view, foot, id in view.filters.pictures ? [soft(countOf(view)), showPairs(view), clear] : []);
}

// ---- filters by a picture

function setPicture(view, id, filter) {
  const pictures = without(view.filters.pictures, id);
  setFilters(view, {...view.filters, pictures: filter ? {...pictures, [id]: filter} : pictures});
}

const selectedIn = ({kind}, filter) => !filter ? null : kind === "histogram" ? filter.bins : filter.item;

function histogramOf(view, {id, title, edges, series, columns, zero}, options) {
  const dashed = series.map((one, i) => ({...one, dash: i ? "6 3" : null}));
  const onselect = (first, last) =>
    setPicture(view, id, first === null ? null : binsFilter({columns}, title, edges, first, last));
  return histogram({...options, edges, series: dashed, zero, onselect});
}

// What a press on one of a picture's items does; null and what stands for no range and no source clear its filter.
function pickFrom(view, picture, items) {
  const isFilter = i => i !== null && Boolean(items[i].range || finite(items[i].source));
  return i => setPicture(view, picture.id, isFilter(i) ? {...itemFilter(picture, items[i]), item: i} : null);
}

function pointsOf(view, picture, options) {
  const {points, diagonal} = picture;
  return pointChart({...options, points, diagonal, onselect: pickFrom(view, picture, points)});
}

function barsOf(view, picture, options) {
  const {bars, line} = picture;
  return barChart({...options, bars, line, onselect: pickFrom(view, picture, bars)});
}

// The pictures show what is filtered by, wherever it was set.
function showSelections(view) {
  for (const {chart, selected} of view.pictures.values()) chart.chart?.showSelected?.(selected());
  view.steps?.chart.chart?.showSelected?.(selectedBins(view));
}
