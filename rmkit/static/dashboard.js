// The view of a training run. The files that it uses stand in front of it, in one module (see `PARTS` in
// rmkit.browser). A source is {saved, panels(), news(), onchange(callback), onreply(callback), send(message)}: a
// kernel, or what a saved page holds.
//   panels: [{name, title, percent, guide, curves: [{name, key, low, high, spread, colour, dash}]}]
//   news:   {from, rows, looks, first, state}: log entries from number `from` on, means of short stretches of steps
//           after step `first` (by column; {} where the log is as fine), and where the run stands, in words

// ---- data

const OWN_COLOURS = {training: "var(--rm-run)", chosen: "var(--rm-chosen)", rejected: "var(--rm-rejected)"};

function lookOf({name, colour = 0, dash = []}) {
  return {colour: OWN_COLOURS[name] ?? `var(--rm-set-${colour + 1})`, dash: dash.join(" ") || undefined};
}

// What curves are drawn of: log entries, and where that is finer the looks in the place of what was trained on since.
function drawnRows(rows, looks, first) {
  const columns = Object.entries(looks);
  const finer = (looks.step ?? []).map((_, i) => Object.fromEntries(columns.map(([key, all]) => [key, all[i]])));
  if (!finer.length) return rows;
  const isCoarse = row => "accuracy" in row && row.step > first;
  const rest = row => Object.fromEntries(Object.entries(row).filter(([key]) => key === "step" || !(key in looks)));
  return [...rows.map(row => isCoarse(row) ? rest(row) : row), ...finer].sort((a, b) => (a.step ?? 0) - (b.step ?? 0));
}

function mean(values) {
  const there = values.filter(finite);
  return there.length ? there.reduce((sum, value) => sum + value, 0) / there.length : null;
}

// Neighbours averaged until at most `most` are left.
function averaged(values, most) {
  if (!values || values.length <= most) return values;
  const n = values.length;
  return Array.from({length: most}, (_, i) =>
    mean(values.slice(Math.floor(i * n / most), Math.floor((i + 1) * n / most))));
}

// A curve's points in the rows, `most` at most, with the band around them.
function seriesOf(rows, curve, most, banded) {
  const there = rows.filter(row => curve.key in row && finite(row.step)), y = there.map(row => row[curve.key]);
  const series = {name: curve.name, x: there.map(row => row.step), y, ...lookOf(curve)};
  if (curve.spread) {
    const away = sign => there.map((row, i) => finite(row[curve.spread]) ? y[i] + sign * row[curve.spread] : null);
    Object.assign(series, {low: away(-1), high: away(1)});
  } else if (banded && curve.low && there.some(row => curve.low in row)) {
    const [low, high] = [curve.low, curve.high].map(key => there.map(row => row[key] ?? null));
    Object.assign(series, {low, high});
  }
  for (const list of ["x", "y", "low", "high"]) series[list] = averaged(series[list], most);
  return series;
}

// ---- one panel

const LARGE = ["loss", "accuracy", "margin", "rewards"]; // panels of full size
const PIXELS_A_POINT = 4;
const BANDED_CURVES = 3; // in one panel, at most, that have a band around them

function panelOf(name, rows, steps) {
  const title = element("h3"), height = LARGE.includes(name) ? 200 : 120;
  let panel = null;
  const box = fluid(width => panelChart(panel, rows, steps, width, height));
  const card = element("section", {class: "rmkit-panel", "data-panel": name}, title, box);
  card.addEventListener("pointerleave", () => card.late && card.update(panel));
  card.showStep = step => box.chart?.showSelected?.(step);
  card.update = next => {
    panel = next;
    title.textContent = panel.title;
    card.hidden = rows.length > 0 && !panel.curves.length;
    card.late = card.matches(":hover, :focus-within") && Boolean(box.chart); // is read just now
    if (!card.late) box.redraw();
  };
  return card;
}

function panelChart(panel, rows, steps, width, height) {
  const curves = panel?.curves ?? [], most = Math.max(40, Math.round(width / PIXELS_A_POINT));
  const series = curves.map(curve => seriesOf(rows, curve, most, curves.length <= BANDED_CURVES))
    .filter(one => one.x.length);
  if (!series.length) {
    return element("p", {class: "rmkit-hint", style: {"min-height": `${height}px`}}, "waiting for the first log");
  }
  const ytext = panel.percent ? value => percentText(value, 1).replace(".0%", "%") : shortNumber;
  const values = series.flatMap(one => [one.y, one.low, one.high].filter(Boolean).flat());
  const more = LEGEND_ROW * Math.max(0, legendRows(series, 4, width).length - 2); // many held-out sets
  return lineChart({series, xlabel: "step", xtext: countText, ytext, width, height: height + more,
    ydomain: niceDomain([...values, panel.guide]), label: `${panel.title} by step`, selected: steps?.step,
    onselect: steps?.pick});
}

// ---- tiles and head

// What is read meanwhile, or by a screen reader, changes only where it says something else.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function tilesOf() {
  const list = element("div", {class: "rmkit-tiles", role: "list"}), made = new Map();
  const tile = name => {
    const value = element("b"), note = element("span", {dir: "auto", class: "rmkit-isolated"});
    const root = element("div", {class: "rmkit-tile", role: "listitem"}, element("span", null, name), value, note);
    return {root, value, note};
  };
  list.update = tiles => tiles.forEach(([name, value, note], i) => {
    if (!made.has(name)) made.set(name, tile(name));
    const parts = made.get(name);
    setText(parts.value, value);
    setText(parts.note, note);
    if (list.children[i] !== parts.root) list.insertBefore(parts.root, list.children[i] ?? null);
  });
  return list;
}

function stopButton(press) {
  const stop = element("button", {class: "rmkit-button", type: "button", hidden: true}, "Stop");
  const stopping = () => {
    stop.disabled = true;
    stop.textContent = "Stopping…";
  };
  let isPressed = false;
  stop.addEventListener("click", () => {
    isPressed = true;
    press();
    stopping();
  });
  stop.update = state => {
    stop.hidden = !state.can_stop;
    stop.disabled = false;
    if (isPressed || state.status === "stopping") stopping();
  };
  return stop;
}

function progressBar() {
  const done = element("div");
  const bar = element("div", {class: "rmkit-run-bar", role: "progressbar", "aria-label": "Steps", "aria-valuemin": 0,
    "aria-valuemax": 100}, done);
  bar.update = ({share}) => {
    bar.setAttribute("aria-valuenow", Math.round(100 * share));
    done.style.setProperty("width", `${100 * clamp(share, 0, 1)}%`);
  };
  return bar;
}

// `press` is what the Stop button does.
function headOf(press) {
  const title = element("h2", {dir: "auto", class: "rmkit-isolated"}), bar = progressBar(), stop = stopButton(press);
  const status = element("span", {class: "rmkit-run-status", role: "status"});
  const line = element("p", {class: "rmkit-run-line"});
  const hint = element("p", {class: "rmkit-hint", "aria-live": "polite"});
  const note = element("p", {class: "rmkit-run-note rmkit-isolated", dir: "auto", "aria-live": "polite"});
  const run = element("div", {class: "rmkit-run"}, title, status, element("span", {class: "rmkit-spring"}), stop);
  const head = element("header", null, run, bar, line, hint, note);
  head.update = state => {
    setText(title, state.title);
    setText(status, state.word);
    setText(line, state.line);
    setText(note, state.note);
    status.dataset.status = state.status;
    stop.update(state);
    bar.update(state);
    if (state.reached || !state.can_stop) hint.textContent = "";
  };
  head.hint = text => { hint.textContent = text; };
  return head;
}

// ---- the page

const PAUSE = 200; // milliseconds from news to the drawing that shows them
const PATIENCE = 5; // seconds in which a message is said again
const NOT_REACHED = "If Stop doesn't answer, this front end keeps messages back while a cell runs: interrupt the cell "
  + "once (■). That stops after the step, and saves, too; a second time interrupts at once.";

// The pictures, by size, and the log that they are drawn of: take(from, more) adds entries, draw() draws all. On a
// saved page, the numbers at a step, too.
function picturesOf(source) {
  const rows = [], shown = [], panels = new Map();
  const large = element("div", {class: "rmkit-panels"}), small = element("div", {class: "rmkit-panels"});
  const steps = source.saved ? stepsOf(step => panels.forEach(panel => panel.showStep(step))) : null;
  let waiting = null, looks = {}, first = 0;
  const draw = () => {
    waiting = null;
    shown.splice(0, shown.length, ...drawnRows(rows, looks, first));
    for (const panel of source.panels()) {
      if (!panels.has(panel.name)) {
        panels.set(panel.name, panelOf(panel.name, shown, steps));
        (LARGE.includes(panel.name) ? large : small).append(panels.get(panel.name));
      }
      panels.get(panel.name).update(panel);
    }
    steps?.update(source.panels(), shown);
  };
  const drawLater = () => { waiting ??= setTimeout(() => requestAnimationFrame(draw), rows.length ? PAUSE : 0); };
  const take = (from, more) => {
    if (from > rows.length) return source.send({what: "rows", from: rows.length});
    if (from + more.length <= rows.length) return;
    rows.splice(from, rows.length, ...more);
    drawLater();
  };
  const takeNews = news => {
    if (news.looks?.step || looks.step) drawLater();
    [looks, first] = [news.looks ?? {}, news.first ?? 0];
    take(news.from, news.rows);
  };
  return {nodes: [large, small, steps].filter(Boolean), draw, take, takeNews, stop: () => clearTimeout(waiting)};
}

export function mount(el, source) {
  let state = null, isClosed = false;
  const head = headOf(() => insist("stop", () => state.status === "stopping")), tiles = tilesOf();
  const pictures = picturesOf(source);
  el.append(ownsItsKeys(element("div", {class: "rmkit rmkit-dashboard"}, head, tiles, ...pictures.nodes)));
  const changed = () => {
    const news = source.news();
    state = news.state;
    head.update(state);
    tiles.update(state.tiles);
    pictures.takeNews(news);
  };
  // A message may find the way for it not yet made, so it is said again until the state shows that it was heard.
  const insist = (what, isHeard, times = PATIENCE) => {
    if (!state.can_stop || isHeard()) return;
    if (times <= 0) return head.hint(NOT_REACHED);
    source.send({what});
    setTimeout(() => insist(what, isHeard, times - 1), 1000);
  };
  source.onchange(changed);
  source.onreply(reply => pictures.take(reply.from, reply.rows));
  changed();
  pictures.draw();
  insist("hello", () => state.reached || isClosed);
  return () => {
    isClosed = true;
    pictures.stop();
  };
}

// ---- a saved page: nothing changes any more, and nobody listens

export function embedded({panels, news}) {
  const state = {...news.state, can_stop: false};
  return {saved: true, panels: () => panels, news: () => ({...news, state}), onchange() {}, onreply() {}, send() {}};
}

// ---- a kernel

export default {
  render({model, el}) {
    const changes = [], replies = [];
    const on = (event, callback) => {
      model.on(event, callback);
      changes.push([event, callback]);
    };
    on("msg:custom", reply => replies.forEach(callback => callback(reply)));
    const unmount = mount(el, {
      saved: false, panels: () => JSON.parse(model.get("panels")), news: () => JSON.parse(model.get("news")),
      onchange: callback => { on("change:news", callback); }, onreply: callback => { replies.push(callback); },
      send: message => model.send(message),
    });
    return () => {
      unmount();
      for (const [event, callback] of changes) model.off(event, callback);
    };
  },
};
