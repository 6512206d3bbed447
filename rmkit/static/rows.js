// Pairs as rows: snippets, search, files of pairs and of decisions. Functions of data alone, as Python has them, too.

const TEXTS = ["prompt", "chosen", "rejected"]; // of a pair

// ---- snippets

function cut(text, most) {
  return text.length <= most ? text : text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…";
}

const oneLine = text => cut(cut(text, 1000).replace(/\s+/g, " ").trim(), 200);
const allText = messages => messages.map(message => message.text).join(" ");

function snippetOf({prompt, chosen, rejected}, id) {
  return {id, prompt: oneLine(prompt.at(-1)?.text ?? ""), chosen: oneLine(allText(chosen)),
    rejected: oneLine(allText(rejected))};
}

// ---- search

// What is searched for: words, and "phrases", all of which have to be there. A quote that isn't closed yet is one.
function termsOf(text) {
  const found = [...text.toLowerCase().matchAll(/"([^"]*)"?|([^\s"]+)/g)];
  return [...new Set(found.map(([, phrase, word]) => (phrase ?? word).trim()).filter(Boolean))];
}

// All that is searched of a pair: its texts, its values of the dataset's categories, and what else is known of it.
function searchable({details = [], ...row}, i, facets = []) {
  const labels = facets.map(({codes, names}) => codes ? names[codes[i]] ?? "" : "");
  const texts = TEXTS.map(part => allText(row[part]));
  return [...texts, ...labels, ...details.map(([, value]) => value)].join("\n").toLowerCase();
}

const rowsWith = (terms, texts) => texts.flatMap((text, i) => terms.every(term => text.includes(term)) ? [i] : []);

// ---- what is said of a pair

const reviewed = ({mark = "", note = "", decision = "", edit = null}) =>
  ({mark, note, ...(decision ? {decision} : {}), ...(edit ? {edit} : {})});

// An entry without what is empty or unknown; null where nothing is left.
function cleanEntry(row) {
  const [mark, note, decision, edit] = ["mark", "note", "decision", "edit"]
    .map(name => row[`rmkit_${name}`] ?? row[name]);
  const entry = {mark: mark in MARKS ? mark : "", note: String(note ?? ""),
    ...(decision in DECISIONS ? {decision} : {}), ...(edit ? {edit} : {})};
  return entry.mark || entry.note || entry.decision || entry.edit ? entry : null;
}

// What one entry leaves open, another fills.
function joined(first, second) {
  const names = [...new Set([...Object.keys(first ?? {}), ...Object.keys(second)])];
  return Object.fromEntries(names.map(name => [name, first?.[name] || second[name]]));
}

// The median of the times between decisions, in seconds; pauses of more than five minutes are left out. null before
// there are enough.
function paceOf(times) {
  const gaps = times.slice(1).map((time, k) => (time - times[k]) / 1000).filter(gap => gap > 0 && gap < 300).slice(-50);
  return gaps.length < 4 ? null : quantile(gaps, 0.5);
}

// ---- files

const linesOf = rows => rows.map(row => JSON.stringify(row) + "\n").join("");
const asContent = messages => messages.map(({role, text}) => ({role, content: text}));

// A pair as a row of a file, with the columns that `RewardVisualizer.export` writes: where the dataset has one of a
// name of ours, that one keeps it.
function exportedRow({meta, rows}, entries, id) {
  const {source, ...columns} = meta.columns, {prompt, chosen, rejected, details = []} = rows[id];
  const known = Object.entries(columns).filter(([, list]) => list).map(([name, list]) => [name, list[id]]);
  const facets = (meta.facets ?? []).map(({name, codes, names, values}) =>
    [name, codes ? names[codes[id]] ?? null : values[id]]);
  const own = Object.fromEntries([...details, ...facets]);
  const ours = Object.entries({row: id, ...reviewed(entries[id] ?? {})}).map(([name, value]) =>
    [name in own ? `rmkit_${name}` : name, value]);
  return {prompt: asContent(prompt), chosen: asContent(chosen), rejected: asContent(rejected),
    ...Object.fromEntries(known), ...own, ...Object.fromEntries(ours)};
}

function rowOfLine(line, k) {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`Line ${k + 1} of the file isn't JSON. `
      + "A file of decisions is one that “Save decisions .jsonl” wrote.");
  }
}

const plain = value => Array.isArray(value)
  ? value.map(message => message.content ?? message.text ?? "").join("\n") : String(value ?? "");
const textKey = row => JSON.stringify(TEXTS.map(column => plain(row[column])));

// row -> the number of the pair that it is of, told by its key, or by its texts. Where several pairs are the same, it
// is the one with the row's own number.
function placesOf({meta, rows}) {
  const places = new Map(), add = (name, i) => places.set(name, [...places.get(name) ?? [], i]);
  rows.forEach((row, i) => {
    add(textKey(row), i);
    if (meta.keys) add(meta.keys[i], i);
  });
  return row => {
    const found = places.get(row.key) ?? places.get(textKey(row)) ?? [];
    return [row.rmkit_row, row.row, row.id].find(number => found.includes(number)) ?? found[0];
  };
}

// Entries from a file, the later lines over the earlier ones; what isn't decided here already is taken.
function takenEntries(data, text, entries) {
  const placeOf = placesOf(data), taken = {...entries}, fresh = {};
  let lost = 0, kept = 0;
  for (const row of text.replace(/^\ufeff/, "").split(/\r?\n/).filter(line => line.trim()).map(rowOfLine)) {
    const id = placeOf(row);
    if (id === undefined) lost++;
    else fresh[id] = cleanEntry(row);
  }
  for (const [id, entry] of Object.entries(fresh)) {
    if (entries[id]?.decision && entry?.decision && entries[id].decision !== entry.decision) kept++;
    else if (entry) taken[id] = joined(entries[id], entry);
  }
  const said = [lost && `${countText(lost)} of the lines belong to no pair here.`,
    kept && `${countText(kept)} are decided otherwise here; these stay.`].filter(Boolean).join(" ");
  return {entries: taken, message: said || null};
}
