"The explorer's functions of data: any table in, columns to filter by, search, differences, files out, a saved page"
import datetime
import json
import logging
import re
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from hostile import PAYLOADS
from rmkit import RewardModel, Snapshots, visualizer
from rmkit.words import message_text
from rmkit.table import pair_scores
from rmkit.words import visible
from rmkit.differences import word_diff
from rmkit.filters import columns, facets, matches, ordered, rows_with, search_terms, searchable
from rmkit.table import complete
from rmkit.visualizer import exported, pictures, RewardVisualizer

CHAT = [dict(role="user", content="2 + 2?")]
ROWS = [dict(prompt="2 + 2?", chosen="4", rejected="5", reward_chosen=1.0, reward_rejected=-1.0, margin=2),
        dict(prompt="3 + 3?", chosen="6", rejected="7", reward_chosen=0.5, reward_rejected=2.0, margin=1)]
FRAME = pd.DataFrame(ROWS)
CASES = json.loads((Path(__file__).parent / "filter_cases.json").read_text())


def table_of(**columns):
    n = len(next(iter(columns.values())))
    texts = {name: [f"{name} {i}" for i in range(n)] for name in ("prompt", "chosen", "rejected")}
    return complete(pd.DataFrame(dict(texts, reward_chosen=np.arange(n), reward_rejected=0.0) | columns))


# A table of any kind ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("table", [
    ROWS, tuple(ROWS), Dataset.from_list(ROWS), Dataset.from_list(ROWS).with_format("numpy"), FRAME.to_dict("list"),
    dict(FRAME.set_axis([4, 4])), FRAME.set_axis(["x", "y"]), FRAME.iloc[::-1].iloc[::-1],
    FRAME.astype(dict(prompt="category", chosen="category")),
    FRAME.convert_dtypes(), FRAME.convert_dtypes(dtype_backend="pyarrow"), FRAME.astype(object),
    FRAME.assign(extra=[[1], None]),
    FRAME.assign(reward_chosen=[Decimal("1"), Decimal("0.5")]),
    FRAME.assign(reward_chosen=FRAME["reward_chosen"].astype("Float32")),
    FRAME.assign(reward_chosen=[np.float16(1), 0.5], margin=pd.array([2, 1], dtype="Int8")),
    FRAME.assign(source=[["a"], dict(b=1)]),
    Dataset.from_list(ROWS).data.table,
], ids=range(18))
def test_a_table_of_any_kind(table):
    found = complete(table)
    assert found.index.tolist() == [0, 1] and found["reward_margin"].tolist() == [2, -1.5]
    assert found["chosen"].tolist() == ["4", "6"]
    assert found["margin"].tolist() == [2, 1] and all(isinstance(text, str) for text in found["prompt"])
    viz = RewardVisualizer(table)
    assert json.dumps(viz.meta(), allow_nan=False) and viz.pair(1)["chosen"][0]["text"] == "6"
    assert "2 pairs" in repr(viz)


def test_rewards_that_are_not_known(tmp_path):
    for nothing in (np.nan, None, pd.NA):
        viz = RewardVisualizer(FRAME.assign(reward_chosen=[nothing, nothing], margin=[nothing, 1]))
        assert viz.scores["reward_margin"].isna().all() and np.isnan(viz.scores["margin"][0])
        assert viz.meta()["columns"]["p_chosen"] == [None, None]
        assert viz.save(tmp_path / "none.html").exists() and matches(viz.scores, dict(verdict="none")) == [0, 1]


def test_messages_from_parquet(tmp_path):
    "Arrow gives arrays, and a None for each key that another message has"
    call = [dict(role="assistant", content=None, tool_calls=[dict(function=dict(name="add", arguments=dict(a=2)))])]
    parts = [dict(role="user", content=[dict(type="text", text="2 + 2?"), dict(type="image")])]
    frame = FRAME.assign(prompt=[CHAT, CHAT * 2], chosen=[call, call],
                         rejected=[[dict(role="assistant", content="5")]] * 2)
    frame.to_parquet(tmp_path / "pairs.parquet")
    found = complete(pd.read_parquet(tmp_path / "pairs.parquet"))
    assert found["prompt"].tolist() == [CHAT, CHAT * 2] and '"add"' in message_text(found["chosen"][0][0])
    assert complete(FRAME.assign(prompt=[parts, []]))["prompt"].tolist() == [parts, []]
    assert complete(FRAME.assign(prompt=[CHAT, "x"]))["prompt"][1] == "x"


@pytest.mark.parametrize("table, words", [
    ("pairs.jsonl", "read_json"), (Path("pairs.parquet"), "read_parquet"), (FRAME["prompt"], "whole frame"),
    (None, "NoneType"),
    (ROWS[0], "[row]"), (iter(ROWS), "list(rows)"), ([["2 + 2?", "4"]], "rows as dicts"), (np.zeros((2, 5)), "ndarray"),
    (DatasetDict(train=Dataset.from_list(ROWS)), "'train'"), (dict(FRAME.to_dict("list"), margin=[1]), "'margin': 1"),
    ([], "no rows"),
    (FRAME[:0], "no rows"), (FRAME.drop(columns="chosen"), "no column 'chosen'"),
    (pd.concat([FRAME, FRAME[["margin"]]], axis=1), "more than one column called 'margin'"),
    (FRAME.set_axis(pd.MultiIndex.from_product([["a"], FRAME.columns]), axis=1), "several levels"),
    (FRAME.assign(**{"1": 0}).rename(columns=dict(margin=1)), "called '1'"),
    (FRAME.assign(margin=[1, "two"]), "row 1 of column 'margin' is the text 'two'; expected a number"),
    (FRAME.assign(reward_chosen="1"), "row 0 of column 'reward_chosen' is the text '1'"),
    (FRAME.assign(margin=[1, [2]]), "row 1 of column 'margin' is of type list"),
    (FRAME.assign(length_chosen=pd.Timestamp("2026-01-01")), "row 0 of column 'length_chosen'"),
    (FRAME.assign(reward_rejected=[1, 1j]), "column 'reward_rejected'"),
    (FRAME.assign(chosen=["4", None]),
     "row 1 of column 'chosen' is missing"),
    (FRAME.assign(prompt=[np.nan, "a"]), "row 0 of column 'prompt' is missing"),
    (FRAME.assign(chosen=["4", 6]), "row 1 of column 'chosen' is the number 6"),
    (FRAME.assign(chosen=4), "row 0 of column 'chosen' is the number 4"),
    (FRAME.assign(prompt=0.5), "row 0 of column 'prompt' is the number 0.5"),
    (FRAME.assign(prompt=True), "row 0 of column 'prompt' is of type bool"),
    (FRAME.assign(rejected=pd.Timestamp("2026-01-01")), "row 0 of column 'rejected' is of type Timestamp"),
    (FRAME.assign(rejected=pd.Categorical([1, 2])), "row 0 of column 'rejected' is the number 1"),
    (FRAME.assign(rejected=pd.array([1, 2], dtype="Int64")), "row 0 of column 'rejected' is the number 1"),
    (FRAME.assign(rejected=[np.zeros(2), np.zeros(2)]), "row 0 of column 'rejected' has a message, number 0"),
    (FRAME.assign(rejected=[np.zeros((0, 2)), "x"]), "row 0 of column 'rejected' is an empty list"),
    (FRAME.assign(margin=[dict(a=1), 2]), "row 0 of column 'margin' is of type dict"),
    (FRAME.assign(margin=[np.zeros(1), 2]), "row 0 of column 'margin' is of type ndarray"),
    (FRAME.assign(margin=pd.Categorical(["1", "2"])), "row 0 of column 'margin' is the text '1'"),
    (FRAME.assign(chosen=[[], []]), "row 0 of column 'chosen' is an empty list"),
    (FRAME.assign(rejected=[CHAT, [dict(role="user")]]),
     "row 1 of column 'rejected' has a message, number 0, that has no 'content'"),
    (FRAME.assign(rejected=[CHAT, [dict(content="5")]]), "has no 'role'"),
    (FRAME.assign(prompt=[CHAT, CHAT + ["hello"]]),
     "row 1 of column 'prompt' has a message, number 1, that is the text 'hello'"),
    (FRAME.assign(prompt=[CHAT, ["a", "b"]]), "is the text 'a'"), (FRAME.assign(chosen=[CHAT, CHAT[0]]),
                                                                   "row 1 of column 'chosen' is a dict"),
    (FRAME.assign(chosen=b"4"), "str.decode('utf-8')"),
    (FRAME.assign(prompt=[CHAT, [dict(role="user", content=["a"])]]), "has a part that is the text 'a'"),
    (FRAME.assign(prompt=[CHAT, [dict(role="user", content=4)]]), "has no 'content'"),
], ids=range(44))
def test_what_is_no_table_is_said(table, words):
    with pytest.raises((ValueError, TypeError), match=re.escape(words)): RewardVisualizer(table)


@pytest.mark.parametrize("name", ["prompts", "r_chosen", "self", "mark", "row", "confidence", "size", "0", "",
                                  "__proto__", "<b>\u202e"])
def test_any_name_of_a_column(name, tmp_path):
    "Names of arguments, of methods, of ours and of nobody"
    viz = RewardVisualizer(table_of(**{name: ["a", "b"] * 3}))
    facet, = facets(viz.scores)
    assert facet["names"] == ["a", "b"] and viz.pair(1)["details"] == [[visible(name), "b"]]
    assert matches(viz.scores, dict(columns={facet["name"]: dict(values=["b"])})) == [1, 3, 5]
    line = json.loads(viz.export(tmp_path / "rows.jsonl", [3]).read_text())
    assert line[name] == "b" and line.get("rmkit_row", line["row"]) == 3 and viz.save(tmp_path / "page.html").exists()


# Columns to filter by -----------------------------------------------------------------------------------------------

def test_facets():
    n = 40
    found = facets(table_of(
        id=[f"id {i}" for i in range(n)], number=range(n), annotator=[f"a{i % 7}" for i in range(n)],
        grade=[i % 5 for i in range(n)],
        flag=[True, False] * 20, maybe=pd.array([True, None] * 20, dtype="boolean"), some=[1.0, 2.0, np.nan, 2.0] * 10,
        fine=np.linspace(0, 1, n),
        price=[Decimal("0.5"), Decimal("1.5")] * 20, lists=[[1]] * n, dicts=[dict(a=1)] * n, same=["x"] * n,
        none=[None] * n, nan=np.nan, constant=3,
        kind=pd.Categorical(["x", "y", None, "y"] * 10), day=[datetime.date(2026, 1, 1 + i % 2) for i in range(n)],
        huge=[10**400, 1] * 20,
        infinite=[np.inf, 0.5, 1.5, -1] * 10, mixed=[1, "1", 2, None] * 10, odd=["<b>", "\u202e", "<b>", None] * 10,
        source=["s", None] * 20))
    by = {facet["name"]: facet for facet in found}
    assert list(by) == ["source", "number", "annotator", "grade", "flag", "some", "fine", "price", "kind", "day",
                        "huge", "infinite", "mixed", "odd"]
    assert by["source"] == dict(name="source", kind="category", codes=[0, -1] * 20, names=["s"])
    assert by["grade"]["names"] == list("01234")
    assert by["flag"]["names"] == ["False", "True"] and by["some"]["codes"][:4] == [0, 1, -1, 1]
    assert by["number"]["values"][-1] == 39
    assert by["price"] == dict(name="price", kind="number", values=[0.5, 1.5] * 20)
    assert by["infinite"]["values"][:2] == [None, 0.5]
    assert by["kind"]["codes"][:4] == [0, 1, -1, 1] and by["odd"]["names"] == ["<b>", "\\u202e"]
    assert by["mixed"]["codes"][:4] == [0, 0, 1, -1]
    assert by["day"]["names"] == ["2026-01-01", "2026-01-02"] and json.dumps(found, allow_nan=False)
    assert not facets(table_of(language=["en", "de"]))
    assert facets(table_of(source=["en", "de"]))[0]["names"] == ["de", "en"]


def test_columns_keep_what_is_small():
    "Rounding makes no tie of a small difference"
    found = visualizer.columns(table_of(reward_chosen=[1e-7, -1e-7, 0, 1.234567]))["reward_margin"]
    assert found[0] > 0 > found[1] and found[2:] == [0, 1.23457]


@pytest.fixture(scope="module")
def cases():
    return complete(CASES["table"]), {int(i): entry for i, entry in CASES["entries"].items()}


@pytest.mark.parametrize("case", CASES["cases"],
                         ids=lambda case: json.dumps(case["filters"]) + json.dumps(case["sort"]))
def test_filters_and_orders(cases, case):
    table, entries = cases
    passed = matches(table, case["filters"], entries, CASES["seen"], moves=CASES["moves"])
    assert passed == sorted(case["rows"])
    assert [i for i in ordered(table, case["sort"], entries, CASES["moves"]) if i in passed] == case["rows"]


def test_a_filter_may_ask_elsewhere(cases):
    assert matches(cases[0], dict(text="x", verdict="right"), search=lambda text: {0, 1, 8}) == [0, 8]


@pytest.mark.parametrize("filters, words", [
    (dict(verdit="right"), "'verdit' is not a filter; did you mean 'verdict'?"),
    (dict(verdict="rigth"), "did you mean 'right'"),
    (dict(mark="mislabeled"), "did you mean 'mislabelled'"), (dict(decision="swop"), "'swap'"),
    (dict(decision="mislabelled"), "not a decision"),
    (dict(columns=dict(langauge=dict(values=["de"]))), "did you mean 'language'"),
    (dict(columns=dict(language=dict(values=["dde"]))), "did you mean 'de'"),
    (dict(columns=dict(language={"from": 1})), "column 'language' is a category"),
    (dict(columns=dict(agreement=dict(values=[1]))), "column 'agreement' is a number"),
    (dict(columns=dict(id=dict(values=["id-01"]))), "'id' is not a column to filter or sort by"),
    ({"from": "one"}, "found the text 'one'"),
    (dict(columns=dict(agreement={"to": [1]})), "of type list"), (dict(verdict=["right"]), "not a verdict")])
def test_a_filter_that_is_wrong_is_said(cases, filters, words):
    with pytest.raises(ValueError, match=re.escape(words)): matches(cases[0], filters)


@pytest.mark.parametrize("by, words", [("langage", "did you mean 'language'"), ("moved", "needs the moved"),
                                       ("id", "not a column")])
def test_an_order_that_is_wrong_is_said(cases, by, words):
    with pytest.raises(ValueError, match=words): ordered(cases[0], dict(by=by))
    with pytest.raises(ValueError, match="needs the length gap"): ordered(complete(ROWS), dict(by="gap"))


# Search and snippets ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, terms", CASES["terms"])
def test_search_terms(text, terms):
    assert search_terms(text) == terms


def test_the_search_reads_all_that_is_shown():
    viz = RewardVisualizer(table_of(prompt=[[dict(role="user", content="first"), dict(role="user", content="Second")],
                                            "\u202e x", "ÄRGER 🎉"],
                                    source=["News", None, "web"], id=[4711, 12, 13], tags=[["red"], [], None]))
    def found(text): return viz.search(text)["ids"]
    assert found("FIRST second") == [0] and found("news") == [0] and found("4711") == [0] and found("red") == [0]
    assert found("ärger 🎉") == [2]
    assert found("\\u202e") == [1] and found("\u202e") == [1] and found("first user") == [] and found("none") == []
    assert found(" ") == [0, 1, 2]
    assert found('"prompt 1"') == [] and found("chosen rejected") == [0, 1, 2]
    assert viz.search("News x")["terms"] == ["news", "x"]


def test_the_search_finds_hostile_texts():
    table = complete(pair_scores(PAYLOADS, PAYLOADS, PAYLOADS, np.ones(len(PAYLOADS)), np.zeros(len(PAYLOADS))))
    texts = searchable(table)
    for i, payload in enumerate(PAYLOADS):
        if payload.strip() and '"' not in payload and len(payload) < 5000:
            assert i in rows_with(texts, search_terms(payload))


def test_snippets_are_those_of_a_saved_page(browser):
    "One rule in Python and JavaScript: the prompt's last turn, the whole of the responses, one line, letters as UTF-16"
    responses = [[dict(role="assistant", content=text), dict(role="user", content="and?"),
                  dict(role="assistant", content="🎉" * k)]
                 for k, text in enumerate(PAYLOADS)]
    sizes = (99, 100, 199, 200, 201, 500, 999, 1000, 1001)
    longs = [letter * n + end for letter in ("a", "é", "🎉", "a🎉", " ", " x")
             for n in sizes for end in ("", "🎉", " z")]
    texts = PAYLOADS + longs
    prompts = [[dict(role="user", content="begin"), dict(role="user", content=text)] for text in texts]
    prompts[0], prompts[1] = [], ""
    viz = RewardVisualizer(pair_scores(prompts, responses + longs, texts, np.ones(len(texts)), np.zeros(len(texts))))
    rows = [viz._read_texts(i) for i in range(len(texts))]
    page = browser.new_page()
    script = (files("rmkit") / "static" / "rows.js").read_text(encoding="utf-8")
    page.add_script_tag(content=script.replace("export ", ""))
    theirs = page.evaluate("rows => rows.map((row, i) => snippetOf(row, i))", rows)
    page.close()
    assert viz.rows(range(len(texts))) == theirs
    assert theirs[2]["prompt"].startswith("<script")
    assert all(len(row["chosen"].encode("utf-16-le")) <= 400 for row in theirs)


# Differences --------------------------------------------------------------------------------------------------------

def marked(a, b):
    found = word_diff(a, b)
    assert "".join(text for _, text in found["chosen"]) == a and "".join(text for _, text in found["rejected"]) == b
    return [[text for only, text in found[side] if only] for side in ("chosen", "rejected")]


@pytest.mark.parametrize("a, b, chosen, rejected", [
    ("the cat sat", "the dog sat", ["cat"], ["dog"]),
    ("the very cat sat", "the cat sat", ["very "], []),
    ("It isn't 3.14.", "It isn't 3.15.", ["3.14"], ["3.15"]),
    ("我喜欢吃苹果和香蕉，因为它们很甜。", "我喜欢吃苹果和橘子，因为它们很甜。", ["香蕉"], ["橘子"]),
    ("今日は雨です", "今日は晴れです", ["雨"], ["晴れ"]),
    ("ฉันชอบกินข้าวผัด", "ฉันชอบกินข้าวต้ม", ["ผัด"], ["ต้ม"]),
    ("ខ្ញុំចូលចិត្តបាយ", "ខ្ញុំចូលចិត្តម្ហូប", ["បាយ"], ["ម្ហូប"]),
    ("ok 👩‍👩‍👧 ok", "ok 👩‍👩‍👦 ok", ["👩‍👩‍👧"], ["👩‍👩‍👦"]),
    ("🇫🇷🇩🇪", "🇫🇷🇮🇹", ["🇩🇪"], ["🇮🇹"]),
    ("👍🏿!", "👍🏻!", ["👍🏿"], ["👍🏻"]),
    ("1️⃣.", "2️⃣.", ["1️⃣"], ["2️⃣"]),
    ("cafe\u0301 noir", "cafe noir", ["cafe\u0301"], ["cafe"]),
    ("यह किताब है", "यह किताबें है", ["किताब"], ["किताबें"]),
    ("זה ספר טוב", "זה ספר רע", ["טוב"], ["רע"]),
    ("كِتَاب جديد", "كُتُب جديد", ["كِتَاب"], ["كُتُب"]),
    ("می‌خواهم بروم", "می‌خواهم بمانم", ["بروم"], ["بمانم"]),
    ("Yes. Same words here. No.", "Yes. Same words here. Never.", ["No"], ["Never"]),
    ("a  b", "a b", [" "], []),
    ("a\nb", "a b", ["a\n"], ["a "]),
    ("", "new", [], ["new"]),
    ("same", "same", [], []),
])
def test_what_is_marked(a, b, chosen, rejected):
    assert marked(a, b) == [chosen, rejected]


def test_few_equal_words_between_differences_are_no_agreement():
    a, b = "Well of course the answer depends on the size of a house", "Nobody knows what the answer to that is of late"
    assert marked(a, b) == [[a], [b]] and word_diff(a, b)["share"] == 1
    kept = "and then the five of them went home"
    assert marked(f"Alice met Bob once {kept} by the last train of that day",
                  f"Carol saw Dan twice {kept} in a big green car")[0][0] == "Alice met Bob once"
    longer = word_diff("The same beginning.", "The same beginning. " + "And a long end. " * 9)
    assert longer["share"] < 0.5  # one says more, and that is worth a mark


def test_long_texts_are_compared_by_sentences():
    text = "".join(f"This is sentence number {i} of the text.\n" for i in range(5_000))
    assert marked(text, text.replace("number 77 ", "number xx ")) == [["77"], ["xx"]]
    words = " ".join(f"w{i}" for i in range(2_000))
    assert word_diff(words, words[::-1]) is None and word_diff(words, words + " more")["share"] < 0.01


def test_differences_of_hostile_texts():
    texts = [visible(text) for text in PAYLOADS]
    for a, b in zip(texts, texts[1:] + texts[:1]):
        for other in (b, a + "x", a[:len(a) // 2] + b + a[len(a) // 2:]):
            if word_diff(a, other): marked(a, other)


@pytest.mark.parametrize("name", ["hh_harmless", "oasst1", "tulu1", "webgpt", "pandalm"])
def test_marks_of_real_pairs(shared_data, name):
    "Most pairs differ in most of the text, which is what the share is for"
    lines = (shared_data / f"{name}.jsonl").read_text().splitlines()[:300]
    shares = []
    for line in map(json.loads, lines):
        chosen, rejected = (message_text(line[side][-1]) for side in ("chosen", "rejected"))
        pieces, shared = marked(chosen, rejected), word_diff(chosen, rejected)["share"]
        assert (shared == 0) == (pieces == [[], []])
        shares.append(shared)
    assert np.mean(np.array(shares) > 0.5) > 0.8


def test_what_a_pair_says_asks_no_model():
    class Silent: tokenizer = None
    viz = RewardVisualizer(FRAME, Silent())
    assert viz._read_texts(0)["diff"]["chosen"] == [[1, "4"]] and viz.rows([0]) and viz.search("4")["ids"] == [0]


# Files --------------------------------------------------------------------------------------------------------------

ODD = dict(
    day=datetime.date(2026, 1, 2), at=datetime.datetime(2026, 1, 2, 3, 4), clock=datetime.time(3, 4),
    stamp=pd.Timestamp("2026-01-02", tz="UTC"),
    took=pd.Timedelta("1h"), delta=datetime.timedelta(seconds=5), price=Decimal("1.5"), whole=np.int64(3),
    half=np.float16(0.5), yes=np.bool_(True),
    array=np.array([1, 2]), days=np.array(["2026-01-02"], dtype="datetime64[D]"),
    nested=np.array([dict(a=np.array([dict(b=1, c=None)]))], dtype=object),
    nat=pd.NaT, none=None, nan=np.nan, na=pd.NA, inf=np.inf, raw=b"a\xff", text="half \ud83d", pairs=(1, 2),
    group={"x"}, imaginary=1j, empty=[])
AS_JSON = dict(
    day="2026-01-02", at="2026-01-02T03:04:00", clock="03:04:00", stamp="2026-01-02T00:00:00+00:00", took="P0DT1H0M0S",
    delta="P0DT0H0M5S", price=1.5,
    whole=3, half=0.5, yes=True, array=[1, 2], days=["2026-01-02"], nested=[dict(a=[dict(b=1, c=None)])], nat=None,
    none=None, nan=None, na=None, inf=None,
    raw="a\\xff", text="half \ud83d", pairs=[1, 2], group=["x"], imaginary="1j", empty=[])


def test_a_file_of_anything(tmp_path):
    frame = FRAME.assign(**{name: pd.Series([value, None], dtype=object) for name, value in ODD.items()},
                         kind=pd.Categorical(["a", None]))
    viz = RewardVisualizer(frame)
    first, second = map(json.loads, viz.export(tmp_path / "rows.jsonl", [0, 1]).read_text().splitlines())
    assert {name: first[name] for name in ODD} == AS_JSON and first["kind"] == "a" and second["kind"] is None
    assert second["day"] is None
    assert viz.save(tmp_path / "page.html").exists() and viz.pair(0)["details"]


@pytest.mark.parametrize("name, values", [("text", ["half \ud83d", "x"]), ("group", [{1}, 2]), ("mixed", ["a", 1]),
                                          ("big", [2**80, 1]), ("imaginary", [1j, 2])])
def test_what_parquet_cannot_hold_is_said(tmp_path, name, values):
    viz = RewardVisualizer(FRAME.assign(**{name: pd.Series(values, dtype=object)}))
    with pytest.raises(ValueError, match=f"column '{name}'.*jsonl"): viz.export(tmp_path / "rows.parquet", [0, 1])


def test_both_kinds_of_file_come_back(tmp_path):
    "From chats through Parquet, through .jsonl, and into the explorer again, each time with its marks"
    viz = RewardVisualizer(FRAME.assign(prompt=[CHAT, CHAT * 3], day=pd.Timestamp("2026-01-02"), tags=[["a"], ["b"]]))
    viz.mark(1, "unclear", "why")
    back = pd.read_parquet(viz.export(tmp_path / "a.parquet", [0, 1]))
    assert back["row"].tolist() == [0, 1] and back["mark"].tolist() == ["", "unclear"]
    again = RewardVisualizer(back)
    lines = [json.loads(line) for line in again.export(tmp_path / "b.jsonl", [0, 1]).read_text().splitlines()]
    assert lines[1]["prompt"] == CHAT * 3 and lines[0]["day"] == "2026-01-02T00:00:00" and lines[0]["tags"] == ["a"]
    for file in (viz.export(tmp_path / "marks.jsonl"), viz.export(tmp_path / "all.jsonl", [1, 0])):
        other = RewardVisualizer(viz.scores)
        assert other.take_marks(file) == 0 and other.marks == viz.marks


def test_duplicates_keep_their_marks_apart(tmp_path):
    viz = RewardVisualizer(pd.concat([FRAME] * 3))
    viz.mark(2, "unclear", "the second"), viz.mark(4, "mislabelled", "the third"), viz.mark(3, "", "note")
    file = viz.export(tmp_path / "marks.jsonl")
    again = RewardVisualizer(pd.concat([FRAME] * 3))
    assert again.take_marks(file) == 0 and again.marks == viz.marks
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["row"] for line in lines] == [2, 3, 4]


def test_columns_of_the_users_keep_their_names(tmp_path, caplog):
    viz = RewardVisualizer(FRAME.assign(row=["r1", "r2"], mark=["m1", "m2"]))
    viz.mark(1, "unclear", "mine")
    line = json.loads(viz.export(tmp_path / "marks.jsonl").read_text())
    assert (line["row"], line["rmkit_row"], line["mark"], line["rmkit_mark"],
            line["note"]) == ("r2", 1, "m2", "unclear", "mine")
    assert "column 'row' of its own" in caplog.text and "'rmkit_mark'" in caplog.text


def test_marks_come_back_beside_columns_of_the_same_names(tmp_path):
    viz = RewardVisualizer(FRAME.assign(row=["r1", "r2"], mark=["m1", "m2"], note=["n1", None]))
    viz.mark(1, "unclear", "mine"), viz.export(tmp_path / "marks.jsonl")
    again = RewardVisualizer(viz.scores)
    assert again.take_marks(tmp_path / "marks.jsonl") == 0 and again.marks == viz.marks


def test_decisions_are_in_the_file():
    found = exported(complete(FRAME), [1, 0], {1: dict(mark="", note="", decision="swap")})
    assert found["decision"].tolist() == ["swap", ""] and found["row"].tolist() == [1, 0]
    assert "decision" not in exported(complete(FRAME), [0], {})


def test_rows_are_numbers_or_truth_values(tmp_path):
    table = complete(FRAME)
    for rows in ([1], np.array([1]), pd.Index([1]), {1}, iter([1]), 1, [False, True], table["reward_margin"] < 0):
        assert exported(table, rows, {})["row"].tolist() == [1]
    assert RewardVisualizer(table).export(tmp_path / "none.jsonl", []).read_text() == ""
    for rows, words in (([2], "row 2 is not"), ([-1], "row -1 is not"), ([True], "found 1 values"),
                        (["a"], "the text 'a'"),
                        ([0.5], "the number 0.5")):
        with pytest.raises(ValueError, match=words): exported(table, rows, {})


# A saved page -------------------------------------------------------------------------------------------------------

def saved(viz, path, **how):
    page = viz.save(path, **how).read_text(encoding="utf-8")
    return json.loads(re.search(r'id="rmkit-data">(.*?)</script>', page, re.S)[1])


def test_a_saved_page_says_for_how_many_it_has_token_rewards(model, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(visualizer, "TRACE_SECONDS", 3600)  # a slow machine is no reason
    viz = RewardVisualizer(pd.concat([FRAME] * 4), RewardModel(model, tokenizer))
    data = saved(viz, tmp_path / "page.html", traces=3)
    assert [row["id"] for row in data["rows"] if row["tokens"]] == [1, 3, 5]
    assert "for the 3 most confidently wrong" in data["rows"][0]["tokens_note"]
    assert {name: data["rows"][1][name] for name in viz._read_texts(1)} == viz._read_texts(1)
    assert all(row["tokens"] for row in saved(viz, tmp_path / "page.html")["rows"])
    monkeypatch.setattr(visualizer, "TRACE_SECONDS", -1)
    assert not any(row["tokens"] for row in saved(viz, tmp_path / "page.html")["rows"])
    assert "No model is attached" in saved(RewardVisualizer(FRAME), tmp_path / "page.html")["rows"][0]["tokens_note"]


def test_a_saved_page_takes_any_text_and_says_when_it_is_large(tmp_path, monkeypatch, caplog):
    rows = [dict(prompt=text, chosen=text, rejected=text[::-1], reward_chosen=1, reward_rejected=0, tag=text,
                 source=text) for text in PAYLOADS]
    viz = RewardVisualizer(rows, title=PAYLOADS[0])
    viz.mark(0, "unclear", "half \ud83d </script>")
    data = saved(viz, tmp_path / "page.html")
    assert [row["chosen"][0]["text"] for row in data["rows"]] == [visible(text) for text in PAYLOADS]
    assert json.dumps("half \ud83d </script>") in json.dumps(data["meta"])
    assert not caplog.records
    monkeypatch.setattr(visualizer, "LARGE_PAGE", 1000)
    with caplog.at_level(logging.WARNING): viz.save(tmp_path / "page.html")
    assert re.search(r"page.html has \d+ MB", caplog.text)


def test_snapshots_are_of_the_pairs_that_are_shown(model, tokenizer):
    snapshots = Snapshots(Dataset.from_list(ROWS))
    assert RewardVisualizer(FRAME, snapshots=snapshots).moves is None
    for step in (0, 10): snapshots.take(step, RewardModel(model, tokenizer))
    moves = RewardVisualizer(snapshots.scores, snapshots=snapshots).moves
    assert moves["steps"] == [0, 10] and len(moves["margins"][0]) == len(moves["mean"]) == 2
    with pytest.raises(ValueError, match="are of 2 pairs, the table has 1"):
        RewardVisualizer(FRAME[:1], snapshots=snapshots)


def test_a_bar_of_a_source_filters_that_source():
    "Also where all pairs of a source that stands before it have no reward, and so no bar"
    table = pair_scores(["p"] * 6, ["a"] * 6, ["b"] * 6, [np.nan, np.nan, 1, 2, 3, 4], [0] * 6,
                        source=["a", "a", "b", "b", "c", "c"])
    bars = next(picture["bars"] for picture in pictures(complete(table)) if picture["id"] == "source")
    codes = columns(complete(table))["source"]
    assert {bar["label"]: [i for i, code in enumerate(codes) if code == bar["source"]] for bar in bars} == {
        "b": [2, 3], "c": [4, 5]}
