"""SmolLM2-135M-Instruct on real preference pairs, trained by TRL's RewardTrainer and by rmkit's, side by side.

Both get the same raw rows, the same start (one head, initialised once, saved with the model), seed, learning rate and
settings; each does its own templating, filtering, shuffling and padding. Printed: the loss of every step, held-out
accuracy with 95% intervals before and after, the length rule, seconds and peak memory.

  python benchmarks/real_run.py            # --small where there is no GPU: two CPU cores, under 15 minutes
  python benchmarks/real_run.py --full     # the whole pool: where there is one
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset

from rmkit.data import prepare_dataset, split_by_prompt
from rmkit.metrics import accuracy, accuracy_interval, length_rule, wins
from rmkit.model import load_reward_model, save_reward_model
from smollm2 import CACHE, smollm2

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data"  # a folder beside the checkout
PRESETS = dict(
    small=dict(max_length=96, train_pairs=160, test_pairs=160, batch_size=8),
    full=dict(max_length=1024, train_pairs=0, test_pairs=0, batch_size=16))  # 0: all pairs; a tenth of them held out
PARITY_STEPS, PARITY = 20, 1e-4  # float32 losses must agree this well for this long
NAMES = dict(none="before training", trl="TRL", rmkit="rmkit")


def load_pairs(
    folder: Path,  # of .jsonl files, one pair a line: `prompt`, `chosen`, `rejected` as messages, `source`
) -> Dataset:  # those four columns; margins are left out, since only some sources have them
    "Every pair in the folder's files; files of rankings or transcripts are passed over"
    columns = ("prompt", "chosen", "rejected", "source")
    rows = [json.loads(line) for file in sorted(Path(folder).glob("*.jsonl")) for line in file.read_text().splitlines()]
    pairs = [{k: row[k] for k in columns} for row in rows if isinstance(row.get("prompt"), list) and "chosen" in row]
    if not pairs:
        raise SystemExit(f"No pairs in {folder}. Give a folder of .jsonl files with --data; see benchmarks/README.md.")
    return Dataset.from_list(pairs)


def pick(
    pairs: Dataset,  # from `load_pairs`
    tokenizer,  # whose tokens count
    settings: dict,  # see `PRESETS`
) -> tuple[Dataset, Dataset]:  # train and test, with `chosen_ids` and `rejected_ids`; no prompt is in both
    "Leave out pairs over `max_length`, which TRL would drop; split by prompt; take as many as the setting says"
    pool, report = prepare_dataset(pairs, tokenizer, max_length=settings["max_length"], overlong="drop", split="pool")
    print(report)
    parts = split_by_prompt(pool, test_size=settings["test_pairs"] or 0.1, seed=settings["seed"])
    train = parts["train"].shuffle(seed=settings["seed"])
    return train.select(range(min(settings["train_pairs"] or len(train), len(train)))), parts["test"]


def write_rows(
    rows: Dataset,  # prepared
    file: Path,  # to be written
) -> None:
    "The raw rows alone, as the trainers are to get them"
    lines = (json.dumps({k: row[k] for k in ("prompt", "chosen", "rejected")}) + "\n" for row in rows)
    file.write_text("".join(lines))


def set_up(
    work: Path,  # an empty folder
    data: Path,  # see `load_pairs`
    cache: Path,  # see `smollm2.smollm2`
    settings: dict,  # see `PRESETS`
) -> tuple[Dataset, Dataset, dict]:  # the rows trained on, those held out, and `pad_facts`
    "Write what `one_side.py` reads: the start, the rows and the settings"
    model, tokenizer = load_reward_model(smollm2(cache), seed=settings["seed"])
    save_reward_model(model, tokenizer, work / "start")
    train, test = pick(load_pairs(data), tokenizer, settings)
    write_rows(train, work / "train.jsonl")
    write_rows(test, work / "test.jsonl")
    (work / "settings.json").write_text(json.dumps(settings))
    return train, test, pad_facts(train, tokenizer)


def pad_facts(
    rows: Dataset,  # prepared
    tokenizer,  # the model's
) -> dict[str, float]:  # shares of sequences, as chats and as plain text
    "How many rewards plain transformers, and so TRL, would read at the wrong token if padding were the eos token"
    def share(lists): return float(np.mean([ids[-1] == tokenizer.eos_token_id for ids in lists]))
    chats = [row[k] for row in rows for k in ("chosen_ids", "rejected_ids")]
    texts = [row[k][-1]["content"] + tokenizer.eos_token for row in rows for k in ("chosen", "rejected")]
    return dict(chat=share(chats), text=share(tokenizer(texts)["input_ids"]))


def run_side(
    library: str,  # "trl", "rmkit" or "none"
    work: Path,  # from `set_up`
) -> dict:  # what `one_side.py` measured
    "Run one library in a process of its own"
    env = os.environ | dict(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    print(f"\n--- {NAMES[library]} ---", flush=True)
    subprocess.run([sys.executable, str(HERE / "one_side.py"), library, str(work)], check=True, env=env)
    return json.loads((work / f"{library}.json").read_text())


def parity(
    trl: dict,  # measured by `one_side.py`
    rmkit: dict,  # the same
) -> dict:  # how many batches are the same, and the largest difference of losses: over the first steps, and over all
    "Compare two runs step by step"
    as_long = len(trl["losses"]) == len(rmkit["losses"])
    differences = np.abs(np.subtract(trl["losses"], rmkit["losses"])) if as_long else np.array([np.inf])
    same = sum(a == b for a, b in zip(trl["batches"], rmkit["batches"]))
    return dict(steps=len(trl["losses"]), same_batches=same, first=float(differences[:PARITY_STEPS].max()),
                all=float(differences.max()))


def held_out(
    side: dict,  # measured by `one_side.py`
    prompts: list,  # one a held-out pair
) -> dict:  # accuracy, low, high, loss
    "Accuracy with its 95% interval, drawn by prompt, and the mean Bradley-Terry loss, which is less noisy"
    margins = np.subtract(side["reward_chosen"], side["reward_rejected"])
    low, high = accuracy_interval(wins(margins), prompts)
    return dict(accuracy=accuracy(margins), low=low, high=high, loss=float(np.logaddexp(0, -margins).mean()))


def cost(
    side: dict,  # measured by `one_side.py`
) -> dict:  # seconds, pairs per second (of the run, and at the median step), GiB
    "What the training took"
    step = float(np.median(side["step_seconds"]))
    return dict(seconds=side["seconds"], pairs_per_second=side["pairs"] / side["seconds"], median_step=step,
                memory=side["memory"])


def rows_facts(
    rows: Dataset,  # of one part
) -> dict:  # pairs, prompts, and pairs of each source
    "What a part of the data holds"
    sources, counts = np.unique(rows["source"], return_counts=True)
    prompts = {json.dumps(prompt) for prompt in rows["prompt"]}
    return dict(pairs=len(rows), prompts=len(prompts), sources=dict(zip(sources.tolist(), counts.tolist())))


def compare(
    sides: dict,  # what `one_side.py` measured, by library
    train: Dataset,  # rows trained on
    test: Dataset,  # rows held out
) -> dict:  # what is printed and saved
    "The numbers of the comparison"
    trl, rmkit = sides["trl"], sides["rmkit"]
    lengths = [[len(ids) for ids in test[k]] for k in ("chosen_ids", "rejected_ids")]
    verdicts = [np.subtract(side["reward_chosen"], side["reward_rejected"]) > 0 for side in (trl, rmkit)]
    apart = max(np.abs(np.subtract(trl[k], rmkit[k])).max() for k in ("reward_chosen", "reward_rejected"))
    return dict(
        parity=parity(trl, rmkit), losses=dict(trl=trl["losses"], rmkit=rmkit["losses"]),
        held_out={k: held_out(side, test["prompt"]) for k, side in sides.items()},
        length_rule=length_rule(*lengths)._asdict(), same_verdicts=int(np.equal(*verdicts).sum()),
        largest_reward_difference=float(apart),
        cost=dict(trl=cost(trl), rmkit=cost(rmkit)), padding=1 - trl["tokens"] / trl["slots"],
        train=rows_facts(train), test=rows_facts(test))


def machine() -> dict:  # what a reader needs to judge the seconds
    "Processor, threads, load and versions"
    info = Path("/proc/cpuinfo")  # Linux only
    names = [line.split(":")[1].strip()
             for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return dict(cpu=names[0] if names else platform.processor(), cores=os.cpu_count(),
                threads=torch.get_num_threads(), load=os.getloadavg()[0],
                gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                python=platform.python_version(),
                versions={k: version(k) for k in ("rmkit", "trl", "torch", "transformers", "accelerate", "datasets")})


def table(
    head: list[str],  # names of the columns
    rows: list[list],  # their cells
) -> str:
    "A table that a terminal and Markdown both show"
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows])


ACCURACY_HEAD = ["accuracy", "95% interval", "loss"]


def accuracy_row(
    name,  # of the model
    numbers: dict,  # from `held_out`
) -> list:  # cells under `ACCURACY_HEAD`, the name in front
    "How a model does on held-out pairs"
    return [name, f"{numbers['accuracy']:.3f}", f"{numbers['low']:.3f} to {numbers['high']:.3f}",
            f"{numbers['loss']:.3f}"]


def report(
    result: dict,  # from `compare`, with `settings`, `machine` and `pad_facts`
) -> str:  # Markdown
    "The result for a reader"
    losses, check, costs, test, rule = (result[k] for k in ("losses", "parity", "cost", "test", "length_rule"))
    both = zip(losses["trl"], losses["rmkit"])
    steps = [[i, f"{a:.6f}", f"{b:.6f}", f"{abs(a - b):.1e}"] for i, (a, b) in enumerate(both, 1)]
    accuracies = [accuracy_row(NAMES[k], v) for k, v in result["held_out"].items()]
    spent = [[NAMES[k], f"{v['seconds']:.0f}", f"{v['pairs_per_second']:.2f}", f"{v['median_step']:.2f}",
              ", ".join(f"{gib:.2f} GiB {kind}" for kind, gib in v["memory"].items())] for k, v in costs.items()]
    ratio = costs["trl"]["median_step"] / costs["rmkit"]["median_step"]
    return "\n\n".join([
        table(["step", "loss, TRL", "loss, rmkit", "difference"], steps),
        f"Batches the same to the last id: {check['same_batches']} of {check['steps']}. Largest difference of losses: "
        f"{check['first']:.1e} "
        f"over the first {PARITY_STEPS} steps ({PARITY:.0e} allowed in float32), {check['all']:.1e} over all.",
        table(["held out", *ACCURACY_HEAD],
              [*accuracies, [f"length rule: the {rule['direction']} wins", f"{rule['accuracy']:.3f}", "", ""]]),
        f"{test['pairs']} pairs, {test['prompts']} prompts. The two models give the same verdict on "
        f"{result['same_verdicts']}; "
        f"their rewards differ by {result['largest_reward_difference']:.1e} at most.",
        table(["training", "seconds", "pairs/s", "median step, s", "peak memory"], spent),
        f"A step of rmkit's takes {1 / ratio:.2f} of TRL's (median). {result['padding']:.0%} of what both compute is "
        f"padding.",
        f"If padding were the eos token, plain transformers would read {result['pad_facts']['chat']:.0%} of these "
        f"chats, and "
        f"{result['pad_facts']['text']:.0%} of the same answers as plain text, at the wrong token."])


def make_parser(
    description: str,  # of the script
) -> argparse.ArgumentParser:  # a preset, and what to change in it
    "The command line"
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    gpu, add = torch.cuda.is_available(), parser.add_argument
    add("--small", dest="preset", action="store_const", const="small", default="full" if gpu else "small",
        help="short pairs, few steps")
    add("--full", dest="preset", action="store_const", const="full", help="every pair up to 1024 tokens, one epoch")
    add("--data", type=Path, default=DATA, help="folder of .jsonl files with pairs")
    add("--cache", type=Path, default=CACHE, help="folder of the extracted SmolLM2")
    add("--save", type=Path, help="write the numbers to this .json file")
    for name in PRESETS["small"]:
        add(f"--{name}", type=int, help=f"small: {PRESETS['small'][name]}, full: {PRESETS['full'][name] or 'all'}")
    add("--learning_rate", type=float, default=5e-5)
    add("--warmup", type=float, default=0.1, help="share of the steps")
    add("--seed", type=int, default=0)
    add("--bf16", action="store_true", help="bfloat16 autocast in both; losses then agree less well")
    add("--gradient_checkpointing", action="store_true", help="in both; TRL's own default")
    return parser


def settings_of(
    args: argparse.Namespace,  # the command line
) -> dict:  # the settings of a run, as `one_side.py` gets them
    "The preset with the command line's changes"
    changed = {k: getattr(args, k) for k in PRESETS["small"] if getattr(args, k) is not None}
    plain = {k: getattr(args, k) for k in ("learning_rate", "warmup", "seed", "bf16", "gradient_checkpointing")}
    return PRESETS[args.preset] | changed | plain | dict(device="cuda" if torch.cuda.is_available() else "cpu")


def main():
    args = make_parser(__doc__).parse_args()
    settings = settings_of(args)
    with tempfile.TemporaryDirectory() as folder:
        train, test, pads = set_up(Path(folder), args.data, args.cache.expanduser(), settings)
        print(f"{len(train)} pairs to train on, {len(test)} held out; {settings}", flush=True)
        sides = {library: run_side(library, Path(folder)) for library in NAMES}
    result = dict(settings=settings, machine=machine(), pad_facts=pads) | compare(sides, train, test)
    print("\n" + report(result))
    if args.save:
        args.save.write_text(json.dumps(result, indent=1) + "\n")
    if not settings["bf16"] and result["parity"]["first"] > PARITY:
        sys.exit(f"The losses differ by more than {PARITY:.0e}.")


if __name__ == "__main__":
    main()
