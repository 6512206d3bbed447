import math

import numpy as np
import pandas as pd
import pytest
from transformers import EvalPrediction

from rmkit.metrics import (accuracy, accuracy_interval, compute_accuracy, length_rule, pair_metrics, prompt_groups,
                           reliability, summarize, tie_rate, wilson_interval)


def test_ties_count_half_and_are_reported():
    assert accuracy([1, 0, -1, 0]) == 0.5 and tie_rate([1, 0, -1, 0]) == 0.5


def coverage(n_prompts, most_pairs, share, n_runs=600, seed=0):
    "How many intervals hold the true accuracy, where prompts differ in difficulty and in size."
    rng, held = np.random.default_rng(seed), 0
    for _ in range(n_runs):
        chance = rng.beta(2 * share, 2 * (1 - share), n_prompts)
        groups = np.repeat(np.arange(n_prompts), rng.integers(1, most_pairs + 1, n_prompts))
        low, high = accuracy_interval(rng.random(len(groups)) < chance[groups], groups)
        held += low <= share <= high
    return held / n_runs


@pytest.mark.parametrize("n_prompts, most_pairs, share", [(200, 1, 0.7), (60, 8, 0.7), (25, 6, 0.6), (150, 4, 0.9)])
def test_interval_covers_the_truth_95_times_in_100(n_prompts, most_pairs, share):
    assert 0.925 <= coverage(n_prompts, most_pairs, share) <= 0.98


def test_interval_of_many_pairs_is_repeatable():
    correct, prompts = np.random.default_rng(0).random(20_000) < 0.7, [f"prompt {i // 3}" for i in range(20_000)]
    assert accuracy_interval(correct, prompts) == accuracy_interval(correct, prompts)
    assert accuracy_interval(correct, prompts) != accuracy_interval(correct, prompts, seed=1)


def test_interval_by_group_is_the_plain_bootstrap():
    "Against drawing the groups one by one"
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    correct = rng.random(len(groups)) < 0.6
    sums, sizes = np.bincount(groups, correct), np.bincount(groups)
    drawn = rng.integers(0, 40, (20_000, 40))
    slow = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), [0.025, 0.975])
    # wider by the few-groups term
    assert np.abs(np.array(accuracy_interval(correct, groups, n_boot=20_000)) - slow).max() < 0.012


@pytest.mark.parametrize("correct, groups, n", [([1] * 10, None, 10), ([0] * 10, None, 10),
                                                ([1, 0] * 5, list("aabbccddee"), 5), ([1, 0, 1], [0, 0, 0], 1)])
def test_degenerate_interval_is_wilson_of_the_prompts(correct, groups, n):
    low, high = accuracy_interval(correct, groups)
    assert (low, high) == wilson_interval(np.mean(correct), n) and high > low


def test_nothing_to_measure():
    assert all(map(math.isnan, [accuracy([]), tie_rate([]), *accuracy_interval([]), *accuracy_interval([1, math.nan])]))
    with pytest.raises(ValueError, match="empty"):
        pair_metrics(pd.DataFrame(dict(reward_chosen=[], reward_rejected=[])))


def test_length_rule_takes_the_better_direction():
    assert length_rule([3, 3, 1, 2], [1, 1, 2, 2]) == (0.625, "longer")
    assert length_rule([1, 1, 2, 2], [3, 3, 1, 2]) == (0.625, "shorter")
    assert length_rule([1, 2], [2, 1]) == (0.5, "neither")


def test_prompts_group_by_what_they_say():
    chat = [{"role": "user", "content": "hi"}]
    assert prompt_groups([chat, "hi", chat, "", "", None, "hi"]).tolist() == [0, 1, 0, 2, 3, 4, 1]


def make_table(n=300):
    rng = np.random.default_rng(0)
    return pd.DataFrame(dict(prompt=[f"p{i // 3}" for i in range(n)], source=["a", "all", None] * (n // 3),
                             reward_chosen=rng.normal(0.5, 1, n), reward_rejected=rng.normal(0, 1, n),
                             length_chosen=rng.integers(1, 50, n), length_rejected=rng.integers(1, 50, n)))


def test_summary_by_subset():
    table = make_table()
    summary = summarize(table)
    assert summary["pairs"].tolist() == [100, 100, 100, 300]
    assert summary["accuracy"].iloc[-1] == pytest.approx(summary["accuracy"].iloc[:-1].mean())
    assert (summary["low"] < summary["accuracy"]).all() and (summary["accuracy"] < summary["high"]).all()
    assert summarize(table, by="nothing").index.tolist() == ["all"]


def test_metrics_keep_the_names_of_trl():
    metrics = pair_metrics(make_table())
    assert {"accuracy", "margin", "min_reward", "mean_reward", "max_reward", "ties", "accuracy_low",
            "accuracy_high"} <= set(metrics)
    assert all(type(value) is float for value in metrics.values())
    assert "length_rule" not in pair_metrics(make_table()[["reward_chosen", "reward_rejected"]])


@pytest.mark.filterwarnings("ignore:1 of")
def test_compute_accuracy_as_in_trl():
    predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.6, 0.4]])
    for given in (predictions, np.log(predictions), predictions.astype(np.float32)):
        assert compute_accuracy(EvalPrediction(given, np.zeros(4)))["accuracy"] == 0.625
    assert compute_accuracy((predictions, np.ones(4)))["accuracy"] == 0.375
    with pytest.raises(ValueError, match=r"\(4,\)"):
        compute_accuracy((predictions[:, 0], None))


def test_compute_accuracy_warns_of_ties():
    with pytest.warns(UserWarning, match="3 of 3"):
        assert compute_accuracy((np.zeros((3, 2)), np.zeros(3))) == {"accuracy": 0.5, "ties": 1.0}


def test_reliability_of_an_honest_model():
    rng = np.random.default_rng(0)
    claimed = rng.normal(0, 2, 20_000)
    margins = np.where(rng.random(20_000) < 1 / (1 + np.exp(-claimed)), claimed, -claimed)
    bins = reliability(margins)
    assert (bins["confidence"] - bins["accuracy"]).abs().max() < 0.03 and bins["pairs"].sum() == 20_000


def test_wilson_holds_its_own_share():
    "Rounding must not put an end on the wrong side: error bars would be negative"
    for n in range(1, 200):
        for k in {0, 1, n // 2, n}:
            low, high = wilson_interval(k / n, n)
            assert 0 <= low <= k / n <= high <= 1


def test_subsets_named_by_hostile_text():
    names = ["\ud800", "\ud800", None, "<b>", "a\nb"]
    table = pd.DataFrame(dict(reward_chosen=[1.0] * 5, reward_rejected=[0.0] * 5,
                              source=pd.Series(names, dtype=object)))
    pairs = summarize(table)["pairs"]
    assert list(pairs) == [2, 1, 1, 1, 5] and list(pairs.index)[0] == "\ud800"
    assert set(pairs.index) >= {"<b>", "a\nb", "all"}
