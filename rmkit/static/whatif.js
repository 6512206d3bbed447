// What if: a pair's texts corrected, or edited and scored again.

// A reader without a model can still correct a text.
const canEdit = ({meta: {can}}) => Boolean(can?.score || can?.mark);

function flipEdit(view) {
  if (!view.pair || !canEdit(view)) return;
  flipPart(view, "edit");
  view.nodes.edit.querySelector(".rmkit-edit-chosen textarea")?.focus();
}

// ---- drafts

// A textarea knows one kind of line end.
const lines = text => text.replace(/\r\n?/g, "\n");

// A pair's texts as they were kept; else its own.
function ownTexts(view) {
  const {pair} = view;
  const own = part => pair[part].map(({text}, k) => lines(correctedText(view, part, k) ?? text));
  return Object.fromEntries(TEXTS.map(part => [part, own(part)]));
}

// Texts as they are being written, here or in another view; else as they were kept, or the pair's own.
function draftOf(view) {
  const {pair, drafts, draftsKept} = view, sent = draftsKept?.[pair.id];
  if (!drafts.has(pair.id)) drafts.set(pair.id, {texts: null, history: [], scored: null, unsent: 0, timer: null});
  const draft = drafts.get(pair.id), fits = sent && TEXTS.every(part => sent[part]?.length === pair[part].length);
  draft.texts ??= fits ? structuredClone(sent) : ownTexts(view);
  return draft;
}

const WRITTEN = 400; // milliseconds without a key, after which what was written is sent

// Drafts are kept where decisions are, and outlive the view. `texts` is null where there is nothing to keep any more.
function sendDraft(view, id, draft, texts, wait = 0) {
  const turn = ++draft.unsent;
  clearTimeout(draft.timer);
  draft.timer = setTimeout(async () => {
    const kept = await ask(view, {what: "draft", pair: id, texts: structuredClone(texts)});
    if (kept && draft.unsent === turn) draft.unsent = 0;
  }, wait);
}

const draftSign = ({pair, draftsKept}) => draftsKept?.[pair.id] ? "Edited, not yet kept" : "";

// Drafts changed, here or elsewhere: what is being written here goes first.
function takeDrafts(view) {
  for (const draft of view.drafts.values()) if (!draft.unsent) draft.texts = null;
  if (view.pair) view.nodes.drafted.textContent = draftSign(view);
  if (view.pair?.chosen && view.show.edit) fillEdit(view);
}

function fillEdit(view) {
  const {texts} = draftOf(view);
  for (const area of view.nodes.edit.querySelectorAll("textarea[data-part]")) {
    const text = texts[area.dataset.part][area.dataset.message];
    if (area.value !== text) area.value = text;
  }
}

function resetDraft(view) {
  const draft = Object.assign(draftOf(view), {texts: ownTexts(view), history: [], scored: null});
  sendDraft(view, view.pair.id, draft, null);
  drawEdit(view);
}

// What was changed, part by part, in words.
function changesOf(pair, texts) {
  const nameOf = (part, k) => part === "prompt" ? `prompt, turn ${k + 1}`
    : pair[part].length > 1 ? `${part}, message ${k + 1}` : part;
  return TEXTS.flatMap(part => pair[part].flatMap(({text}, k) =>
    texts[part][k] === lines(text) ? [] : [nameOf(part, k)]));
}

// What was changed as it is asked and kept: null where a text is as it was.
function editedMessages(pair, texts) {
  return Object.fromEntries(TEXTS.map(part => [part, pair[part].map(({role, text}, k) =>
    ({role, text: texts[part][k] === lines(text) ? null : texts[part][k]}))]));
}

// ---- corrections

// The text that was kept for a message, or null. A correction is a text, messages, or one entry a message with null
// where nothing was changed.
function correctedText({marks, pair}, part, k) {
  const kept = marks[pair.id]?.edit?.[part], one = Array.isArray(kept) ? kept[k] : k === 0 ? kept : null;
  return one?.content ?? one?.text ?? one ?? null;
}

const showEditStatus = (view, text) => view.nodes.edit.querySelector(".rmkit-copied")?.replaceChildren(text);

// What is kept is no draft any more; what was written while it was sent still is.
async function changeEdit(view, edit, said) {
  const {pair} = view, draft = draftOf(view), sent = JSON.stringify(draft.texts);
  if (!await change(view, pair.id, {edit})) return;
  if (JSON.stringify(draft.texts) === sent) sendDraft(view, pair.id, draft, null);
  if (view.pair === pair) showEditStatus(view, said);
}

// The fields go back to the original, unless something else is being written there.
async function takeBack(view) {
  const {pair} = view, draft = draftOf(view);
  const isUntouched = JSON.stringify(draft.texts) === JSON.stringify(ownTexts(view));
  if (!await change(view, pair.id, {edit: null}) || view.pair !== pair) return;
  if (isUntouched) draft.texts = ownTexts(view);
  if (view.show.edit) fillEdit(view);
  showEditStatus(view, "The correction is taken back.");
}

function keepCorrection(view) {
  const {pair} = view, edited = editedMessages(pair, draftOf(view).texts), edit = {};
  for (const part of TEXTS) {
    if (edited[part].some(({text}) => text !== null)) edit[part] = edited[part].map(({text}) => text);
  }
  if (Object.keys(edit).length) return changeEdit(view, edit, "Kept as a correction.");
  if (view.marks[pair.id]?.edit) return changeEdit(view, null, "Nothing is changed any more: it is taken back.");
  showEditStatus(view, "Nothing is changed, so there is nothing to keep.");
}

// The text of a message as it is read: corrected where a correction is kept, unless the original is asked for.
function shownText(view, part, k) {
  const {text} = view.pair[part][k], kept = view.pair.original ? null : correctedText(view, part, k);
  return kept === null || kept === lines(text) ? {text, corrected: false} : {text: kept, corrected: true};
}

function responsesCorrected(view) {
  return ["chosen", "rejected"].some(side => view.pair[side].some((_, k) => shownText(view, side, k).corrected));
}

const correctedSign = () => element("span", {class: "rmkit-corrected"}, "corrected");

function correctionBar(view) {
  const {pair, marks, meta} = view;
  if (!marks[pair.id]?.edit || !pair.chosen) return null;
  const names = changesOf(pair, ownTexts(view)).join("; ") || "nothing";
  const flip = () => {
    pair.original = !pair.original;
    drawTexts(view);
    drawSwitches(view);
  };
  return element("div", {class: "rmkit-bar", role: "group", "aria-label": "Correction"},
    element("span", null, correctedSign(), ` ${names}. The rewards are those of the original.`),
    toggle("Show the original", Boolean(pair.original), flip, {"data-keep": "original"}),
    meta.can?.mark && button("Take back", () => takeBack(view), {"data-keep": "take back"}));
}

// ---- the fields

function drawEdit(view) {
  const {nodes, show, pair, meta: {can}} = view;
  if (!show.edit || !canEdit(view) || !pair.chosen) return nodes.edit.replaceChildren();
  const areas = TEXTS.map(part => element("div", {class: `rmkit-edit rmkit-edit-${part}`},
    ...pair[part].map((_, k) => editArea(view, part, k))));
  nodes.result = element("div", {class: "rmkit-result", "aria-live": "polite"});
  const attributes = {class: "rmkit-whatif", "aria-label": can.score ? "Edit and rescore" : "Edit",
    onkeydown: event => editKeys(view, event)};
  nodes.edit.replaceChildren(element("section", attributes, areas[0],
    element("div", {class: "rmkit-sides"}, areas[1], areas[2]), editButtons(view),
    element("div", {class: "rmkit-copied", role: "status"}), nodes.result));
  drawResult(view);
}

function editKeys(view, event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  rescore(view);
}

function editButtons(view) {
  const {can} = view.meta;
  return element("div", {class: "rmkit-bar"},
    can.score && button("Rescore", () => rescore(view),
      {class: "rmkit-button rmkit-first rmkit-rescore", title: "Ctrl+Enter"}),
    can.mark && button("Keep as correction", () => keepCorrection(view)),
    button("Copy as a preference row", () => copyRow(view)), button("Reset", () => resetDraft(view)),
    can.score && soft("Ctrl+Enter rescores"));
}

function editArea(view, part, k) {
  const {pair} = view, draft = draftOf(view), text = draft.texts[part][k];
  const write = wait => event => {
    draft.texts[part][k] = event.target.value;
    sendDraft(view, pair.id, draft, draft.texts, wait);
  };
  const rows = Math.ceil(text.length / 70) + text.split("\n").length - 1;
  const area = element("textarea", {rows: clamp(rows, 2, 10), dir: "auto", spellcheck: "false", "data-part": part,
    "data-message": k, oninput: write(WRITTEN), onchange: write(0)});
  area.value = text;
  return field(`${fieldName(pair, part, k)} · ${cut(pair[part][k].role ?? "", 40)}`, area);
}

function fieldName(pair, part, k) {
  if (part === "prompt") return `Prompt, turn ${k + 1}`;
  return (part === "chosen" ? "Chosen" : "Rejected") + (pair[part].length > 1 ? `, message ${k + 1}` : "");
}

// ---- scoring again

async function rescore(view) {
  const {pair} = view, draft = draftOf(view), texts = structuredClone(draft.texts);
  const press = view.nodes.edit.querySelector(".rmkit-rescore");
  if (!press || press.disabled) return;
  Object.assign(press, {disabled: true, textContent: "Scoring…"});
  const reply = await ask(view, {what: "score", pair: pair.id, ...editedMessages(pair, texts)});
  Object.assign(press, {disabled: false, textContent: "Rescore"});
  if (!reply) return;
  draft.scored = reply;
  draft.history.push({texts, what: changesOf(pair, texts).join("; ") || "nothing", scored: reply});
  if (view.pair?.id === pair.id && view.pair.chosen && view.show.edit) drawResult(view);
}

const SCORES = [["reward of chosen", "reward_chosen", 2], ["reward of rejected", "reward_rejected", 2],
  ["reward margin", "reward_margin", 2], ["P(chosen)", "p_chosen", 3], ["length of chosen", "length_chosen", 0],
  ["length of rejected", "length_rejected", 0]];

function drawResult(view) {
  const {scored, history} = draftOf(view), {result} = view.nodes;
  if (!scored) return result.replaceChildren();
  const scores = tableNode(["", "original", "edited", "change"], scoreRows(view, scored), "rmkit-numbers");
  result.replaceChildren(element("div", {class: "rmkit-rescored"},
    element("p", null, "Edited: ", verdictSign(verdictOf(scored.reward_margin))), scores),
  editedParts(view, scored), historyTable(view, history));
}

function scoreRows(view, scored) {
  const {columns} = view.table;
  return SCORES.map(([title, key, digits]) => {
    const before = columns[key]?.[view.pair.id], after = scored[key];
    const change = finite(after) && finite(before) ? after - before : null;
    return element("tr", null, element("th", {scope: "row"}, title), element("td", null, numberText(before, digits)),
      element("td", null, numberText(after, digits)), element("td", {class: "rmkit-change"}, signed(change, digits)));
  });
}

function editedParts(view, {diff, tokens}) {
  const side = name => element("article", {class: `rmkit-side rmkit-${name}`}, element("h4", null, `${name}, edited`),
    textBox(element("span", null, ...pieces(diff[name])), `${name}, edited`));
  return element("div", null, diff && element("details", null,
    element("summary", null, "Edited responses, differences marked"),
    element("div", {class: "rmkit-sides"}, side("chosen"), side("rejected"))), tokens && editedTokens(view, tokens));
}

// Drawn when it is first opened.
function editedTokens(view, tokens) {
  const draw = () => {
    if (fold.open && fold.children.length === 1) fold.append(tokenView(tokens, {...view.tokens, ...TOKENS_FOLDED}));
  };
  const fold = element("details", {ontoggle: draw}, element("summary", null, "Tokens of the edited texts"));
  return fold;
}

function historyTable(view, history) {
  const restore = ({texts, scored}) => {
    const draft = Object.assign(draftOf(view), {texts: structuredClone(texts), scored});
    sendDraft(view, view.pair.id, draft, draft.texts);
    drawEdit(view);
  };
  const row = (entry, k) => {
    const press = event => {
      event.stopPropagation();
      restore(entry);
    };
    const numbers = ["reward_chosen", "reward_rejected", "reward_margin"].map(key => numberText(entry.scored[key]));
    const cells = [String(k + 1), entry.what, ...numbers,
      button("Restore", press, {"aria-label": `Restore edit ${k + 1}`})];
    return element("tr", {onclick: () => restore(entry)}, ...cells.map(cell => element("td", null, cell)));
  };
  return element("div", {class: "rmkit-history"}, element("h4", null, "Edits"),
    tableNode(["edit", "changed", "chosen", "rejected", "reward margin", ""], history.map(row), "rmkit-numbers"));
}

function copyRow(view) {
  const {texts} = draftOf(view), {pair, nodes} = view;
  const edited = part => pair[part].map(({role}, k) => ({role, content: texts[part][k]}));
  const row = Object.fromEntries(TEXTS.map(part => [part, edited(part)]));
  return copyText(JSON.stringify(row), "Preference row", nodes.edit.querySelector(".rmkit-copied"));
}
