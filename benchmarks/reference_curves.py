"""What training looks like where the truth is known, and on real pairs with a small model: a reference to hold runs to.

  python benchmarks/reference_curves.py synthetic   # the embedded default: labels' noise, sizes and learning rates
  python benchmarks/reference_curves.py head        # real pairs, SmolLM2-135M: a linear head on frozen features
  python benchmarks/reference_curves.py full        # the same, all weights trained, on a few hundred short pairs
  python benchmarks/reference_curves.py tables      # the small tables beside nbs/explanations/reference_curves.ipynb

Each run is one line of results/reference_curves/runs.jsonl, and one that is there isn't run again: stop it and go on.
"""
import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from datasets import Dataset, disable_progress_bars
from torch.nn.functional import logsigmoid
from transformers import PrinterCallback
from transformers.utils import logging

from real_run import DATA, machine
from rmkit import RewardConfig, RewardTrainer
from rmkit.data import prepare_dataset, split_by_prompt
from rmkit.files import load_rows
from rmkit.fits import pair_head
from rmkit.metrics import accuracy, accuracy_interval, length_rule, prompt_groups, wins
from rmkit.model import load_reward_model
from rmkit.scoring import response_lengths, RewardModel
from rmkit.synthetic import achievable_accuracy, make_pairs, tiny_model, tiny_tokenizer
from smollm2 import CACHE, smollm2

HERE = Path(__file__).resolve().parent
RUNS = HERE / "results" / "reference_curves" / "runs.jsonl"
PAGE = HERE.parent / "nbs" / "explanations"  # where the tables go
SETS = dict(pandalm="pandalm", hh="hh_harmless")
TEXTS = ["prompt", "chosen", "rejected"]

EPOCHS = {200: 6, 1_000: 4, 5_000: 2, 20_000: 1}  # by pairs: as many as still help
SEEDS = {200: 5, 1_000: 5, 5_000: 3, 20_000: 3}
NOISE = (0.05, 0.0, 0.2, 0.3)  # of the labels, beyond what the draw between two close answers brings
RATE = 3e-3  # the learning rate of the tiny model
RATES = (1e-5, 3e-3, 1e-1)
STEPS = 200  # whose losses are kept, and that the runs of the learning rates have
BATCH = 32
TEST = 1_000  # pairs of other requests


def synthetic_runs() -> Iterator[dict]:
    "All runs of the embedded default; whole rounds first, so that a part of them is a table already"
    for seed in range(max(SEEDS.values())):
        for noise in NOISE:
            yield from (dict(noise=noise, pairs=n, epochs=EPOCHS[n], rate=RATE, seed=seed)
                        for n in SEEDS if seed < SEEDS[n])
        if seed < 3:
            once = dict(pairs=STEPS * BATCH, epochs=1, seed=seed)
            yield from (dict(noise=0.05, rate=rate, **once) for rate in RATES)
            yield dict(noise=0.5, rate=RATE, **once)  # labels that say nothing


def train(
    model,  # to train
    tokenizer,
    pairs: Dataset,  # to train on
    **config,  # what isn't common to all runs
) -> tuple[RewardModel, list[float]]:  # the model, and the loss of each step
    "One training, quiet"
    with TemporaryDirectory() as folder:
        args = RewardConfig(folder, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
                            use_cpu=True, **config)
        trainer = RewardTrainer(model, args, train_dataset=pairs, processing_class=tokenizer)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return RewardModel(trainer.model, trainer.processing_class), losses


def bt_loss(
    margin_N: np.ndarray,  # reward_chosen - reward_rejected
) -> float:
    "Mean Bradley-Terry loss"
    return float(-logsigmoid(torch.tensor(margin_N, dtype=torch.float64)).mean())


def run_synthetic(
    job: dict,  # from `synthetic_runs`
    args: argparse.Namespace,
) -> dict:
    "One training on the embedded default, judged by labels like those it learnt from and by the truth"
    train_rows = make_pairs(job["pairs"], seed=job["seed"], label_noise=job["noise"])
    test = make_pairs(args.test, seed=job["seed"], split="test", label_noise=job["noise"])
    model, losses = train(tiny_model(seed=job["seed"]), tiny_tokenizer(), train_rows, learning_rate=job["rate"],
                          num_train_epochs=job["epochs"], per_device_train_batch_size=BATCH, seed=job["seed"])
    def margins(rows): return model.score_pairs(rows, progress=False)["reward_margin"].to_numpy()
    found, seen = margins(test), margins(train_rows.select(range(min(1_000, job["pairs"]))))
    gap = np.array(test["true_chosen"]) - np.array(test["true_rejected"])
    return dict(accuracy=accuracy(found), loss=bt_loss(found), ceiling=achievable_accuracy(test),
                loss_floor=float(-np.log(test["p_chosen"]).mean()),
                true_accuracy=accuracy((found * np.sign(gap))[gap != 0]),
                train_accuracy=accuracy(seen), train_loss=bt_loss(seen),
                steps=len(losses), losses=[round(loss, 4) for loss in losses[:STEPS]])


def real_pairs(
    args: argparse.Namespace,
    name: str,  # of `SETS`
    tokenizer,
) -> Dataset:  # prompt, chosen, rejected, chosen_ids, rejected_ids
    "The first pairs of a set, in a fixed random order, both of whose texts are short enough"
    rows = load_rows(args.data / f"{SETS[name]}.jsonl").select_columns(TEXTS).shuffle(seed=1)
    prepared = prepare_dataset(rows, tokenizer, max_length=None)[0]
    lengths = zip(prepared["chosen_ids"], prepared["rejected_ids"])
    kept = [i for i, pair in enumerate(lengths) if max(map(len, pair)) <= args.tokens]
    return prepared.select(kept[:args.pairs])


def rule_of(
    pairs: Dataset,  # from `real_pairs`
    tokenizer,
) -> dict:
    "What length alone gets"
    return length_rule(*(response_lengths(pairs[side], tokenizer) for side in ("chosen", "rejected")))._asdict()


def choose_head(
    x_Nd: np.ndarray,  # differences of features
    prompts_N: np.ndarray,  # numbers of prompts
    rng: np.random.Generator,
) -> np.ndarray:  # (d,)
    "The head with the ridge that does best on a quarter of the prompts, then fitted to all"
    order = rng.permutation(np.unique(prompts_N))
    held = np.isin(prompts_N, order[:max(1, len(order) // 4)])
    loss = {ridge: bt_loss(x_Nd[held] @ pair_head(x_Nd[~held], ridge)) for ridge in (0.01, 0.1, 1.0, 10.0)}
    return pair_head(x_Nd, min(loss, key=loss.get))


def out_of_fold(
    x_Nd: np.ndarray,  # differences of features
    prompts_N: np.ndarray,  # numbers of prompts
    n: int,  # pairs to train on
    seed: int,
) -> np.ndarray:  # (N,) margins
    "Every pair judged by a head that has seen `n` pairs of other prompts"
    rng = np.random.default_rng(seed)
    fold_N = rng.permutation(np.arange(prompts_N.max() + 1) % 5)[prompts_N]
    margin_N = np.empty(len(x_Nd))
    for fold in range(5):
        rows = rng.permutation(np.flatnonzero(fold_N != fold))[:n]
        scale_d = np.sqrt((x_Nd[rows] ** 2).mean(0)) + 1e-6
        margin_N[fold_N == fold] = x_Nd[fold_N == fold] / scale_d @ choose_head(x_Nd[rows] / scale_d, prompts_N[rows],
                                                                                rng)
    return margin_N


def held_out(
    margin_N: np.ndarray,  # of pairs that weren't trained on
    prompts,  # theirs
) -> dict:
    "Accuracy with its interval over prompts, and loss"
    low, high = accuracy_interval(wins(margin_N), prompts)
    return dict(accuracy=accuracy(margin_N), low=low, high=high, loss=bt_loss(margin_N), test_pairs=len(margin_N))


def run_head(
    job: dict,  # the set
    args: argparse.Namespace,
) -> dict:
    "Heads on frozen features of one set: sizes, seeds"
    model, tokenizer = load_reward_model(smollm2(args.cache.expanduser()), seed=0)
    pairs = real_pairs(args, job["set"], tokenizer)
    found = RewardModel(model, tokenizer).pair_features(pairs.select_columns(TEXTS))
    x_Nd, prompts_N = found.difference_ND.astype(np.float64), prompt_groups(pairs["prompt"])
    most, heads = len(pairs) * 3 // 4, []  # a fold leaves four fifths, or a little less
    for n in [n for n in (25, 50, 100, 200, 400) if n < 0.8 * most] + [most]:
        margins = [out_of_fold(x_Nd, prompts_N, n, seed) for seed in range(args.seeds)]
        each = [held_out(margin_N, prompts_N) for margin_N in margins]
        low, high = accuracy_interval(np.mean([wins(margin_N) for margin_N in margins], axis=0), prompts_N)
        heads.append(dict(pairs=n, low=low, high=high, seeds=each))
        print(f"  {job['set']}, {n} pairs: {np.mean([e['accuracy'] for e in each]):.3f}", flush=True)
    return dict(heads=heads, prompts=int(prompts_N.max()) + 1, length_rule=rule_of(pairs, tokenizer))


def run_full(
    job: dict,  # the set, the rate and the seed
    args: argparse.Namespace,
) -> dict:
    "All weights trained on three quarters of the pairs, judged on the rest"
    model, tokenizer = load_reward_model(smollm2(args.cache.expanduser()), seed=job["seed"])
    split = split_by_prompt(real_pairs(args, job["set"], tokenizer), 0.25, seed=job["seed"])
    test = split["test"].select_columns(TEXTS)
    def judged(model): return held_out(model.score_pairs(test, progress=False)["reward_margin"].to_numpy(),
                                       test["prompt"])
    before = judged(RewardModel(model, tokenizer))
    trained, losses = train(model, tokenizer, split["train"].select_columns(TEXTS), learning_rate=job["rate"],
                            num_train_epochs=1, per_device_train_batch_size=8, seed=job["seed"], bf16=False)
    return dict(before=before, after=judged(trained), pairs=len(split["train"]), losses=[round(x, 4) for x in losses],
                length_rule=rule_of(split["test"], tokenizer))


def write_tables(
    runs: list[dict],  # lines of `RUNS`
):
    "The tables beside the page"
    made = [run for run in runs if run["what"] == "synthetic"]
    names = ["noise", "pairs", "epochs", "rate", "seed", "steps", "accuracy", "true_accuracy", "ceiling", "loss",
             "loss_floor", "train_accuracy", "train_loss"]
    table = pd.DataFrame(made)[names]
    table.round({name: 4 for name in names if name != "rate"}).to_csv(PAGE / "reference_curves_synthetic.csv",
                                                                        index=False)
    steps = {(name_of(run), run["seed"]): run["losses"] for run in made if name_of(run)}
    pd.DataFrame(dict(sorted(steps.items())), index=range(1, STEPS + 1)).rename_axis("step").to_csv(
        PAGE / "reference_curves_steps.csv")
    rows = pd.DataFrame([row for run in runs for row in rows_of_real(run)])
    rows.round({name: 4 for name in rows if name != "rate"}).to_csv(PAGE / "reference_curves_real.csv", index=False)
    full = {(run["set"], run["seed"]): run["losses"] for run in runs if run["what"] == "full"}
    columns = {key: pd.Series(losses, range(1, len(losses) + 1)) for key, losses in full.items()}
    pd.DataFrame(columns).rename_axis("step").to_csv(
        PAGE / "reference_curves_real_steps.csv")


def name_of(
    run: dict,  # a line of `RUNS`, synthetic
) -> str | None:  # None: its steps aren't in the table
    "What a run of at least two hundred steps is called: by the noise of its labels, and a learning rate of its own"
    rate = f", learning rate {run['rate']:g}" * (run["rate"] != RATE)
    is_one_of_many = run["pairs"] == STEPS * BATCH and run["noise"] in NOISE and not rate
    if run["steps"] >= STEPS and run["pairs"] != 5_000 and not is_one_of_many:
        return f"noise {run['noise']:g}{rate}"


def rows_of_real(
    run: dict,  # a line of `RUNS`
) -> Iterator[dict]:
    "What a run says of real pairs, a row a seed"
    same = dict(set=run.get("set"), what=run["what"], tokens=run.get("tokens"))
    if run["what"] == "head":
        same |= dict(length_rule=run["length_rule"]["accuracy"], direction=run["length_rule"]["direction"])
        yield from (same | dict(pairs=head["pairs"], seed=seed) | found
                    for head in run["heads"] for seed, found in enumerate(head["seeds"]))
    if run["what"] == "full":
        same |= dict(seed=run["seed"], rate=run["rate"], length_rule=run["length_rule"]["accuracy"],
                     direction=run["length_rule"]["direction"])
        yield same | dict(pairs=0) | run["before"]
        yield same | dict(pairs=run["pairs"]) | run["after"]


def lines() -> list[dict]:
    "The runs that are there"
    return [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []


def jobs(
    args: argparse.Namespace,
) -> Iterator[dict]:
    "What there is to run"
    if args.what == "synthetic":
        yield from synthetic_runs()
    elif args.what == "head":
        yield from (dict(set=name, tokens=args.tokens) for name in args.sets)
    else:
        yield from (dict(set=name, tokens=args.tokens, rate=args.rate, seed=seed)
                    for seed in range(args.seeds) for name in args.sets)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("what", choices=["synthetic", "head", "full", "tables"])
    add("--sets", nargs="+", default=list(SETS), choices=list(SETS), help="real pairs")
    add("--pairs", type=int, default=800, help="most pairs of a real set")
    add("--tokens", type=int, default=128, help="most tokens of a real text, prompt included")
    add("--rate", type=float, default=2e-5, help="learning rate of all weights")
    add("--seeds", type=int, default=5, help="of the heads, and of trainings on real pairs")
    add("--test", type=int, default=TEST, help="test pairs of the embedded default")
    add("--data", type=Path, default=DATA, help="folder of .jsonl files with pairs")
    add("--cache", type=Path, default=CACHE, help="folder of the extracted SmolLM2")
    args = parser.parse_args()
    disable_progress_bars()
    logging.set_verbosity_error()
    if args.what == "tables":
        return write_tables(lines())
    run = dict(synthetic=run_synthetic, head=run_head, full=run_full)[args.what]
    for job in jobs(args):
        job = dict(what=args.what) | job
        if any(job.items() <= line.items() for line in lines()):
            continue
        began = time.perf_counter()
        line = job | run(job, args) | dict(seconds=round(time.perf_counter() - began, 1), machine=machine())
        with RUNS.open("a") as out:
            out.write(json.dumps(line) + "\n")
        print(job, f"{line['seconds']} s", {k: round(v, 3) for k, v in line.items() if k in ("accuracy", "ceiling")},
              flush=True)


if __name__ == "__main__":
    main()
