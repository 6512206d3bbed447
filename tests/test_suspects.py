import math
import re
from functools import lru_cache
from zlib import crc32

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from datasets import Dataset

from rmkit import RewardConfig, RewardTrainer
from rmkit.fits import pair_head
from rmkit.intervals import prompt_folds
from rmkit.snapshots import Snapshots
from rmkit.suspects import cross_fit, find_suspects, margins_over_training, rank_suspects, rate_suspects
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.table import pair_scores, sigmoid
from rmkit.visualizer import RewardVisualizer


def word_counts(text, D=128):
    "How often words occur in an answer, each in a column by its hash."
    return np.bincount([crc32(word.encode()) % D for word in re.findall(r"\w+", text.lower())], minlength=D)


@lru_cache
def flipped_pairs(share, n=1_000, seed=3):
    "Pairs of the embedded default whose true rewards differ clearly, labelled by the truth, some then turned round."
    rows = make_pairs(3 * n, label_noise=0, seed=seed).to_pandas()
    rows = rows[(rows.true_chosen - rows.true_rejected).abs() >= 1][:n].reset_index(drop=True)
    is_flipped_N = np.random.default_rng(seed).random(n) < share
    turn_N = is_flipped_N != (rows.true_chosen < rows.true_rejected)
    first, second = (rows[side].map(lambda messages: messages[0]["content"]) for side in ("chosen", "rejected"))
    chosen, rejected = first.where(~turn_N, second), second.where(~turn_N, first)
    return rows.prompt.map(lambda messages: messages[-1]["content"]), chosen, rejected, is_flipped_N


def margins_out_of_sample(share):
    prompts, chosen, rejected, is_flipped_N = flipped_pairs(share)
    difference_ND = np.stack([word_counts(a) - word_counts(b) for a, b in zip(chosen, rejected)])
    return cross_fit(difference_ND, prompts), is_flipped_N


def both_orders(margin_N):
    "Labels and probabilities of pairs written both ways round, as a classifier of two classes would have them."
    p_N = sigmoid(margin_N)
    return (np.repeat([0, 1], len(p_N)), np.concatenate([np.stack([p_N, 1 - p_N], 1), np.stack([1 - p_N, p_N], 1)]))


@pytest.mark.parametrize("mean, sd", [(1.5, 1.5), (0.5, 2), (3, 1), (0.1, 1)])
def test_the_rule_is_cleanlabs_on_pairs_written_both_ways(mean, sd):
    margin_N = np.random.default_rng(0).normal(mean, sd, 500)
    labels, p = both_orders(margin_N)
    found = find_suspects(margin_N)
    theirs = find_label_issues(labels, p, filter_by="confident_learning")
    assert found.is_suspect_N.tolist() == theirs[:500].tolist() == theirs[500:].tolist()
    ranked = rank_suspects(pair_scores(["p"] * 500, ["a"] * 500, ["b"] * 500, margin_N, np.zeros(500)), margin_N)
    np.testing.assert_allclose(1 - ranked.suspicion, get_label_quality_scores(labels, p)[ranked.row])


def test_flipped_labels_are_found(capsys):
    margin_N, is_flipped_N = margins_out_of_sample(0.1)
    found, suspects = rate_suspects(margin_N, is_flipped_N), find_suspects(margin_N)
    with capsys.disabled():
        print(f"\n{found}, noise {suspects.noise.in_percent()} of {is_flipped_N.mean():.1%} flipped", end=" ")
    assert found.auroc >= 0.9 and found.precision >= 0.6
    assert suspects.noise.low - 0.02 < is_flipped_N.mean() < suspects.noise.high + 0.02


def test_flipped_labels_are_found_by_the_run_that_learns_them(tmp_path, capsys):
    "Snapshots of the training pairs themselves, with the tiny model: a wrong label is learnt late."
    prompts, chosen, rejected, is_flipped_N = flipped_pairs(0.1, 400)
    pairs = Dataset.from_dict(dict(prompt=prompts, chosen=chosen, rejected=rejected))
    snapshots = Snapshots(pairs, every=13)
    args = RewardConfig(tmp_path, per_device_train_batch_size=32, learning_rate=4e-3, num_train_epochs=3, use_cpu=True,
                        logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True)
    RewardTrainer(tiny_model(), args, train_dataset=pairs, processing_class=tiny_tokenizer(),
                  callbacks=[snapshots]).train()
    found = rate_suspects(margins_over_training(np.stack(snapshots.margins[1:])), is_flipped_N)
    with capsys.disabled():
        print(f"\n{found} over {snapshots.steps[1:]} steps", end=" ")
    assert found.auroc >= 0.9 and found.precision >= 0.5


def test_more_flips_more_suspects_and_few_where_none_was_flipped():
    noise = [find_suspects(margins_out_of_sample(share)[0]).is_suspect_N.mean() for share in (0, 0.1, 0.2)]
    assert noise[0] < 0.03 < noise[1] - 0.03 < noise[2] - 0.06


def test_every_pair_is_judged_by_a_head_that_has_not_seen_its_prompt():
    "Labels that nothing but the prompt itself gives away: in sample all right, out of sample a coin."
    rng = np.random.default_rng(0)
    group_N = np.repeat(np.arange(100), 2)
    difference_ND = np.eye(100)[group_N] * rng.choice([-1, 1], 100)[group_N, None]
    assert (cross_fit(difference_ND, group_N) == 0).all()  # columns that no other prompt has
    assert (difference_ND @ pair_head(difference_ND, 0.01) > 0).all()
    fold_N = prompt_folds([f"prompt {g}" for g in group_N], 5)
    assert (fold_N[::2] == fold_N[1::2]).all() and np.bincount(fold_N).tolist() == [40] * 5


def test_labels_that_are_noise_are_not_called_wrong():
    difference_ND = np.random.default_rng(1).normal(size=(400, 5))
    found = find_suspects(cross_fit(difference_ND))
    assert found.threshold < 0.53 and math.isnan(found.noise.value) and "labels it hasn't seen" in found.noise.why
    assert not find_suspects(np.full(50, -0.1)).is_suspect_N.any()


def test_ties_and_extremes():
    found = find_suspects([0.0, 0.0])
    assert found.threshold == 0.5 and not found.is_suspect_N.any() and "50.0% on average" in found.noise.why
    assert np.isfinite(margins_over_training([[800.0, -800.0], [800, -800]])).all()
    with pytest.raises(ValueError, match="snapshots, pairs"):
        margins_over_training([1.0, 2.0])


def test_ranked_pairs_open_in_the_explorer_in_their_order():
    prompts, chosen, rejected, _ = flipped_pairs(0.1)
    margin_N = margins_out_of_sample(0.1)[0]
    ranked = rank_suspects(pair_scores(prompts, chosen, rejected, margin_N, 0 * margin_N), margin_N)
    view = RewardVisualizer(ranked)
    assert view.shown.tolist() == list(range(len(ranked)))
    shown = view.filter(suspect=True)
    assert len(shown) == ranked.suspect.sum() > 50 and shown.tolist() == list(range(len(shown)))
    assert view.filter(suspect=True, sort="suspicion", down=True).tolist() == shown.tolist()
    assert chosen[ranked.row[0]] == ranked.chosen[0]
