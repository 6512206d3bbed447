// Where the explorer's answers come from: a kernel, or the data of a saved page. A source is
//   {saved, get(name), ask(request) -> Promise<reply>, follow(callback) -> stop}
// where `get` gives what is known now ("meta", "review", "place", "drafts"), and the callback is told what changed, by
// name, or "gone" when the kernel is.

// ---- what a saved page keeps in the browser

function storeOf(name) {
  return {
    read() {
      try { return JSON.parse(localStorage.getItem(name)) ?? {}; } catch { return {}; }
    },
    write(value) {
      try { localStorage.setItem(name, JSON.stringify(value)); return true; } catch { return false; }
    },
  };
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

// What a page's reader has decided and written: in memory, and in the browser where it lets the page. `keep` writes it
// there, `set` says something of a pair.
function pageMemory(meta, changed) {
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
  const set = (pair, entry) => {
    if (entry) state.entries[pair] = entry;
    else delete state.entries[pair];
    state.said[pair] = {reviewer: state.reviewer, time: new Date().toISOString()};
  };
  addEventListener("beforeunload", event => {
    if (state.unsaved) event.preventDefault();
  });
  // Another tab with the same page writes to the same place.
  addEventListener("storage", event => {
    if (event.key !== name) return;
    Object.assign(state, pageState(meta, store.read()));
    changed("review");
  });
  return {state, keep, set};
}

// ---- a saved page

// The answers that need the page's data alone.
function readingAnswers({meta, rows}) {
  let texts = null;
  const searched = () => texts ??= rows.map((row, i) => searchable(row, i, meta.facets));
  return {
    rows: ({ids}) => ids.map(id => snippetOf(rows[id], id)),
    search({text}) {
      const terms = termsOf(text);
      return {ids: rowsWith(terms, searched()), terms};
    },
    pair: ({pair}) => ({details: [], ...rows[pair], id: pair}),
    tokens: ({pair}) => ({id: pair, tokens: rows[pair].tokens ?? null, note: rows[pair].tokens_note ?? null}),
    place: () => ({}),
  };
}

// The answers to what a reader decides, marks and writes.
function reviewAnswers(data, {state, keep, set}) {
  return {
    change({what, pair, seen, ...fields}) {
      if (seen) state.seen.add(pair);
      if (Object.keys(fields).length) {
        state.history.push([pair, state.entries[pair]]);
        set(pair, cleanEntry({...state.entries[pair], ...fields}));
        if (fields.decision) state.times.push(Date.now());
      }
      keep();
      return {ok: true};
    },
    undo() {
      if (!state.history.length) return {pair: null};
      const [pair, entry] = state.history.pop();
      set(pair, entry);
      keep();
      return {pair};
    },
    reviewer({name}) {
      state.reviewer = name;
      keep();
      return {};
    },
    draft({pair, texts}) {
      state.drafts = {...without(state.drafts, String(pair)), ...(texts ? {[pair]: texts} : {})};
      keep();
      return {};
    },
    take_marks({text}) {
      const taken = takenEntries(data, text, state.entries);
      for (const [id, entry] of Object.entries(taken.entries)) if (entry !== state.entries[id]) set(id, entry);
      keep();
      return taken;
    },
  };
}

const FILES = {review: "review.jsonl", marks: "marks.jsonl", shown: "pairs.jsonl"};

// A line of a file of decisions. A pair that was only seen has nothing said of it, which is another thing than nothing
// being left of what was said.
function reviewLine({meta}, {entries, said, seen, reviewer}, id) {
  const spoken = said[id] ? {...reviewed(entries[id] ?? {}), ...said[id]} : {reviewer, time: new Date().toISOString()};
  return {key: meta.keys?.[id], row: id, seen: seen.has(id), ...spoken};
}

function exportedFile(data, state, which, ids) {
  const spokenOf = new Set([...Object.keys(state.said).map(Number), ...state.seen]);
  const list = which === "review" ? [...spokenOf].sort((a, b) => a - b).map(id => reviewLine(data, state, id))
    : ids.map(id => exportedRow(data, state.entries, id));
  state.unsaved = false;
  return {name: FILES[which], mime: "application/jsonl", text: linesOf(list)};
}

export function embedded(data) {
  const listeners = new Set(), changed = name => listeners.forEach(callback => callback(name));
  const memory = pageMemory(data.meta, changed), {state} = memory;
  const answers = {...readingAnswers(data), ...reviewAnswers(data, memory),
    export: ({rows, ids}) => exportedFile(data, state, rows, ids)};
  const known = {
    meta: () => data.meta,
    review: () => ({entries: {...state.entries}, seen: [...state.seen], undo: state.history.length > 0,
      pace: paceOf(state.times), file: null, kept: state.kept, reviewer: state.reviewer}),
    drafts: () => state.drafts,
    place: () => ({}),
  };
  return {
    saved: true,
    get: name => known[name](),
    async ask(request) {
      if (!answers[request.what]) throw new Error("A saved page can't do this: it has no kernel.");
      return answers[request.what](request);
    },
    follow(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
  };
}

// ---- a kernel

const GONE = "The kernel that this view belongs to is gone. What is shown can still be read, sorted and filtered; "
  + "to decide, score and export, run the cell again.";

// Questions to the kernel that wait for their answers; ask(request) is one.
function questionsTo(model, listen) {
  const waiting = new Map(), prefix = Math.random().toString(36).slice(2);
  let sent = 0, isGone = false;
  listen("msg:custom", message => {
    const asked = waiting.get(message?.id);
    if (!asked) return;
    waiting.delete(message.id);
    if ("error" in message) asked.reject(new Error(message.error)); else asked.resolve(message.reply);
  });
  const ask = request => isGone ? Promise.reject(new Error(GONE)) : new Promise((resolve, reject) => {
    const id = `${prefix}-${++sent}`;
    waiting.set(id, {resolve, reject});
    model.send({...request, id});
  });
  // Nobody answers any more; false where that was known.
  const giveUp = () => {
    if (isGone) return false;
    isGone = true;
    for (const {reject} of waiting.values()) reject(new Error(GONE));
    waiting.clear();
    return true;
  };
  return {ask, giveUp};
}

function kernel(model) {
  const listened = [];
  const listen = (event, callback) => {
    model.on(event, callback);
    listened.push([event, callback]);
  };
  const {ask, giveUp} = questionsTo(model, listen);
  return {
    saved: false,
    get: name => JSON.parse(model.get(name) || "{}"),
    ask,
    follow(callback) {
      for (const name of ["meta", "review", "place", "drafts"]) listen(`change:${name}`, () => callback(name));
      // The front end says so when the kernel restarts or dies, and when the widget is closed.
      const lost = () => { if (giveUp()) callback("gone"); };
      listen("comm_live_update", lost);
      listen("comm:close", lost);
      return () => listened.forEach(([event, each]) => model.off(event, each));
    },
  };
}
