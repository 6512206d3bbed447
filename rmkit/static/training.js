// Rewards over training: the margins at a step, and the map of the pairs.

const MAP_DOTS = 2000; // pairs that the map shows, at most

function drawTraining(view) {
  const {moves} = view.table, {training} = view.nodes, last = moves ? moves.steps.length - 1 : null;
  view.step = moves ? clamp(view.step ?? last, 0, last) : null;
  view.steps = null;
  if (!moves) return training.replaceChildren();
  training.replaceChildren(element("div", {class: "rmkit-pictures rmkit-two"}, stepCard(view), mapCard(view)));
  showStep(view);
}

// ---- the margins at a step

function stepCard(view) {
  const {moves} = view.table, edges = commonEdges(moves.margins), {said, onhover} = spokenHover();
  const counts = moves.margins.map(margins => countsIn(edges, margins)), most = Math.max(...counts.flat());
  const slide = event => {
    view.step = Number(event.target.value);
    showStep(view);
  };
  const slider = element("input", {type: "range", min: 0, max: moves.steps.length - 1, step: 1, value: view.step,
    "aria-label": "Step", oninput: slide});
  const name = element("output", {class: "rmkit-stepname"}), sides = element("div", {class: "rmkit-bar"});
  const chart = fluid(width => stepHistogram(view, edges, counts[view.step], {width, most, onhover}));
  view.steps = {slider, name, sides, chart};
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "step"},
    element("h3", null, "Reward margins at a step"), element("div", {class: "rmkit-bar rmkit-slider"}, slider, name),
    element("div", {class: "rmkit-frame"}, chart), said, sides);
}

function stepHistogram(view, edges, counts, options) {
  const {step} = view, at = `at step ${view.table.moves.steps[step]}`;
  return histogram({...options, height: 240, edges, zero: true, xlabel: "reward margin", ylabel: "pairs",
    label: `Reward margins ${at}`, series: [{name: "pairs", counts}], selected: selectedBins(view),
    onselect: (first, last) => setPicture(view, "step", first === null ? null
      : binsFilter({step}, `margin ${at}`, edges, first, last))});
}

// The bins that are filtered by, if they are of this step.
function selectedBins({filters: {pictures}, step}) {
  return pictures.step?.step === step ? pictures.step.bins : null;
}

function showStep(view) {
  const {moves} = view.table, {slider, name, sides, chart} = view.steps;
  const text = `step ${countText(moves.steps[view.step])}`;
  const {right, wrong, becameRight, becameWrong} = countsAt(moves, view.step);
  slider.setAttribute("aria-valuetext", text);
  name.textContent = text;
  chart.redraw();
  const became = (side, n) => button(`${countText(n)} became ${side}`, () =>
    setPicture(view, "became", {step: view.step, became: side, label: `became ${side} by ${text}`}),
  {disabled: n === 0, "data-keep": side});
  const since = `Since step ${countText(moves.steps[0])}:`;
  redraw(view, sides, [soft(`${countText(right)} right, ${countText(wrong)} wrong. ${since}`),
    became("right", becameRight), became("wrong", becameWrong)]);
  drawRows(view);
}

// ---- the map

function mapCard(view) {
  const {moves, n} = view.table, ids = sampled(n, MAP_DOTS), wide = quantile(moves.std, 0.67);
  const {said, onhover} = spokenHover(), counts = regionCounts(moves, wide);
  const chart = fluid(width => pairMap(view, ids, {width, onhover}));
  const region = (name, k) => button(`${countText(counts[k])} ${name}`,
    () => setPicture(view, "map", {region: name, wide, label: name}));
  const drawn = ids.length < n ? `${countText(ids.length)} of ${countText(n)} pairs are drawn`
    : `All ${countText(n)} pairs are drawn`;
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "map"},
    element("h3", null, "Map of the pairs"), element("div", {class: "rmkit-frame"}, chart), said,
    element("div", {class: "rmkit-bar"}, ...REGIONS.map(region)),
    element("p", {class: "rmkit-note"}, `${drawn}; a ring is a pair that is wrong at the end. Ambiguous: the third `
      + "whose P(chosen) varied most. Click a dot to open its pair, drag to filter."));
}

function pairMap(view, ids, options) {
  const {moves: {mean, std}, verdicts} = view.table, x = ids.map(i => std[i]);
  const most = Math.max(0.05, ...x.filter(finite));
  return dotChart({...options, height: 300, ids, x, y: ids.map(i => mean[i]),
    marks: ids.map(i => `rmkit-dot-${verdicts[i]}`), xdomain: [0, most * 1.05],
    xlabel: "standard deviation of P(chosen) over steps", ylabel: "mean of P(chosen) over steps",
    label: "Map of the pairs: mean of P(chosen) by its standard deviation",
    regions: [{x: most * 0.16, y: 0.95, label: "easy-to-learn"}, {x: most * 0.9, y: 0.5, label: "ambiguous"},
      {x: most * 0.16, y: 0.04, label: "hard-to-learn"}],
    onopen: i => openPair(view, i),
    onbrush: span => setPicture(view, "map", span && {mean: span.y, std: span.x,
      label: `mean of P(chosen) ${rangeText(...span.y)}, deviation ${rangeText(...span.x)}`})});
}
