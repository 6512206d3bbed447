// Decisions, marks and notes, and how far a review is.

// ---- what a person decides

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
    takeShown(view);
    if (before >= 0 && !view.shown.includes(view.open)) view.leftAt = before;
    view.cursor = clamp(view.leftAt ?? view.cursor, 0, Math.max(view.shown.length - 1, 0));
    drawStatus(view);
  } else drawProgress(view);
  drawRows(view);
  drawDecisions(view);
  drawPairHead(view);
}

function decide(view, decision) {
  const {pair, marks, shown} = view, isTaken = marks[pair.id]?.decision === decision;
  const stays = isTaken || !view.show.goOn;
  const next = stays ? null : nextOf(view, i => !marks[i]?.decision && i !== pair.id);
  change(view, pair.id, {decision: isTaken ? "" : decision, seen: true});
  if (next !== null) openPair(view, next);
  else if (!stays && shown.length) showAlert(view, "All pairs in the list are decided.");
}

function setMark(view, mark) {
  const {pair, marks} = view;
  change(view, pair.id, {mark: marks[pair.id]?.mark === mark ? "" : mark});
}

async function undo(view) {
  const reply = await ask(view, {what: "undo"});
  if (!reply) return;
  if (reply.pair === null) return showAlert(view, "There is nothing to undo.");
  takeReview(view);
  reviewChanged(view);
  openPair(view, reply.pair);
}

// The first row behind the open one, then from the top, that passes a test; null where none does.
function nextOf(view, test) {
  const {shown, open, leftAt, cursor} = view, found = open === null ? -1 : shown.indexOf(open);
  const from = found >= 0 ? found + 1 : leftAt ?? cursor;
  for (let k = 0; k < shown.length; k++) {
    const i = shown[(from + k) % shown.length];
    if (test(i)) return i;
  }
  return null;
}

function nextUnseen(view) {
  const next = nextOf(view, i => !view.review.seen.has(i) && i !== view.open);
  if (next === null) showAlert(view, "All pairs in the list were seen."); else openPair(view, next);
}

// ---- the bar of decisions

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
  const canUndo = view.review.undo || view.pending.length > 0;
  const back = keyButton("Undo", "U", () => undo(view), {"data-keep": "undo", disabled: !canUndo});
  redraw(view, bar, [
    element("div", {class: "rmkit-bar"}, ...decisionButtons(view, decision), spring(), goOnSwitch(view), back),
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
  const change = event => {
    view.show.goOn = event.target.checked;
    keepReading(view);
  };
  return element("label", {class: "rmkit-choice", title: "A decision opens the next undecided pair"},
    element("input", {type: "checkbox", checked: view.show.goOn, onchange: change, "data-keep": "go on"}), "go on");
}

const NOTED = 600; // milliseconds without a key, after which a note is kept

function noteInput(view, note) {
  const {id} = view.pair;
  let timer = null, kept = note;
  const keep = event => {
    clearTimeout(timer);
    const text = event.target.value;
    if (text !== kept) change(view, id, {note: kept = text});
  };
  const typed = event => {
    clearTimeout(timer);
    timer = setTimeout(() => keep(event), NOTED);
  };
  const keys = event => {
    if (event.key !== "Enter") return;
    keep(event);
    event.preventDefault();
    view.nodes.pair.focus({preventScroll: true});
  };
  return element("input", {type: "text", value: note, "data-keep": "note", dir: "auto", autocomplete: "off",
    placeholder: "why, in a few words", oninput: typed, onchange: keep, onkeydown: keys});
}

// ---- how far the review is

function timeText(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "less than a minute";
  return `about ${minutes < 90 ? counted(minutes, "minute") : counted(Math.round(minutes / 60), "hour")}`;
}

function drawProgress(view) {
  const {table, filters, review, found, nodes} = view;
  const {total, decided, seen} = progressOf(table, filters, review, found), left = total - decided;
  const words = [`${countText(decided)} of ${countText(total)} decided`, `${countText(seen)} seen`,
    left > 0 && review.pace && `${timeText(left * review.pace)} left`].filter(Boolean).join(" · ");
  const bar = element("div", {class: "rmkit-progress-bar", role: "progressbar", "aria-label": "Decided",
    "aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": decided},
  element("div", {style: {width: `${total ? 100 * decided / total : 0}%`}}));
  nodes.progress.replaceChildren(element("span", null, words), bar, soft(keptText(view)));
}

function keptText({source, review}) {
  if (review.file) return `kept in ${review.file}`;
  if (!source.saved) return 'kept in the kernel only: RewardVisualizer(..., marks="review.jsonl") keeps them in a file';
  return review.kept ? "kept in this browser" : "not kept: this browser doesn't let a page; save them as a file";
}
