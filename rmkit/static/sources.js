// Where the explorer's answers come from: a kernel, or the data of a saved page. A source is
//   {saved, get(name), ask(request) -> Promise<reply>, follow(callback) -> stop}
// where `get` gives what is known now ("meta", "review", "place", "drafts"), and the callback is told what changed, by name,
// or "gone" when the kernel is.

// ---- data: texts and rows

function cut(text, most) {
  return text.length <= most ? text : text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "") + "…";
}

const oneLine = text => cut(cut(text, 1000).replace(/\s+/g, " ").trim(), 200);
const allText = messages => messages.map(message => message.text).join(" ");

function snippetOf(row, id) {
  return {id, prompt: oneLine(row.prompt.at(-1)?.text ?? ""), chosen: oneLine(allText(row.chosen)),
    rejected: oneLine(allText(row.rejected))};
}

const asContent = messages => messages.map(({role, text}) => ({role, content: text}));
const plain = value => Array.isArray(value)
  ? value.map(message => message.content ?? message.text ?? "").join("\n") : String(value ?? "");
const textKey = row => JSON.stringify(["prompt", "chosen", "rejected"].map(column => plain(row[column])));

// What is searched for: words, and "phrases", all of which have to be there. A quote that isn't closed yet is one.
function termsOf(text) {
  const terms = [...text.toLowerCase().matchAll(/"([^"]*)"?|([^\s"]+)/g)].map(([, phrase, word]) =>
    (phrase ?? word).trim());
  return [...new Set(terms.filter(Boolean))];
}

// A pair as a row of a file, with the columns that `RewardVisualizer.export` writes: where the dataset has one of a name
// of ours, that one keeps it.
function exportedRow({meta, rows}, entries, id) {
  const {source, ...columns} = meta.columns, entry = entries[id] ?? {};
  const known = Object.entries(columns).filter(([, list]) => list),
    values = known.map(([name, list]) => [name, list[id]]);
  const facets = (meta.facets ?? []).map(({name, codes, names, values}) =>
    [name, codes ? names[codes[id]] ?? null : values[id]]);
  const own = Object.fromEntries([...(rows[id].details ?? []), ...facets]);
  const ours = Object.entries({row: id, ...reviewed(entry)}).map(([name, value]) =>
    [name in own ? `rmkit_${name}` : name, value]);
  return {prompt: asContent(rows[id].prompt), chosen: asContent(rows[id].chosen),
    rejected: asContent(rows[id].rejected),
    ...Object.fromEntries(values), ...own, ...Object.fromEntries(ours)};
}

const reviewed = ({mark = "", note = "", decision = "", edit = null}) =>
  ({mark, note, ...(decision ? {decision} : {}), ...(edit ? {edit} : {})});

function rowOfLine(line, k) {
  try { return JSON.parse(line); } catch {
    throw new Error(`Line ${k + 1} of the file isn't JSON. A file of decisions is one that “Save decisions .jsonl” wrote.`);
  }
}

// Rows by what tells a pair: its key, or its texts. Where several pairs are the same, the one with the row's own number.
function placesOf({meta, rows}) {
  const places = new Map(), add = (name, i) => places.set(name, [...places.get(name) ?? [], i]);
  rows.forEach((row, i) => { add(textKey(row), i); if (meta.keys) add(meta.keys[i], i); });
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

// What one entry leaves open, another fills.
function joined(first, second) {
  const names = [...new Set([...Object.keys(first ?? {}), ...Object.keys(second)])];
  return Object.fromEntries(names.map(name => [name, first?.[name] || second[name]]));
}

// An entry without what is empty or unknown; null where nothing is left.
function cleanEntry(row) {
  const [mark, note, decision, edit] = ["mark", "note", "decision", "edit"].map(name => row[`rmkit_${name}`]
    ?? row[name]);
  const entry = {mark: mark in MARKS ? mark : "", note: String(note ?? ""),
    ...(decision in DECISIONS ? {decision} : {}), ...(edit ? {edit} : {})};
  return entry.mark || entry.note || entry.decision || entry.edit ? entry : null;
}

// ---- what a saved page keeps in the browser

function storeOf(name) {
  return {
    read() { try { return JSON.parse(localStorage.getItem(name)) ?? {}; } catch { return {}; } },
    write(value) { try { localStorage.setItem(name, JSON.stringify(value)); return true; } catch { return false; } },
  };
}

// The median of the times between decisions, pauses of more than five minutes left out.
function paceOf(times) {
  const gaps = times.slice(1).map((time, k) => (time - times[k]) / 1000).filter(gap => gap > 0 && gap < 300).slice(-50);
  return gaps.length < 4 ? null : quantile(gaps, 0.5);
}

// What is known of each pair: what the page was saved with, or what was said in it, whichever is newer.
function pageState(meta, stored) {
  const given = meta.review?.entries ?? {}, told = meta.said ?? {}, entries = {}, said = {};
  for (const pair of new Set([given, stored.entries ?? {}, stored.said ?? {}].flatMap(Object.keys))) {
    const own = stored.said?.[pair], isOwn = own && !(told[pair]?.time > own.time);
    const entry = isOwn ? stored.entries[pair] : given[pair];
    said[pair] = isOwn ? own : told[pair];
    if (entry) entries[pair] = entry;
  }
  return {entries, said, seen: new Set([...(meta.review?.seen ?? []), ...(stored.seen ?? [])])};
}

// The decisions of a saved page: in memory, and in the browser where it lets the page.
function pageReview(meta, changed) {
  const name = `rmkit-review ${meta.fingerprint}`, store = storeOf(name), stored = store.read();
  const {times = [], reviewer = meta.reviewer ?? "", drafts = {}} = stored;
  const state = {...pageState(meta, stored), times, reviewer, drafts, history: [], kept: true, unsaved: false};
  const keep = () => {
    const {entries, said, seen} = state;
    state.kept = store.write({entries, said, seen: [...seen], times: state.times.slice(-50), reviewer: state.reviewer,
      drafts: state.drafts});
    state.unsaved = !state.kept;
    changed("review");
  };
  addEventListener("beforeunload", event => { if (state.unsaved) event.preventDefault(); });
  // Another tab with the same page writes to the same place.
  addEventListener("storage", event => {
    if (event.key !== name) return;
    Object.assign(state, pageState(meta, store.read()));
    changed("review");
  });
  const set = (pair, entry) => {
    if (entry) state.entries[pair] = entry; else delete state.entries[pair];
    state.said[pair] = {reviewer: state.reviewer, time: new Date().toISOString()};
  };
  return {
    state, keep, set,
    change({pair, seen, ...fields}) {
      if (seen) state.seen.add(pair);
      if (Object.keys(fields).length) {
        state.history.push([pair, state.entries[pair]]);
        set(pair, cleanEntry({...state.entries[pair], ...fields}));
        if (fields.decision) state.times.push(Date.now());
      }
      keep();
    },
    undo() {
      if (!state.history.length) return {pair: null};
      const [pair, entry] = state.history.pop();
      set(pair, entry);
      keep();
      return {pair};
    },
  };
}

// ---- sources

export function embedded(data) {
  const {meta, rows} = data, listeners = new Set(), changed = name => listeners.forEach(callback => callback(name));
  const review = pageReview(meta, changed), {state} = review;
  let searchable = null;
  const labels = i => (meta.facets ?? []).map(({codes, names}) => codes ? names[codes[i]] ?? "" : "");
  const haystack = () => searchable ??= rows.map((row, i) =>
    [allText(row.prompt), allText(row.chosen), allText(row.rejected), ...labels(i),
      ...(row.details ?? []).map(([, value]) => value)]
      .join("\n").toLowerCase());
  const found = terms => haystack().flatMap((hay, i) => terms.every(term => hay.includes(term)) ? [i] : []);
  const reviewedRows = () => [...new Set([...Object.keys(state.said).map(Number), ...state.seen])].sort((a, b) => a - b);
  // A pair that was only seen has nothing said of it, which is another thing than nothing being left of what was said.
  const lineOf = id => ({key: meta.keys?.[id], row: id, seen: state.seen.has(id), ...(state.said[id]
    ? {...reviewed(state.entries[id] ?? {}), ...state.said[id]} : {reviewer: state.reviewer, time: new Date().toISOString()})});
  const fileNames = {review: "review.jsonl", marks: "marks.jsonl", shown: "pairs.jsonl"};
  const answers = {
    rows: ({ids}) => ids.map(id => snippetOf(rows[id], id)),
    search: ({text}) => { const terms = termsOf(text); return {ids: found(terms), terms}; },
    pair: ({pair}) => ({details: [], ...rows[pair], id: pair}),
    tokens: ({pair}) => ({id: pair, tokens: rows[pair].tokens ?? null, note: rows[pair].tokens_note ?? null}),
    change({what, ...fields}) { review.change(fields); return {ok: true}; },
    undo: () => review.undo(),
    reviewer: ({name}) => { state.reviewer = name; review.keep(); return {}; },
    draft({pair, texts}) {
      state.drafts = {...without(state.drafts, String(pair)), ...(texts ? {[pair]: texts} : {})};
      review.keep();
      return {};
    },
    place: () => ({}),
    take_marks({text}) {
      const taken = takenEntries(data, text, state.entries);
      for (const [id, entry] of Object.entries(taken.entries)) if (entry !== state.entries[id]) review.set(id, entry);
      review.keep();
      return taken;
    },
    export({rows: which, ids}) {
      const list = which === "review" ? reviewedRows().map(lineOf) : ids.map(id => exportedRow(data, state.entries, id));
      state.unsaved = false;
      return {name: fileNames[which], mime: "application/jsonl", text: list.map(row => JSON.stringify(row) + "\n").join("")};
    },
  };
  return {
    saved: true,
    get(name) {
      if (name === "meta") return meta;
      if (name === "review") return {entries: {...state.entries}, seen: [...state.seen], undo: state.history.length > 0,
        pace: paceOf(state.times), file: null, kept: state.kept, reviewer: state.reviewer};
      return name === "drafts" ? state.drafts : {};
    },
    async ask(request) {
      if (!answers[request.what]) throw new Error("A saved page can't do this: it has no kernel.");
      return answers[request.what](request);
    },
    follow(callback) { listeners.add(callback); return () => listeners.delete(callback); },
  };
}

const GONE = "The kernel that this view belongs to is gone. What is shown can still be read, sorted and filtered; to decide, "
  + "score and export, run the cell again.";

function kernel(model) {
  const waiting = new Map(), name = Math.random().toString(36).slice(2), listened = [];
  let sent = 0, gone = false;
  const listen = (event, callback) => { model.on(event, callback); listened.push([event, callback]); };
  listen("msg:custom", message => {
    const asked = waiting.get(message?.id);
    if (!asked) return;
    waiting.delete(message.id);
    "error" in message ? asked.reject(new Error(message.error)) : asked.resolve(message.reply);
  });
  return {
    saved: false,
    get: name => JSON.parse(model.get(name) || "{}"),
    ask: request => gone ? Promise.reject(new Error(GONE)) : new Promise((resolve, reject) => {
      const id = `${name}-${++sent}`;
      waiting.set(id, {resolve, reject});
      model.send({...request, id});
    }),
    follow(callback) {
      for (const each of ["meta", "review", "place", "drafts"]) listen(`change:${each}`, () => callback(each));
      const lost = () => {
        if (gone) return;
        gone = true;
        for (const {reject} of waiting.values()) reject(new Error(GONE));
        waiting.clear();
        callback("gone");
      };
      // The front end says so when the kernel restarts or dies, and when the widget is closed.
      listen("comm_live_update", lost);
      listen("comm:close", lost);
      return () => { for (const [event, listener] of listened) model.off(event, listener); };
    },
  };
}
