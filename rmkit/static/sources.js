// Where the explorer's answers come from: a kernel, or the data of a saved page.
// A source is {meta, ask(request) -> Promise<reply>, on_update?(callback)}.

// ---- data: texts and rows

function cut(text, most) {
  return text.length <= most ? text : text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…";
}

const oneLine = text => cut(cut(text, 1000).replace(/\s+/g, " ").trim(), 200);
const allText = messages => messages.map(message => message.text).join(" ");

function snippetOf(row, id) {
  return {id, prompt: oneLine(row.prompt.at(-1)?.text ?? ""), chosen: oneLine(allText(row.chosen)), rejected: oneLine(allText(row.rejected))};
}

const asContent = messages => messages.map(({role, text}) => ({role, content: text}));
const plain = value => Array.isArray(value) ? value.map(message => message.content ?? message.text ?? "").join("\n") : String(value ?? "");
const textKey = row => JSON.stringify(["prompt", "chosen", "rejected"].map(column => plain(row[column])));

function exportedRow(data, id) {
  const {meta, rows} = data, {source, ...columns} = meta.columns, note = meta.marks[id];
  const values = Object.fromEntries(Object.entries(columns).filter(([, list]) => list).map(([name, list]) => [name, list[id]]));
  return {id, prompt: asContent(rows[id].prompt), chosen: asContent(rows[id].chosen), rejected: asContent(rows[id].rejected),
    ...(source ? {source: meta.sources[source[id]] ?? null} : {}), mark: note?.mark ?? "", note: note?.note ?? "", ...values};
}

function rowOfLine(line, k) {
  try { return JSON.parse(line); } catch { throw new Error(`Line ${k + 1} of the file isn't JSON. A marks file is one that “Export marks .jsonl” wrote.`); }
}

// Marks from a file belong to the pair with the same texts, or to the pair with the same number and rewards.
function takenMarks(data, text) {
  const {meta, rows} = data, places = new Map(rows.map((row, i) => [textKey(row), i])), marks = {...meta.marks};
  const same = row => finite(row.reward_chosen) && ["reward_chosen", "reward_rejected"].every(name => Math.abs(meta.columns[name][row.id] - row[name]) < 1e-6) ? row.id : undefined;
  let lost = 0;
  for (const row of text.split("\n").filter(line => line.trim()).map(rowOfLine)) {
    const id = places.get(textKey(row)) ?? same(row);
    if (id === undefined) lost++;
    else if (row.mark in MARKS || row.note) marks[id] = {mark: row.mark in MARKS ? row.mark : "", note: String(row.note ?? "")};
  }
  return {marks, message: lost ? `${countText(lost)} of the marks in the file belong to no pair here.` : null};
}

// ---- sources

export function embedded(data) {
  const {meta, rows} = data;
  let searchable = null;
  meta.marks ??= {};
  const haystack = () => searchable ??= rows.map((row, i) =>
    [allText(row.prompt), allText(row.chosen), allText(row.rejected), meta.sources?.[meta.columns.source?.[i]] ?? ""].join("\n").toLowerCase());
  const answers = {
    rows: ({ids}) => ids.map(id => snippetOf(rows[id], id)),
    search: ({text}) => ({ids: haystack().flatMap((hay, i) => hay.includes(text.toLowerCase()) ? [i] : [])}),
    pair: ({pair}) => ({id: pair, details: [], ...rows[pair]}),
    mark: ({pair, mark, note}) => { meta.marks = {...meta.marks, [pair]: {mark, note}}; return {marks: meta.marks}; },
    take_marks: ({text}) => { const taken = takenMarks(data, text); meta.marks = taken.marks; return taken; },
    export: ({rows: which, ids}) => ({name: `${which}.jsonl`, mime: "application/jsonl",
      text: ids.map(id => JSON.stringify(exportedRow(data, id)) + "\n").join("")}),
  };
  return {meta, saved: true, ask: async request => {
    if (!answers[request.what]) throw new Error("A saved page can't do this: it has no kernel.");
    return answers[request.what](request);
  }};
}

function kernel(model) {
  const waiting = new Map(), view = Math.random().toString(36).slice(2);
  let sent = 0;
  const receive = message => {
    const asked = waiting.get(message?.id);
    if (!asked) return;
    waiting.delete(message.id);
    "error" in message ? asked.reject(new Error(message.error)) : asked.resolve(message.reply);
  };
  model.on("msg:custom", receive);
  return {
    get meta() { return JSON.parse(model.get("meta")); },
    ask: request => new Promise((resolve, reject) => {
      const id = `${view}-${++sent}`;
      waiting.set(id, {resolve, reject});
      model.send({id, ...request});
    }),
    on_update(callback) { model.on("change:meta", callback); return () => { model.off("change:meta", callback); model.off("msg:custom", receive); }; },
  };
}

