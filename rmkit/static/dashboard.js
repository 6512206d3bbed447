// The view of a training run. charts.js stands in front of this file, in the same module.
// A source is {panels(), news(), onchange(callback), onreply(callback), send(message)}: a kernel, or a run that is over.
//   panels: [{name, title, percent, curves: [{name, key, low, high, spread, colour, dash}]}]
//   news:   {from, rows, looks, first, state}: log entries from number `from` on, means of short stretches of steps
//           after step `first` (by column; {} where the log is as fine), and where the run stands, in words
// Texts are set as text, never as markup.

const LARGE = ["loss", "accuracy", "margin", "rewards"], PIXELS_A_POINT = 4, BANDS = 3, PAUSE = 200, PATIENCE = 5000;
const NOT_REACHED = "If Stop doesn't answer, this front end keeps messages back while a cell runs: interrupt the cell once (■). That stops after the step, and saves, too; a second time interrupts at once.";

// ---- data

const OWN = {training: "var(--rm-run)", chosen: "var(--rm-chosen)", rejected: "var(--rm-rejected)"};

function lookOf({name, colour = 0, dash = []}) {
  return {colour: OWN[name] ?? `var(--rm-set-${colour + 1})`, dash: dash.join(" ") || undefined};
}

// What curves are drawn of: log entries, and where that is finer the looks in the place of what was trained on since.
function drawnRows(rows, looks, first) {
  const columns = Object.entries(looks);
  const finer = (looks.step ?? []).map((_, i) => Object.fromEntries(columns.map(([key, all]) => [key, all[i]])));
  if (!finer.length) return rows;
  const coarse = row => "accuracy" in row && row.step > first;
  const rest = row => Object.fromEntries(Object.entries(row).filter(([key]) => key === "step" || !(key in looks)));
  return [...rows.map(row => coarse(row) ? rest(row) : row), ...finer].sort((a, b) => (a.step ?? 0) - (b.step ?? 0));
}

const mean = values => values.some(finite) ? values.filter(finite).reduce((sum, value) => sum + value, 0) / values.filter(finite).length : null;

// Neighbours averaged until at most `most` are left.
function averaged(values, most) {
  if (!values || values.length <= most) return values;
  const n = values.length;
  return Array.from({length: most}, (_, i) => mean(values.slice(Math.floor(i * n / most), Math.floor((i + 1) * n / most))));
}

function seriesOf(rows, curve, most, banded) {
  const there = rows.filter(row => curve.key in row && finite(row.step)), y = there.map(row => row[curve.key]);
  const series = {name: curve.name, x: there.map(row => row.step), y, ...lookOf(curve)};
  if (curve.spread) {
    series.low = there.map((row, i) => finite(row[curve.spread]) ? y[i] - row[curve.spread] : null);
    series.high = there.map((row, i) => finite(row[curve.spread]) ? y[i] + row[curve.spread] : null);
  } else if (banded && curve.low && there.some(row => curve.low in row)) {
    series.low = there.map(row => row[curve.low] ?? null);
    series.high = there.map(row => row[curve.high] ?? null);
  }
  for (const list of ["x", "y", "low", "high"]) series[list] = averaged(series[list], most);
  return series;
}

function shortNumber(value) {
  const size = Math.abs(value);
  return size >= 1000 || size === 0 ? numberText(value, 0) : size < 1e-3 ? String(Number(value.toPrecision(3)).toExponential()) : String(Number(value.toPrecision(4)));
}

// ---- one panel

function panelOf(name, rows) {
  const title = element("h3"), small = !LARGE.includes(name);
  let panel = null;
  const box = fluid(width => drawn(panel, rows, width, small ? 120 : 200));
  const card = element("section", {class: "rmkit-panel", "data-panel": name}, title, box);
  card.addEventListener("pointerleave", () => card.late && card.update(panel));
  card.update = next => {
    panel = next;
    title.textContent = panel.title;
    card.hidden = rows.length > 0 && !panel.curves.length;
    card.late = card.matches(":hover, :focus-within") && Boolean(box.chart);
    if (!card.late) box.redraw();
  };
  return card;
}

function drawn(panel, rows, width, height) {
  const curves = panel?.curves ?? [], most = Math.max(40, Math.round(width / PIXELS_A_POINT));
  const series = curves.map(curve => seriesOf(rows, curve, most, curves.length <= BANDS)).filter(one => one.x.length);
  if (!series.length) return element("p", {class: "rmkit-hint", style: {"min-height": `${height}px`}}, "waiting for the first log");
  const text = panel.percent ? value => percentText(value, 1).replace(".0%", "%") : shortNumber;
  const guide = panel.name === "accuracy" ? [0.5] : panel.name === "margin" ? [0] : [];
  const values = series.flatMap(one => [one.y, one.low, one.high].filter(Boolean).flat());
  const more = 16 * Math.max(0, legendRows(series, 4, width).length - 2); // many held-out sets
  return lineChart({series, xlabel: "step", width, height: height + more, ytext: text,
    ydomain: niceDomain([...values, ...guide]), label: `${panel.title} by step`});
}

// ---- the page

function tilesOf() {
  const list = element("div", {class: "rmkit-tiles", role: "list"}), made = new Map();
  list.update = tiles => {
    for (const [i, [name, value, note]] of tiles.entries()) {
      if (!made.has(name)) {
        const parts = {value: element("b"), note: element("span", {dir: "auto", class: "rmkit-isolated"})};
        parts.root = element("div", {class: "rmkit-tile", role: "listitem"}, element("span", null, name), parts.value, parts.note);
        made.set(name, parts);
      }
      const {root, ...parts} = made.get(name);
      if (parts.value.textContent !== value) parts.value.textContent = value;
      if (parts.note.textContent !== note) parts.note.textContent = note;
      if (list.children[i] !== root) list.insertBefore(root, list.children[i] ?? null);
    }
  };
  return list;
}

function headOf() {
  const title = element("h2", {dir: "auto", class: "rmkit-isolated"}), status = element("span", {class: "rmkit-run-status", role: "status"});
  const stop = element("button", {class: "rmkit-button", type: "button", hidden: true, onclick: () => {
    head.pressed = true;
    head.press();
    stop.disabled = true;
    stop.textContent = "Stopping…";
  }}, "Stop");
  const filled = element("div"), bar = element("div", {class: "rmkit-run-bar", role: "progressbar", "aria-label": "Steps", "aria-valuemin": 0, "aria-valuemax": 100}, filled);
  const line = element("p", {class: "rmkit-run-line"}), hint = element("p", {class: "rmkit-hint", "aria-live": "polite"}), note = element("p", {class: "rmkit-run-note rmkit-isolated", dir: "auto", "aria-live": "polite"});
  const head = element("header", null, element("div", {class: "rmkit-run"}, title, status, element("span", {class: "rmkit-spring"}), stop), bar, line, hint, note);
  head.update = state => {
    for (const [node, text] of [[title, state.title], [status, state.word], [line, state.line], [note, state.note]]) if (node.textContent !== text) node.textContent = text;
    status.dataset.status = state.status;
    stop.hidden = !state.can_stop;
    stop.disabled = head.pressed || state.status === "stopping";
    if (stop.disabled) stop.textContent = "Stopping…";
    bar.setAttribute("aria-valuenow", Math.round(100 * state.share));
    filled.style.setProperty("width", `${100 * clamp(state.share, 0, 1)}%`);
    if (state.reached || !state.can_stop) hint.textContent = "";
  };
  head.hint = text => { hint.textContent = text; };
  return head;
}

export function mount(el, source) {
  const rows = [], shown = [], head = headOf(), tiles = tilesOf(), panels = new Map();
  const large = element("div", {class: "rmkit-panels"}), small = element("div", {class: "rmkit-panels"});
  el.append(ownsItsKeys(element("div", {class: "rmkit rmkit-dashboard"}, head, tiles, large, small)));
  let state = null, waiting = null, closed = false, looks = {}, first = 0;

  const draw = () => {
    waiting = null;
    shown.splice(0, shown.length, ...drawnRows(rows, looks, first));
    for (const panel of source.panels()) {
      if (!panels.has(panel.name)) {
        panels.set(panel.name, panelOf(panel.name, shown));
        (LARGE.includes(panel.name) ? large : small).append(panels.get(panel.name));
      }
      panels.get(panel.name).update(panel);
    }
  };
  const later = () => { waiting ??= setTimeout(() => requestAnimationFrame(draw), rows.length ? PAUSE : 0); };
  const take = (from, more) => {
    if (from > rows.length) return source.send({what: "rows", from: rows.length});
    if (from + more.length <= rows.length) return;
    rows.splice(from, rows.length, ...more);
    later();
  };
  const changed = () => {
    const news = source.news();
    state = news.state;
    head.update(state);
    tiles.update(state.tiles);
    if (news.looks?.step || looks.step) later();
    [looks, first] = [news.looks ?? {}, news.first ?? 0];
    take(news.from, news.rows);
  };
  // A message may find the way for it not yet made, so it is said again until the state shows that it was heard.
  const insist = (what, heard, times = PATIENCE / 1000) => {
    if (!state.can_stop || heard()) return;
    if (times <= 0) return head.hint(NOT_REACHED);
    source.send({what});
    setTimeout(() => insist(what, heard, times - 1), 1000);
  };
  head.press = () => insist("stop", () => state.status === "stopping");
  source.onchange(changed);
  source.onreply(reply => take(reply.from, reply.rows));
  changed();
  draw();
  insist("hello", () => state.reached || closed);
  return () => { closed = true; clearTimeout(waiting); };
}

// ---- a kernel

export default {
  render({model, el}) {
    const changes = [], replies = [];
    const on = (event, callback) => { model.on(event, callback); changes.push([event, callback]); };
    on("msg:custom", reply => replies.forEach(callback => callback(reply)));
    const unmount = mount(el, {
      panels: () => JSON.parse(model.get("panels")), news: () => JSON.parse(model.get("news")),
      onchange: callback => { on("change:news", callback); }, onreply: callback => { replies.push(callback); },
      send: message => model.send(message),
    });
    return () => { unmount(); for (const [event, callback] of changes) model.off(event, callback); };
  },
};
