// Small parts of a page, and what is said in it. Texts are set as text, never as markup.

// ---- page: small parts

const button = (text, onclick, attributes) => element("button",
  {type: "button", class: "rmkit-button", onclick, ...attributes}, text);
const toggle = (text, on, onclick, attributes) => button(text, onclick, {"aria-pressed": String(on), ...attributes});
const kbd = key => element("kbd", {class: "rmkit-key", "aria-hidden": "true"}, key);
// A button that shows its key, which is no part of its name.
const keyButton = (text, key, onclick, attributes) => button([text, key && kbd(key)], onclick,
  {"aria-label": text, "aria-keyshortcuts": key, ...attributes});
const keyToggle = (text, key, on, onclick, attributes) => keyButton(text, key, onclick,
  {"aria-pressed": String(on), ...attributes});
const isolated = (text, name = "rmkit-isolated") => element("bdi", {class: name, dir: "auto"}, text);
const unseen = text => element("span", {class: "rmkit-unseen"}, text);

const PREFIX = `rmkit-${Math.random().toString(36).slice(2, 8)}`;
let made = 0;
function field(label, control, name = "") {
  control.id = `${PREFIX}-${++made}`;
  return element("div", {class: `rmkit-field ${name}`}, element("label", {for: control.id}, label), control);
}

function selectOf(options, value, onchange) {
  return element("select", {onchange: event => onchange(event.target.value)},
    ...options.map(([key, text]) => element("option", {value: key, selected: String(key) === String(value)},
      cut(text, 60))));
}

function verdictSign(verdict, text = VERDICTS[verdict][1]) {
  return element("span", {class: `rmkit-verdict rmkit-is-${verdict}`},
    element("span", {class: "rmkit-sign", "aria-hidden": "true"}, VERDICTS[verdict][0]), text);
}

const counted = (n, what) => `${countText(n)} ${what}${n === 1 ? "" : "s"}`;
const signed = (value, digits = 2) => finite(value) ? (value > 0 ? "+" : "") + numberText(value, digits) : "–";

function textBox(content, label) {
  const box = element("div", {class: "rmkit-text", dir: "auto"}, content);
  return box.textContent.length > 800 ? filled(box, {tabindex: 0, role: "group", "aria-label": label}, []) : box;
}

function tableNode(head, rows, name) {
  return element("div", {class: "rmkit-scroll"}, element("table", {class: name},
    element("thead", null, element("tr", null, ...head.map(text => element("th", {scope: "col"}, text)))),
    element("tbody", null, ...rows)));
}

const activeElement = view => view.root.getRootNode().activeElement;

// Draws what a part of the page holds anew; the focus stays with the control of the same name.
function redrawn(view, part, children) {
  const active = activeElement(view), keep = part.contains(active) ? active.dataset.keep ?? "" : null;
  part.replaceChildren(...children.filter(Boolean));
  if (keep === null) return;
  const again = keep && [...part.querySelectorAll("[data-keep]")].find(node => node.dataset.keep === keep
    && !node.disabled);
  (again || part.closest("[tabindex]") || part).focus({preventScroll: true});
}

// ---- page: asking

function say(view, text) {
  view.nodes.alert.replaceChildren(...(text ? [isolated(text), button("Dismiss", () => say(view, null))] : []));
}

async function ask(view, request) {
  const busy = setTimeout(() =>
    view.nodes.busy.textContent = "The kernel is busy, with training perhaps. The answer comes as soon as it is free.", 30_000);
  try {
    return await view.source.ask(request);
  } catch (error) {
    if (view.alive) say(view, error.message || String(error));
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

