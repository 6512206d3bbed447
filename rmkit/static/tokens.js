// Rewards of single tokens. A trace is {text, reward, special, start}: the tokens, their running rewards, which are
// special, and the number of the response's first.

// ---- data

const TOKENS_DRAWN = 2000; // tokens of both responses at first, and more with each press
const TOKENS_FOLDED = {limit: TOKENS_DRAWN, chosen: false, rejected: false}; // how a pair's tokens are shown at first

// What a token is shaded by: its running reward, or the step from the one before.
function tokenValue({reward}, i, by) {
  if (by === "value") return reward[i];
  return i > 0 && finite(reward[i - 1]) ? reward[i] - reward[i - 1] : null;
}

// The numbers of the tokens that are shown.
function shownTokens(trace, unfolded, specials) {
  const start = unfolded ? 0 : trace.start;
  return [...trace.text.keys()].filter(i => i >= start && (specials || !trace.special[i]));
}

// Steps lie around 0, values around the middle of the responses' values.
function shadeScale(tokens, by) {
  const valuesOf = trace => [...trace.text.keys()].slice(trace.start).map(i => tokenValue(trace, i, by));
  const values = [tokens.chosen, tokens.rejected].flatMap(valuesOf).filter(finite);
  if (!values.length) return {centre: 0, span: 1};
  const centre = by === "value" ? (quantile(values, 0) + quantile(values, 1)) / 2 : 0;
  return {centre, span: quantile(values.map(value => Math.abs(value - centre)), 0.99) || 1};
}

// How many of each response's tokens are drawn, so that both together stay within the limit.
function shares(limit, a, b) {
  const half = limit / 2;
  return a <= half ? [a, Math.min(b, limit - a)] : b <= half ? [Math.min(a, limit - b), b] : [half, half];
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

// ---- asking

const flipTokens = view => view.pair && flipPart(view, "tokens");

function drawTokens(view) {
  const {pair: {traces}, nodes, show} = view;
  if (!show.tokens) return nodes.tokens.replaceChildren();
  if (traces) return redraw(view, nodes.tokens, tracesParts(view, traces));
  nodes.tokens.replaceChildren(
    element("p", {class: "rmkit-hint", role: "status"}, "Reading both responses token by token…"));
  askTokens(view);
}

function tracesParts(view, {failed, tokens, note}) {
  const hint = (...text) => element("p", {class: "rmkit-hint"}, ...text);
  const again = () => {
    delete view.pair.traces;
    drawTokens(view);
  };
  const alert = failed && element("div", {class: "rmkit-failed", role: "alert"},
    element("p", null, "The token rewards couldn't be read: ", isolated(failed)),
    button("Try again", again, {"data-keep": "read again"}));
  return [alert, !failed && !tokens && !note && hint("There are no token readings for this pair."),
    tokens && tokenView(tokens, view.tokens), note && hint(isolated(note))];
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

// ---- the reading

const READING = "A running reward is what the head would say if the text ended there. It is a reading, not an "
  + "explanation: it doesn't say which words caused the reward.";

// `state`: {by, specials, limit, chosen, rejected}: what is shaded by, what is shown.
function tokenView(tokens, state) {
  const status = element("p", {class: "rmkit-said rmkit-status", "aria-live": "polite"},
    "Point at a token, or move with the arrow keys, to read it.");
  const shades = element("div", {class: "rmkit-shades"}), blocks = element("div", {class: "rmkit-sides"});
  const more = element("div", {class: "rmkit-bar"});
  const draw = () => drawBlocks({tokens, state, status, shades, blocks, more, draw});
  const part = element("section", {class: "rmkit-tokens", "aria-label": "Tokens"},
    element("p", {class: "rmkit-hint"}, READING), runningChart(tokens),
    element("div", {class: "rmkit-bar"}, shadeChoice(state, draw), specialsChoice(state, draw), shades),
    status, blocks, more);
  draw();
  return part;
}

function runningChart(tokens) {
  const line = (side, colour, dash) => {
    const y = tokens[side].reward.slice(tokens[side].start);
    return {name: side, colour, dash, x: y.map((_, k) => k + 1), y};
  };
  return fluid(width => lineChart({width, height: 200, xlabel: "token of the response", ylabel: "running reward",
    xtext: countText, label: "Running reward over the tokens of both responses",
    series: [line("chosen", "var(--rm-chosen)", null), line("rejected", "var(--rm-rejected)", "6 4")]}));
}

function shadeChoice(state, draw) {
  const name = newId();
  const radio = by => {
    const choose = () => {
      state.by = by;
      draw();
    };
    const input = element("input", {type: "radio", name, value: by, checked: state.by === by, onchange: choose});
    return element("label", null, input, by);
  };
  return element("fieldset", {class: "rmkit-choice"}, element("legend", null, "Shade by"), radio("value"),
    radio("step"));
}

function specialsChoice(state, draw) {
  const change = event => {
    state.specials = event.target.checked;
    draw();
  };
  return element("label", {class: "rmkit-choice"},
    element("input", {type: "checkbox", checked: state.specials, onchange: change}), "Special tokens");
}

function drawBlocks(parts) {
  const {tokens, state, shades, blocks, more, draw} = parts, scale = shadeScale(tokens, state.by);
  const [chosen, rejected] = ["chosen", "rejected"].map(side => shownTokens(tokens[side], state[side], state.specials));
  const [a, b] = shares(state.limit, chosen.length, rejected.length);
  const left = chosen.length + rejected.length - a - b;
  const showMore = () => {
    state.limit += TOKENS_DRAWN;
    draw();
  };
  drawShades(shades, scale, state.by);
  blocks.replaceChildren(tokenBlock(parts, "chosen", chosen.slice(0, a), scale),
    tokenBlock(parts, "rejected", rejected.slice(0, b), scale));
  more.replaceChildren(...(left > 0 ? [button(`Show ${countText(TOKENS_DRAWN)} more`, showMore),
    soft(`${counted(left, "token")} not drawn`)] : []));
}

function drawShades(part, {centre, span}, by) {
  const digits = span < 0.1 ? 3 : 2, text = by === "step" ? signed : numberText;
  part.replaceChildren(element("span", null, text(centre - span, digits)),
    element("span", {class: "rmkit-ramp", role: "img", "aria-label": "colours from low to high"}),
    element("span", null, text(centre + span, digits)), soft(`middle ${numberText(centre, digits)}`));
}

function tokenBlock({tokens, state, status, draw}, side, shown, scale) {
  const trace = tokens[side], {start} = trace, verb = state[side] ? "Hide" : "Show";
  const list = element("div", {class: "rmkit-text rmkit-stream", dir: "auto", role: "listbox",
    "aria-label": `Tokens of ${side}`}, ...shown.map((i, k) => tokenNode(trace, i, state.by, scale, k === 0)));
  const tell = event => {
    const i = event.target.dataset?.i;
    if (i !== undefined) describeToken(status, trace, Number(i), side);
  };
  const fold = () => {
    state[side] = !state[side];
    draw();
  };
  // Not pointerover: a page that scrolls under a resting pointer would take the word from the keyboard.
  list.addEventListener("pointermove", tell);
  list.addEventListener("focusin", tell);
  list.addEventListener("keydown", tokenKeys);
  return element("article", {class: `rmkit-side rmkit-${side}`},
    element("h4", null, side, soft(counted(trace.text.length - start, "token"))),
    start > 0 && button(`${verb} ${counted(start, "prompt token")}`, fold,
      {class: "rmkit-button rmkit-fold", "aria-expanded": String(state[side])}), list);
}

function tokenNode(trace, i, by, {centre, span}, isFirst) {
  const text = trace.text[i], value = tokenValue(trace, i, by), blank = blankToken(text);
  const away = finite(value) ? clamp((value - centre) / span, -1, 1) : 0;
  const name = ["rmkit-token", trace.special[i] && "rmkit-special", i < trace.start && "rmkit-before",
    blank && "rmkit-blank", away >= 0 ? "rmkit-up" : "rmkit-down"].filter(Boolean).join(" ");
  return element("span", {class: name, "data-i": i, role: "option", tabindex: isFirst ? 0 : -1,
    "aria-label": blank?.name, "data-sign": blank?.sign, style: {"--rm-away": Math.abs(away).toFixed(2)}}, text);
}

function describeToken(status, {text, reward, special, start}, i, side) {
  const step = tokenValue({reward}, i, "step");
  const place = i < start ? `prompt token ${i + 1} of ${start}` : `token ${i - start + 1} of ${text.length - start}`;
  status.replaceChildren(`${side}, ${place}: `,
    element("code", {dir: "auto"}, isolated(cut(JSON.stringify(text[i]), 80))),
    ` · value ${numberText(reward[i], 3)} · step ${signed(step, 3)}${special[i] ? " · special" : ""}`);
}

function tokenKeys(event) {
  const token = event.target.closest(".rmkit-token"), list = event.currentTarget;
  const before = token?.previousElementSibling, after = token?.nextElementSibling;
  const to = {ArrowLeft: before, ArrowUp: before, ArrowRight: after, ArrowDown: after, Home: list.firstElementChild,
    End: list.lastElementChild}[event.key];
  if (!to) return;
  token.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
  event.preventDefault();
}
