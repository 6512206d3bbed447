import json
import math
import re
from functools import lru_cache, partial
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests

from rmkit.bias import (accuracy_by_length, fit_length_correction, holm, length_correction_gain, length_effect,
                        length_preference, LengthCorrection, style_counts, style_effects, STYLES)
from rmkit.bias import _clustered_fit
from rmkit.fits import pair_head
from rmkit.intervals import bootstrap
from rmkit.metrics import accuracy
from rmkit.synthetic import make_pairs
from rmkit.table import sigmoid


def simulated(n, seed=0, taste=0.0, pairs_a_prompt=1, quality_for_length=0.0):
    "Pairs labelled by quality; a model that knows it and has a taste for length, which is gamma, mean 100."
    rng = np.random.default_rng(seed)
    length_N2 = rng.gamma(4, 25, (n, 2)).round()
    quality_N2 = rng.normal(0, 1.2, (n, 2)) + quality_for_length * length_N2
    reward_N2 = quality_N2 + taste * length_N2
    turn_N = rng.random(n) > sigmoid(quality_N2[:, 0] - quality_N2[:, 1])
    reward_N2[turn_N], length_N2[turn_N] = reward_N2[turn_N, ::-1], length_N2[turn_N, ::-1]
    return pd.DataFrame(dict(prompt=np.arange(n) // pairs_a_prompt, reward_chosen=reward_N2[:, 0],
                             reward_rejected=reward_N2[:, 1], length_chosen=length_N2[:, 0],
                             length_rejected=length_N2[:, 1]))


# The embedded default, judged by a linear head on its words ----------------------------------------------------------

def word_counts(messages, D=256):
    "How often words occur in an answer, each in a column by its hash; and how many there are, in the last column."
    words = re.findall(r"\w+", messages[0]["content"].lower())
    return np.append(np.bincount([crc32(word.encode()) % D for word in words], minlength=D), len(words) / 3.0)


@lru_cache
def scored(length_bias):
    "Held-out pairs by labellers without a taste, scored by a head that learnt from labellers with that taste."
    train, test = make_pairs(2_000, length_bias=length_bias), make_pairs(1_500, split="test").to_pandas()
    features = [np.stack([word_counts(text) for text in train[side]]) for side in ("chosen", "rejected")]
    head_D = pair_head(features[0] - features[1], 0.003)
    for side in ("chosen", "rejected"):
        test[f"reward_{side}"] = np.stack([word_counts(text) for text in test[side]]) @ head_D
        test[f"length_{side}"] = [len(text[0]["content"].split()) for text in test[side]]
    return test.assign(prompt=[prompt[-1]["content"] for prompt in test.prompt])


def test_a_taste_for_length_is_found_in_the_embedded_default():
    fair, wordy = scored(0.0), scored(1.25)
    by_length, effect, likes = accuracy_by_length(wordy), length_effect(wordy), length_preference(wordy)
    assert by_length["longer"].low > by_length["shorter"].high
    assert effect["length"].high < 0 and likes.is_beyond and likes.difference.low > 0
    likes = length_preference(fair)
    assert not (likes.is_beyond and likes.difference.low > 0)
    assert accuracy_by_length(fair)["longer"].value < accuracy_by_length(wordy)["longer"].low - 0.1


@pytest.mark.parametrize("length_bias", [0.0, 1.25])
def test_no_style_is_blamed_where_none_was_planted(length_bias):
    found = style_effects(scored(length_bias))
    assert found.pairs["offers"] > 200 and not found.is_biased.any(), found[found.pairs > 0]


@pytest.mark.parametrize("style, mark", [("bold", " **So.**"), ("lists", "\n- So."), ("exclamation", "!"),
                                         ("hedging", " Perhaps."), ("refusals", " I can't.")])
def test_a_planted_taste_for_a_style_is_found_and_no_other(style, mark):
    table, rng = scored(0.0).copy(), np.random.default_rng(0)
    for side in ("chosen", "rejected"):
        has_N = rng.random(len(table)) < 0.4
        table[side] = [text[0]["content"] + mark * int(has) for text, has in zip(table[side], has_N)]
        table[f"reward_{side}"] += has_N
    found = style_effects(table)
    assert found.index[found.is_biased].tolist() == [style] and found.difference[style] > 0.05


def test_styles_that_come_together_are_blamed_together_and_length_is_no_style():
    table, rng = scored(0.0).copy(), np.random.default_rng(0)
    for side in ("chosen", "rejected"):
        has_N = rng.random(len(table)) < 0.4
        table[side] = [text[0]["content"] + "\n- **So**" * int(has) for text, has in zip(table[side], has_N)]
        table[f"reward_{side}"] += has_N
    found = style_effects(table)
    assert found.index[found.is_biased].tolist() == ["bold", "lists"]


def test_a_taste_for_length_is_not_one_for_what_long_texts_have():
    "An exclamation for about every twenty words: the model prefers more of them, and at equal length it doesn't."
    blamed = 0
    for seed in range(6):
        wordy, rng = simulated(600, seed, taste=0.03), np.random.default_rng(100 + seed)
        for side in ("chosen", "rejected"):
            marks_N = rng.poisson(wordy[f"length_{side}"] / 20)
            wordy[side] = ["word " * int(length) + "!" * n for length, n in zip(wordy[f"length_{side}"], marks_N)]
        found = style_effects(wordy).loc["exclamation"]
        assert found.low > 0.02 and found.is_beyond
        blamed += found.is_biased
    assert blamed <= 1


# Length --------------------------------------------------------------------------------------------------------------

def test_accuracy_by_length_is_that_of_the_pairs():
    table = simulated(600, taste=0.02)
    gap_N = table.length_chosen - table.length_rejected
    longest_N = table[["length_chosen", "length_rejected"]].max(axis=1)
    margin_N, found = table.reward_chosen - table.reward_rejected, accuracy_by_length(table)
    for name, is_N in dict(shorter=gap_N < -0.1 * longest_N, longer=gap_N > 0.1 * longest_N,
                           equal=gap_N.abs() <= 0.1 * longest_N).items():
        assert found[name].value == pytest.approx(accuracy(margin_N[is_N])) and found[name].n == is_N.sum()
    assert found["balanced"].value == pytest.approx((found["shorter"].value + found["longer"].value) / 2)
    assert found["shorter"].n + found["longer"].n + found["equal"].n == 600


def test_length_effect_is_statsmodels_on_both_orders():
    table = simulated(400, taste=0.03)
    x_N2 = np.stack([table.reward_chosen - table.reward_rejected, table.length_chosen - table.length_rejected], axis=1)
    x_N2 /= np.sqrt((x_N2**2).mean(0))
    fit = sm.Logit(np.repeat([1, 0], 400), np.concatenate([x_N2, -x_N2])).fit(disp=0)
    found = length_effect(table)
    np.testing.assert_allclose([found["reward"].value, found["length"].value], fit.params, rtol=0.01)  # a weak ridge


def test_accuracy_at_equal_length_is_what_equal_lengths_give():
    wordy = simulated(4_000, taste=0.03)
    level = simulated(4_000, seed=1)  # as if no response were longer: only the quality is seen
    margin_N = level.reward_chosen - level.reward_rejected
    assert length_effect(wordy)["accuracy_at_equal_length"].value == pytest.approx(accuracy(margin_N), abs=0.015)


def test_intervals_of_the_length_coefficient_cover_it(monkeypatch):
    "200 sets of 250 pairs, two on each prompt, against the coefficient of 60,000; 200 resamples in place of 1,000."
    monkeypatch.setattr("rmkit.bias.bootstrap", partial(bootstrap, n_boot=200))
    def numbers(table): return length_effect(table)["length"]
    truth = numbers(simulated(60_000, seed=999, taste=0.01)).value
    held = [found.low <= truth <= found.high
            for found in (numbers(simulated(250, seed=seed, taste=0.01, pairs_a_prompt=2)) for seed in range(200))]
    assert 0.92 <= np.mean(held) <= 0.98, np.mean(held)


def test_an_unsure_model_has_no_bias_and_a_sure_one_none_either():
    "Rewards scaled up or down are the same preference; labels that like length are followed, not exceeded."
    table = simulated(2_000, quality_for_length=0.01)
    for scale in (0.1, 1, 10):
        likes = length_preference(table.assign(reward_chosen=scale * table.reward_chosen,
                                               reward_rejected=scale * table.reward_rejected))
        assert likes.label.low > 0.5 and likes.difference.low < 0 < likes.difference.high
    shy = length_preference(table.assign(reward_chosen=table.reward_chosen - 0.005 * table.length_chosen,
                                         reward_rejected=table.reward_rejected - 0.005 * table.length_rejected))
    assert shy.difference.high < 0 and not shy.is_beyond
    averse = length_preference(table.assign(reward_chosen=table.reward_chosen - 0.03 * table.length_chosen,
                                            reward_rejected=table.reward_rejected - 0.03 * table.length_rejected))
    assert averse.difference.high < 0 and averse.is_beyond


@pytest.mark.parametrize("length", [7, [5, 5, 9]])
def test_few_or_equal_lengths_break_nothing(length):
    table = pd.DataFrame(dict(reward_chosen=[1.0, 2, 0], reward_rejected=[0.0, 3, 0], length_chosen=length,
                              length_rejected=7))
    for found in (accuracy_by_length(table), length_effect(table), length_correction_gain(table)):
        assert all(each.why or math.isfinite(each.low) for each in found.values())
    assert fit_length_correction(table).strength == 0


def test_a_table_without_lengths_says_so():
    for f in (accuracy_by_length, length_effect, length_preference, fit_length_correction):
        with pytest.raises(ValueError, match="length_rejected.*score_pairs"):
            f(simulated(20).drop(columns="length_rejected"))
    with pytest.raises(ValueError, match="reward_chosen.*score_pairs"):
        style_effects(simulated(20).drop(columns="reward_chosen"))


# Correction ----------------------------------------------------------------------------------------------------------

def test_the_correction_takes_a_planted_taste_away():
    wordy, fair = simulated(1_500, taste=0.04), simulated(1_500)
    found, gain = fit_length_correction(wordy), length_correction_gain(wordy)
    assert found.strength >= 0.7
    taste = np.polyfit(found.lengths[5:-5], found.bias[5:-5], 1)[0]
    assert taste == pytest.approx(0.04, abs=0.008)
    goal = accuracy(fair.reward_chosen - fair.reward_rejected)
    assert gain["accuracy_gain"].low > 0.05 and gain["accuracy_corrected"].value == pytest.approx(goal, abs=0.025)
    assert gain["balanced_gain"].low > 0.05


def test_nothing_is_corrected_where_nothing_was_planted():
    strengths = [fit_length_correction(simulated(300, seed=seed)).strength for seed in range(8)]
    assert np.count_nonzero(strengths) <= 1
    gains = [length_correction_gain(simulated(300, seed=seed))["accuracy_gain"] for seed in range(3)]
    assert np.median([gain.value for gain in gains]) == 0 and max(abs(gain.value) for gain in gains) < 0.02
    assert any("told from luck" in gain.why for gain in gains)


def test_a_pair_is_corrected_by_what_other_prompts_say():
    "A label that depends on the prompt alone can't be learnt from others, so no gain may come of it."
    table = simulated(400, taste=0.04, pairs_a_prompt=4)
    shuffled = table.assign(prompt=np.random.default_rng(0).permutation(table.prompt))
    assert fit_length_correction(table).lengths == fit_length_correction(shuffled).lengths
    assert length_correction_gain(table) != length_correction_gain(shuffled)
    with pytest.raises(ValueError, match="three at least"):
        length_correction_gain(table.assign(prompt="one"))


def test_a_correction_survives_json_and_refuses_what_is_none():
    correction = fit_length_correction(simulated(300, taste=0.05))
    again = LengthCorrection.from_dict(json.loads(json.dumps(correction.as_dict())))
    assert again == correction and isinstance(again, LengthCorrection)
    rewards, lengths = np.float32([1, 2, 3]), np.array([0, 100, 10**6])
    np.testing.assert_array_equal(again.apply(rewards, lengths), correction.apply(rewards, lengths))
    unchanged = LengthCorrection(correction.lengths, correction.bias, 0.0)
    assert unchanged.apply(rewards, lengths).tolist() == [1, 2, 3]
    for bad in (dict(correction.as_dict(), strength=2), dict(correction.as_dict(), bias=[0]), {"lengths": [1]}, 3,
                dict(correction.as_dict(), lengths=correction.as_dict()["lengths"][::-1]), dict(lengths=1, bias=2)):
        with pytest.raises(ValueError, match="no length correction"):
            LengthCorrection.from_dict(bad)


# Style ---------------------------------------------------------------------------------------------------------------

def test_errors_by_prompt_are_statsmodels():
    rng = np.random.default_rng(0)
    group_N = np.repeat(np.arange(60), rng.integers(1, 6, 60))
    x_N3 = rng.normal(size=(len(group_N), 3)) + 0.5 * rng.normal(size=(60, 3))[group_N] + [0.3, 0, -0.2]
    fit = sm.GLM(np.ones(len(group_N)), x_N3, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds=dict(groups=group_N, use_correction=False))
    coefficient_3, error_3 = _clustered_fit(x_N3, group_N)
    np.testing.assert_allclose(coefficient_3, fit.params, atol=0.01)  # a weak ridge
    np.testing.assert_allclose(error_3, fit.bse * math.sqrt(60 / 59), rtol=0.02)


def test_holm_is_statsmodels():
    p_K = np.random.default_rng(0).random(12) ** 4
    np.testing.assert_allclose(holm(p_K), multipletests(p_K, method="holm")[1])
    assert np.isnan(holm([math.nan])).all() and holm([]).size == 0


def test_false_alarms_over_all_styles_are_one_in_twenty():
    rng, alarms = np.random.default_rng(0), 0
    marks = dict(zip(["bold", "lists", "exclamation", "hedging"], [" **a**", "\n- a", "!", " Maybe"]))
    for seed in range(16):
        table = simulated(200, seed)
        for side in ("chosen", "rejected"):
            has = {name: rng.random(200) < 0.4 for name in marks}
            table[side] = ["a " * 9 + "".join(mark for name, mark in marks.items() if has[name][i]) for i in range(200)]
        alarms += style_effects(table).is_biased.any()
    assert alarms <= 3  # 0.8 expected, at most


def test_styles_are_counted_outside_of_code_and_in_any_layout():
    text = "# Plan\n\n```sh\n# not this!\n* nor this\n```\n1) one\n2. two\r\n| a | b |\n**so** `x!` Sorry…"
    counts = style_counts(text)
    found = {name: n for name, n in counts.items() if n}
    assert found == dict(headings=1, code=2, lists=2, tables=1, bold=1, apologies=1)
    assert list(counts) == list(STYLES) and not any(style_counts("").values())


def test_texts_are_read_of_so_many_pairs():
    table = pd.concat([simulated(3_000, seed) for seed in (0, 1)], ignore_index=True)
    read = style_effects(table.assign(chosen="So!", rejected="So."))
    assert read.pairs["exclamation"] == 5_000
