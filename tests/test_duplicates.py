"What is there twice: by hand, against brute force, planted and not planted"
import json
from itertools import combinations
from random import Random

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rmkit.duplicates import (BANDS, candidates, DUPLICATES, find_duplicates, find_leakage, five_grams, jaccard, LEAKS,
                              min_hashes, normalized_text, PARTS, ROWS, text_keys)
from rmkit.synthetic import make_pairs

NONE = dict.fromkeys(DUPLICATES, 0)
NO_LEAK = dict.fromkeys(LEAKS, 0)


def table(*rows): return pd.DataFrame(rows, columns=PARTS)


@pytest.fixture(scope="module")
def default(): return make_pairs(2000).to_pandas()[list(PARTS)]


@pytest.fixture(scope="module")
def held_out(): return make_pairs(500, split="test").to_pandas()[list(PARTS)]


def words(n, rng, n_words=2000): return [f"word{rng.randrange(n_words)}" for _ in range(n)]


def changed(text, n, rng):
    "The text with n of its words replaced"
    parts = text.split()
    for at in rng.sample(range(len(parts)), n): parts[at] = f"other{rng.randrange(10**9)}"
    return " ".join(parts)


# Normalised texts ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("a,b", [
    ("Yes.", " yes. \n"), ("A  b\tc", "a b\r\nc"), ("é", "e\u0301"), ("STRASSE", "straße"), ("a\u00a0b", "a b"),
    ("漢字\u3000かな", "漢字 かな"), ("İ", "i\u0307"), ("ΣΑΣ", "σας"), ("\x1ca", "a")])
def test_what_counts_as_the_same(a, b):
    assert normalized_text(a) == normalized_text(b) and len(set(text_keys([a, b]).tolist())) == 1


@pytest.mark.parametrize("a,b", [("yes", "yes."), ("x²", "x2"), ("½", "1⁄2"), ("a-b", "a–b"), ("", "."), ("e", "é"),
                                 ("\ud800", "?"), ("漢", "汉")])
def test_what_does_not(a, b):
    assert len(set(text_keys([a, b]).tolist())) == 2


def test_text_messages_and_what_is_missing():
    message = {"role": "assistant", "content": "Hi"}
    assert len(set(text_keys(["hi", [message], [{"role": "user", "content": "HI"}]]).tolist())) == 1
    assert len(set(text_keys([[message], [message, message]]).tolist())) == 2
    assert len(set(text_keys([None, "", float("nan"), pd.NA]).tolist())) == 1


# 5-grams, Jaccard, MinHash -------------------------------------------------------------------------------------------

def brute_grams(text):
    "Runs of five words as anybody would write them"
    parts = text.lower().split()
    return {tuple(parts[i:i + 5]) for i in range(max(1, len(parts) - 4))} if parts else set()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=14).map(" ".join), min_size=2, max_size=6))
def test_5_grams_against_brute_force(texts):
    grams = five_grams(texts)
    for a, b in combinations(range(len(texts)), 2):
        expected = jaccard(brute_grams(texts[a]), brute_grams(texts[b]))
        assert jaccard(grams.of(a), grams.of(b)) == pytest.approx(expected)
    assert [len(grams.of(n)) for n in range(len(texts))] == [len(brute_grams(text)) for text in texts]


def test_short_and_empty_texts_are_not_alike():
    grams = five_grams(["", "  ", "?!", "Yes", "No", "yes.", "a b c d", "a b c d e"])
    assert [len(grams.of(n)) for n in range(8)] == [0, 0, 0, 1, 1, 1, 1, 1]
    near = {pair for pair in combinations(range(8), 2) if jaccard(grams.of(pair[0]), grams.of(pair[1]))}
    assert near == {(3, 5)}
    a, b = candidates(min_hashes(grams), min_hashes(grams))
    assert {(x, y) for x, y in zip(a.tolist(), b.tolist()) if x < y and x > 2} == near


@pytest.mark.parametrize("a,b", [
    ("今日は天気がいいので公園まで歩いて行きました", "今日は天気がいいので公園まで歩いて帰りました"),
    ("我昨天在图书馆里看了一本很有意思的书", "我昨天在图书馆里看了一本很有意思的画"),
    ("วันนี้อากาศดีมากเราไปเที่ยวกันเถอะ", "วันนี้อากาศดีมากเราไปเที่ยวกันนะ")])
def test_scripts_without_spaces_have_grams_of_letters(a, b):
    grams = five_grams([a, b, a[::-1]])
    assert 0.3 < jaccard(grams.of(0), grams.of(1)) < 1 and jaccard(grams.of(0), grams.of(2)) < 0.2
    assert len(grams.of(0)) > 8
    rows = table(("問", a * 3, "はい"), ("問", a * 3 + "。", "はい"), ("問", b * 3 + a[:4], "はい"))
    assert find_duplicates(rows, threshold=0.9).rows("near-duplicate").tolist() == [1]


def test_minhash_estimates_and_bands_find():
    rng = Random(0)
    bases = [" ".join(words(80, rng)) for _ in range(40)]
    texts = [changed(base, n, rng) for base in bases for n in (0, 0, 1, 2, 3)]
    grams = five_grams(texts)
    mins = min_hashes(grams)
    exact = {(a, b): jaccard(grams.of(a), grams.of(b)) for b, a in combinations(range(len(texts)), 2)}
    estimate = {pair: (mins[:, pair[0]] == mins[:, pair[1]]).mean() for pair in exact}
    assert np.mean([estimate[pair] - s for pair, s in exact.items() if s]) == pytest.approx(0, abs=0.01)
    found = set(zip(*(each.tolist() for each in candidates(mins, mins))))
    near = [pair for pair, s in exact.items() if s >= 0.8]
    assert len(near) > 60
    expected = np.mean([1 - (1 - exact[pair]**ROWS)**BANDS for pair in near])  # what theory says of the recall
    assert np.mean([pair in found for pair in near]) >= expected - 0.02 > 0.97


# Within a set --------------------------------------------------------------------------------------------------------

def test_a_set_by_hand():
    rows = table(("P", "a", "b"), ("p ", "B", "a"), ("P", "A", "b"), ("Q", "a", "b"), ("P", "c", "C "), ("P", "b", "a"))
    found = find_duplicates(rows)
    assert found.counts() == {"identical": 1, "contradictory": 4, "duplicate": 2, "near-duplicate": 0}
    assert found.rows("identical").tolist() == [4] and found.rows("contradictory").tolist() == [0, 1, 2, 5]
    repeats = found.table[found.table["kind"] == "duplicate"]
    assert dict(zip(repeats["row"], repeats["other"])) == {2: 0, 5: 1}
    assert "rows 0, 1, 2, 5" in str(found) and "of 6 pairs" in str(found)


def test_any_kind_of_table_is_taken(default):
    rows = default[:20].to_dict("list")
    rows = {name: [[dict(m) for m in value] for value in values] for name, values in rows.items()}
    for made in (rows, Dataset.from_dict(rows), pd.DataFrame(rows)): assert find_duplicates(made).counts() == NONE
    answers = {name: rows[name] + rows[name][:2] for name in PARTS[1:]}
    assert find_duplicates(answers).rows("duplicate").tolist() == [20, 21]  # without prompts
    with pytest.raises(KeyError, match="no column 'rejected'.*found"): find_duplicates(dict(chosen=["a"]))


def test_empty_texts_repeat_nothing():
    rows = table(("", "", "a"), (None, "b", ""), ("", "c", "d"), ("p", "", ""))
    assert find_duplicates(rows).counts() == NONE | {"identical": 1}
    assert find_leakage(rows[:2], rows[1:]).counts()["prompt"] == 0
    assert find_duplicates(rows[:0]).counts() == NONE and find_leakage(rows, rows[:0]).counts() == NO_LEAK


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", "c ", "C", ""])] * 3), max_size=12), st.randoms())
def test_the_order_of_rows_does_not_matter(rows, rng):
    order = list(range(len(rows)))
    rng.shuffle(order)
    found, again = find_duplicates(table(*rows)), find_duplicates(table(*(rows[n] for n in order)))
    assert found.counts() == again.counts()
    for kind in ("identical", "contradictory"):
        assert found.rows(kind).tolist() == sorted(order[n] for n in again.rows(kind))


def test_the_default_has_none_and_all_that_is_planted_is_found(default):
    assert find_duplicates(default).counts() == NONE
    rng = Random(0)
    same = rng.sample(range(2000), 40)
    swapped = rng.sample([n for n in range(2000) if n not in same], 20)
    upper = default.iloc[same[:20]]
    upper = upper.assign(chosen=[answer[0]["content"].upper() for answer in upper["chosen"]])
    planted = pd.concat([default, upper, default.iloc[same[20:]],
                         default.iloc[swapped].rename(columns=dict(chosen="rejected", rejected="chosen")),
                         default[:10].assign(rejected=default["chosen"][:10])], ignore_index=True)
    found = find_duplicates(planted)
    assert found.rows("duplicate").tolist() == list(range(2000, 2040))
    assert found.rows("contradictory").tolist() == sorted([*swapped, *range(2040, 2060)])
    assert found.rows("identical").tolist() == list(range(2060, 2070))
    assert found.counts()["near-duplicate"] == 0


def test_planted_near_duplicates_are_found_and_no_others():
    rng = Random(1)
    rows = [[" ".join(words(n, rng)) for n in (30, 90, 60)] for _ in range(300)]
    near = [[rows[n][0], changed(rows[n][1], 1, rng), rows[n][2] + " so there"] for n in range(50)]
    far = [[rows[n][0], " ".join(words(90, rng)), rows[n][2]] for n in range(50, 100)]  # another answer
    other = [[" ".join(words(30, rng)), *rows[n][1:]] for n in range(100, 120)]  # another prompt
    found = find_duplicates(table(*rows, *near, *far, *other))
    assert found.rows("near-duplicate").tolist() == list(range(300, 350))
    assert found.table["other"].tolist() == list(range(50)) and (found.table["similarity"] >= 0.8).all()


def test_a_sample_says_so_and_is_the_same_again():
    rng = Random(2)
    rows = [[" ".join(words(20, rng)) for _ in PARTS] for _ in range(100)]
    twice = table(*rows, *([a, b, c + " yes"] for a, b, c in rows))
    whole, some = find_duplicates(twice), find_duplicates(twice, max_characters=50_000)
    assert whole.counts()["near-duplicate"] == 100 and not whole.sampled
    n = int(some.sampled["near-duplicate"].split()[0])
    assert 80 < n < 120 and "drawn from 200" in str(some) and 0 < some.counts()["near-duplicate"] < 60
    assert some.table.equals(find_duplicates(twice, max_characters=50_000).table)
    assert not some.table.equals(find_duplicates(twice, max_characters=50_000, seed=1).table)


# Between two sets ----------------------------------------------------------------------------------------------------

LONG = "so many words that nobody says them twice by chance and not even in a dream of dreams"


def test_two_sets_by_hand():
    sorry = "I am sorry but with a request such as this I can not help you at all today"
    train = table(("P", "a", "b"), ("Q", LONG, "c"), ("R", sorry, "d"), ("S", sorry, "e"))
    held_out = table(("p", "x", "y"), ("T", LONG.upper(), "z"), ("U", "B", "A"), ("V", sorry, "w"), ("W", "a", "c"))
    found = find_leakage(train, held_out)
    assert found.counts() == NO_LEAK | {"prompt": 1, "answer": 2}
    assert [tuple(row) for row in found.table.itertuples(index=False)] == [
        ("prompt", 0, 0, 1.0), ("answer", 1, 1, 1.0), ("answer", 2, 0, 1.0)]


def test_near_prompts_and_answers_are_found_and_the_instructions_of_all_are_not():
    rng = Random(3)
    rules = " ".join(words(40, rng))

    def row(): return [f"{rules} {' '.join(words(30, rng))}", *(" ".join(words(50, rng)) for _ in "ab")]
    train, fresh = table(*(row() for _ in range(200))), [row() for _ in range(60)]
    for n in range(10): fresh[n][0] = train["prompt"][n] + " please"
    for n in range(10, 20): fresh[n][2] = changed(train["chosen"][n], 1, rng)
    found = find_leakage(train, table(*fresh))
    assert found.counts() == {"prompt": 0, "answer": 0, "near prompt": 10, "near answer": 10}
    assert found.rows("near prompt").tolist() == list(range(10))
    assert found.table["other"].tolist() == found.table["row"].tolist()
    sample = find_leakage(train, table(*fresh), max_characters=200_000)
    assert "60 of 60 texts were compared with" in sample.sampled["near prompt"]


def test_the_default_leaks_nothing_and_what_is_planted_is_found(default, held_out):
    assert find_leakage(default, held_out).counts() == NO_LEAK
    answers = held_out[100:110].assign(prompt=[f"Something else, number {n}." for n in range(10)])
    found = find_leakage(pd.concat([default, held_out[:50], answers], ignore_index=True), held_out)
    leaked = np.flatnonzero(np.isin(text_keys(held_out["prompt"]), text_keys(held_out["prompt"][:50])))
    assert found.rows("prompt").tolist() == leaked.tolist() and found.counts()["near prompt"] == 0
    assert set(found.rows("answer")) == {*range(50), *range(100, 110)}


def test_real_pairs(shared_data):
    lines = [line for name in ("oasst1", "pandalm", "webgpt") for line in (shared_data / f"{name}.jsonl").open()]
    rows = Dataset.from_list([{part: json.loads(line)[part] for part in PARTS} for line in lines])
    found = find_duplicates(rows)
    assert found.counts()["identical"] == found.counts()["contradictory"] == found.counts()["duplicate"] == 0
    assert find_duplicates(rows.select([*range(100), *range(20)])).rows("duplicate").tolist() == list(range(100, 120))
    leaks = find_leakage(rows.select(range(600)), rows.select(range(550, 650)))
    assert set(range(50)) <= set(leaks.rows("prompt")) and set(range(50)) <= set(leaks.rows("answer"))
