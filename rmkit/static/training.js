// Rewards over training.

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
  const {moves} = view.table, edges = commonEdges(moves.margins),
    said = element("p", {class: "rmkit-unseen", "aria-live": "polite"});
  const slider = element("input", {type: "range", min: 0, max: moves.steps.length - 1, step: 1, value: view.step,
    "aria-label": "Step", oninput: event => { view.step = Number(event.target.value); showStep(view); }});
  const name = element("output", {class: "rmkit-stepname"}), sides = element("div", {class: "rmkit-bar rmkit-became"});
  const counts = moves.margins.map(at => countsIn(edges, at)), most = Math.max(...counts.flat());
  const chart = fluid(width => stepHistogram(view, edges, counts[view.step],
    {width, most, onhover: info => { said.textContent = info ? info.text : ""; }}));
  view.steps = {slider, name, sides, chart};
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "step"},
    element("h3", null, "Reward margins at a step"), element("div", {class: "rmkit-bar rmkit-slider"}, slider, name),
    element("div", {class: "rmkit-frame"}, chart), said, sides);
}

function stepHistogram(view, edges, counts, options) {
  const {moves} = view.table, step = view.step, filter = view.filters.pictures.step;
  return histogram({...options, height: 240, edges, zero: true, xlabel: "reward margin", ylabel: "pairs",
    label: `Reward margins at step ${moves.steps[step]}`, series: [{name: "pairs", counts}],
    selected: filter?.step === step ? filter.bins : null,
    onselect: (from, to) => setPicture(view, "step", from === null ? null
      : {step, low: edges[from], high: edges[to + 1], closed: to === edges.length - 2, bins: [from, to],
      label: `margin at step ${moves.steps[step]}: ${rangeText(edges[from], edges[to + 1])}`})});
}

function showStep(view) {
  const {moves} = view.table, {slider, name, sides, chart} = view.steps, counts = countsAt(moves, view.step),
    text = `step ${countText(moves.steps[view.step])}`;
  slider.setAttribute("aria-valuetext", text);
  name.textContent = text;
  chart.redraw();
  const became = (side, n) => button(`${countText(n)} became ${side}`, () =>
    setPicture(view, "became", {step: view.step, became: side, label: `became ${side} by ${text}`}),
    {disabled: n === 0, "data-keep": side});
  redrawn(view, sides, [element("span", {class: "rmkit-soft"},
    `${countText(counts.right)} right, ${countText(counts.wrong)} wrong. Since step ${countText(moves.steps[0])}:`),
    became("right", counts.becameRight), became("wrong", counts.becameWrong)]);
  drawRows(view);
}

function mapCard(view) {
  const {moves, verdicts, n} = view.table, ids = sampled(n, 2000), wide = quantile(moves.std, 0.67),
    said = element("p", {class: "rmkit-unseen", "aria-live": "polite"});
  const most = Math.max(0.05, ...ids.map(i => moves.std[i]).filter(finite));
  const chart = fluid(width => dotChart({width, height: 300, ids, x: ids.map(i => moves.std[i]),
    y: ids.map(i => moves.mean[i]), marks: ids.map(i => `rmkit-dot-${verdicts[i]}`),
    xlabel: "standard deviation of P(chosen) over steps", ylabel: "mean of P(chosen) over steps",
    label: "Map of the pairs: mean of P(chosen) by its standard deviation", xdomain: [0, most * 1.05],
    regions: [{x: most * 0.16, y: 0.95, label: "easy-to-learn"}, {x: most * 0.9, y: 0.5, label: "ambiguous"},
      {x: most * 0.16, y: 0.04, label: "hard-to-learn"}],
    onopen: i => openPair(view, i), onhover: info => { said.textContent = info ? info.text : ""; },
    onbrush: span => setPicture(view, "map", span && {mean: span.y, std: span.x,
      label: `mean of P(chosen) ${rangeText(...span.y)}, deviation ${rangeText(...span.x)}`})}));
  const region = name =>
    button(`${countText(moves.mean.filter((mean, i) => regionOf(mean, moves.std[i], wide) === name).length)} ${name}`,
    () => setPicture(view, "map", {region: name, wide, label: name}));
  return element("section", {class: "rmkit-picture rmkit-card", "data-id": "map"},
    element("h3", null, "Map of the pairs"), element("div", {class: "rmkit-frame"}, chart), said,
    element("div", {class: "rmkit-bar"}, ...["easy-to-learn", "ambiguous", "hard-to-learn"].map(region)),
    element("p", {class: "rmkit-note"},
      `${ids.length < n ? `${countText(ids.length)} of ${countText(n)} pairs are drawn` : `All ${countText(n)} pairs are drawn`}; a ring is a pair that is wrong at the end. Ambiguous: the third whose P(chosen) varied most. Click a dot to open its pair, drag to filter.`));
}

