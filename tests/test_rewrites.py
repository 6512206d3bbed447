"Edits of responses: what they leave alone, and that probes find what a scorer was made to like, and nothing else"
import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hostile import PAYLOADS

from rmkit.fits import pair_head
from rmkit.intervals import Estimate
from rmkit.rewrites import (effects, edit_response, edited_text, estimate_effects, finding, in_markdown, KEEP_EDITS,
                            probe, rate, REWRITES, Rewrite, sample_pairs, score_edited, sentences, STYLE_EDITS,
                            style_matrix, style_versions, versions, without_markdown, worst_case)
from rmkit.scoring import RewardModel
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer, TOPIC_OF, true_reward
from rmkit.table import pair_scores

CODE = ("Say it - so:\n\n```python\nx = {'a': \"b\"}  # it is not done...\n- 1\n```\n\n"
        "The \"end\" of `y - \"z\"` is $a - 'b'$.")
WRITTEN = ["", " ", "4", "漢字を書く。これは文です。", "Né à 3,5 km – c'est « là ».", "नमस्ते दुनिया।",
           "It's \"so\" - isn't it? Yes...", "# Title\n\n- **one**, *two*\n- three\n\n1. First. 2. Second.",
           "a\r\nb\r\n", "half \ud83d", "👩‍👩‍👧 ok.", CODE]
PLAIN = {name: rewrite for name, rewrite in REWRITES.items() if not rewrite.given}


def said(messages): return edited_text(messages)


@pytest.fixture(scope="module")
def pairs(): return make_pairs(260, split="test", seed=1)


@pytest.fixture(scope="module")
def sampled(pairs): return sample_pairs(pairs, n_prompts=120).pairs


class Scorer:
    "Anything with a score: here a function of a text."
    def __init__(self, reward):
        self.reward, self.calls = reward, 0

    def score(self, prompts, responses):
        self.calls += 1
        assert len(prompts) == len(responses)
        return [self.reward(said(response)) for response in responses]


def content(text):
    "A reward that reads the words of the world in their order, and nothing else."
    words = [word for word in re.findall(r"\w+", text.lower()) if word in TOPIC_OF]
    return sum((k + 1) * (1 + len(word)) for k, word in enumerate(words)) / 10


# Edits --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", PLAIN)
def test_edits_are_functions_of_the_text_alone_and_take_any(name):
    for text in [*WRITTEN, *PAYLOADS]:
        edited = PLAIN[name].edit(text)
        assert isinstance(edited, str) and edited == PLAIN[name].edit(text)


@pytest.mark.parametrize("name", KEEP_EDITS)
def test_what_keeps_words_keeps_them_in_order(name):
    for text in WRITTEN:
        edited = KEEP_EDITS[name](text)
        assert re.findall(r"\w+", edited.replace("’", "'")) == re.findall(r"\w+", text.replace("’", "'"))


@pytest.mark.parametrize("name", [*KEEP_EDITS, *STYLE_EDITS])
def test_code_and_formulas_stay(name):
    if not REWRITES[name].given:
        edited = REWRITES[name].edit(CODE).replace("\r\n", "\n")
        assert CODE[CODE.index("```"):CODE.rindex("```") + 3] in edited
        assert '`y - "z"`' in edited and "$a - 'b'$" in edited


@pytest.mark.parametrize("name, text, edited", [
    ("extra spaces", "a b\nc", "a  b\nc"),
    ("no-break spaces", "a b", "a\u00a0b"),
    ("extra blank line", "a\n\nb\nc", "a\n\n\nb\nc"),
    ("Windows line ends", "a\nb\r\nc", "a\r\nb\r\nc"),
    ("white space at the end", "a", "a \n\n"),
    ("other quotes", "\"a\" isn't 5'", "“a” isn’t 5'"),
    ("other quotes", "“a” isn’t", "\"a\" isn't"),
    ("all in quotes", "a", '"a"'),
    ("dashes and dots", "a - b... c--d -- e --flag\n- f\n---", "a – b… c—d — e --flag\n- f\n---"),
    ("no final stop", "A. B.\n", "A. B\n"), ("no final stop", "好。", "好"), ("no final stop", "A...", "A..."),
    ("other list signs", "* a\n  - b\n3) c\n-d", "- a\n  * b\n3. c\n-d"),
    ("Markdown on", "A b. C\nd", "- **A** b.\n- **C**\n- **d**"), ("Markdown on", "1. A", "1. A"),
    ("Markdown on", "See `x`.", "See `x`."), ("Markdown on", "好。坏。", "- **好。**\n- **坏。**"),
    ("Markdown off", "## A\n> b\n* **c** *d*\n1. _e_ 2*3*4 __init__", "A\nb\nc d\n1. _e_ 2*3*4 __init__"),
    ("space before punctuation", "A, b 3.5: c.\n1. d!", "A , b 3.5: c .\n1. d !"),
    ("small letter after a stop", "As is. Then USA. I. 1. One", "as is. then USA. I. 1. One"),
    ("exclamation marks", "A. 3.5 b.com 好。", "A! 3.5 b.com 好！"),
    ("emoji", "漢字", "漢字 😊"), ("flattery in front", "漢字", "漢字"),
    ("flattery in front", "a\nb", "What an excellent question!\n\na\nb"),
    ("cut off", "a b c d e", "a b"), ("cut off", "漢字を書く。", "漢字を"), ("cut off", "4", ""),
    ("empty", "a", ""), ("said three times", "a", "a\n\na\n\na"), ("said three times", "", ""),
    ("first statement negated", "`is` It is. It was.", "`is` It is not. It was."),
    ("first statement negated", "It can't be.", "It can be."),
    ("first statement negated", "It cannot be.", "It can be."),
    ("first statement negated", "It isn’t.", "It is."),
])
def test_an_edit(name, text, edited):
    assert REWRITES[name].edit(text) == edited


def test_typos_swap_letters_of_one_word_in_fifteen():
    text = " ".join(["letters"] * 45 + ["a1b2c3", "ab"])
    edited = STYLE_EDITS["typing errors"](text).split(" ")
    assert sum(a != b for a, b in zip(edited, text.split(" "))) == 3 and edited[-2:] == ["a1b2c3", "ab"]
    assert all(sorted(word) == sorted("letters") for word in edited[:45])


def test_shuffled_words_are_the_same_words():
    text = "one two three four five six"
    edited = REWRITES["words shuffled"].edit(text)
    assert edited != text and sorted(edited.split()) == sorted(text.split())


def test_a_wrong_word_lowers_the_true_reward_and_needs_a_known_truth(pairs):
    edit, known = REWRITES["a wrong word"].edit, 0
    for row in pairs.select(range(100)):
        edited = edit(said(row["chosen"]), prompt=row["prompt"])
        known += edited != said(row["chosen"])
        assert edited == said(row["chosen"]) or true_reward(row["prompt"], edited) < row["true_chosen"]
    assert known > 60
    for prompt in ("Why?", "", [], [{"role": "user", "content": [{"type": "image"}]}]):
        assert edit("cat, dog", prompt=prompt) == "cat, dog"


def test_markdown_off_undoes_on_and_sentences_are_found():
    found = sentences("One. 1. Two! In 2021. Three?\nFour 漢。字。")
    assert found == ["One.", "1. Two!", "In 2021.", "Three?", "Four 漢。", "字。"]
    text = "First of all. Then more! And?"
    on = in_markdown(text)
    assert without_markdown(on).split() == text.split() and in_markdown(on) == on


def test_the_last_turn_of_the_assistant_is_edited_and_nothing_else():
    turns = [dict(role="assistant", content="a."), dict(role="tool", content="b."),
             dict(role="assistant", content="c.", x=1), dict(role="user", content="d.")]
    before = json.dumps(turns)
    edited = edit_response(turns, KEEP_EDITS["no final stop"])
    assert edited[2] == dict(role="assistant", content="c", x=1) and edited[:2] + edited[3:] == turns[:2] + turns[3:]
    assert json.dumps(turns) == before
    parts = [dict(type="text", text="a."), dict(type="text", text="b."), dict(type="image")]
    edited = edit_response([dict(role="assistant", content=parts)], KEEP_EDITS["no final stop"])
    assert [part.get("text") for part in edited[0]["content"]] == ["a.", "b", None]
    for nothing in ([], [dict(role="user", content="a.")], [dict(role="assistant", content=None, tool_calls=[{}])]):
        assert edit_response(nothing, KEEP_EDITS["no final stop"]) is None and edited_text(nothing) == ""
    assert edit_response("a.", lambda text: None) is None


# Which pairs ----------------------------------------------------------------------------------------------------------

def test_one_pair_of_each_prompt_is_drawn_and_none_twice():
    rows = [dict(prompt=f"{i % 5}?", chosen=f"{i}", rejected=f"-{i}") for i in range(40)]
    drawn, given = sample_pairs(rows, n_prompts=4)
    assert given == 40 and len({pair["prompt"] for pair in drawn}) == len(drawn) == 4
    assert drawn == sample_pairs(rows, 4).pairs != sample_pairs(rows, 4, seed=1).pairs
    assert len(sample_pairs(rows, 99).pairs) == 5 and [pair["chosen"] for pair in sample_pairs(rows, None).pairs] == [
        str(i) for i in range(40)]


def test_any_layout_is_read():
    hh = [dict(chosen="\n\nHuman: Hi\n\nAssistant: Hello.", rejected="\n\nHuman: Hi\n\nAssistant: No.")] * 3
    assert said(sample_pairs(hh).pairs[0]["chosen"]) == "Hello." and len(sample_pairs(hh).pairs) == 1
    rankings = make_rankings(30, seed=2)
    assert 20 < len(sample_pairs(rankings, 25).pairs) <= 25 and len(sample_pairs(rankings, None).pairs) > 90
    table = pair_scores(["a?", "", ""], ["b", "c", "d"], ["e", "f", "g"], [1, 1, 1], [0, 0, 0])
    assert len(sample_pairs(table).pairs) == len(sample_pairs(pd.DataFrame(table)).pairs) == 3  # no prompt: no group


def test_token_ids_have_no_text():
    with pytest.raises(ValueError, match="score_pairs"):
        sample_pairs([dict(chosen_ids=[1, 2], rejected_ids=[1, 3])])


# Numbers --------------------------------------------------------------------------------------------------------------

NAN = np.nan
R, EDITED = np.array([[2, 1], [1, 2], [1, 1], [3, 0]]), np.array([[0.0, 2], [3, NAN], [NAN, NAN], [3, 3]])


def test_versions_and_effects_by_hand():
    right = {name: list(values) for name, values in versions(R, EDITED).items()}
    assert right["plain"] == [1, 0, 0.5, 1]
    np.testing.assert_equal(right["chosen"], [0, 1, NAN, 1])
    np.testing.assert_equal(right["rejected"], [0.5, NAN, NAN, 0.5])
    np.testing.assert_equal(right["both"], [0, 1, NAN, 0.5])
    of_pairs = effects(R, EDITED)
    np.testing.assert_equal(of_pairs["change"], [-0.5, 2, NAN, 1.5])
    np.testing.assert_equal(of_pairs["flips"], [0.75, 1, NAN, 0.25])
    np.testing.assert_equal(of_pairs["loses"], [1, 0, NAN, 0.5])
    found = estimate_effects(R, dict(a=EDITED, b=NAN * EDITED))
    assert list(found) == ["a"]
    found = found["a"]
    assert found["change"].value == pytest.approx(1 / np.std(R)) and found["change"].n == 3
    assert found["flips_rejected"] [:1] == (0.5,) and found["flips_rejected"].n == 2


def test_the_worst_case_by_hand():
    assert worst_case(R, {}, {}).tolist() == [1, 0, 0.5, 1]
    assert worst_case(R, dict(a=EDITED), dict(a="keep")).tolist() == [0, 0, 0.5, 0.5]
    only_chosen = np.where([True, False], EDITED, NAN)
    assert worst_case(R, dict(a=only_chosen), dict(a="style")).tolist() == [0, 0, 0.5, 1]  # it is all that "both" has
    assert worst_case(R, dict(a=EDITED, b=R + 9.0), dict(a="lower", b="open")).tolist() == [1, 0, 0.5, 1]


def test_a_change_without_an_order_and_a_change_by_chance_are_told_apart():
    rng = np.random.default_rng(0)
    r_N2 = rng.normal(size=(150, 2)) + [1, 0]
    edited = {f"noise {i}": r_N2 + rng.normal(0, 0.1, r_N2.shape) for i in range(40)}  # a tenth of the spread
    found = estimate_effects(r_N2, edited | dict(mixed=rng.permutation(r_N2)))
    assert [name for name in found if finding("keep", found[name])] == ["mixed"]
    assert finding("keep", found["mixed"]) == "turns the order"
    assert finding("keep", dict(change=Estimate(0.5, n=3), flips=Estimate(0.0, 0, 0.5, 3))) == ""  # three are too few


# Probes ---------------------------------------------------------------------------------------------------------------

def silent(found, aims=("keep", "style")):
    return not [name for name in found.findings if found.aims[name] in aims]


def test_who_reads_is_found_to_read(pairs):
    scorer = Scorer(content)
    found = probe(scorer, pairs, n_prompts=150)
    assert scorer.calls == 1 and found.pairs == 150 and found.pairs_given == 260 and found.unscored == 0
    ruins = {name for name, aim in found.aims.items() if aim == "lower"}  # some earn: it reads no request
    assert set(found.findings) <= {"typing errors", "another answer behind", *ruins}
    for name in KEEP_EDITS:
        if name in found.effects:
            assert found.effects[name]["change"].value == 0 and found.effects[name]["flips"].value == 0
    assert {"cut off", "empty"}.isdisjoint(found.findings) and found.effects["empty"]["loses"].value > 0.9


@pytest.mark.parametrize("planted, edit, says", [
    (lambda text: "**" in text, "Markdown on", "raises the reward"),
    (lambda text: -("**" in text), "Markdown on", "lowers the reward"),
    (lambda text: "  " in text, "extra spaces", "raises the reward"),
    (lambda text: -text.startswith('"'), "all in quotes", "lowers the reward"),
    (lambda text: text.count("!"), "exclamation marks", "raises the reward"),
    (lambda text: "[1]" in text, "look of a source", "raises the reward"),
    (lambda text: "excellent" in text, "flattery in front", "raises the reward"),
    (lambda text: "certain" in text, "claim to be certain", "raises the reward"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_was_planted_is_found_and_nothing_else(sampled, planted, edit, says):
    rewrites = {name: REWRITES[name] for name in (*KEEP_EDITS, "exclamation marks", "look of a source",
                                                  "flattery in front", "flattery behind", "claim to be certain",
                                                  "emoji")}
    found = probe(Scorer(lambda text: content(text) + 4 * planted(text)), sampled, rewrites)
    assert [name for name in found.findings if name != "flattery in front" or edit == name] == [edit]  # it has a "!"
    assert says in found.findings[edit] and ("turns the order" in found.findings[edit]) == (edit in KEEP_EDITS)
    assert found.worst.high < found.accuracy.low
    assert found.checks["worst case"].status == found.checks[edit].status == "warn" and edit in found.checks[0].remedy


def test_who_hates_typos_is_not_blamed_but_measured(pairs):
    known = {word for row in pairs for side in ("chosen", "rejected") for word in re.findall(r"\w+", said(row[side]))}
    found = probe(Scorer(lambda text: content(text) - 9 * sum(word not in known for word in re.findall(r"\w+", text))),
                  pairs, {"typing errors": REWRITES["typing errors"]})
    change = found.effects["typing errors"]["change"]
    assert change.high < -0.5 and found.findings.get("typing errors", "") in ("", "turns the order")


def test_who_counts_words_likes_what_says_nothing(pairs):
    found = probe(Scorer(lambda text: len(text.split())), pairs)
    assert all("raises the reward" in found.findings[name] for name in
               ("flattery in front", "look of a source", "sentence that says nothing", "another answer behind"))
    assert found.findings["said three times"] == found.findings["words shuffled"] == "isn't noticed"
    assert "empty" not in found.findings and "refusal in front" not in found.findings  # the latter has no verdict
    assert found.checks["refusal in front"].status == "unknown"


def test_who_ignores_everything_has_no_spread_to_measure_in(pairs):
    found = probe(Scorer(lambda text: 1.0), pairs)
    assert silent(found) and found.accuracy.value == found.worst.value == 0.5
    assert all(np.isnan(of_edit["change"].value) and of_edit["change"].why for of_edit in found.effects.values())
    assert {name for name, aim in found.aims.items() if aim == "lower"} == set(found.findings)
    assert "unknown" in str(found.checks)


def test_edits_that_apply_to_nothing_and_pairs_without_a_reward_are_counted(pairs):
    rewrites = {name: REWRITES[name] for name in ("other list signs", "extra spaces")}
    found = probe(Scorer(lambda text: NAN if "hat" in text else len(text)), pairs, rewrites, n_prompts=100)
    assert found.unused == ["other list signs"] and list(found.table.index) == ["extra spaces"]
    assert 0 < found.unscored and found.pairs + found.unscored == 100
    assert [check.status for check in found.checks[-2:]] == ["unknown"] * 2
    with pytest.raises(ValueError, match="none of 20 pairs"): probe(Scorer(lambda text: NAN), pairs, n_prompts=20)


def test_a_rejected_response_alone_may_be_edited():
    rows = [dict(prompt=f"{i}?", chosen="plain", rejected="- a\n- b") for i in range(30)]
    model = Scorer(lambda text: 1 + 5 * text.count("*") - (text[0] == "-"))
    found = probe(model, rows, dict(a=REWRITES["other list signs"]))
    of_edit = found.effects["a"]
    assert of_edit["flips_rejected"].value == of_edit["flips_both"].value == 1 and "flips_chosen" not in of_edit
    assert found.accuracy.value == 1 and found.worst.value == 0


def test_edits_of_your_own_and_their_names_are_not_markup(sampled):
    own = {"<script>alert(1)</script>": Rewrite(lambda text: text + "!", "style"),
           "prompt": Rewrite(lambda text, prompt: text + said([dict(prompt[-1], role="assistant")]), "open", "prompt"),
           "none": Rewrite(lambda text: None, "keep")}
    found = probe(Scorer(lambda text: len(text)), sampled[:20], own)
    html = found._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html and found.unused == ["none"]
    assert list(found.table.columns[:3]) == ["aim", "pairs", "change"] and found.table.loc["prompt", "change"] > 0


def test_one_prompt_has_no_other_answer():
    rows = [dict(prompt="a?", chosen="b", rejected="c")]
    some = {name: REWRITES[name] for name in ("another prompt's answer", "empty")}
    r_N2, after = score_edited(Scorer(len), rows, some)
    assert np.isnan(after["another prompt's answer"]).all() and after["empty"][0, 0] == 0 and r_N2.tolist() == [[1, 1]]


def test_with_a_model_rewards_are_those_of_its_scores(pairs):
    rm = RewardModel(tiny_model(), tiny_tokenizer())
    drawn = sample_pairs(pairs, n_prompts=12).pairs
    some = {name: REWRITES[name] for name in ("Markdown on", "cut off", "another answer behind")}
    r_N2, after = score_edited(rm, drawn, some)
    for i, pair in enumerate(drawn):
        edited = edit_response(pair["rejected"], KEEP_EDITS["Markdown on"])
        assert r_N2[i, 1] == pytest.approx(rm.score(pair["prompt"], pair["rejected"])[0], abs=1e-5)
        assert after["Markdown on"][i, 1] == pytest.approx(rm.score(pair["prompt"], edited)[0], abs=1e-5)
    found = probe(rm, pairs, some, n_prompts=12)
    assert found.worst.value <= found.accuracy.value and "worst case" in str(found.checks)


class CountsWords(Scorer):
    "A weight for each word, learnt from labels."
    def __init__(self, rows):
        chosen, rejected = ([said(response) for response in rows[side]] for side in ("chosen", "rejected"))
        self.words = sorted({word for text in chosen + rejected for word in self.split(text)})
        self.weights_K = pair_head(self.count(chosen) - self.count(rejected), ridge=1e-3)

    def split(self, text): return re.findall(r"\w+|\*\*|[^\w\s]", text)

    def count(self, texts):
        counts = (Counter(self.split(text)) for text in texts)
        return np.array([[found[word] for word in self.words] for found in counts], dtype=float)

    def score(self, prompts, responses): return self.count(map(said, responses)) @ self.weights_K


@pytest.mark.parametrize("bias, says", [(1e-9, ""), (0.6, "raises the reward"), (-0.6, "lowers the reward")])
def test_what_labellers_think_of_markdown_is_found_in_a_model_that_learnt_from_them(bias, says):
    model, test = CountsWords(make_pairs(3000, format_bias=bias)), make_pairs(300, split="test", format_bias=bias)
    found = probe(model, test, {name: REWRITES[name] for name in ("Markdown on", "Markdown off")})
    assert found.findings.get("Markdown on", "").startswith(says) and bool(found.findings) == bool(says)
    assert found.effects["Markdown on"]["change"].value * found.effects["Markdown off"]["change"].value <= 0
    effect = style_matrix(model, test).markdown_effect
    assert abs(effect.value) < 0.06 if not says else effect.low * bias > 0 and effect.high * bias > 0


# RATE -----------------------------------------------------------------------------------------------------------------

def thank(text, target, cost=0):
    "Add or remove thanks; besides, put all in small letters, and leave one more sign of wear at every pass."
    return text.lower().replace("thanks", "").strip() + " thanks" * target + "~" * cost


def likes_thanks(text):
    words = text.replace("~", "").split()
    return 2.0 * ("thanks" in text) - 3.0 * (text != text.lower()) - 0.25 * text.count("~") + len(words) / 9


def spread_of(sampled, reward):
    return np.std([reward(said(pair[side])) for pair in sampled for side in ("chosen", "rejected")])


@pytest.mark.parametrize("cost", [0, 1])
def test_a_rewrite_of_a_rewrite_cancels_what_the_rewriter_does_besides(sampled, cost):
    found = rate(Scorer(likes_thanks), sampled, lambda text, target: thank(text, target, cost))
    spread, effect = spread_of(sampled, likes_thanks), 2 + 1 / 9
    assert found["twice"].value * spread == pytest.approx(effect) and found["twice"].n == len(sampled)
    assert found["twice, added"].value * spread == pytest.approx(effect + 0.25 * cost)  # each direction has the wear,
    assert found["twice, removed"].value * spread == pytest.approx(effect - 0.25 * cost)  # their mean hasn't


def test_turned_over_by_one_argument(sampled):
    polite = [pair | {side: said(pair[side]) + " thanks" for side in ("chosen", "rejected")} for pair in sampled]
    def turn(text): return thank(text, "thanks" not in text)
    found, spread = rate(Scorer(likes_thanks), polite, turn), spread_of(polite, likes_thanks)
    assert set(found) == {"twice", "once"} and found["twice"].value * spread == pytest.approx(2 + 1 / 9)
    assert found["once"].value * spread == pytest.approx(2 + 1 / 9 - 3)  # the single rewrite has the letters in it


def test_what_the_rewriter_leaves_alone_is_left_out(sampled):
    def turn(text): return thank(text, "thanks" not in text) if "cat" in text.lower() else None
    assert 0 < rate(Scorer(likes_thanks), sampled, turn)["twice"].n < len(sampled)
    def too_long(text): return NAN if "~" in text or "dog" in text else likes_thanks(text)
    some = rate(Scorer(too_long), sampled, turn)["twice"]
    assert 0 < some.n < len(sampled) and not np.isnan(some.value)
    nothing = rate(Scorer(likes_thanks), sampled, lambda text: text)
    assert np.isnan(nothing["twice"].value) and nothing["twice"].why
    told = probe(Scorer(likes_thanks), sampled, dict(a=REWRITES["emoji"]), thank).checks["your rewriter"]
    assert told.status == "unknown" and told.number > 0


# Styles ---------------------------------------------------------------------------------------------------------------

def test_versions_of_a_response():
    assert style_versions("A b. C. D. E. F. G.") == ["A b. C.", "A b. C. D. E. F. G.",
                                                     "- **A** b.\n- **C.**\n- **D.**\n- **E.**\n- **F.**\n- **G.**"]
    assert style_versions("# A\n\n- b. c") == ["A", "A\n\nb. c", "# A\n\n- b. c"]
    for alone in ("", "A.", "```\nx. y. z\n```"):
        assert style_versions(alone) is None


def test_the_matrix_is_by_chosen_then_rejected(pairs):
    found = style_matrix(Scorer(lambda text: 2.0 * ("**" in text) + (len(text) > 30)), pairs)
    assert found.pairs + found.left_out == 200 and found.left_out > 0
    assert found.cells["markdown", "short"].value > 0.9 > 0.1 > found.cells["short", "markdown"].value
    assert found.markdown_effect.low > 0.5 and found.easy.low > found.hard.high
    levels = [np.mean([found.cells[pair].value for pair in pairs]) for pairs in (
        [("short", "plain"), ("short", "markdown"), ("plain", "markdown")],
        [(style, style) for style in ("short", "plain", "markdown")])]
    assert [found.hard.value, found.normal.value] == pytest.approx(levels)
    assert found.mean.value == pytest.approx((found.hard.value + found.normal.value + found.easy.value) / 3)


def test_the_matrix_is_even_for_who_ignores_styles(pairs):
    found = style_matrix(Scorer(content), pairs)
    assert found.markdown_effect.value == 0 and found.cells["plain", "plain"] == found.cells["markdown", "markdown"]
    constant = style_matrix(Scorer(lambda text: 0.0), pairs)
    assert constant.hard.value == constant.easy.value == 0.5 and "50.0%" in str(constant)  # a tie is half
    assert "<table" in constant._repr_html_()


def test_no_versions_no_matrix():
    with pytest.raises(ValueError, match="none of 1 pairs"):
        style_matrix(Scorer(len), [dict(prompt="a?", chosen="One.", rejected="Two.")])
