// One pair: its texts and facts.

// ---- opening

// The answer to a request, or {failed: why}, for a part of the page that tells of its own failures.
async function answered(view, request) {
  try {
    return await view.source.ask(request);
  } catch (error) {
    return {failed: error.message || String(error)};
  }
}

// Opens a pair. It comes into sight for whoever is at work in this view, and moves nobody else's page.
function openPair(view, i) {
  const loaded = loadPair(view, i);
  followOpened(view, i);
  const {root, nodes} = view;
  if (root.contains(activeElement(view))) nodes.pair.querySelector("header").scrollIntoView({block: "nearest"});
  return loaded;
}

// What the table knows of a pair is drawn at once, its texts when they come; an answer about a pair that isn't open any
// more is dropped. The panel keeps its height meanwhile, so that the page doesn't jump.
async function loadPair(view, i) {
  const part = view.nodes.pair, pair = {id: i};
  Object.assign(view, {open: i, pair});
  Object.assign(view.tokens, TOKENS_FOLDED);
  part.style.minHeight = `${part.offsetHeight}px`;
  part.setAttribute("aria-busy", "true");
  drawPair(view);
  Object.assign(pair, await answered(view, {what: "pair", pair: i}));
  if (view.pair !== pair || !view.alive) return;
  part.removeAttribute("aria-busy");
  view.nodes.facts.replaceWith(view.nodes.facts = pairFacts(view));
  drawTexts(view);
  drawSwitches(view);
  drawEdit(view);
  part.style.minHeight = "";
}

// ---- the panel

function drawPair(view) {
  const {pair, nodes} = view, part = nodes.pair;
  if (!pair) return;
  part.className = "rmkit-pair rmkit-card";
  part.setAttribute("aria-label", `Pair ${pair.id}`);
  nodes.switches = element("div",
    {class: "rmkit-bar rmkit-tools", role: "group", "aria-label": "Reading", tabindex: -1});
  nodes.texts = element("div", {class: "rmkit-texts", tabindex: -1});
  nodes.texts.addEventListener("scroll", event => scrollTogether(view, event), true);
  nodes.facts = pairFacts(view);
  nodes.tokens = element("div", {class: "rmkit-part", tabindex: -1});
  nodes.edit = element("div", {class: "rmkit-part", tabindex: -1});
  // What comes late stands last: it moves nothing away from under a pointer.
  redraw(view, part, [pairHead(view), decisionBar(view), nodes.switches, nodes.texts, nodes.facts, pairTools(view),
    nodes.edit, nodes.tokens]);
  dressTexts(view);
  drawSwitches(view);
  drawTexts(view);
  drawTokens(view);
  drawEdit(view);
}

function pairHead(view) {
  const {pair, table, shown} = view, at = shown.indexOf(pair.id);
  const source = table.source && table.sources[table.source[pair.id]];
  const place = at < 0 ? "not in the list" : `${countText(at + 1)} of ${countText(shown.length)} in the list`;
  const step = (text, name, key, by, disabled) => button(text, () => stepPair(view, by),
    {"aria-label": `${name} pair`, "aria-keyshortcuts": key, title: key, "data-keep": name.toLowerCase(), disabled});
  return element("header", {class: "rmkit-bar"}, element("h3", null, `Pair ${pair.id}`),
    verdictSign(table.verdicts[pair.id]), source && soft("source ", isolated(cut(source, 100))), spring(), soft(place),
    step("‹ Previous", "Previous", "K", -1, at === 0 || !shown.length),
    step("Next ›", "Next", "J", 1, at === shown.length - 1 || !shown.length));
}

// ---- texts

function promptPart(view) {
  const {pair: {prompt}} = view;
  return prompt && element("section", {class: "rmkit-prompt", "aria-label": "Prompt"},
    ...prompt.map((_, k) => promptTurn(view, k)));
}

function promptTurn(view, k) {
  const {pair: {prompt}, show, terms} = view, isOpen = show.turns || k === prompt.length - 1;
  const {text, corrected} = shownText(view, "prompt", k), hits = hitsIn(text, hitPattern(terms)).length;
  const {box, copy, place, note} = textParts(view, text, `prompt, turn ${k + 1}`);
  const summary = element("summary", null, `turn ${k + 1} of ${prompt.length} · `,
    isolated(cut(prompt[k].role ?? "", 40)), ` · ${counted(text.length, "character")}`,
    hits > 0 && ` · ${counted(hits, "hit")}`, corrected && correctedSign());
  return element("details", {class: "rmkit-turn", open: isOpen}, summary, copy, box, note, place);
}

const pieces = parts => parts.map(([only, piece]) => only ? element("mark", null, piece) : piece);

function responsesPart(view) {
  const {pair} = view, differ = pair.chosen && marksDifferences(view);
  const sides = element("div", {class: "rmkit-sides"}, responseCard(view, "chosen"), responseCard(view, "rejected"));
  const waiting = !pair.chosen && element("p", {class: "rmkit-hint", role: "status"}, "Reading the texts…");
  return element("section", {"aria-label": "Responses"}, sides, waiting,
    differ && element("p", {class: "rmkit-hint"}, "Marked and underlined: only in this response."),
    pair.diff_note && element("p", {class: "rmkit-hint"}, isolated(pair.diff_note)));
}

function responseCard(view, side) {
  const {pair, table: {columns}} = view, messages = pair[side] ?? [], isSingle = messages.length === 1;
  const reward = columns[`reward_${side}`][pair.id], length = columns[`length_${side}`]?.[pair.id];
  const head = element("h4", null, side,
    element("span", {class: "rmkit-reward"}, "reward ", element("b", null, numberText(reward))),
    finite(length) && soft(`length ${countText(length)}`));
  const parts = messages.flatMap((_, k) => responseMessage(view, side, k, isSingle && head));
  return element("article", {class: `rmkit-side rmkit-${side}`, "aria-label": side}, !isSingle && head, ...parts);
}

// One message of a response, with its role over it; a single one has the response's `head` in its place.
function responseMessage(view, side, k, head) {
  const {pair} = view, {text, corrected} = shownText(view, side, k);
  const label = `${side} response${head ? "" : `, message ${k + 1}`}`;
  const diff = head && marksDifferences(view) ? pair.diff[side] : null;
  const {box, copy, place, note} = textParts(view, text, label, diff);
  const title = head || element("p", {class: "rmkit-role"}, isolated(cut(pair[side][k].role ?? "", 40)));
  const bar = element("div", {class: "rmkit-bar"}, title, corrected && correctedSign(), spring(), copy);
  return [bar, box, note, place];
}

// ---- facts and tools

// Names and values without a `dl`, which front ends lay out by rules of their own.
function pairFacts(view) {
  const {pair, table: {columns}} = view, i = pair.id;
  const facts = [["reward margin", signed(columns.reward_margin[i])], ["P(chosen)", numberText(columns.p_chosen[i], 3)],
    columns.length_gap && ["length gap", signed(columns.length_gap[i], 0)],
    columns.margin && ["label's margin", numberText(columns.margin[i])],
    ...(pair.details ?? []).filter(([name]) => !(name === "margin" && columns.margin))].filter(Boolean);
  const fact = ([name, value]) => element("div", {class: "rmkit-fact", role: "listitem"},
    element("span", {class: "rmkit-fact-name"}, isolated(String(name))), unseen(": "),
    element("span", {class: "rmkit-fact-value"}, isolated(String(value))));
  return element("div", {class: "rmkit-facts", role: "list"}, ...facts.map(fact));
}

function pairTools(view) {
  const {meta: {can}, show} = view;
  const press = (name, text, key) => keyToggle(text, key, show[name], () => flipPart(view, name),
    {"data-keep": name, title: `key ${key}`});
  view.nodes.drafted = soft(draftSign(view));
  return element("div", {class: "rmkit-bar rmkit-tools"}, press("tokens", "Tokens", "R"),
    canEdit(view) && [press("edit", can.score ? "Edit and rescore" : "Edit", "E"), view.nodes.drafted]);
}

// A part below the texts is opened or closed; what was opened comes into sight.
function flipPart(view, name) {
  const {show, nodes} = view;
  show[name] = !show[name];
  nodes.pair.querySelector(`[data-keep="${name}"]`).setAttribute("aria-pressed", String(show[name]));
  ({tokens: drawTokens, edit: drawEdit})[name](view);
  if (show[name]) nodes[name].scrollIntoView({block: "nearest"});
}
