"Functions of data in static/, each called in a page that has nothing but them"
import json
from pathlib import Path

import pytest

from rmkit.dashboard import RunView

pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")

STATIC = Path(__file__).resolve().parents[1] / "rmkit" / "static"
# Five pairs: right, wrong, a tie, without a reward, right; and a table without what can be missing
TABLES = """
const META = {n: 5, columns: {reward_margin: [2, -1, 0, null, 2], p_chosen: [0.88, 0.27, 0.5, null, 0.88],
    reward_chosen: [2, 0, 1, null, 3], reward_rejected: [0, 1, 1, 1, 1], margin: [1, 2, 3, 4, null],
    length_chosen: [5, 1, 2, 3, 4], length_rejected: [1, 5, 2, null, 4], source: [0, 1, -1, 0, 1]},
  sources: ["chat", "web"], moves: {steps: [0, 9], margins: [[-1, 1, null, 2, 1], [2, -1, 0, null, 2]],
    mean: [0.6, 0.4, 0.5, null, 0.9], std: [0.3, 0.1, 0, 0.1, 0.2]},
  facets: [{name: "source", kind: "category", codes: [0, 1, -1, 0, 1], names: ["chat", "web"]},
    {name: "rated", kind: "number", values: [3, null, 1, 3, 2]}]};
const T = tableOf(META), BARE = tableOf({n: 2, columns: {reward_margin: [1, -1], p_chosen: [0.7, 0.3],
  reward_chosen: [1, 0], reward_rejected: [0, 1]}});
const REVIEW = {entries: {0: {decision: "keep", note: "yes"}, 2: {mark: "unclear"}}, seen: new Set([0, 3])};
const BY_DATA = {by: "data", down: false};
const shown = (filters, sort = BY_DATA, found = null) =>
  [...matching(T, {...noFilters(), ...filters}, sort, REVIEW, found)];
const ordered = (by, down, table = T) => [...orderOf(table, {by, down}, REVIEW.entries)];
const ROW = {prompt: [{role: "user", text: "Hi"}], chosen: [{role: "assistant", text: "a  b"}],
  rejected: [{role: "assistant", text: "c"}], details: [["id", 7]]};
const DATA = {meta: {...META, keys: ["k0", "k1"]}, rows: [ROW, {...ROW, chosen: [{role: "assistant", text: "d"}]}]};
const TRACE = {text: ["P", "a", "</s>"], reward: [0, 1, 3], special: [false, false, true], start: 1};
"""


def code_of(name):
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    codes = [*map(code_of, ("numbers", "table", "rows", "tokens", "frame", "charts")),
             code_of("dashboard").partition("// ---- one panel")[0]]
    page.add_script_tag(content="\n".join(codes) + TABLES)
    yield page
    page.close()


def check(page, call, value):
    "What a call returns, NaN as null and lists as lists"
    plain = "(key, value) => ArrayBuffer.isView(value) ? [...value] : value"
    assert page.evaluate(f"() => JSON.parse(JSON.stringify({call} ?? null, {plain}))") == value


@pytest.mark.parametrize("name", ["numbers", "table"])
def test_a_file_of_data_needs_no_page(browser, name):
    "In a worker, where there is neither a document nor a window"
    code = "".join(map(code_of, dict.fromkeys(("numbers", name))))
    page = browser.new_page()
    found = page.evaluate("""code => new Promise((done, fail) => {
        const worker = new Worker(URL.createObjectURL(new Blob([code])));
        worker.onmessage = event => done(event.data); worker.onerror = event => fail(event.message) })""",
                          code + "\npostMessage([typeof document, clamp(5, 0, 3)])")
    page.close()
    assert found == ["undefined", 3]


# Numbers ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, value", [
    ("[0, -1.5, NaN, Infinity, null, undefined, '1'].map(finite)", [True, True, False, False, False, False, False]),
    ("[clamp(-1, 0, 2), clamp(1, 0, 2), clamp(3, 0, 2)]", [0, 1, 2]), ("quantile([3, 1, NaN, 2], 0.5)", 2),
    ("quantile([3, 1, 2], 1)", 3), ("quantile([], 0.5)", 0), ("nearest([1, 4, 9], 6)", 1), ("nearest([1, 3], 2)", 0),
    ("nearest([], 1)", -1)])
def test_values(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("call, value", [
    ("numberText(1234.567)", "1,234.57"), ("numberText(-0.001)", "0.00"), ("numberText(null)", "–"),
    ("numberText(0.00001, 4)", "1.00e-5"), ("numberText(12345678)", "1.23e+7"), ("numberText(0, 4)", "0.0000"),
    ("[0, 12345.6, 1.23456, 0.00012345].map(shortNumber)", ["0", "12,346", "1.235", "1.23e-4"]),
    ("[1999.6, null].map(countText)", ["2,000", "–"]),
    ("[percentText(0.456), percentText(0.456, 1), percentText(NaN)]", ["46%", "45.6%", "–"]),
    ("[counted(1, 'pair'), counted(0, 'pair'), counted(2000, 'pair')]", ["1 pair", "0 pairs", "2,000 pairs"]),
    ("[signed(1), signed(-1), signed(0), signed(2, 0), signed(null)]", ["+1.00", "-1.00", "0.00", "+2", "–"]),
    ("[rangeText(0, 1), rangeText(-1.234, 1.2), rangeText(100, 250), rangeText(0.01, 0.012), rangeText(5, 5)]",
     ["0 to 1", "-1.2 to 1.2", "100 to 250", "0.01 to 0.012", "5 to 5"])])
def test_numbers_in_words(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("call, value", [
    ("[linearScale([0, 2], [10, 30])(1), linearScale([0, 2], [10, 30]).invert(30), linearScale([1, 1], [0, 9])(1)]",
     [20, 2, 0]),
    ("ticks(0, 1, 4)", [0, 0.5, 1]), ("ticks(0, 1)", [0, 0.2, 0.4, 0.6, 0.8, 1]), ("ticks(-3, 7, 3)", [0, 5]),
    ("ticks(0.1, 0.3, 2)", [0.1, 0.2, 0.3]), ("ticks(2, 2)", [2]),
    ("labelledTicks([0, 3], 6)",
     [[0, "0"], [0.5, "0.5"], [1, "1.0"], [1.5, "1.5"], [2, "2.0"], [2.5, "2.5"], [3, "3.0"]]),
    ("labelledTicks([0, 3], 6, null, true)", [[0, "0"], [1, "1"], [2, "2"], [3, "3"]]),
    ("labelledTicks([0, 1], 2, percentText)", [[0, "0%"], [0.5, "50%"], [1, "100%"]]),
    ("[tickText(0.00002, 0.00001), tickText(2e7, 1e7), tickText(1500, 500), tickText(0.25, 0.05)]",
     ["2e-5", "2e7", "1,500", "0.25"]),
    ("niceDomain([1, NaN, 3], {pad: 0})", [1, 3]), ("niceDomain([0, 10])", [-0.5, 10.5]),
    ("niceDomain([])", [0, 1]), ("niceDomain([5])", [4.5, 5.5]),
    ("niceDomain([0, 0])", [-1, 1])])
def test_scales(page, call, value):
    check(page, call, value)


# The table ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, value", [
    ("T.verdicts", ["right", "wrong", "tie", "none", "right"]), ("T.columns.confidence", [0.88, 0.73, 0.5, None, 0.88]),
    ("T.columns.length_gap", [4, -4, 0, None, 0]), ("T.columns.moved", [3, 2, None, None, 1]),
    ("ranks(Float64Array.of(3, 1, NaN, 1, 9))", [2 / 3, 1 / 6, None, 1 / 6, 1]), ("ranks(Float64Array.of(7))", [0]),
    ("disagreement(Float64Array.of(1, 2, NaN), Float64Array.of(2, 1, 0))", [1, 0.5, None]),
    ("Object.keys(BARE.columns).sort()",
     ["confidence", "p_chosen", "reward_chosen", "reward_margin", "reward_rejected"]),
    ("[BARE.source, BARE.sources, BARE.facets.size]", [None, [], 0])])
def test_a_table_has_what_follows_from_it(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("by, up, down", [
    ("wrong", [1, 2, 0, 4, 3], [0, 4, 2, 1, 3]), ("unsure", [2, 1, 0, 4, 3], [0, 4, 1, 2, 3]),
    ("data", [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]), ("gap", [0, 1, 2, 4, 3], [2, 4, 0, 1, 3]),
    ("moved", [0, 1, 4, 2, 3], [4, 1, 0, 2, 3]), ("verdict", [1, 2, 0, 4, 3], [0, 4, 2, 1, 3]),
    ("decision", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]), ("mark", [2, 0, 1, 3, 4], [2, 0, 1, 3, 4]),
    ("margin", [0, 1, 2, 3, 4], [3, 2, 1, 0, 4]), ("source", [0, 3, 1, 4, 2], [1, 4, 0, 3, 2]),
    ("rated", [2, 4, 0, 3, 1], [0, 3, 4, 2, 1]), ("length_rejected", [0, 2, 4, 1, 3], [1, 4, 2, 0, 3])])
def test_orders(page, by, up, down):
    "Equal ones in the order of the data and what is missing last, both ways"
    check(page, f"[ordered('{by}', false), ordered('{by}', true)]", [up, down])


def test_orders_that_there_are(page):
    check(page, "sortsOf(BARE).map(([by]) => by)",
          ["wrong", "unsure", "right", "data", "verdict", "reward_margin", "p_chosen", "reward_chosen",
           "reward_rejected", "decision", "mark"])
    check(page, "sortsOf(T).map(([by]) => by).filter(by => !sortsOf(BARE).some(([other]) => other === by))",
          ["gap", "label", "moved", "length_chosen", "length_rejected", "length_gap", "margin", "source", "rated"])
    check(page, "orderOf(T, BY_DATA) === orderOf(T, BY_DATA)", True)  # sorted once; but what is decided changes
    check(page, "orderOf(T, {by: 'mark'}, {}) === orderOf(T, {by: 'mark'}, {})", False)


@pytest.mark.parametrize("filters, rows", [
    ("{}", [0, 1, 2, 3, 4]), ("{verdict: 'none'}", [3]), ("{decision: 'undecided'}", [1, 2, 3, 4]),
    ("{decision: 'unseen'}", [1, 2, 4]), ("{decision: 'keep'}", [0]), ("{mark: 'note'}", [0]),
    ("{mark: 'without'}", [0, 1, 3, 4]), ("{from: 2}", [0, 4]), ("{to: 0}", [0, 1]), ("{from: 1, to: 1}", [1, 2, 3, 4]),
    ("{columns: {rated: {from: 2, to: null}}}", [0, 3, 4]),
    ("{columns: {rated: {from: null, to: null}}}", [0, 1, 2, 3, 4]),
    ("{columns: {source: {values: [null, 'web']}}}", [1, 2, 4]), ("{columns: {source: {values: []}}}", [0, 1, 2, 3, 4]),
    ("{columns: {source: {values: ['gone']}}}", [2]), ("{columns: {length_gap: {from: 0, to: 4}}}", [0, 2, 4]),
    ("{verdict: 'right', columns: {source: {values: ['chat']}}}", [0]),
    ("{pictures: {a: {source: 0}, b: {columns: ['reward_chosen', 'margin'], low: 4, high: 9, closed: false}}}", [3]),
    ("{pictures: {a: {columns: ['missing'], low: 0, high: 9, closed: true}}}", [])])
def test_filters(page, filters, rows):
    check(page, f"shown({filters})", rows)


def test_what_the_search_found_is_a_filter_and_a_table_without_snapshots_has_none_over_training(page):
    check(page, "shown({}, {by: 'wrong', down: false}, new Set([3, 0, 1]))", [1, 0, 3])
    became = "{...noFilters(), pictures: {a: {step: 1, became: 'right'}}}"
    check(page, f"[...matching(BARE, {became}, BY_DATA, REVIEW, null)]", [0, 1])


@pytest.mark.parametrize("call, value", [
    ("[within(1, 1, 2), within(2, 1, 2), within(NaN, 0, null), within(NaN), within(0, null, -1)]",
     [True, True, False, True, False]),
    ("chipsOf(noFilters())", []),
    ("chipsOf({...noFilters(), verdict: 'none', decision: 'both bad', mark: 'any', text: 'x', from: 1})",
     [["verdict", "verdict: no reward"], ["decision", "decision: both bad"], ["mark", "mark: any mark"],
      ["text", "text: x"], ["rewards", "reward: 1 to any"]]),
    ("chipsOf({...noFilters(), columns: {a: {values: [null, '', 'b']}, c: {from: null, to: 2}}})",
     [["column a", "a: none or (empty) or b"], ["column c", "c: any to 2"]]),
    ("chipsOf({...noFilters(), pictures: {p: {label: 'P'}}})", [["picture p", "P"]]),
    ("withoutFilter({...noFilters(), from: 1, text: 'x'}, 'rewards').text", "x"),
    ("withoutFilter({...noFilters(), from: 1, text: 'x'}, 'text').from", 1),
    ("withoutFilter({...noFilters(), columns: {a: 1, b: 2}}, 'column a').columns", {"b": 2}),
    ("withoutFilter({...noFilters(), pictures: {a: 1, b: 2}}, 'picture b').pictures", {"a": 1}),
    ("binsFilter({columns: ['m']}, 'Margins', [0, 1 / 3, 1], 0, 0)",
     {"columns": ["m"], "low": 0, "high": 0.33333, "closed": False, "bins": [0, 0], "label": "Margins: 0 to 0.33"}),
    ("binsFilter({step: 2}, 'M', [0, 1, 2], 0, 1)",
     {"step": 2, "low": 0, "high": 2, "closed": True, "bins": [0, 1], "label": "M: 0 to 2"}),
    ("itemFilter({title: 'S'}, {source: 0, label: 'web'})", {"source": 0, "label": "S: web"}),
    ("itemFilter({title: 'G', columns: ['g']}, {range: [1, 2], source: null})",
     {"columns": ["g"], "low": 1, "high": 2, "closed": True, "label": "G: 1 to 2"})])
def test_filters_in_words_and_out_of_pictures(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("call, value", [
    ("progressOf(T, noFilters(), REVIEW, null)", {"total": 5, "decided": 1, "seen": 2}),
    ("progressOf(T, {...noFilters(), decision: 'decided', verdict: 'right'}, REVIEW, null)",
     {"total": 2, "decided": 1, "seen": 1}),
    ("facetCounts({codes: [1, -1, 1, 0], names: ['a', 'b']})", [["b", 2], [None, 1], ["a", 1]]),
    ("facetCounts({codes: [], names: []})", []), ("commonEdges([[1, 3], [NaN, -1]], 4)", [-1, 0, 1, 2, 3]),
    ("commonEdges([[5]], 2)", [0, 2.5, 5]), ("commonEdges([[0, null]])", [0, 1]),
    ("countsIn([-1, 0, 1], [-1, -0.5, 0, 1, NaN, null])", [2, 2]),
    ("countsIn([0, 0.1, 0.2, 0.3], [0.1, 0.2, 0.3])", [0, 1, 2]), ("sampled(3, 5)", [0, 1, 2]),
    ("sampled(10, 4)", [0, 2, 5, 7]),
    ("countsAt(T.moves, 0)", {"right": 3, "wrong": 1, "becameRight": 0, "becameWrong": 0}),
    ("countsAt(T.moves, 1)", {"right": 2, "wrong": 2, "becameRight": 1, "becameWrong": 1}),
    ("[0, 1, 2, 3, 4].map(i => becameAt(T.moves, 1, i))", ["right", "wrong", None, None, None]),
    ("[regionOf(0.9, 0.1, 0.2), regionOf(0.1, 0.2, 0.2), regionOf(0.5, 0.3, 0.2), regionOf(null, 0.1, 0.2)]",
     ["easy-to-learn", "hard-to-learn", "ambiguous", None]),
    ("regionCounts(T.moves, 0.2)", [2, 1, 1])])
def test_counts(page, call, value):
    check(page, call, value)


# Rows ---------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, value", [
    ("[cut('abcd', 4), cut('abcde', 4), cut('ab🎉d', 4)]", ["abcd", "abc…", "ab…"]),
    ("snippetOf(ROW, 3)", {"id": 3, "prompt": "Hi", "chosen": "a b", "rejected": "c"}),
    ("searchable(ROW, 1, META.facets)", "hi\na  b\nc\nweb\n\n7"),
    ("searchable(ROW, 2, META.facets)", "hi\na  b\nc\n\n\n7"), ("rowsWith(['a', 'b'], ['a b', 'a', 'ab'])", [0, 2]),
    ("rowsWith([], ['x', 'y'])", [0, 1]), ("cleanEntry({mark: 'odd', note: null})", None),
    ("cleanEntry({rmkit_mark: 'unclear', mark: 'theirs', decision: 'swap'})",
     {"mark": "unclear", "note": "", "decision": "swap"}),
    ("cleanEntry({decision: 'maybe', note: 3})", {"mark": "", "note": "3"}),
    ("joined({mark: 'unclear', note: ''}, {mark: 'interesting', note: 'n'})", {"mark": "unclear", "note": "n"}),
    ("joined(undefined, {mark: 'unclear'})", {"mark": "unclear"}), ("paceOf([0, 1e3, 3e3, 6e3])", None),
    ("paceOf([0, 1e3, 3e3, 6e3, 1e6, 1004e3])", 3), ("paceOf([])", None)])
def test_rows(page, call, value):
    check(page, call, value)


def test_a_pair_is_exported_with_the_columns_of_its_dataset(page):
    def said(role, text): return [dict(role=role, content=text)]
    row = dict(prompt=said("user", "Hi"), chosen=said("assistant", "a  b"), rejected=said("assistant", "c"),
               reward_margin=2, p_chosen=0.88, reward_chosen=2, reward_rejected=0, margin=1, length_chosen=5,
               length_rejected=1, source="chat", rated=3, row=0, note="")
    check(page, "exportedRow(DATA, {0: {mark: 'unclear'}}, 0)", row | dict(id=7, mark="unclear"))
    theirs = "{...DATA, rows: [{...ROW, details: [['note', 'theirs']]}]}"
    check(page, f"exportedRow({theirs}, {{0: {{note: 'ours'}}}}, 0)",
          row | dict(note="theirs", rmkit_note="ours", mark=""))


def test_decisions_are_taken_from_a_file(page):
    rows = [dict(key="k1", mark="unclear"), dict(row=0, prompt="Hi", chosen="a  b", rejected="c", decision="swap"),
            dict(key="none")]
    file = "\r\n\n".join(map(json.dumps, rows))
    check(page, f"takenEntries(DATA, {json.dumps(file)}, {{0: {{decision: 'keep'}}}})",
          dict(entries={"0": dict(decision="keep"), "1": dict(mark="unclear", note="")},
               message="1 of the lines belong to no pair here. 1 are decided otherwise here; these stay."))
    with pytest.raises(Exception, match="Line 2 of the file isn't JSON. A file of decisions"):
        page.evaluate("takenEntries(DATA, '{}\\n{', {})")


# Tokens and lines ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, value", [
    ("[0, 1, 2].map(i => tokenValue(TRACE, i, 'step'))", [None, 1, 2]), ("tokenValue(TRACE, 2, 'value')", 3),
    ("[shownTokens(TRACE, false, true), shownTokens(TRACE, true, true), shownTokens(TRACE, true, false)]",
     [[1, 2], [0, 1, 2], [0, 1]]),
    ("shadeScale({chosen: TRACE, rejected: {...TRACE, reward: [0, 5, 7]}}, 'value')", {"centre": 4, "span": 3}),
    ("shadeScale({chosen: TRACE, rejected: TRACE}, 'step')", {"centre": 0, "span": 2}),
    ("shadeScale({chosen: {...TRACE, start: 3}, rejected: {...TRACE, start: 3}}, 'value')", {"centre": 0, "span": 1}),
    ("[shares(10, 3, 4), shares(10, 9, 2), shares(10, 2, 9), shares(10, 9, 9)]", [[3, 4], [8, 2], [2, 8], [5, 5]]),
    ("[blankToken('a'), blankToken('').name, blankToken('\\n\\n ').name, blankToken('\\t').sign]",
     [None, "nothing", "2 line ends, space", "→"])])
def test_tokens(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("call, value", [
    ("thinned({x: [1, 2, 3], y: [1, 2, 3]}, {range: [0, 1]})", [0, 1, 2]),
    ("thinned({x: [...Array(9).keys()], y: [5, 1, 9, 4, 5, 5, 5, 5, 6]}, {range: [0, 1]})", [0, 1, 2, 8]),
    ("linePath([0, 1, 2, 3], [1, null, 3, 4], [0, 1, 2, 3], x => x, y => y)", "M0.0 1.0M2.0 3.0L3.0 4.0"),
    ("bandPath({x: [0, 1, 2], low: [0, null, 1], high: [2, 2, 3]}, [0, 1, 2], x => x, y => y)",
     "M0.0 2.0L2.0 3.0L2.0 1.0L0.0 0.0Z"),
    ("bandPath({x: [0], low: [0], high: [2]}, [0], x => x, y => y)", "")])
def test_lines(page, call, value):
    check(page, call, value)


# Curves of a run ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("call, value", [
    ("averaged([1, 3, null, 5, NaN, NaN], 3)", [2, 5, None]), ("averaged([1, 2], 2)", [1, 2]),
    ("averaged(null, 2)", None),
    ("seriesOf([{step: 1, a: 2, s: 1}, {step: 2}, {step: 3, a: 4}], {name: 'chosen', key: 'a', spread: 's'}, 9, true)",
     {"name": "chosen", "x": [1, 3], "y": [2, 4], "low": [1, None], "high": [3, None], "colour": "var(--rm-chosen)"}),
    ("seriesOf([{step: 1, a: 2, l: 1}], {name: 'b', key: 'a', low: 'l', high: 'h', colour: 1, dash: [4, 2]}, 9, true)",
     {"name": "b", "x": [1], "y": [2], "low": [1], "high": [None], "colour": "var(--rm-set-2)", "dash": "4 2"}),
    ("seriesOf([{step: 1, a: 2, l: 1, h: 3}], {name: 'b', key: 'a', low: 'l', high: 'h'}, 9, false)",
     {"name": "b", "x": [1], "y": [2], "colour": "var(--rm-set-1)"})])
def test_curves(page, call, value):
    check(page, call, value)


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_curves_are_drawn_of_the_rows_that_python_draws(page, looks):
    "Logs of an earlier session, what is finer than the logs since, and what was held out"
    rows = [dict(step=2, loss=0.7, accuracy=0.5), dict(step=4, loss=0.6, accuracy=0.6, learning_rate=0.1),
            dict(step=4, eval_loss=0.65, eval_accuracy=0.55)]
    view = RunView("a", rows, step=2)
    view.looks = [dict(step=3 + k / 2, loss=0.6 + k, accuracy=0.5 + k / 10) for k in range(looks)]
    news = json.loads(view.news())
    drawn = page.evaluate("({rows, looks, first}) => drawnRows(rows, looks, first)", news)
    for key in ("loss", "accuracy", "learning_rate", "eval_loss"):
        assert [(row["step"], row[key]) for row in drawn if key in row] == [
            (row["step"], row[key]) for row in view.drawn() if key in row]
    assert (len(drawn) == len(rows)) == (looks < 2)
