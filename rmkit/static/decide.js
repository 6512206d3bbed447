// Decisions, marks and notes; how far a review is; the keys.

// ---- page: what a person decides

const DECISION_HINTS = {keep: "The label is right", swap: "The other response is the better one",
  tie: "Neither is better", "both bad": "Neither is good enough to learn from", drop: "Leave the pair out"};
const DECISION_KEYS = {a: "keep", s: "swap", t: "tie", b: "both bad", d: "drop"};

// The entries as this view knows them: the source's, with what it was told since and hasn't answered yet.
function takeReview(view) {
  const {entries = {}, seen = [], ...more} = view.source.get("review");
  const now = {...entries};
  for (const {pair, fields} of view.pending) now[pair] = {mark: "", note: "", ...now[pair], ...fields};
  view.review = {...more, entries: now, seen: new Set([...seen, ...view.justSeen])};
  view.marks = now;
}

// One change of one pair: seen at once in this view, and sent to where it is kept.
async function change(view, pair, fields) {
  const sent = {pair, fields, key: view.pair?.id === pair ? view.pair.key : undefined};
  view.pending.push(sent);
  takeReview(view);
  reviewChanged(view);
  const reply = await ask(view, {what: "change", pair, ...fields});
  view.pending = view.pending.filter(each => each !== sent);
  takeReview(view);
  if (!reply && view.alive) reviewChanged(view);
  return reply;
}

// The list keeps its place when a pair leaves it: the next one is the one that stands there now.
function reviewChanged(view) {
  const {decision, mark} = view.filters;
  if (decision || mark || view.sort.by in REVIEW_SORTS) {
    const before = view.open === null ? -1 : view.shown.indexOf(view.open);
    view.shown = matching(view.table, view.filters, view.sort, view.review, view.found);
    if (before >= 0 && !view.shown.includes(view.open)) view.gone = before;
    view.cursor = clamp(view.gone ?? view.cursor, 0, Math.max(view.shown.length - 1, 0));
    drawStatus(view);
  } else drawProgress(view);
  drawRows(view);
  drawDecisions(view);
  drawPairHead(view);
}

function decide(view, decision) {
  const {pair, marks, shown} = view, same = marks[pair.id]?.decision === decision;
  const stay = same || !view.show.goOn, next = stay ? null : nextOf(view, i => !marks[i]?.decision && i !== pair.id);
  change(view, pair.id, {decision: same ? "" : decision, seen: true});
  if (next !== null) openPair(view, next);
  else if (!stay && shown.length) say(view, "All pairs in the list are decided.");
}

function setMark(view, mark) {
  const {pair, marks} = view;
  change(view, pair.id, {mark: marks[pair.id]?.mark === mark ? "" : mark});
}

async function undo(view) {
  const reply = await ask(view, {what: "undo"});
  if (!reply) return;
  if (reply.pair === null) return say(view, "There is nothing to undo.");
  takeReview(view);
  reviewChanged(view);
  openPair(view, reply.pair);
}

// The first row behind the open one, then from the top, that passes a test; null where none does.
function nextOf(view, test) {
  const {shown, open, gone, cursor} = view, found = open === null ? -1 : shown.indexOf(open);
  const from = found >= 0 ? found + 1 : gone ?? cursor;
  for (let k = 0; k < shown.length; k++) {
    const i = shown[(from + k) % shown.length];
    if (test(i)) return i;
  }
  return null;
}

function nextUnseen(view) {
  const next = nextOf(view, i => !view.review.seen.has(i) && i !== view.open);
  next === null ? say(view, "All pairs in the list were seen.") : openPair(view, next);
}

// ---- page: the bar of decisions

function decisionBar(view) {
  const bar = element("div", {class: "rmkit-decide", role: "group", "aria-label": "Decide", tabindex: -1});
  view.nodes.decide = bar;
  drawDecisions(view);
  return bar;
}

function drawDecisions(view) {
  const {pair, meta, nodes: {decide: bar}} = view;
  if (!bar || !pair || !meta.can?.mark) return;
  const {mark = "", note = "", decision = ""} = view.marks[pair.id] ?? {};
  const input = bar.querySelector("input[type=text]");
  if (input && input === activeElement(view)) return showDecided(bar, decision, mark);
  const nothing = !view.review.undo && !view.pending.length;
  const back = keyButton("Undo", "U", () => undo(view), {"data-keep": "undo", disabled: nothing});
  redrawn(view, bar, [
    element("div", {class: "rmkit-bar"}, ...decisionButtons(view, decision), element("span", {class: "rmkit-spring"}),
      goOnSwitch(view), back),
    element("div", {class: "rmkit-bar", role: "group", "aria-label": "Marks"}, ...markButtons(view, mark),
      field("Note", noteInput(view, note), "rmkit-inline"))]);
}

function decisionButtons(view, decision) {
  return Object.entries(DECISION_KEYS).map(([small, name]) => {
    const key = small.toUpperCase();
    return keyToggle(DECISIONS[name], key, decision === name, () => decide(view, name),
      {"data-keep": name, "data-value": name, title: `${DECISION_HINTS[name]} (${key})`});
  });
}

function markButtons(view, mark) {
  return Object.entries(MARKS).map(([name, text], k) => keyToggle(text, String(k + 1), mark === name,
    () => setMark(view, name), {"data-keep": `mark ${name}`, "data-value": name, title: `key ${k + 1}`}));
}

// While a note is being written its field stays; the buttons beside it follow.
function showDecided(bar, decision, mark) {
  for (const press of bar.querySelectorAll("[data-value]")) {
    press.setAttribute("aria-pressed", String([decision, mark].includes(press.dataset.value)));
  }
}

function goOnSwitch(view) {
  const change = event => { view.show.goOn = event.target.checked; keepReading(view); };
  return element("label", {class: "rmkit-choice", title: "A decision opens the next undecided pair"},
    element("input", {type: "checkbox", checked: view.show.goOn, onchange: change, "data-keep": "go on"}), "go on");
}

function noteInput(view, note) {
  const {id} = view.pair;
  let timer = null, kept = note;
  const keep = event => {
    clearTimeout(timer);
    const text = event.target.value;
    if (text !== kept) change(view, id, {note: kept = text});
  };
  const typed = event => { clearTimeout(timer); timer = setTimeout(() => keep(event), 600); };
  const keys = event => {
    if (event.key === "Enter") { keep(event); event.preventDefault(); view.nodes.pair.focus({preventScroll: true}); }
  };
  return element("input", {type: "text", value: note, "data-keep": "note", dir: "auto", autocomplete: "off",
    placeholder: "why, in a few words", oninput: typed, onchange: keep, onkeydown: keys});
}

// ---- page: how far the review is

function timeText(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute";
  return `about ${minutes < 90 ? counted(minutes, "minute") : counted(Math.round(minutes / 60), "hour")}`;
}

function drawProgress(view) {
  const {table, filters, review, found, nodes} = view, {total, decided, seen} = progressOf(table, filters, review,
    found);
  const left = total - decided, share = total ? decided / total : 0;
  const words = [`${countText(decided)} of ${countText(total)} decided`, `${countText(seen)} seen`,
    left > 0 && review.pace && `${timeText(left * review.pace)} left`].filter(Boolean).join(" · ");
  nodes.progress.replaceChildren(element("span", null, words),
    element("div", {class: "rmkit-progress-bar", role: "progressbar",
    "aria-label": "Decided", "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": decided},
    element("div", {style: {width: `${100 * share}%`}})), element("span", {class: "rmkit-soft"}, keptText(view)));
}

function keptText({source, review}) {
  if (review.file) return `kept in ${review.file}`;
  if (source.saved) return review.kept ? "kept in this browser"
    : "not kept: this browser doesn't let a page; save them as a file";
  return "kept in the kernel only: RewardVisualizer(..., marks=\"review.jsonl\") keeps them in a file";
}

// ---- page: keys

const KEYS = [["J, K", "next, previous pair"], ["N", "next pair that wasn't seen"], ["G", "go to a pair by its number"],
  ["A", "keep the label as it is"], ["S", "swap: the other response is better"], ["T", "a tie"], ["B", "both are bad"],
  ["D", "drop the pair"], ["1, 2, 3", "mark as mislabelled, unclear, interesting"],
    ["U", "undo the last decision, mark or note"],
  ["C", "write a note; Enter or Escape leaves it"], ["E", "edit and rescore"], ["R", "rewards of single tokens"],
    ["X", "differences"],
  ["M", "Markdown"], ["O", "all turns of the prompt"], ["W", "monospace"], ["L", "scroll both responses together"],
  ["/", "search"], ["?", "this list"],
  ["Escape", "leave a field, close this list; in the list of pairs: clear the filters"]];
// The switch of a key: those of reading say theirs themselves.
const switchOf = key => ({e: "edit", r: "tokens"})[key]
  ?? READING_SWITCHES.find(([, , own]) => own?.toLowerCase() === key)?.[0];

function showKeys(view, on = view.nodes.keys.hidden) {
  const {keys, pair} = view.nodes;
  keys.hidden = !on;
  (on ? keys.querySelector("button") : view.pair ? pair : view.root).focus({preventScroll: !on});
}

function keySheet(view) {
  const rows = KEYS.map(([key, what]) => element("div", {class: "rmkit-keyrow"},
    element("span", null, ...key.split(", ").map(each => element("kbd", {class: "rmkit-key"}, each))),
      element("span", null, what)));
  return element("section", {class: "rmkit-keys rmkit-card", role: "dialog", "aria-label": "Keys", hidden: true},
    element("div", {class: "rmkit-bar"}, element("h3", null, "Keys"), element("span", {class: "rmkit-spring"}),
      button("Close", () => showKeys(view, false))), element("div", {class: "rmkit-keylist"}, ...rows));
}

const isField = node => node.matches?.(
  'textarea, select, input:not([type="radio"]):not([type="checkbox"]):not([type="range"])');

// What a key does with the focus anywhere in the view but in a field; null where it does nothing.
function actionOf(view, key) {
  const {pair, nodes} = view, small = key.toLowerCase(), can = view.meta.can ?? {};
  const focus = node => () => { selectTab(view, "Pairs"); node()?.focus(); };
  if (small === "j" || small === "k") return () => stepPair(view, small === "j" ? 1 : -1);
  if (small === "n") return () => nextUnseen(view);
  if (small === "g") return focus(() => nodes.pager.querySelector("input"));
  if (key === "/") return focus(() => nodes.filters.querySelector('[data-filter="search"]'));
  if (key === "?") return () => showKeys(view);
  if (small === "u") return () => undo(view);
  if (!pair || pair.id !== view.open) return null;
  if (switchOf(small)) return view.switches[switchOf(small)];
  if (!can.mark) return null;
  if (small === "c") return () => nodes.pair.querySelector('[data-keep="note"]')?.focus();
  if (small in DECISION_KEYS) return () => decide(view, DECISION_KEYS[small]);
  const mark = Object.keys(MARKS)[Number(key) - 1];
  return mark ? () => setMark(view, mark) : null;
}

function rootKeys(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // The notebook around has its own single keys.
  event.stopPropagation();
  if (event.key === "Escape") escape(view, event.target);
  else if (isField(event.target)) return;
  else if (view.tab !== "Overview" || "?/gn".includes(event.key.toLowerCase())) {
    const act = actionOf(view, event.key);
    if (!act) return;
    act();
    keepFocus(view);
  } else return;
  event.preventDefault();
}

function escape(view, target) {
  const {list, status, keys, pair} = view.nodes;
  if (!keys.hidden) showKeys(view, false);
  else if (isField(target)) (view.pair ? pair : view.root).focus({preventScroll: true});
  else if (list.contains(target) || status.contains(target)) setFilters(view, noFilters());
}

// What had the focus may be gone with what was drawn before; keys go on to work.
function keepFocus(view) {
  const active = activeElement(view);
  if (!active || !view.root.contains(active)) (view.pair ? view.nodes.pair : view.root).focus({preventScroll: true});
}
