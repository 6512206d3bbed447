"""What reading is worth: a reviewer decides on the most suspect pairs as the truth says, and the model learns again.

The pairs are rmkit's embedded default, 10% of them with the label the wrong way round. A run's snapshots say which
pairs the model found least likely while it was learning; the first 20, 50 or 100 of them are decided (swap, tie or
keep, as the true reward says), and a model is trained from the same start on the corrected set. Accuracy is the share
of untouched pairs, of other requests, that are put in the order of their true rewards.

    python benchmarks/review.py                # 12 seeds, some minutes; writes benchmarks/results/review_cpu.json
    python benchmarks/review.py --seeds 2      # a look
"""

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import numpy as np
import torch
from transformers import PrinterCallback, __version__ as transformers_version
from transformers.utils import logging

from rmkit import RewardConfig, RewardTrainer
from rmkit.review import corrected
from rmkit.scoring import RewardModel
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.snapshots import Snapshots

SETTINGS = dict(pairs=400, test_pairs=2000, label_noise=0.1, epochs=6, batch_size=32, learning_rate=3e-3)
DECISIONS = (20, 50, 100)
FIRST_SEED = 1000  # the way to choose suspects was tried on the seeds from 0


def train(
    pairs: datasets.Dataset,  # to train on
    seed: int,  # of the first weights and of the order
    callbacks: list | None = None,  # of the trainer
) -> RewardModel:  # trained
    "A tiny model, trained until it begins to learn labels by heart"
    with TemporaryDirectory() as folder:
        config = RewardConfig(
            folder,
            num_train_epochs=SETTINGS["epochs"],
            learning_rate=SETTINGS["learning_rate"],
            per_device_train_batch_size=SETTINGS["batch_size"],
            seed=seed,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        )
        trainer = RewardTrainer(
            tiny_model(seed=seed), config, train_dataset=pairs, processing_class=tiny_tokenizer(), callbacks=callbacks
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return RewardModel(trainer.model, trainer.processing_class)


def true_gaps(
    pairs: datasets.Dataset,  # from `make_pairs`
) -> np.ndarray:  # (N,), negative where the label is the wrong way round
    "By how much the chosen response is better in truth"
    return np.array(pairs["true_chosen"]) - np.array(pairs["true_rejected"])


def accuracy(
    model: RewardModel,  # to be judged
    test: datasets.Dataset,  # from `make_pairs`
) -> float:  # share of the pairs whose responses differ in truth
    "How often the model's order is the true one"
    margin, gap = model.score_pairs(test, progress=False)["reward_margin"].to_numpy(), true_gaps(test)
    return float((np.sign(margin) == np.sign(gap))[gap != 0].mean())


def most_suspect(
    snapshots: Snapshots,  # of all pairs of the training set, over the run
) -> np.ndarray:  # (N,), rows, the most suspect first
    "By the mean of P(chosen) over the first half of the run: later the model knows wrong labels by heart"
    p = 1 / (1 + np.exp(-np.stack(snapshots.margins)))
    return np.argsort(p[1 : len(p) // 2 + 1].mean(0), kind="stable")


def decide(
    pairs: datasets.Dataset,  # from `make_pairs`
    rows: np.ndarray,  # to be read
) -> dict[int, dict]:  # entries, as in `Review.entries`
    "What somebody who knows the truth says of some pairs"
    words = {-1.0: "swap", 0.0: "tie", 1.0: "keep"}
    return {int(i): dict(mark="", note="", decision=words[np.sign(true_gaps(pairs)[i])]) for i in rows}


def run(
    seed: int,  # of the pairs and of training
) -> dict:  # accuracy without and with decisions, and how many of those read were wrong
    "One reader's work, and what came of it"
    pairs = make_pairs(SETTINGS["pairs"], seed=seed, label_noise=SETTINGS["label_noise"])
    test = make_pairs(SETTINGS["test_pairs"], seed=seed, split="test")
    snapshots = Snapshots(pairs, every=SETTINGS["pairs"] // SETTINGS["batch_size"])
    model = train(pairs, seed, [snapshots])
    order, scores = most_suspect(snapshots), model.score_pairs(pairs, progress=False)
    found = {
        "wrong labels": int((true_gaps(pairs) < 0).sum()),
        "accuracy": {0: accuracy(model, test)},
        "wrong among read": {},
    }
    for n in DECISIONS:
        better = corrected(scores, decide(pairs, order[:n]))
        found["accuracy"][n] = accuracy(train(better, seed), test)
        found["wrong among read"][n] = int((true_gaps(pairs)[order[:n]] < 0).sum())
    return found


def summarize(
    runs: list[dict],  # from `run`, one a seed
) -> dict:  # by number of decisions: mean accuracy, mean gain, its 95% interval, share of wrong labels among those read
    "Gains are differences within a seed; the interval is a bootstrap over seeds"
    draws = np.random.default_rng(0).integers(len(runs), size=(10_000, len(runs)))
    base = np.array([run["accuracy"][0] for run in runs])
    summary = {0: dict(accuracy=float(base.mean()))}
    for n in DECISIONS:
        accuracy = np.array([run["accuracy"][n] for run in runs])
        low, high = np.quantile((accuracy - base)[draws].mean(1), [0.025, 0.975])
        wrong = np.mean([run["wrong among read"][n] for run in runs]) / n
        summary[n] = dict(
            accuracy=float(accuracy.mean()),
            gain=float((accuracy - base).mean()),
            low=float(low),
            high=float(high),
            wrong_among_read=float(wrong),
        )
    return summary


def main():
    "Run all seeds, print the table and write the results"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12, help="how many (default: 12)")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "review_cpu.json", help="the file to write"
    )
    args = parser.parse_args()
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    start, runs = time.perf_counter(), []
    for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
        runs.append(run(seed))
        print(
            f"seed {seed}: " + ", ".join(f"{n}: {value:.3f}" for n, value in runs[-1]["accuracy"].items()), flush=True
        )
    summary = summarize(runs)
    for n in DECISIONS:
        row = summary[n]
        print(
            f"{n:4} decisions: {row['accuracy']:.1%}, gain {row['gain']:+.1%} "
            f"(95% {row['low']:+.1%} to {row['high']:+.1%}), "
            f"{row['wrong_among_read']:.0%} of those read were wrong"
        )
    machine = dict(
        cpus=os.cpu_count(),
        torch=torch.__version__,
        transformers=transformers_version,
        seconds=round(time.perf_counter() - start),
    )
    settings = SETTINGS | dict(seeds=args.seeds, first_seed=FIRST_SEED)
    args.out.write_text(
        json.dumps(dict(settings=settings, machine=machine, summary=summary, runs=runs), indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
