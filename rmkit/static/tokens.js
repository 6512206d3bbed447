// Rewards of single tokens.

// ---- page: tokens

const READING = "A running reward is what the head would say if the text ended there. It is a reading, not an explanation: it doesn't say which words caused the reward.";

const flipTokens = view => view.pair && flipPart(view, "tokens");

function drawTokens(view) {
  const {pair: {traces}, nodes, show} = view, hint = (...text) => element("p", {class: "rmkit-hint"}, ...text);
  if (!show.tokens) return nodes.tokens.replaceChildren();
  if (!traces) {
    nodes.tokens.replaceChildren(
      element("p", {class: "rmkit-hint", role: "status"}, "Reading both responses token by token…"));
    return askTokens(view);
  }
  const again = () => { delete view.pair.traces; drawTokens(view); };
  const failed = traces.failed && element("div", {class: "rmkit-failed", role: "alert"},
    element("p", null, "The token rewards couldn't be read: ", isolated(traces.failed)),
    button("Try again", again, {"data-keep": "read again"}));
  const {tokens, note} = traces, none = !failed && !tokens && !note;
  redrawn(view, nodes.tokens, [failed, none && hint("There are no token readings for this pair."),
    tokens && tokenView(tokens, view.tokens), note && hint(isolated(note))]);
}

const SETTLED = 250; // milliseconds on a pair, after which its reader isn't just passing

// A model takes its time, and reads one pair after the other: so one request at a time, for the pair that a reader
// stays on. Who has gone on when the answer comes is owed the rewards of the pair that is open then.
async function askTokens(view) {
  if (view.askingTokens) return;
  view.askingTokens = true;
  let pair;
  do {
    pair = view.pair;
    await new Promise(done => setTimeout(done, SETTLED));
  } while (view.alive && view.pair !== pair);
  if (view.alive && pair && view.show.tokens) pair.traces = await answered(view, {what: "tokens", pair: pair.id});
  view.askingTokens = false;
  if (view.alive && view.pair) drawTokens(view);
}

function tokenView(tokens, state) {
  const status = element("p", {class: "rmkit-said rmkit-status", "aria-live": "polite"},
    "Point at a token, or move with the arrow keys, to read it.");
  const legendPart = element("div", {class: "rmkit-shades"}), blocks = element("div", {class: "rmkit-sides"}),
    more = element("div", {class: "rmkit-bar"});
  const draw = () => drawBlocks({tokens, state, status, legendPart, blocks, more, draw});
  const part = element("section", {class: "rmkit-tokens", "aria-label": "Tokens"},
    element("p", {class: "rmkit-hint"}, READING), runningChart(tokens),
    element("div", {class: "rmkit-bar"}, shadeChoice(state, draw), specialsChoice(state, draw), legendPart), status,
      blocks, more);
  draw();
  return part;
}

function runningChart(tokens) {
  const line = (side, colour, dash) => { const {reward, start} = tokens[side]; return {name: side, colour, dash,
    x: reward.slice(start).map((_, k) => k + 1), y: reward.slice(start)}; };
  return fluid(width => lineChart({width, height: 200, xlabel: "token of the response", ylabel: "running reward",
    xtext: countText, label: "Running reward over the tokens of both responses",
    series: [line("chosen", "var(--rm-chosen)", null), line("rejected", "var(--rm-rejected)", "6 4")]}));
}

function shadeChoice(state, draw) {
  const name = `${PREFIX}-${++made}`;
  const radio = (by, text) => element("label", null, element("input",
    {type: "radio", name, value: by, checked: state.by === by, onchange: () => { state.by = by; draw(); }}), text);
  return element("fieldset", {class: "rmkit-choice"}, element("legend", null, "Shade by"), radio("value", "value"),
    radio("step", "step"));
}

function specialsChoice(state, draw) {
  return element("label", {class: "rmkit-choice"}, element("input",
    {type: "checkbox", checked: state.specials,
    onchange: event => { state.specials = event.target.checked; draw(); }}), "Special tokens");
}

function drawBlocks(parts) {
  const {tokens, state, legendPart, blocks, more, draw} = parts, scale = shadeScale(tokens, state.by);
  const lists = ["chosen", "rejected"].map(side => shownTokens(tokens[side], state[side], state.specials)),
    [a, b] = shares(state.limit, lists[0].length, lists[1].length);
  drawShades(legendPart, scale, state.by);
  blocks.replaceChildren(tokenBlock(parts, "chosen", lists[0].slice(0, a), scale),
    tokenBlock(parts, "rejected", lists[1].slice(0, b), scale));
  const left = lists[0].length + lists[1].length - a - b;
  more.replaceChildren(...(left > 0 ? [button("Show 2,000 more", () => { state.limit += 2000; draw(); }),
    element("span", {class: "rmkit-soft"}, `${counted(left, "token")} not drawn`)] : []));
}

function drawShades(part, {centre, span}, by) {
  const digits = span < 0.1 ? 3 : 2, text = by === "step" ? signed : numberText;
  part.replaceChildren(element("span", null, text(centre - span, digits)),
    element("span", {class: "rmkit-ramp", role: "img", "aria-label": "colours from low to high"}),
    element("span", null, text(centre + span, digits)), element("span", {class: "rmkit-soft"},
      `middle ${numberText(centre, digits)}`));
}

function tokenBlock({tokens, state, status, draw}, side, shown, scale) {
  const trace = tokens[side], prompt = trace.start;
  const list = element("div", {class: "rmkit-text rmkit-stream", dir: "auto", role: "listbox",
    "aria-label": `Tokens of ${side}`}, ...shown.map((i, k) => tokenNode(trace, i, state.by, scale, k === 0)));
  const tell = event => { const i = event.target.dataset?.i; if (i !== undefined) tellToken(status, trace, Number(i),
    side); };
  // Not pointerover: a page that scrolls under a resting pointer would take the word from the keyboard.
  list.addEventListener("pointermove", tell);
  list.addEventListener("focusin", tell);
  list.addEventListener("keydown", tokenKeys);
  return element("article", {class: `rmkit-side rmkit-${side}`},
    element("h4", null, side, element("span", {class: "rmkit-soft"}, counted(trace.text.length - prompt, "token"))),
    prompt > 0 && button(`${state[side] ? "Hide" : "Show"} ${counted(prompt, "prompt token")}`,
      () => { state[side] = !state[side]; draw(); }, {class: "rmkit-button rmkit-fold",
      "aria-expanded": String(state[side])}), list);
}

// White space as a reader hears it and sees it; null for a token that has letters.
const BLANKS = {" ": ["space", "·"], "\n": ["line end", "↵"], "\t": ["tab", "→"]};
function blankToken(text) {
  if (text.trim()) return null;
  if (!text) return {name: "nothing", sign: "∅"};
  const runs = text.match(/(.)\1*/gsu).map(run => [run.length, ...BLANKS[run[0]] ?? ["other space", "␣"]]);
  return {name: runs.map(([n, name]) => n > 1 ? `${n} ${name}s` : name).join(", "),
    sign: runs.map(([n, , sign]) => sign.repeat(n)).join("")};
}

function tokenNode(trace, i, by, {centre, span}, first) {
  const text = trace.text[i], value = tokenValue(trace, i, by), blank = blankToken(text);
  const away = finite(value) ? clamp((value - centre) / span, -1, 1) : 0;
  const name = ["rmkit-token", trace.special[i] && "rmkit-special", i < trace.start && "rmkit-before",
    blank && "rmkit-blank", away >= 0 ? "rmkit-up" : "rmkit-down"].filter(Boolean).join(" ");
  return element("span", {class: name, "data-i": i, role: "option", tabindex: first ? 0 : -1, "aria-label": blank?.name,
    "data-sign": blank?.sign, style: {"--rm-away": Math.abs(away).toFixed(2)}}, text);
}

function tellToken(status, trace, i, side) {
  const value = trace.reward[i], step = tokenValue(trace, i, "step"), place = i < trace.start
    ? `prompt token ${i + 1} of ${trace.start}` : `token ${i - trace.start + 1} of ${trace.text.length - trace.start}`;
  status.replaceChildren(`${side}, ${place}: `, element("code", {dir: "auto"},
    isolated(cut(JSON.stringify(trace.text[i]), 80))),
    ` · value ${numberText(value, 3)} · step ${signed(step, 3)}${trace.special[i] ? " · special" : ""}`);
}

function tokenKeys(event) {
  const token = event.target.closest(".rmkit-token"), list = event.currentTarget;
  const to = {ArrowLeft: token?.previousElementSibling, ArrowUp: token?.previousElementSibling,
    ArrowRight: token?.nextElementSibling, ArrowDown: token?.nextElementSibling, Home: list.firstElementChild,
    End: list.lastElementChild}[event.key];
  if (!to) return;
  token.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
  event.preventDefault();
}

