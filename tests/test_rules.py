"Rules of known benchmarks: values by hand, published rewards, and loops row by row, as the benchmarks' programs go"
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from rmkit import rules

NAN = math.nan


def rng_rewards(*shape, seed=0):
    "Rewards as float16 and a short scale would have them: with ties"
    return np.random.default_rng(seed).integers(0, 4, shape).astype(float)


# Pairs

def test_neither_a_tie_nor_nan_is_right():
    assert rules.strictly_right([2, 1, 1, NAN, 1, np.inf], [1, 2, 1, 0, NAN, np.inf]).tolist() == [1, 0, 0, 0, 0, 0]


def test_weights_count_rows_as_often():
    right_N, names_N, times_N = rng_rewards(30) / 3, np.arange(30) % 4, np.arange(30) % 3
    repeated = rules.shares(np.repeat(right_N, times_N), np.repeat(names_N, times_N))
    assert rules.shares(right_N, names_N, times_N) == pytest.approx(repeated)
    assert math.isnan(rules.shares([1, 0], ["a", "b"], [1, 0])["b"])


# RewardBench

def test_sections_weigh_subsets_by_size_but_for_math():
    sizes = {name: n for subsets in rules.SECTIONS.values() for name, n in subsets.items()}
    assert len(sizes) == 23 and sum(sizes.values()) == 2985
    names_N = np.repeat(list(sizes), list(sizes.values()))
    right_N = rng_rewards(2985) > 1
    scores = rules.rewardbench(right_N, names_N)
    for section in ("Chat", "Chat Hard", "Safety"):
        assert scores[section] == pytest.approx(right_N[np.isin(names_N, list(rules.SECTIONS[section]))].mean())
    hep = right_N[np.char.startswith(names_N, "hep")].mean()
    assert scores["Reasoning"] == pytest.approx((scores["math-prm"] + hep) / 2)
    assert scores["Overall"] == pytest.approx(np.mean([scores[name] for name in rules.SECTIONS]))


@pytest.mark.parametrize("prior, expected", [({}, NAN), ({"shp": 0.5}, (8 * 0.25 + 0.5) / 9),
                                             (dict.fromkeys(rules.PRIOR_SETS, 0.7), (8 * 0.25 + 0.7) / 9)])
def test_prior_sets_weigh_half_a_section(prior, expected):
    found = {name: 0.25 for subsets in rules.SECTIONS.values() for name in subsets} | prior | {"pku_better": 1.0}
    scores = rules.rewardbench(list(found.values()), list(found))
    assert scores["Overall"] == pytest.approx(0.25)
    assert scores["Overall with prior sets"] == pytest.approx(expected, nan_ok=True)


# RewardBench 2

def row_by_row_best_of(scores):  # as `reroll_and_score_dataset`
    return 1 / np.sum(scores == np.max(scores)) if scores[0] == np.max(scores) else 0


def test_best_of_four_shares_the_point():
    rewards_NK = rng_rewards(500, 4)
    assert rules.best_of_four(rewards_NK).tolist() == [row_by_row_best_of(scores) for scores in rewards_NK]
    assert rules.best_of_four(np.zeros((3, 4))).mean() == 0.25  # what a guess has
    assert rules.best_of_four([[1, 0, 0, NAN], [NAN, 0, 0, 0]]).tolist() == [0, 0]


def row_by_row_ties(ids, rewards, n_right):  # as `process_single_model`
    found = {"ref": {}, "tied": {}}
    for id, scores, n in zip(ids, rewards, n_right):
        kind, number = id.split(":")
        right, wrong = scores[:n], scores[n:]
        found[kind][number] = (min(right) > max(wrong), max(right) - min(right), min(right) - max(wrong))
    both = set(found["ref"]) & set(found["tied"])
    d, g_t = (np.array([found["tied"][number][i] for number in both]) for i in (1, 2))
    g = np.minimum(g_t, [found["ref"][number][2] for number in both])
    with np.errstate(invalid="ignore", divide="ignore"):
        tanh = np.nan_to_num(np.tanh(g / d - 1), nan=0.0).mean()
    right = {kind: np.mean([stats[0] for stats in found[kind].values()]) for kind in found}
    return 0.3 * right["tied"] + 0.3 * right["ref"] + 0.2 * np.mean(g_t > d) + 0.2 * np.mean(g > d) + 0.01 * tanh


def ragged_ties(seed):
    rng, rows = np.random.default_rng(seed), []
    for number in rng.permutation(40):
        for kind in ["ref", "tied"][:1 + (number % 5 > 0)]:  # some twins are alone
            n, m = (1 if kind == "ref" else rng.integers(2, 6)), rng.integers(1, 4)
            rows.append((f"{kind}:{number}", rng.integers(0, 5, n + m) + np.r_[np.full(n, 2), np.zeros(m)], n))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_ties_as_the_benchmarks_program(seed):
    ids, rewards, n_right = zip(*ragged_ties(seed))
    padded_NK = np.full((len(ids), 12), -7.0)
    for row, scores in zip(padded_NK, rewards): row[:len(scores)] = scores
    stats = rules.gaps_and_spreads(padded_NK, n_right, [len(scores) for scores in rewards])
    assert rules.ties_score(ids, *stats) == pytest.approx(row_by_row_ties(ids, rewards, n_right), abs=1e-12)


@pytest.mark.parametrize("ref, tied, n, expected", [
    ([5, 1, 0], [5, 4, 1, 0], 2, 1.009640), ([2, 1.5], [5, 3, 2.5, 0], 2, 0.593649),
    ([5, 1], [4, 4, 1], 2, 1.01),  # no spread: the gap over it is infinite
    ([1, 1], [1, 1, 1], 2, 0.0),  # all equal: 0/0 counts 0
    ([0, 1], [0, 0, 1], 2, -0.01), ([5, NAN], [5, 4, 1], 2, 0.3 + 0.2)])
def test_ties_by_hand(ref, tied, n, expected):
    rows_NK = [[*ref, *[0] * (4 - len(ref))], [*tied, *[0] * (4 - len(tied))]]
    stats = rules.gaps_and_spreads(rows_NK, [1, n], [len(ref), len(tied)])
    assert rules.ties_score(["ref:3", "tied:3"], *stats) == pytest.approx(expected, abs=5e-7)


def test_ties_weighted_as_repeated():
    ids = ["ref:0", "tied:0", "ref:1", "tied:1"]
    gap_N, spread_N = np.array([1, 2, -1, 3.0]), np.array([0, 1, 0, 5.0])
    weighted = rules.ties_score(ids, gap_N, spread_N, np.array([2, 2, 1, 1]))
    again = rules.ties_score([*ids, "ref:2", "tied:2"], *(np.r_[x_N, x_N[:2]] for x_N in (gap_N, spread_N)))
    assert weighted == pytest.approx(again)
    assert math.isnan(rules.ties_score(ids, gap_N, spread_N, np.zeros(4)))


def test_total_is_the_mean_of_six_and_a_subset_may_be_missing():
    subsets = list(rules.SUBSETS_OF_REWARDBENCH2)[:-1]
    scores = rules.rewardbench2([1, 0, 1, 0, 1], subsets, [*"abcde"], [0] * 5, [0] * 5)
    assert [scores[name] for name in subsets] == [1, 0, 1, 0, 1] and math.isnan(scores["Overall"])


# RM-Bench

def test_rm_bench_as_its_program():
    r_chosen_N3, r_rejected_N3 = rng_rewards(40, 3, seed=1), rng_rewards(40, 3, seed=2)
    domains_N = np.array(["chat", "math", "code", "safety-refuse", "safety-response"] * 8)
    scores = rules.rm_bench(rules.right_by_style(r_chosen_N3, r_rejected_N3), domains_N)
    expected = {}
    for domain in ("chat", "math", "code", "safety"):
        rows = [row for row in range(40) if domains_N[row].startswith(domain)]
        share = np.array([[np.mean([r_chosen_N3[n, i] > r_rejected_N3[n, j] for n in rows]) for j in range(3)]
                          for i in range(3)])
        expected[domain] = [np.sum(np.triu(share, 1)) / 3, np.mean(np.diag(share)), np.sum(np.tril(share, -1)) / 3]
        assert scores[domain] == pytest.approx(np.mean(expected[domain]))
    hard, normal, easy = np.mean(list(expected.values()), axis=0)
    assert [scores[name] for name in ("hard", "normal", "easy")] == pytest.approx([hard, normal, easy])
    assert scores["Overall"] == pytest.approx((hard + normal + easy) / 3)


def test_levels_by_hand():
    found = rules.levels([[0.9, 0.6, 0.5], [0.95, 0.8, 0.6], [0.97, 0.9, 0.7]])
    assert found == pytest.approx(dict(hard=0.566667, normal=0.8, easy=0.94), abs=5e-7)


# JudgeBench

PUBLISHED = {  # accuracies: overall, knowledge, reasoning, math, coding; and ties
    "Skywork-Reward-Llama-3.1-8B": ("62.29 59.09 64.29 76.79 50.00", 1),
    "Skywork-Reward-Gemma-2-27B": ("64.29 59.74 66.33 83.93 50.00", 3),
    "internlm2-20b-reward": ("63.43 62.34 69.39 66.07 50.00", 0),
    "internlm2-7b-reward": ("59.43 56.49 61.22 71.43 50.00", 0),
    "GRM-Gemma-2B": ("59.43 62.99 53.06 64.29 54.76", 0)}


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_accuracies_of_judgebench(model, shared_data):
    rows = [json.loads(line) for line in (shared_data/"judgebench_scores.jsonl").read_text().splitlines()]
    r_a_N, r_b_N = np.array([row["scores"][model] for row in rows]).T
    right_N = rules.judged_right(r_a_N, r_b_N, [row["label"] for row in rows])
    scores = rules.judgebench(right_N, [row["source"] for row in rows])
    accuracies, n_ties = PUBLISHED[model]
    assert " ".join(f"{100 * score:.2f}" for score in scores.values()) == accuracies
    assert (r_a_N == r_b_N).sum() == n_ties and len(rows) == 350


def test_a_tie_goes_to_b_and_no_reward_is_wrong_whatever_the_label():
    assert rules.judged_right([1, 1], [1, 1], ["A>B", "B>A"]).tolist() == [0, 1]
    assert rules.judged_right([NAN, NAN, 1, 1], [1, 1, NAN, NAN], ["A>B", "B>A"] * 2).tolist() == [0] * 4


# LLMBar

def test_a_tie_is_half_in_llmbar_and_no_reward_is_wrong():
    labels_N = np.array([1, 2, 1, 2, 1, 2])
    said_N2 = rules.picks([2, 2, 1, 1, NAN, 1], [1, 1, 1, 1, 1, NAN])
    assert (said_N2 == labels_N[:, None]).mean(axis=1).tolist() == [1, 0, 0.5, 0.5, 0, 0]


def test_kappa_as_in_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    said_N, labels_N, times_N = rng_rewards(200), rng_rewards(200, seed=1), rng_rewards(200, seed=2)
    assert rules.kappa(said_N, labels_N) == pytest.approx(metrics.cohen_kappa_score(said_N, labels_N))
    weighted = metrics.cohen_kappa_score(said_N, labels_N, sample_weight=times_N)
    assert rules.kappa(said_N, labels_N, times_N) == pytest.approx(weighted)


def test_adversarial_is_the_mean_of_four_subsets_not_of_rows():
    subsets_N = ["Neighbor"] * 3 + ["GPTInst", "GPTOut", "Manual"]
    scores = rules.llmbar(rules.picks([1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]), [1] * 6, subsets_N)
    assert scores["Adversarial"] == 0.25 and math.isnan(scores["Natural"])


def test_rules_need_numpy_alone():
    code = "import sys, rmkit.rules; print({'torch', 'transformers', 'datasets', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
