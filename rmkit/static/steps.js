// The numbers of a run at one step: a slider over its steps, and a table of what was logged there.
//
//   stepsOf(onpick)     a section; .update(panels, rows) fills it, .pick(step) goes to the nearest step that there is,
//                       .step is where it is. `onpick` is told of each step that it goes to.

const isSide = ({name}) => name === "chosen" || name === "rejected";

// The lines of the table: a quantity, with a curve in some of the columns. The rewards of the sides are of training.
function linesOf(panels) {
  return panels.filter(panel => panel.curves.length).flatMap(({title, percent, curves}) => curves.some(isSide)
    ? curves.map(curve => ({title: `${title}: ${curve.name}`, percent, curves: [{...curve, name: "training"}]}))
    : [{title, percent, curves}]);
}

// The last value by a step, with what is around it; and whose step it is, where that is an earlier one.
function valueAt({percent}, {key, low, high, spread}, rows, step) {
  const row = rows.findLast(one => key in one && one.step <= step);
  if (!row) return "–";
  const text = value => !finite(value) ? "not finite" : percent ? percentText(value, 1) : shortNumber(value);
  const around = low && finite(row[low]) ? ` (${text(row[low])} to ${text(row[high])})` : "";
  const spreadText = spread && finite(row[spread]) ? ` ± ${text(row[spread])}` : "";
  return text(row[key]) + around + spreadText + (row.step < step ? `, at step ${countText(row.step)}` : "");
}

function numbersTable(lines, rows, step) {
  const names = [...new Set(lines.flatMap(line => line.curves.map(curve => curve.name)))];
  const head = name => element("th", {scope: "col", dir: "auto", class: "rmkit-isolated"}, name);
  const cell = (line, name) => {
    const curve = line.curves.find(one => one.name === name);
    return element("td", null, curve ? valueAt(line, curve, rows, step) : "");
  };
  return [element("thead", null, element("tr", null, element("td"), ...names.map(head))),
    element("tbody", null, ...lines.map(line => element("tr", null, element("th", {scope: "row"}, line.title),
      ...names.map(name => cell(line, name)))))];
}

function stepsOf(onpick) {
  let lines = [], rows = [], steps = [];
  const title = element("h3"), table = element("table");
  const slider = element("input", {type: "range", min: 0, step: 1, "aria-label": "Step",
    oninput: () => show(Number(slider.value))});
  const card = element("section", {class: "rmkit-panel rmkit-steps"}, title,
    element("div", {class: "rmkit-bar rmkit-slider"}, slider),
    element("div", {class: "rmkit-steps-table", tabindex: 0, role: "group", "aria-label": "Numbers at a step"}, table),
    element("p", {class: "rmkit-hint"}, "Click into a picture, or press Enter at a step in it, to read its numbers."));
  const show = i => {
    const text = `step ${countText(steps[i])}`;
    card.step = steps[i];
    slider.value = i;
    slider.setAttribute("aria-valuetext", text);
    title.textContent = `Numbers at ${text}`;
    table.replaceChildren(...numbersTable(lines, rows, card.step));
    onpick(card.step);
  };
  card.pick = step => show(nearest(steps, step));
  card.update = (panels, logged) => {
    [lines, rows] = [linesOf(panels), logged];
    steps = everyX(lines.length ? [{x: rows.map(row => row.step)}] : []);
    card.hidden = !steps.length;
    slider.max = steps.length - 1;
    if (steps.length) card.pick(card.step ?? steps.at(-1));
  };
  return card;
}
