// One pair: its texts, marks and facts.

// ---- page: one pair

async function openPair(view, i) {
  view.open = i;
  opened(view, i);
  view.nodes.pair.setAttribute("aria-busy", "true");
  const reply = await ask(view, {what: "pair", pair: i});
  if (view.open !== i) return;
  view.nodes.pair.removeAttribute("aria-busy");
  if (!reply) return;
  view.pair = reply;
  Object.assign(view.tokens, {limit: 2000, chosen: false, rejected: false});
  drawPair(view);
}

function drawPair(view) {
  const {pair} = view, part = view.nodes.pair;
  if (!pair) return;
  part.className = "rmkit-pair rmkit-card";
  part.setAttribute("aria-label", `Pair ${pair.id}`);
  view.nodes.tokens = element("div", {class: "rmkit-part"});
  view.nodes.edit = element("div", {class: "rmkit-part"});
  redrawn(view, part, [pairHead(view), decisionBar(view), promptPart(pair), responsesPart(view), pairFacts(view), pairTools(view), view.nodes.tokens, view.nodes.edit]);
  drawTokens(view);
  drawEdit(view);
}

function pairHead(view) {
  const {pair, table, shown} = view, at = shown.indexOf(pair.id), source = table.source && table.sources[table.source[pair.id]];
  return element("header", {class: "rmkit-bar"}, element("h3", null, `Pair ${pair.id}`), verdictSign(table.verdicts[pair.id]),
    source && element("span", {class: "rmkit-soft"}, "source ", isolated(cut(source, 100))),
    element("span", {class: "rmkit-spring"}),
    element("span", {class: "rmkit-soft"}, at < 0 ? "not in the list" : `${countText(at + 1)} of ${countText(shown.length)} in the list`),
    button("‹ Previous", () => stepPair(view, -1), {"aria-label": "Previous pair", "aria-keyshortcuts": "K", title: "K", "data-keep": "previous", disabled: at === 0 || !shown.length}),
    button("Next ›", () => stepPair(view, 1), {"aria-label": "Next pair", "aria-keyshortcuts": "J", title: "J", "data-keep": "next", disabled: at === shown.length - 1 || !shown.length}));
}

function promptPart(pair) {
  return element("section", {class: "rmkit-prompt", "aria-label": "Prompt"}, ...pair.prompt.map(({role, text}, k) =>
    element("details", {open: k === pair.prompt.length - 1}, element("summary", null, `turn ${k + 1} of ${pair.prompt.length} · `, isolated(cut(role ?? "", 40)), ` · ${counted(text.length, "character")}`),
      textBox(text, `prompt, turn ${k + 1}`))));
}

const pieces = parts => parts.map(([only, piece]) => only ? element("mark", null, piece) : piece);

function responsesPart(view) {
  const {pair, table: {columns}} = view;
  const card = side => responseCard(side, pair[side], pair.diff?.[side], columns[`reward_${side}`][pair.id], columns[`length_${side}`]?.[pair.id]);
  return element("section", {"aria-label": "Responses"}, element("div", {class: "rmkit-sides"}, card("chosen"), card("rejected")),
    element("p", {class: "rmkit-hint"}, pair.diff ? ["Marked and underlined: only in this response."] : null, pair.diff_note && [" ", isolated(pair.diff_note)]));
}

function responseCard(side, messages, diff, reward, length) {
  const single = messages.length === 1;
  return element("article", {class: `rmkit-side rmkit-${side}`, "aria-label": side}, element("h4", null, side,
    element("span", {class: "rmkit-reward"}, "reward ", element("b", null, numberText(reward))), finite(length) && element("span", {class: "rmkit-soft"}, `length ${countText(length)}`)),
    ...messages.flatMap(({role, text}) => [!single && element("p", {class: "rmkit-role"}, isolated(cut(role ?? "", 40))),
      textBox(diff && single ? element("span", null, ...pieces(diff)) : text, `${side} response`)]));
}

function pairFacts(view) {
  const {pair, table: {columns}} = view, i = pair.id;
  const facts = [["reward margin", signed(columns.reward_margin[i])], ["P(chosen)", numberText(columns.p_chosen[i], 3)],
    columns.length_gap && ["length gap", signed(columns.length_gap[i], 0)], columns.margin && ["label's margin", numberText(columns.margin[i])], ...(pair.details ?? []).filter(([name]) => !(name === "margin" && columns.margin))].filter(Boolean);
  return element("dl", {class: "rmkit-facts"}, ...facts.map(([name, value]) => element("div", null, element("dt", null, isolated(String(name))), element("dd", null, isolated(String(value))))));
}

function pairTools(view) {
  const flip = (key, draw) => event => { view.show[key] = !view.show[key]; event.currentTarget.setAttribute("aria-pressed", String(view.show[key])); draw(view); };
  return element("div", {class: "rmkit-bar rmkit-tools"}, toggle("Tokens", view.show.tokens, flip("tokens", drawTokens), {"data-keep": "tokens"}),
    view.meta.can?.score && toggle("Edit and rescore", view.show.edit, flip("edit", drawEdit), {"data-keep": "edit"}));
}

