// Small parts of a page, and what is said in it. Texts are set as text, never as markup.

// ---- parts

const button = (text, onclick, attributes) =>
  element("button", {type: "button", class: "rmkit-button", onclick, ...attributes}, text);
const toggle = (text, on, onclick, attributes) => button(text, onclick, {"aria-pressed": String(on), ...attributes});
const kbd = key => element("kbd", {class: "rmkit-key", "aria-hidden": "true"}, key);
// A button that shows its key, which is no part of its name.
const keyButton = (text, key, onclick, attributes) =>
  button([text, key && kbd(key)], onclick, {"aria-label": text, "aria-keyshortcuts": key, ...attributes});
const keyToggle = (text, key, on, onclick, attributes) =>
  keyButton(text, key, onclick, {"aria-pressed": String(on), ...attributes});
const isolated = (text, name = "rmkit-isolated") => element("bdi", {class: name, dir: "auto"}, text);
const unseen = text => element("span", {class: "rmkit-unseen"}, text);
const soft = (...children) => element("span", {class: "rmkit-soft"}, ...children);
const spring = () => element("span", {class: "rmkit-spring"});

const PREFIX = `rmkit-${Math.random().toString(36).slice(2, 8)}`;
let made = 0;
const newId = () => `${PREFIX}-${++made}`;

function field(label, control, name = "") {
  control.id = newId();
  return element("div", {class: `rmkit-field ${name}`}, element("label", {for: control.id}, label), control);
}

function selectOf(options, value, onchange) {
  const option = ([key, text]) =>
    element("option", {value: key, selected: String(key) === String(value)}, cut(text, 60));
  return element("select", {onchange: event => onchange(event.target.value)}, ...options.map(option));
}

function verdictSign(verdict) {
  const [sign, text] = VERDICTS[verdict];
  return element("span", {class: `rmkit-verdict rmkit-is-${verdict}`},
    element("span", {class: "rmkit-sign", "aria-hidden": "true"}, sign), text);
}

function textBox(content, label) {
  const box = element("div", {class: "rmkit-text", dir: "auto"}, content);
  return box.textContent.length > 800 ? fill(box, {tabindex: 0, role: "group", "aria-label": label}) : box;
}

function tableNode(head, rows, name) {
  const titles = head.map(text => element("th", {scope: "col"}, text));
  return element("div", {class: "rmkit-scroll"}, element("table", {class: name},
    element("thead", null, element("tr", null, ...titles)), element("tbody", null, ...rows)));
}

// What a picture says of the item under the pointer, for who doesn't see it: the element, and what is told to it.
function spokenHover() {
  const said = element("p", {class: "rmkit-unseen", "aria-live": "polite"});
  return {said, onhover(info) { said.textContent = info?.text ?? ""; }};
}

// ---- what has the focus

const activeElement = view => view.root.getRootNode().activeElement;
const isField = node =>
  node.matches?.('textarea, select, input:not([type="radio"]):not([type="checkbox"]):not([type="range"])');

// Draws what a part of the page holds anew; the focus stays with the control of the same name.
function redraw(view, part, children) {
  const active = activeElement(view), keep = part.contains(active) ? active.dataset.keep ?? "" : null;
  part.replaceChildren(...children.filter(Boolean));
  if (keep === null) return;
  const named = [...part.querySelectorAll("[data-keep]")].find(node => node.dataset.keep === keep && !node.disabled);
  const again = keep && named || part.closest("[tabindex]") || part;
  again.focus({preventScroll: true});
}

// ---- asking, and what is said

function showAlert(view, text) {
  view.nodes.alert.replaceChildren(...(text ? [isolated(text), button("Dismiss", () => showAlert(view, null))] : []));
}

const BUSY_AFTER = 30_000; // milliseconds without an answer
const BUSY = "The kernel is busy, with training perhaps. The answer comes as soon as it is free.";

// The answer to a request; null where there is none, which is said in the view.
async function ask(view, request) {
  const busy = setTimeout(() => { view.nodes.busy.textContent = BUSY; }, BUSY_AFTER);
  try {
    return await view.source.ask(request);
  } catch (error) {
    if (view.alive) showAlert(view, error.message || String(error));
    return null;
  } finally {
    clearTimeout(busy);
    view.nodes.busy.textContent = "";
  }
}

function download({name, mime, base64, text}) {
  const bytes = text ?? Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const link = element("a", {download: name});
  link.href = URL.createObjectURL(new Blob([bytes], {type: mime}));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
