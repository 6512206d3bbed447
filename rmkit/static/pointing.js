// What a pointer and keys do in a picture: read-out, hover, picking one of many, dragging over bins or over a box.
// `onhover` is told {text, ...} or null. A `plot` is what `frame` returns.

// ---- read-out

// A box of lines beside a place, within the picture.
function readout({svg, width, height}) {
  const box = svgElement("g", {class: "rmkit-readout", visibility: "hidden"});
  svg.append(box);
  const hide = () => box.setAttribute("visibility", "hidden");
  const show = (x, y, lines) => {
    const texts = lines.map(line => fitted(line, width - 24));
    const wide = 16 + Math.max(...texts.map(textWidth)), high = 8 + 15 * texts.length;
    const left = clamp(x + 12 + wide > width ? x - 12 - wide : x + 12, 1, Math.max(width - wide - 1, 1));
    const top = clamp(y - high - 8, 1, Math.max(height - high - 1, 1));
    box.replaceChildren(svgElement("rect", {x: left, y: top, width: wide, height: high, rx: 4}),
      ...texts.map((text, i) => svgText(left + 8, top + 15 + 15 * i, text)));
    box.setAttribute("visibility", "visible");
    svg.append(box);
  };
  return {show, hide};
}

// ---- pointer and keys

// Where a pointer is, in the picture's own pixels.
function pointer(svg, event) {
  const box = svg.getBoundingClientRect(), {width, height} = svg.viewBox.baseVal;
  return [(event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height];
}

// The place within reach of a point that is nearest to it; -1 where there is none.
function closest(places, [px, py], reach) {
  let best = -1, least = reach * reach;
  places.forEach(([x, y], i) => {
    const far = (x - px) ** 2 + (y - py) ** 2;
    if (far < least) [best, least] = [i, far];
  });
  return best;
}

// Arrow keys over `count` items: show(first, last, at) moves, select(first, last) takes, clear() undoes. `ranged`:
// Shift extends.
function itemKeys(svg, {count, show, hide, select, clear, ranged = false}) {
  let from = -1, at = -1;
  const moved = key => ({ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1,
    PageUp: at - 10, PageDown: at + 10, Home: 0, End: count - 1})[key];
  const ends = () => [Math.min(from, at), Math.max(from, at)];
  svg.addEventListener("keydown", event => {
    const to = moved(event.key), isTaken = event.key === "Enter" || event.key === " ";
    if (to !== undefined && count) {
      at = clamp(to, 0, count - 1);
      if (!(ranged && event.shiftKey) || from < 0) from = at;
      show(...ends(), at);
    } else if (isTaken && at >= 0) {
      select?.(...ends());
    } else if (event.key === "Escape") {
      from = at = -1;
      hide();
      clear?.();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  svg.addEventListener("blur", hide);
}

// ---- one of many items, each with a place

// A mark that is around the item of a number, or nowhere: `place(node, i)` moves it there.
function markOf(node, place) {
  fill(node, {visibility: "hidden"});
  return {node, moveTo(i) {
    node.setAttribute("visibility", i === null ? "hidden" : "visible");
    if (i !== null) place(node, i);
  }};
}

const ringAround = (name, places, radius) => markOf(svgElement("circle", {class: name, r: radius}),
  (node, i) => fill(node, {cx: places[i][0], cy: places[i][1]}));

// `selected` is the number of an item, or null; `mark(class)` makes a mark of the kind that the picture has.
function pickItems(plot, places, {describe, selected, onselect, onhover, itemAt, mark}) {
  const {svg} = plot, box = readout(plot), chosen = mark("rmkit-selected"), cursor = mark("rmkit-cursor");
  let picked = selected;
  svg.append(chosen.node, cursor.node);
  const show = i => {
    const lines = describe(i);
    cursor.moveTo(i);
    box.show(...places[i], lines);
    onhover?.({index: i, text: lines.join(" · ")});
  };
  const hide = () => {
    cursor.moveTo(null);
    box.hide();
    onhover?.(null);
  };
  const under = event => itemAt(pointer(svg, event));
  svg.showSelected = i => {
    picked = i;
    chosen.moveTo(i);
  };
  svg.showSelected(selected);
  svg.addEventListener("pointermove", event => {
    const i = under(event);
    if (i >= 0) show(i); else hide();
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("click", event => {
    const i = under(event);
    if (i >= 0) onselect?.(i === picked ? null : i);
  });
  itemKeys(svg, {count: places.length, show, hide, select: i => onselect?.(i), clear: () => onselect?.(null)});
}

// ---- neighbouring bins

// onselect(first bin, last bin), or onselect(null).
function brushBins(plot, edges, {describe, selected, onselect, onhover}) {
  const {svg, x, top, bottom} = plot, box = readout(plot);
  const [chosen, cursor] = ["rmkit-selected", "rmkit-cursor"].map(name =>
    svgElement("rect", {class: name, y: top, height: bottom - top, visibility: "hidden"}));
  svg.append(chosen, cursor);
  const place = (rect, first, last) =>
    fill(rect, {x: x(edges[first]), width: x(edges[last + 1]) - x(edges[first]), visibility: "visible"});
  const show = (first, last) => {
    const lines = describe(first, last);
    place(cursor, first, last);
    box.show(x(edges[last + 1]), top + 30, lines);
    onhover?.({first, last, text: lines.join(" · ")});
  };
  const hide = () => {
    cursor.setAttribute("visibility", "hidden");
    box.hide();
    onhover?.(null);
  };
  svg.showSelected = range => range ? place(chosen, ...range) : chosen.setAttribute("visibility", "hidden");
  const bins = edges.length - 1;
  if (bins < 1) return;
  svg.showSelected(selected);
  const under = event => edges.findLastIndex(edge => edge <= x.invert(pointer(svg, event)[0]));
  dragBins(svg, event => clamp(under(event), 0, bins - 1), {show, hide, onselect});
  itemKeys(svg, {count: bins, show, hide, ranged: true, select: (first, last) => onselect?.(first, last),
    clear: () => onselect?.(null)});
}

function dragBins(svg, binAt, {show, hide, onselect}) {
  let from = null;
  const spanTo = at => [Math.min(from ?? at, at), Math.max(from ?? at, at)];
  svg.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    from = binAt(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => show(...spanTo(binAt(event))));
  svg.addEventListener("pointerup", event => {
    if (from === null) return;
    onselect?.(...spanTo(binAt(event)));
    from = null;
  });
  svg.addEventListener("pointercancel", () => {
    from = null;
    hide();
  });
  svg.addEventListener("pointerleave", () => {
    if (from === null) hide();
  });
}

// ---- a box

const DRAG = 8; // pixels that a pointer moves in a drag, at least

const boxBetween = ([x0, y0], [x1, y1]) =>
  ({x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0)});
const valuesBetween = (scale, a, b) => [scale.invert(a), scale.invert(b)].sort((p, q) => p - q);

// onbrush({x: [low, high], y: [low, high]}) after a drag, click(place) without one, hover(place) and hide() between.
function dragBox({svg, x, y, left, right, top, bottom}, {onbrush, hover, click, hide}) {
  const rect = svgElement("rect", {class: "rmkit-cursor", visibility: "hidden"});
  let from = null;
  svg.append(rect);
  const inside = event => {
    const [px, py] = pointer(svg, event);
    return [clamp(px, left, right), clamp(py, top, bottom)];
  };
  const isDrag = ([px, py]) => Math.abs(px - from[0]) + Math.abs(py - from[1]) > DRAG;
  svg.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    from = inside(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", event => {
    const at = inside(event);
    if (from === null || !isDrag(at)) return hover(pointer(svg, event));
    hide();
    fill(rect, {...boxBetween(from, at), visibility: "visible"});
  });
  const drop = () => {
    from = null;
    rect.setAttribute("visibility", "hidden");
  };
  svg.addEventListener("pointerup", event => {
    if (from === null) return;
    const at = inside(event), start = from, dragged = isDrag(at);
    drop();
    if (!dragged) return click(pointer(svg, event));
    onbrush?.({x: valuesBetween(x, start[0], at[0]), y: valuesBetween(y, start[1], at[1])});
  });
  svg.addEventListener("pointercancel", drop);
  svg.addEventListener("pointerleave", () => {
    if (from === null) hide();
  });
}
