// Elements of HTML and SVG. Texts are set as text, never as markup.
//
//   element(name, attributes, ...children)          an HTML element
//   svgElement(name, attributes, ...children)       the same in SVG
//   fill(node, attributes, children?)               an element that is there, with more of both
//
// `onclick: f` listens, `style: {name: value}` sets, true is an attribute without a value; null and false are left out.

function fill(node, attributes, children = []) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(each => node.style.setProperty(...each));
    else if (name === "fill" || name === "stroke") node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return node;
}

function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svgElement(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

// `root`, whose keys a notebook leaves alone: JupyterLab and Notebook 7 look upwards from the focused element for this
// attribute before they take a key for themselves, and in Notebook 7 the focused element itself already matches.
function ownsItsKeys(root) {
  root.addEventListener("focusin", event => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  return root;
}
