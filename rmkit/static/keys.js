// Single keys anywhere in the view: what each does, and the list of them.

// ---- the list

const KEYS = [["J, K", "next, previous pair"], ["N", "next pair that wasn't seen"], ["G", "go to a pair by its number"],
  ["A", "keep the label as it is"], ["S", "swap: the other response is better"], ["T", "a tie"], ["B", "both are bad"],
  ["D", "drop the pair"], ["1, 2, 3", "mark as mislabelled, unclear, interesting"],
  ["U", "undo the last decision, mark or note"], ["C", "write a note; Enter or Escape leaves it"],
  ["E", "edit and rescore"], ["R", "rewards of single tokens"], ["X", "differences"], ["M", "Markdown"],
  ["O", "all turns of the prompt"], ["W", "monospace"], ["L", "scroll both responses together"], ["/", "search"],
  ["?", "this list"], ["Escape", "leave a field, close this list; in the list of pairs: clear the filters"]];

function keySheet(view) {
  const names = keys => keys.split(", ").map(key => element("kbd", {class: "rmkit-key"}, key));
  const rows = KEYS.map(([keys, what]) => element("div", {class: "rmkit-keyrow"},
    element("span", null, ...names(keys)), element("span", null, what)));
  return element("section", {class: "rmkit-keys rmkit-card", role: "dialog", "aria-label": "Keys", hidden: true},
    element("div", {class: "rmkit-bar"}, element("h3", null, "Keys"), spring(),
      button("Close", () => showKeys(view, false))),
    element("div", {class: "rmkit-keylist"}, ...rows));
}

function showKeys(view, on = view.nodes.keys.hidden) {
  const {keys, pair} = view.nodes;
  keys.hidden = !on;
  const next = on ? keys.querySelector("button") : view.pair ? pair : view.root;
  next.focus({preventScroll: !on});
}

// ---- what a key does

// The switch of a key: those of reading say theirs themselves.
const switchOf = key => ({e: "edit", r: "tokens"})[key]
  ?? READING_SWITCHES.find(([, , own]) => own?.toLowerCase() === key)?.[0];

// What a key does with the focus anywhere in the view but in a field; null where it does nothing.
function actionOf(view, key) {
  const {nodes} = view, focus = node => () => {
    selectTab(view, "Pairs");
    node()?.focus();
  };
  const actions = {j: () => stepPair(view, 1), k: () => stepPair(view, -1), n: () => nextUnseen(view),
    g: focus(() => nodes.pager.querySelector("input")),
    "/": focus(() => nodes.filters.querySelector('[data-filter="search"]')),
    "?": () => showKeys(view), u: () => undo(view)};
  return actions[key.toLowerCase()] ?? pairAction(view, key);
}

// What it does with the pair that is open.
function pairAction(view, key) {
  const {pair, nodes} = view, small = key.toLowerCase(), name = switchOf(small);
  if (!pair || pair.id !== view.open) return null;
  if (name) return view.switches[name];
  if (!view.meta.can?.mark) return null;
  if (small === "c") return () => nodes.pair.querySelector('[data-keep="note"]')?.focus();
  if (small in DECISION_KEYS) return () => decide(view, DECISION_KEYS[small]);
  const mark = Object.keys(MARKS)[Number(key) - 1];
  return mark ? () => setMark(view, mark) : null;
}

const ANYWHERE = "?/gn"; // keys for which no list has to be in sight

function rootKeys(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // The notebook around has its own single keys.
  event.stopPropagation();
  if (event.key === "Escape") {
    escape(view, event.target);
  } else if (isField(event.target)) {
    return;
  } else if (view.tab !== "Overview" || ANYWHERE.includes(event.key.toLowerCase())) {
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
