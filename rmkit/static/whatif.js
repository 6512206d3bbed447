// What if: a pair's texts edited and scored again.

// ---- page: what if

const PARTS = ["prompt", "chosen", "rejected"];

function draftOf(view) {
  const {pair} = view;
  if (!view.drafts.has(pair.id)) view.drafts.set(pair.id, {texts: Object.fromEntries(PARTS.map(part => [part, pair[part].map(message => lines(message.text))])), history: [], scored: null});
  return view.drafts.get(pair.id);
}

// A textarea knows one kind of line end.
const lines = text => text.replace(/\r\n?/g, "\n");

function changesOf(pair, texts) {
  return PARTS.flatMap(part => pair[part].flatMap((message, k) => texts[part][k] === lines(message.text) ? [] : [part === "prompt" ? `prompt, turn ${k + 1}` : pair[part].length > 1 ? `${part}, message ${k + 1}` : part]));
}

function editedMessages(pair, texts) {
  return Object.fromEntries(PARTS.map(part => [part, pair[part].map(({role, text}, k) => ({role, text: texts[part][k] === lines(text) ? null : texts[part][k]}))]));
}

function drawEdit(view) {
  const {nodes, show, meta} = view;
  if (!show.edit || !meta.can?.score) return nodes.edit.replaceChildren();
  const draft = draftOf(view), result = element("div", {class: "rmkit-result", "aria-live": "polite"});
  const areas = PARTS.map(part => element("div", {class: `rmkit-edit rmkit-edit-${part}`}, ...view.pair[part].map((message, k) => editArea(view, draft, part, k))));
  nodes.result = result;
  nodes.edit.replaceChildren(element("section", {class: "rmkit-whatif", "aria-label": "Edit and rescore", onkeydown: event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); rescore(view); } }},
    areas[0], element("div", {class: "rmkit-sides"}, areas[1], areas[2]),
    element("div", {class: "rmkit-bar"}, button("Rescore", () => rescore(view), {class: "rmkit-button rmkit-first rmkit-rescore", title: "Ctrl+Enter"}), button("Copy as a preference row", () => copyRow(view)),
      button("Reset", () => { view.drafts.delete(view.pair.id); drawEdit(view); }), element("span", {class: "rmkit-soft"}, "Ctrl+Enter rescores")), result));
  drawResult(view);
}

function editArea(view, draft, part, k) {
  const {role} = view.pair[part][k], texts = draft.texts[part];
  const area = element("textarea", {rows: clamp(Math.ceil(texts[k].length / 70) + texts[k].split("\n").length - 1, 2, 10), dir: "auto", spellcheck: "false", oninput: event => { texts[k] = event.target.value; }});
  area.value = texts[k];
  return field(part === "prompt" ? `Prompt, turn ${k + 1} · ${cut(role ?? "", 40)}` : `${part === "chosen" ? "Chosen" : "Rejected"}${texts.length > 1 ? `, message ${k + 1}` : ""} · ${cut(role ?? "", 40)}`, area, "rmkit-stacked");
}

async function rescore(view) {
  const {pair} = view, draft = draftOf(view), texts = structuredClone(draft.texts), press = view.nodes.edit.querySelector(".rmkit-rescore");
  if (press?.disabled) return;
  Object.assign(press, {disabled: true, textContent: "Scoring…"});
  const reply = await ask(view, {what: "score", pair: pair.id, ...editedMessages(pair, texts)});
  Object.assign(press, {disabled: false, textContent: "Rescore"});
  if (!reply) return;
  draft.scored = reply;
  draft.history.push({texts, what: changesOf(pair, texts).join("; ") || "nothing", scored: reply});
  if (view.pair.id === pair.id && view.show.edit) drawResult(view);
}

function originalScores(view) {
  const {columns} = view.table, names = ["reward_chosen", "reward_rejected", "reward_margin", "p_chosen", "length_chosen", "length_rejected"];
  return Object.fromEntries(names.map(name => [name, columns[name]?.[view.pair.id] ?? null]));
}

const SCORES = [["reward of chosen", "reward_chosen", 2], ["reward of rejected", "reward_rejected", 2], ["reward margin", "reward_margin", 2], ["P(chosen)", "p_chosen", 3], ["length of chosen", "length_chosen", 0], ["length of rejected", "length_rejected", 0]];

function drawResult(view) {
  const {scored, history} = draftOf(view), before = originalScores(view);
  if (!scored) return view.nodes.result.replaceChildren();
  const change = key => finite(scored[key]) && finite(before[key]) ? scored[key] - before[key] : null;
  const rows = SCORES.map(([title, key, digits]) => element("tr", null, element("th", {scope: "row"}, title),
    element("td", null, numberText(before[key], digits)), element("td", null, numberText(scored[key], digits)), element("td", {class: "rmkit-change"}, signed(change(key), digits))));
  view.nodes.result.replaceChildren(element("div", {class: "rmkit-rescored"}, element("p", null, "Edited: ", verdictSign(verdictOf(scored.reward_margin)),
    finite(scored.seconds) && element("span", {class: "rmkit-soft"}, `, scored in ${numberText(scored.seconds)} s`)),
    tableNode(["", "original", "edited", "change"], rows, "rmkit-numbers")), editedParts(view, scored), historyTable(view, history));
}

function editedParts(view, scored) {
  const part = element("div", null), side = name => element("article", {class: `rmkit-side rmkit-${name}`}, element("h4", null, `${name}, edited`), textBox(element("span", null, ...pieces(scored.diff[name])), `${name}, edited`));
  if (scored.diff) part.append(element("details", null, element("summary", null, "Edited responses, differences marked"), element("div", {class: "rmkit-sides"}, side("chosen"), side("rejected"))));
  if (scored.tokens) {
    const fold = element("details", {ontoggle: () => { if (fold.open && fold.children.length === 1) fold.append(tokenView(scored.tokens, {...view.tokens, limit: 2000, chosen: false, rejected: false})); }}, element("summary", null, "Tokens of the edited texts"));
    part.append(fold);
  }
  return part;
}

function historyTable(view, history) {
  const restore = entry => { const draft = draftOf(view); draft.texts = structuredClone(entry.texts); draft.scored = entry.scored; drawEdit(view); };
  return element("div", {class: "rmkit-history"}, element("h4", null, "Edits"), tableNode(["edit", "changed", "chosen", "rejected", "reward margin", ""], history.map((entry, k) => element("tr", {onclick: () => restore(entry)},
    element("td", null, String(k + 1)), element("td", null, entry.what), ...["reward_chosen", "reward_rejected", "reward_margin"].map(key => element("td", null, numberText(entry.scored[key]))),
    element("td", null, button("Restore", event => { event.stopPropagation(); restore(entry); }, {"aria-label": `Restore edit ${k + 1}`})))), "rmkit-numbers"));
}

async function copyRow(view) {
  const {texts} = draftOf(view), row = Object.fromEntries(PARTS.map(part => [part, view.pair[part].map(({role}, k) => ({role, content: texts[part][k]}))]));
  const line = JSON.stringify(row), old = view.nodes.edit.querySelector(".rmkit-copied");
  old?.remove();
  let said = "Copied.";
  try { await navigator.clipboard.writeText(line); } catch { said = "The browser doesn't let this page copy. Copy it from here:"; }
  const box = element("div", {class: "rmkit-copied", role: "status"}, said);
  view.nodes.result.before(box);
  if (said === "Copied.") return;
  const area = element("textarea", {rows: 3, readonly: true, "aria-label": "Preference row"});
  area.value = line;
  box.append(area);
  area.select();
}

