// How the texts of a pair are read: switches that stay, search hits, Markdown, copying.

// ---- switches

const READING_SWITCHES = [
  ["turns", "Turns open", "O", "Show every turn of the prompt"],
  ["diff", "Differences", "X", "Mark what only one of the responses says; not together with Markdown"],
  ["markdown", "Markdown", "M", "Show headings, lists, code and tables as such; without marked differences"],
  ["mono", "Monospace", "W", "Letters of one width"],
  ["together", "Scroll together", "L", "Scroll both responses by the same share"],
  ["full", "Full length", null, "Show texts whole, without scroll bars of their own"],
];

// `diff` is null until a reader decides: then differences are marked where they help. Token rewards and editing are
// switched on anew in every view, since they take a model's time.
function prepareReading(view) {
  const off = {turns: false, diff: null, markdown: false, mono: false, together: false, full: false};
  Object.assign(view.show, {...off, ...view.show, tokens: false, edit: false});
  view.switches = Object.fromEntries(READING_SWITCHES.map(([name]) => [name, () => flipReading(view, name)]));
  Object.assign(view.switches, {tokens: () => flipTokens(view), edit: () => flipEdit(view)});
}

const HELPFUL = 0.5; // the share of the texts up to which marked differences are found faster than read over
const marksMost = ({diff}) => diff?.share > HELPFUL;

function marksDifferences(view) {
  const {pair, show} = view;
  return Boolean(pair.diff) && !show.markdown && !responsesCorrected(view) && (show.diff ?? !marksMost(pair));
}

function flipReading(view, name) {
  const {pair, show, nodes} = view;
  if (!pair || (name === "diff" && !pair.diff)) return;
  if (name === "diff") Object.assign(show, {diff: !marksDifferences(view), markdown: false});
  else show[name] = !show[name];
  keepReading(view);
  dressTexts(view);
  if (name === "turns") setTurns(nodes.texts, (turn, last) => show.turns || last);
  if (name === "diff" || name === "markdown") drawTexts(view);
  drawSwitches(view);
}

function setTurns(part, isOpen) {
  const turns = [...part.querySelectorAll(".rmkit-turn")];
  turns.forEach((turn, k) => { turn.open = isOpen(turn, k === turns.length - 1, k); });
}

function differencesNote(view) {
  const {pair, show} = view;
  if (!pair.diff) return null;
  if (responsesCorrected(view)) return "Differences are known of the originals alone.";
  if (show.markdown) return "Differences aren't marked in Markdown.";
  if (show.diff !== null || !marksMost(pair)) return null;
  return `Differences are off here: they would mark ${percentText(pair.diff.share)} of the responses.`;
}

function drawSwitches(view) {
  const {show, pair, nodes} = view, note = differencesNote(view), noteId = `${view.id}-differences`;
  const on = {...show, diff: marksDifferences(view)};
  const press = ([name, text, key, says]) => {
    const isDiff = name === "diff";
    return keyToggle(text, key, on[name], () => flipReading(view, name),
      {"data-keep": name, title: key ? `${says} (${key})` : says, disabled: isDiff && !pair.diff,
        "aria-describedby": isDiff && note ? noteId : null});
  };
  redraw(view, nodes.switches, [...READING_SWITCHES.map(press),
    note && fill(soft(note), {id: noteId}), hitsNote(view)]);
}

// What needs no new drawing: letters and heights.
function dressTexts({show, nodes}) {
  nodes.texts.classList.toggle("rmkit-mono", show.mono);
  nodes.texts.classList.toggle("rmkit-full", show.full);
}

// ---- texts

const boxesOf = part => [...part.querySelectorAll(".rmkit-text")];
const scrolledShare = box => box.scrollTop / Math.max(box.scrollHeight - box.clientHeight, 1);
const scrollToShare = (box, share) => { box.scrollTop = share * (box.scrollHeight - box.clientHeight); };

// The first box of one response goes with the first of the other. The one that follows says that it was scrolled, too.
function scrollTogether(view, event) {
  const box = event.target, side = box.closest(".rmkit-side");
  if (!view.show.together || !side) return;
  if (view.followed === box) {
    view.followed = null;
    return;
  }
  const other = [...side.parentElement.children].find(each => each !== side);
  const to = boxesOf(other)[boxesOf(side).indexOf(box)];
  if (!to) return;
  const before = to.scrollTop;
  scrollToShare(to, scrolledShare(box));
  if (to.scrollTop !== before) view.followed = to;
}

// What the texts are drawn from besides the switches.
const drawnFrom = ({pair, marks, terms}) => JSON.stringify([marks[pair.id]?.edit ?? null, terms]);

// Draws the texts. Drawn anew for the same pair, turns stay open, boxes as high as they were made, and texts where they
// were scrolled to.
function drawTexts(view) {
  const {pair, nodes} = view, part = nodes.texts;
  const turns = [...part.querySelectorAll(".rmkit-turn")].map(turn => turn.open);
  const boxes = boxesOf(part).map(box => [scrolledShare(box), box.style.height]);
  view.drawnFrom = drawnFrom(view);
  redraw(view, part, pair.failed ? [failedTexts(view)] : [correctionBar(view), promptPart(view), responsesPart(view)]);
  setTurns(part, (turn, last, k) => turns[k] ?? turn.open);
  boxesOf(part).forEach((box, k) => {
    const [share, height] = boxes[k] ?? [0, ""];
    box.style.height = height;
    scrollToShare(box, share);
  });
}

// A correction or the search changed, here or elsewhere: the texts are drawn anew where that concerns them.
function textsChanged(view) {
  if (!view.pair?.chosen || view.drawnFrom === drawnFrom(view)) return;
  drawTexts(view);
  drawSwitches(view);
}

function failedTexts(view) {
  const {failed, id} = view.pair;
  return element("div", {class: "rmkit-failed", role: "alert"},
    element("p", null, "The texts couldn't be read: ", isolated(failed)),
    button("Try again", () => loadPair(view, id), {"data-keep": "again"}));
}

// A text in its box, and what belongs to it. `diff` are its pieces, where differences are marked.
function textParts(view, text, label, diff = null) {
  const markdown = view.show.markdown && !diff && markdownOf(text);
  const box = textBox(diff ? element("span", null, ...pieces(diff)) : markdown || text, label);
  box.classList.toggle("rmkit-markdown", Boolean(markdown));
  markHits(box, hitPattern(view.terms));
  const place = element("div", {class: "rmkit-copied", role: "status"});
  const copy = button("Copy", () => copyText(text, label, place),
    {class: "rmkit-button rmkit-copy", "aria-label": `Copy ${label}`, "data-keep": `copy ${label}`});
  const note = view.show.markdown && !diff && !markdown && element("p", {class: "rmkit-hint"},
    "Shown as plain text: too long for Markdown, or nested too deeply.");
  return {box, copy, place, note};
}

// Copies a text and says so in `place`. Where the browser forbids it, the text is put there to be copied by hand.
async function copyText(text, label, place) {
  place.replaceChildren();
  try {
    await navigator.clipboard.writeText(text);
    place.replaceChildren("Copied.");
  } catch {
    const area = element("textarea", {rows: 3, readonly: true, "aria-label": label});
    area.value = text;
    place.replaceChildren("The browser doesn't let this page copy. Copy it from here:", area);
    area.select();
  }
}

// ---- search hits

const MOST_HITS = 1000; // that are marked in one text

// White space in a term stands for any, since a search box has no line ends.
function hitPattern(terms) {
  const wanted = terms.map(term => term.trim()).filter(Boolean).sort((a, b) => b.length - a.length);
  const literal = term => term.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+");
  return wanted.length ? new RegExp(wanted.map(literal).join("|"), "giu") : null;
}

function hitsIn(text, pattern) {
  return pattern ? [...text.matchAll(pattern)].map(({index, 0: hit}) => [index, index + hit.length]) : [];
}

// Marks the hits in a box, also those that run through several of the elements that it holds.
function markHits(box, pattern) {
  const hits = hitsIn(box.textContent, pattern).slice(0, MOST_HITS), nodes = [];
  if (!hits.length) return;
  const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) nodes.push(walker.currentNode);
  let end = box.textContent.length, last = hits.length - 1;
  for (const node of nodes.reverse()) { // from the end, so that what is split off lies behind
    const start = end - node.data.length;
    while (last >= 0 && hits[last][1] > start) {
      const [from, to] = hits[last];
      markPiece(node, Math.max(from - start, 0), Math.min(to, end) - start);
      if (from < start) break; // its beginning is in the element before
      last--;
    }
    end = start;
  }
}

function markPiece(node, from, to) {
  const mark = element("mark", {class: "rmkit-hit"}), piece = node.splitText(from);
  piece.splitText(to - from);
  piece.replaceWith(mark);
  mark.append(piece);
}

function hitsNote(view) {
  const {pair, terms} = view, pattern = hitPattern(terms);
  if (!pattern || !pair.chosen) return null;
  const hits = (part, k) => hitsIn(shownText(view, part, k).text, pattern).length;
  const counts = TEXTS.flatMap(part => pair[part].map((_, k) => hits(part, k)));
  const note = Math.max(...counts) > MOST_HITS ? `; the first ${countText(MOST_HITS)} in a text are marked` : "";
  const n = counts.reduce((sum, each) => sum + each, 0);
  return element("span", {class: "rmkit-soft rmkit-hits"}, `${counted(n, "hit")} of the search${note}`);
}

// ---- Markdown

const MARKDOWN_MOST = 30_000; // characters: the worst of texts takes seconds for these, and its square for more

// Nothing in a text chooses a class, a name, a style or an address: what Markdown itself is made of is let through.
const MARKUP = {RETURN_DOM_FRAGMENT: true, ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false,
  ALLOWED_ATTR: ["align", "start"], ALLOWED_TAGS: ["#text", "p", "br", "hr", "h5", "h6", "strong", "em", "del", "code",
    "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"]};

const escapedText = text => text.replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`);
const addressText = href => ` <code>${escapedText(href)}</code>`;

// HTML in a text stays text, line breaks apart. An address is shown and leads nowhere, of a picture its name, too.
const markdownReader = new marked.Marked({gfm: true, breaks: true, tokenizer: {
  html: () => undefined,
  tag(source) {
    const [raw] = /^<br\s*\/?>/i.exec(source) ?? [];
    return raw && {type: "br", raw};
  },
}, renderer: {
  heading({tokens, depth}) {
    const name = depth < 3 ? "h5" : "h6";
    return `<${name}>${this.parser.parseInline(tokens)}</${name}>`;
  },
  link({tokens, href, text}) {
    const shown = this.parser.parseInline(tokens);
    return href === text || href === `mailto:${text}` ? shown : shown + addressText(href);
  },
  image: ({text, href}) => `<em>picture: ${escapedText(text)}</em>${addressText(href)}`,
  checkbox: ({checked}) => checked ? "☑ " : "☐ ",
}});

// A text as Markdown, in a fragment of the page; null for what is too long, or nested too deeply.
function markdownOf(text) {
  if (text.length > MARKDOWN_MOST) return null;
  try {
    return DOMPurify.sanitize(markdownReader.parse(text), MARKUP);
  } catch {
    return null;
  }
}
