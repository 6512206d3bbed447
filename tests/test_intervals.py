"Intervals: what they are in degenerate cases, that they hold the truth as often as they say, tests against scipy"
import math

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar

from rmkit.intervals import (accuracy_estimate, bootstrap, Estimate, from_resamples, mcnemar, paired_difference,
                             resamples, weighted_mean)
from rmkit.metrics import accuracy_interval, numbered_groups, wilson_interval, wins


# In words -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("estimate, text", [
    (Estimate(0.72134, 0.68991, 0.75023), "0.721 (0.690 to 0.750)"), (Estimate(0.5, 0.1, 0.9), "0.50 (0.10 to 0.90)"),
    (Estimate(1234.5, 1100, 1400), "1,234 (1,100 to 1,400)"),
    (Estimate(1e-4, 0.5e-4, 2e-4), "0.00010 (0.00005 to 0.00020)"),
    (Estimate(0.123456), "0.1235 (no interval)"), (Estimate(2, why="one prompt"), "2 (no interval: one prompt)"),
    (Estimate(math.nan, why="no pairs"), "unknown: no pairs"), (Estimate(math.inf, 2, math.inf), "inf (2 to inf)")])
def test_an_estimate_has_the_decimals_that_its_interval_supports(estimate, text):
    assert str(estimate) == text


def test_a_share_in_percent():
    assert Estimate(0.72134, 0.68991, 0.75023).in_percent() == "72.1% (69.0 to 75.0)"
    assert Estimate(0.5, why="one prompt").in_percent() == "50.0% (no interval: one prompt)"
    assert Estimate(math.nan).in_percent() == "unknown"


# The bootstrap ------------------------------------------------------------------------------------------------------

def test_resamples_are_those_of_drawing_groups_one_by_one():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    values = rng.normal(size=len(groups))
    drawn = rng.integers(0, 40, (20_000, 40))
    slow = np.bincount(groups, values)[drawn].sum(1) / np.bincount(groups)[drawn].sum(1)
    draws = resamples(weighted_mean, values, groups_N=groups, n_boot=20_000)
    assert np.allclose(np.quantile(draws, [0.025, 0.5, 0.975]), np.quantile(slow, [0.025, 0.5, 0.975]), atol=0.01)


def test_weights_count_whole_groups():
    groups = [0, 1, 1, 2, 2, 2]
    weights = resamples(lambda weights, _: weights, np.arange(6), groups_N=groups, n_boot=50)
    assert (weights[:, 1] == weights[:, 2]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many groups as there were


def test_the_same_pairs_give_the_same_interval_in_any_portions():
    values = np.random.default_rng(0).normal(size=1_500)  # 666 resamples at a time
    first = bootstrap(weighted_mean, values)
    assert first == bootstrap(weighted_mean, values) != bootstrap(weighted_mean, values, seed=1)
    assert len(set(resamples(weighted_mean, values, n_boot=1_000))) == 1_000


def test_many_pairs_get_fewer_resamples_unless_told():
    def count(n, **kwargs): return len(resamples(lambda weights, _: 0.0, np.zeros(n), **kwargs))
    assert [count(100), count(40_000)] == [1_000, 500] and count(40_000, n_boot=3) == 3


def test_accuracy_has_one_interval_by_either_way():
    rng = np.random.default_rng(0)
    right, prompts = wins(rng.normal(0.4, 1, 600)), [f"prompt {i // 4}" for i in range(600)]
    slow, fast = bootstrap(weighted_mean, right, groups_N=prompts), accuracy_estimate(right, prompts)
    assert slow.value == fast.value and np.allclose(slow[1:3], fast[1:3], atol=0.01) and slow.n == fast.n == 600
    assert fast[1:3] == accuracy_interval(right, prompts)


@pytest.mark.parametrize("values, groups, bounds, ends", [
    ([1] * 10, None, (0, 1), wilson_interval(1.0, 10)), ([0] * 10, None, (0, 1), wilson_interval(0.0, 10)),
    ([1] * 10, list("aabbccddee"), (0, 1), wilson_interval(1.0, 5)), ([1, 0], ["a", "a"], (0, 1), (0.103, 0.897)),
    ([3.0] * 10, None, None, (math.nan, math.nan)), ([0.1] * 3, None, None, (math.nan, math.nan))])
def test_where_all_resamples_are_alike(values, groups, bounds, ends):
    found = bootstrap(weighted_mean, values, groups_N=groups, bounds=bounds)
    assert np.allclose(found[1:3], ends, atol=1e-3, equal_nan=True) and bool(found.why) == math.isnan(found.low)


def test_what_can_t_be_had_says_why():
    assert "no pairs" in bootstrap(weighted_mean, []).why and "no pairs" in accuracy_estimate([]).why
    assert "one group" in bootstrap(weighted_mean, [1, 2], groups_N=["a", "a"]).why
    assert "NaN" in bootstrap(weighted_mean, [1, math.nan]).why and "NaN" in accuracy_estimate([1, math.nan]).why
    rare = from_resamples(1.0, [1.0, 2.0, math.nan] * 10, n_groups=5, n=9)
    assert rare.value == 1 and math.isnan(rare.low) and rare.why.startswith("10 of 30 resamples") and rare.n == 9
    with pytest.raises(ValueError, match="of 3 pairs, found 2"):
        numbered_groups(["a", "b"], 3)


def test_the_statistics_of_a_dict_share_their_resamples():
    values = np.random.default_rng(0).normal(size=50)
    def two_of(weights, x): return dict(mean=weighted_mean(weights, x), twice=2 * weighted_mean(weights, x))
    both = bootstrap(two_of, values)
    assert both["mean"] == bootstrap(weighted_mean, values) and both["twice"].low == 2 * both["mean"].low


# Two models ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("only_a, only_b", [(0, 0), (1, 0), (5, 1), (40, 12), (7, 7), (1200, 1100), (30_000, 29_500)])
def test_mcnemar_is_scipy_s_and_statsmodels_exact_test(only_a, only_b):
    a = np.repeat([1, 0, 1, 0], [only_a, only_b, 20, 10])
    b = np.repeat([0, 1, 1, 0], [only_a, only_b, 20, 10])
    found = mcnemar(a, b)
    assert found[:2] == (only_a, only_b)
    assert math.isclose(found.p, their_mcnemar([[20, only_a], [only_b, 10]], exact=True).pvalue, rel_tol=1e-8)
    assert only_a + only_b == 0 or math.isclose(found.p, binomtest(only_a, only_a + only_b).pvalue, rel_tol=1e-8)


def test_a_tie_counts_between_right_and_wrong():
    assert mcnemar([1, 0.5, 0.5, 0.5], [0.5, 0, 0.5, 1])[:2] == (2, 1)


def test_numbers_of_different_pairs_are_refused():
    for of_two in (mcnemar, paired_difference):
        with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
            of_two([1, 0, 1], [1, 0])


def test_two_models_that_agree_everywhere_may_still_differ():
    same = paired_difference([1, 0] * 20, [1, 0] * 20)
    assert same.value == 0 and math.isclose(same.high, 1 - wilson_interval(1.0, 40)[0]) and same.low == -same.high
    assert "takes more prompts" in paired_difference([2.0, 3.0], [1.0, 2.0]).why


# Coverage -----------------------------------------------------------------------------------------------------------

def prompts(rng, n, most=8):
    return np.repeat(np.arange(n), rng.integers(1, most, n))


def test_an_accuracy_by_prompt_covers():
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = prompts(rng, 60)
        found = accuracy_estimate(rng.random(len(groups)) < rng.beta(1.4, 0.6, 60)[groups], groups)
        held += found.low <= 0.7 <= found.high
    assert 0.92 <= held / 200 <= 0.98


def test_a_paired_difference_covers():
    "Two models' wins on hard and easy prompts, each prompt to the taste of one of them"
    held, by_pair = 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        groups = prompts(rng, 60)
        hard, taste = rng.normal(0.5, 1, 60)[groups], rng.normal(0, 1, 60)[groups]
        a, b = (wins(hard + side * taste + rng.normal(0, 0.5, len(groups))) for side in (1, -1))  # as good, in truth
        found = paired_difference(a, b, groups)
        held += found.low <= 0 <= found.high
        if seed < 40:
            naive = paired_difference(a, b)
            by_pair.append(naive.low <= 0 <= naive.high)
    assert 0.92 <= held / 200 <= 0.98 and np.mean(by_pair) < 0.85
