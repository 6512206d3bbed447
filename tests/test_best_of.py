import math
from itertools import combinations

import numpy as np
import pytest

from rmkit.best_of import (best_of, best_of_curve, best_of_weights, cautious_rewards, kl_of_best_of, powers_of_two,
                           turning_point)
from rmkit.intervals import bootstrap, weighted_mean

NS = [1, 4, 16]


def answers(rng, n_prompts, N=16, taste=0.6):
    "Proxy and gold of answers to prompts that differ in how good their answers are."
    level_G1 = rng.normal(size=(n_prompts, 1))
    quality_GN, padding_GN = rng.normal(size=(n_prompts, N)), rng.exponential(size=(n_prompts, N))
    return quality_GN + taste * padding_GN, level_G1 + quality_GN - 0.3 * padding_GN


def test_kl_is_that_of_a_choice_among_many_answers():
    "Drawn from 2,000 answers, the best of n: the divergence of the chosen from the uniform, by the weights."
    for n in (2, 5, 30):
        p_N = best_of_weights(n, 2_000)
        kl = np.sum(p_N[p_N > 0] * np.log(2_000 * p_N[p_N > 0]))
        assert kl == pytest.approx(kl_of_best_of(n), abs=0.03)
    assert kl_of_best_of(1) == 0 and kl_of_best_of([2, 4]).shape == (2,)


@pytest.mark.parametrize("n, N", [(1, 1), (1, 9), (3, 9), (9, 9), (100, 4_000)])
def test_weights_are_quotients_of_binomials(n, N):
    exact = [math.comb(i, n - 1) / math.comb(N, n) for i in range(N)]
    np.testing.assert_allclose(best_of_weights(n, N), exact, rtol=1e-9, atol=1e-300)
    assert best_of_weights(n, N).sum() == pytest.approx(1)


def every_subset(gold_N, proxy_N, n):
    "The mean gold of the best of n, subset by subset; of equals, their mean."
    picked = [list(subset) for subset in combinations(range(len(gold_N)), n)]
    return np.mean([gold_N[at][proxy_N[at] == proxy_N[at].max()].mean() for at in picked])


@pytest.mark.parametrize("levels", [2, 4, 1000])
def test_best_of_is_the_mean_over_all_subsets(levels):
    rng = np.random.default_rng(levels)
    gold_GN, proxy_GN = rng.normal(size=(3, 8)), rng.integers(0, levels, (3, 8))
    slow = [[every_subset(*each, n) for n in range(1, 9)] for each in zip(gold_GN, proxy_GN)]
    np.testing.assert_allclose(best_of(proxy_GN, gold_GN, range(1, 9)), slow)


def test_several_models_count_alike():
    gold_GN, *proxies = np.random.default_rng(0).normal(size=(4, 5, 6))
    each = [best_of(proxy, gold_GN, [3]) for proxy in proxies]
    np.testing.assert_allclose(best_of(proxies, gold_GN, [3]), np.mean(each, axis=0))
    curve = best_of_curve(proxies, gold_GN)
    assert curve["n"].tolist() == [1, 2, 4, 6] == powers_of_two(6)
    assert curve["gold"][2] == pytest.approx(best_of(proxies, gold_GN, [4]).mean())


def test_intervals_of_the_curve_cover_the_truth():
    "200 sets of 40 prompts, gold and proxy at each n, against the mean over 20,000 prompts."
    proxy_GN, gold_GN = answers(np.random.default_rng(0), 20_000)
    truth = dict(gold=best_of(proxy_GN, gold_GN, NS).mean(0), proxy=best_of(proxy_GN, proxy_GN, NS).mean(0))
    held = []
    for seed in range(1, 201):
        curve = best_of_curve(*answers(np.random.default_rng(seed), 40), NS)
        held.append([(curve[f"{name}_low"] <= truth[name]) & (truth[name] <= curve[f"{name}_high"]) for name in truth])
    share = np.mean(held, axis=0)
    assert ((0.92 <= share) & (share <= 0.98)).all(), share


def test_intervals_of_the_curve_are_the_bootstraps():
    proxy_GN, gold_GN = answers(np.random.default_rng(0), 60)
    row = best_of_curve(proxy_GN, gold_GN).iloc[2]
    slow = bootstrap(weighted_mean, best_of(proxy_GN, gold_GN, [4])[:, 0])
    assert row["gold"] == pytest.approx(slow.value)
    width = slow.high - slow.low
    assert row["gold_low"] == pytest.approx(slow.low, abs=0.1 * width)
    assert row["gold_high"] == pytest.approx(slow.high, abs=0.1 * width)


def test_a_turn_is_told_from_luck():
    rng = np.random.default_rng(0)
    certain = [turning_point(*rng.normal(size=(2, 30, 32))).is_certain for _ in range(40)]
    assert np.mean(certain) <= 0.075  # proxies that know nothing: gold is flat
    proxy_GN, gold_GN = answers(rng, 200, 128)
    turn = turning_point(proxy_GN, gold_GN)
    assert turn.is_certain and 4 <= turn.n <= 64 and "turns near" in str(turn) and turn.lost.n == 200
    few = turning_point(proxy_GN[:6], gold_GN[:6])
    assert not few.is_certain and ("can't tell" in str(few) or few.n == few.last)
    assert "rises up to n = 128" in str(turning_point(gold_GN, gold_GN))


def test_caution_avoids_what_the_models_disagree_about():
    rewards_MN = np.array([[0.0, 1, 5], [0, 1, -3]])
    assert cautious_rewards(rewards_MN, 0).argmax() != cautious_rewards(rewards_MN, 0).argmin()
    assert cautious_rewards(rewards_MN).argmin() == 2
    np.testing.assert_allclose(cautious_rewards(rewards_MN + [[7], [-9]]), cautious_rewards(rewards_MN))


def test_what_cannot_be_ranked_is_an_error():
    for args, said in [((np.ones((2, 3)), np.ones((2, 2)), [1]), "as many rewards"),
                       ((np.ones((2, 3)), np.full((2, 3), math.inf), [1]), "finite"),
                       ((np.ones((2, 3)), np.ones((2, 3)), [0]), "between 1 and 3")]:
        with pytest.raises(ValueError, match=said):
            best_of(*args)
    with pytest.raises(ValueError, match="two prompts"):
        turning_point([[1.0, 2.0]], [[1.0, 2.0]])
