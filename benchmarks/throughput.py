"""How fast: rmkit and TRL's RewardTrainer on the same rows, in one process, taking turns.

  python benchmarks/throughput.py train                # SmolLM2-135M, on a large GPU Llama-3.2-1B's shape, against TRL
  python benchmarks/throughput.py tiny                 # the embedded default: flat rows against padded ones
  python benchmarks/throughput.py rank                 # best-of-16 against a loop of transformers' padded batches
  python benchmarks/throughput.py scaling              # step time against tokens, memory against the size of the data
  python benchmarks/throughput.py figure results/throughput_*.json
"""
import argparse
import copy
import ctypes
import gc
import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification, TrainerCallback

import rmkit
from real_run import DATA, load_pairs, machine, table
from rmkit.layout import PrefixSharingCollator, share_across
from rmkit.config import native_precision
from rmkit.data import prepare_dataset
from rmkit.files import load_rows
from rmkit.head import init_head
from rmkit.model import load_reward_model, prepare_for_reward
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.passes import is_out_of_memory
from smollm2 import CACHE, smollm2

GPU = torch.cuda.is_available()
HALF = dict(bf16=torch.bfloat16, fp16=torch.float16).get(native_precision(), torch.float32)
LARGE = 40 * 2**30  # bytes of GPU memory from which Llama-3.2-1B's shape is trained
SETS = dict(hh="hh_harmless", oasst="oasst1", qa_feedback="qa_feedback", pandalm="pandalm")
LLAMA_1B = dict(vocab_size=128_256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
                num_attention_heads=32, num_key_value_heads=8, head_dim=64, rope_theta=500_000.0,
                max_position_embeddings=131_072)


@dataclass
class Contender:
    "One way of training"
    name: str
    library: str  # "trl" or "rmkit"
    config: dict = field(default_factory=dict)  # arguments of its RewardConfig that aren't defaults
    dtype: torch.dtype = torch.float32  # of the weights
    grouped: bool = False  # a step's pairs sorted by length, so that a micro-batch holds pairs of like length


def contenders(
    batch: int,  # pairs a step
    gpu: bool,  # the list for a GPU
) -> list[Contender]:  # the first is what ratios are taken against
    "Who takes part. What an expert sets is measured: of the rows that bear the name, the fastest counts"
    def micro(size):
        return dict(per_device_train_batch_size=min(size, batch), gradient_accumulation_steps=max(1, batch // size))
    def expert(size, config, dtype):
        return Contender(f"TRL as an expert sets it, micro-batch {size}", "trl",
                         config | micro(size) | dict(gradient_checkpointing=False, bf16=False), dtype, grouped=True)
    if not gpu:
        plain = dict(per_device_train_batch_size=batch, use_cpu=True, bf16=False)
        return [Contender("TRL, its defaults", "trl", plain),
                Contender("TRL, no checkpointing", "trl", plain | dict(gradient_checkpointing=False)),
                *(expert(n, plain, torch.float32) for n in (1, 2, 4)),
                Contender("rmkit, padded", "rmkit", plain | dict(padding_free=False)),
                Contender("rmkit, flat, prompts not shared", "rmkit", plain | dict(share_prefix=False)),
                Contender("rmkit, its defaults", "rmkit", plain)]
    whole = dict(per_device_train_batch_size=batch)
    return [Contender("TRL, its defaults", "trl", micro(16)),
            *(expert(n, {}, torch.bfloat16) for n in (8, 16, 32)),
            Contender("rmkit, its defaults", "rmkit", whole),
            Contender("rmkit, without Liger", "rmkit", whole | dict(use_liger_kernel=False)),
            Contender("rmkit, checkpointing", "rmkit", whole | dict(gradient_checkpointing=True)),
            Contender("rmkit, bfloat16 weights", "rmkit", whole | dict(bf16=False), torch.bfloat16),
            Contender("rmkit, torch.compile", "rmkit", whole | dict(torch_compile=True))]


class Clock(TrainerCallback):
    "Remembers when each step ended, what the processor had done by then, and its loss"

    def __init__(self):
        self.ends, self.worked, self.losses = [], [], []

    def on_step_end(self, args, state, control, **kwargs):
        if GPU:
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        self.worked.append(time.process_time())

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


class Peak(threading.Thread):
    "Highest resident memory of this process while the block runs, above what it was; on a GPU what PyTorch allocated"

    def __init__(self):
        super().__init__(daemon=True)
        self.done = threading.Event()

    def resident(self) -> int:  # bytes
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    def run(self):
        while not self.done.wait(0.02):
            self.most = max(self.most, self.resident())

    def __enter__(self):
        gc.collect()
        if GPU:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        # give back what an earlier turn left with the allocator, or it would hide this one's
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
    seconds: float = 0.5,  # how long to measure
) -> float:  # floating point operations a second
    "What the device reaches in a plain matrix product: float32 on a CPU, 16 bits on a GPU that has them"
    n, dtype, device = (8192, HALF, "cuda") if GPU else (2048, torch.float32, "cpu")
    a, b = (torch.randn(n, n, dtype=dtype, device=device) for _ in range(2))
    rates, start = [], time.perf_counter()
    while len(rates) < 4 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        a @ b
        if GPU:
            torch.cuda.synchronize()
        rates.append(2 * n**3 / (time.perf_counter() - begin))
    return statistics.median(rates[1:])


def trainer_of(
    who: Contender,
    model,  # a fresh copy of the start
    tokenizer,
    rows: Dataset,  # raw
    output_dir: str,  # nothing is saved there
    **config,  # arguments that all share
):
    "A trainer of the contender's library, with a clock"
    if who.library == "trl":
        import trl
        trainer_cls, config_cls = trl.RewardTrainer, trl.RewardConfig
    else:
        trainer_cls, config_cls = rmkit.RewardTrainer, rmkit.RewardConfig
    args = config_cls(output_dir, max_length=None, logging_steps=1, report_to="none", save_strategy="no",
                      disable_tqdm=True, learning_rate=2e-5, warmup_steps=0, seed=0, **(config | who.config))
    trainer = trainer_cls(model=model.to(who.dtype), args=args, train_dataset=rows, processing_class=tokenizer,
                          callbacks=[Clock()])
    order = step_order(trainer, who.grouped)
    trainer._get_train_sampler = lambda *args: order
    return trainer


def step_order(
    trainer,  # with its training set prepared
    grouped: bool,  # sort the pairs of a step by length
) -> list[int]:  # of the rows
    "The rows in their own order, which was drawn before: every contender has the same pairs in the same step"
    pairs = zip(trainer.train_dataset["chosen_ids"], trainer.train_dataset["rejected_ids"])
    lengths = [max(map(len, pair)) for pair in pairs]
    if not grouped:
        return list(range(len(lengths)))
    size = trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps
    steps = [range(i, min(i + size, len(lengths))) for i in range(0, len(lengths), size)]
    return [row for step in steps for row in sorted(step, key=lengths.__getitem__)]


def turn(
    who: Contender,
    start,  # the weights that all start from
    tokenizer,
    rows: Dataset,
    steps: int,  # of which the first isn't timed
) -> dict:  # seconds, processor seconds and loss of each timed step, tokens of all steps, GiB
    "One contender's turn"
    tokens, clock, failed = [], None, False
    logging.disable(logging.WARNING)
    with Peak() as peak:
        try:
            trainer = trainer_of(who, copy.deepcopy(start), tokenizer, rows, tempfile.mkdtemp(), max_steps=steps)
            trainer.model.get_input_embeddings().register_forward_pre_hook(
                lambda module, args: tokens.append(args[0].numel()))
            clock = next(c for c in trainer.callback_handler.callbacks if isinstance(c, Clock))
            trainer.train()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            failed = True
        finally:
            logging.disable(logging.NOTSET)
    if failed:
        return dict(seconds=[], worked=[], losses=[], tokens=0, gib=None)
    return dict(seconds=np.diff(clock.ends).tolist(), worked=np.diff(clock.worked).tolist(), losses=clock.losses,
                tokens=sum(tokens), gib=peak.gib)


def needed(
    rows: Dataset,  # raw
    tokenizer,
    batch: int,  # pairs a step
) -> int:  # tokens
    "Tokens that have to be computed at least once: the texts of a step, what any of them begin with alike counted once"
    pairs, collate = prepare_dataset(rows, tokenizer, max_length=None)[0].to_list(), PrefixSharingCollator()
    return sum(share_across(collate(pairs[i:i + batch]))["input_ids"].numel() for i in range(0, len(pairs), batch))


def race(
    entered: list[Contender],  # the first is what ratios are taken against
    start,  # a model
    tokenizer,
    rows: Dataset,  # raw, at least rounds × steps × batch
    batch: int,  # pairs a step
    rounds: int,  # turns of each
    steps: int,  # timed steps of a turn
) -> dict:  # by contender: what was measured
    "Contenders take turns over the same slices of the rows, in an order that is reversed every round"
    turns, rates, need = {who.name: [] for who in entered}, [], []
    size = batch * (steps + 1)
    for r in range(rounds):
        part = rows.select(range(r * size, (r + 1) * size))
        need.append(needed(part, tokenizer, batch) / size)
        for who in entered[::-1] if r % 2 else entered:
            rates.append(matrix_rate())
            turns[who.name].append(turn(who, start, tokenizer, part, steps + 1))
            print(
                f"  round {r + 1}, {who.name}: "
                f"{statistics.median(turns[who.name][-1]['seconds'] or [float('nan')]):.2f} s a step", flush=True)
    weights = sum(p.numel() for p in start.parameters()) - start.get_input_embeddings().weight.numel()
    return summary(turns, statistics.median(rates), float(np.mean(need)), weights, batch, size)


def summary(
    turns: dict,  # by contender, one dict a round
    rate: float,  # of the device's matrix products
    need: float,  # tokens a pair, those that are needed
    weights: int,  # parameters without the embedding
    batch: int,  # pairs a step
    size: int,  # pairs a turn
) -> dict:
    "Medians, ratios to the first contender and what they rest on"
    base, out = next(iter(turns)), {}
    for name, rounds in turns.items():
        seconds = [s for turn in rounds for s in turn["seconds"]]
        if any(not turn["seconds"] for turn in rounds):
            out[name] = dict(failed="out of memory")
            continue
        step, base_seconds = float(np.mean(seconds)), [s for turn in turns[base] for s in turn["seconds"]]
        by_step = [a / b for a, b in zip(base_seconds, seconds)]  # of the same pairs
        worked, base_worked = (sum(sum(turn["worked"]) for turn in turns[one]) for one in (name, base))
        out[name] = dict(pairs_per_second=batch / step, step=step, ratio=float(np.sum(base_seconds) / np.sum(seconds)),
                         median_ratio=statistics.median(by_step or [float("nan")]), ratios=by_step,
                         worked=worked / len(seconds), worked_ratio=base_worked / worked,
                         first_losses=[turn["losses"][0] for turn in rounds],
                         losses=[turn["losses"] for turn in rounds], gib=max(turn["gib"] for turn in rounds),
                         tokens_per_pair=sum(t["tokens"] for t in rounds) / size / len(rounds),
                         needed_per_pair=need, rate_share=6 * weights * need * batch / step / rate, seconds=seconds)
    return dict(contenders=out, matrix_rate=rate, parameters=weights)


FLOORS: dict[str, float] = dict(hh=4.5, tiny=1.2, rank=5.0)  # of rmkit's defaults; hh on CPUs, against TRL's


def below_floor(
    name: str,  # of a measurement
    ratio: float,
) -> bool:
    "Whether it misses what was asked for; says so either way"
    if name not in FLOORS:
        return False
    print(
        f"{name}: {ratio:.2f} times as fast; {FLOORS[name]} was asked for: "
        f"{'met' if ratio >= FLOORS[name] else 'MISSED'}\n", flush=True)
    return ratio < FLOORS[name]


def show_race(
    title: str,
    result: dict,  # from `race`
) -> str:  # Markdown
    "The race as a table"
    rows = []
    for name, r in result["contenders"].items():
        if "failed" in r:
            rows.append([name, r["failed"], *[""] * 7])
            continue
        spread = f" ({r['median_ratio']:.2f}; {min(r['ratios']):.2f} to {max(r['ratios']):.2f})" if r["ratios"] else ""
        rows.append([name, f"{r['pairs_per_second']:.3g}", f"{r['ratio']:.2f}{spread}",
                     f"{r['worked']:.1f} s, {r['worked_ratio']:.2f}", f"{r['tokens_per_pair']:.0f}",
                     f"{r['gib']:.2f}", f"{r['rate_share']:.0%}", f"{r['first_losses'][0]:.6f}",
                     f"{r['losses'][0][-1]:.6f}"])
    head = ["", "pairs/s", "ratio (median step; range)", "processor time a step, ratio", "tokens a pair",
            "peak GiB", "share of matrix rate", "first loss", "last loss"]
    need = next(r["needed_per_pair"] for r in result["contenders"].values() if "failed" not in r)
    rate = f"matrix products run at {result['matrix_rate'] / 1e9:,.0f} Gflop/s"
    return f"**{title}**; {need:.0f} tokens a pair are needed once; {rate}\n\n{table(head, rows)}"


def same_losses(
    result: dict,  # from `race`
    allowed: float,  # difference of the first losses
) -> bool:
    "Whether the contenders, all in the same precision, computed the same thing"
    first = [r["first_losses"] for r in result["contenders"].values() if "failed" not in r]
    return bool(np.ptp(np.array(first), axis=0).max() <= allowed)


def the_start(
    args: argparse.Namespace,
) -> tuple:  # a reward model and its tokenizer
    "SmolLM2-135M with its weights; on a large GPU Llama-3.2-1B's shape with random weights, and SmolLM2's tokenizer"
    if args.toy:
        return tiny_model(), tiny_tokenizer()
    folder = smollm2(args.cache.expanduser())
    if not GPU or torch.cuda.get_device_properties(0).total_memory < LARGE:
        return load_reward_model(folder, seed=0)
    torch.manual_seed(0)
    tokenizer, config = AutoTokenizer.from_pretrained(folder), LlamaConfig(**LLAMA_1B, num_labels=1, pad_token_id=0)
    return prepare_for_reward(init_head(LlamaForSequenceClassification(config)), tokenizer)


def raw_rows(
    args: argparse.Namespace,
    name: str,  # of `SETS`
) -> Dataset:  # prompt, chosen, rejected
    "Pairs of one data set in a fixed random order"
    return load_rows(args.data / f"{SETS[name]}.jsonl").select_columns(["prompt", "chosen", "rejected"]).shuffle(seed=1)


def run_train(
    args: argparse.Namespace,
) -> dict:
    "Training against TRL, data set by data set"
    gpu = GPU or args.gpu
    batch = args.batch or (128 if gpu else 8)
    entered = [who for who in contenders(batch, gpu) if not args.only or any(word in who.name for word in args.only)]
    if args.toy:
        entered = [Contender(w.name, w.library, w.config | dict(use_cpu=True, bf16=False)) for w in entered]
    start, tokenizer = the_start(args)
    results = {}
    for name in args.sets:
        rows = raw_rows(args, name)
        size = batch * (args.steps + 1)
        rounds = min(args.rounds, len(rows) // size)
        print(f"{name}: {len(rows)} pairs, {rounds} rounds of {args.steps} + 1 steps of {batch}", flush=True)
        results[name] = race(entered, start, tokenizer, rows, batch, rounds, args.steps)
        print("\n" + show_race(name, results[name]) + "\n", flush=True)
        if not gpu and not same_losses(results[name], 1e-3):
            sys.exit("The contenders' first losses differ: they don't compute the same thing.")
        ours = results[name]["contenders"].get("rmkit, its defaults")
        if not gpu and ours and entered[0].name == "TRL, its defaults":
            results[name]["below_floor"] = below_floor(name, ours["ratio"])
    return results


def run_tiny(
    args: argparse.Namespace,
) -> dict:
    "The embedded default: short rows, a tiny model"
    batch = args.batch or 64
    plain = dict(per_device_train_batch_size=batch, use_cpu=not GPU, bf16=False)
    entered = [Contender("rmkit, padded", "rmkit", plain | dict(padding_free=False)),
               Contender("rmkit, flat, prompts not shared", "rmkit", plain | dict(share_prefix=False)),
               Contender("rmkit, its defaults", "rmkit", plain)]
    rows = make_pairs(batch * (args.steps + 1) * args.rounds, seed=0).select_columns(["prompt", "chosen", "rejected"])
    result = race(entered, tiny_model(), tiny_tokenizer(), rows, batch, args.rounds, args.steps)
    print("\n" + show_race("the embedded default", result))
    if not same_losses(result, 1e-4):
        sys.exit("The contenders' first losses differ: they don't compute the same thing.")
    return dict(tiny=result
                | dict(below_floor=below_floor("tiny", result["contenders"]["rmkit, its defaults"]["ratio"])))


@torch.no_grad()
def plain_scores(
    model,
    tokenizer,
    texts: list[str],  # prompt and response, as the template writes them
    size: int = 8,  # texts a batch
) -> np.ndarray:
    "What people write: padded batches of a sequence classifier"
    scores = []
    for i in range(0, len(texts), size):
        batch = tokenizer(texts[i:i + size], padding=True, padding_side="right", return_tensors="pt",
                          add_special_tokens=False)
        scores += model(**batch.to(model.device)).logits[:, 0].float().tolist()
    return np.array(scores)


def request_of(
    args: argparse.Namespace,
    tokenizer,
) -> tuple[list, list]:
    "A prompt of 500 tokens (150 of a toy) and sixteen responses, cut out of real conversations"
    rows = load_pairs(args.data).select(range(400))
    words = " ".join(m["content"] for row in rows for m in row["prompt"] + row["chosen"]).split()
    def text(first, tokens):
        ids = tokenizer(" ".join(words[first:first + tokens]), add_special_tokens=False)["input_ids"]
        return tokenizer.decode(ids[:tokens])
    prompt = [dict(role="user", content=text(0, 150 if args.toy else 500))]
    return prompt, [text(1000 + 200 * i, 30 + 4 * i) for i in range(16)]


def run_rank(
    args: argparse.Namespace,
) -> dict:
    "Sixteen responses to one prompt of 500 tokens"
    model, tokenizer = the_start(args)
    model.to("cuda" if GPU else "cpu").eval()
    prompt, responses = request_of(args, tokenizer)
    chats = [[*prompt, dict(role="assistant", content=r)] for r in responses]
    texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
    exact = plain_scores(model, tokenizer, texts)  # float32
    if GPU:
        model.to(HALF)
    ours = rmkit.RewardModel(copy.deepcopy(model), tokenizer)  # a copy, since its attention is switched
    ways = {"transformers, padded batches of 8": lambda: plain_scores(model, tokenizer, texts),
            "rmkit, RewardModel.rank": lambda: ours.rank(prompt, responses).rewards}
    def timed(way):
        if GPU:
            torch.cuda.synchronize()
        begin = time.perf_counter()
        return way(), time.perf_counter() - begin
    rewards = {name: timed(way)[0] for name, way in ways.items()}
    off, off_ours = (float(np.abs(found - exact).max()) for found in rewards.values())
    if off_ours > max(1e-4, 2 * off):  # in 16 bits both are off, and ours may not be more so
        sys.exit(f"The rewards are off by {off_ours:.1e}, those of padded batches by {off:.1e}.")
    seconds = {name: [] for name in ways}
    for r in range(args.rounds):
        for name, way in list(ways.items())[::-1 if r % 2 else 1]:
            seconds[name].append(timed(way)[1])
    theirs, ours = (statistics.median(s) for s in seconds.values())
    print(table(["best of 16", "seconds", "ratio"],
                [[name, f"{statistics.median(s):.3f}", f"{theirs / statistics.median(s):.2f}"]
                 for name, s in seconds.items()]))
    lengths = [len(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
    print(
        f"texts of {min(lengths)} to {max(lengths)} tokens; off from float32 by {off_ours:.1e} at most (padded "
        f"batches: {off:.1e})")
    return dict(rank=dict(seconds=seconds, ratio=theirs / ours, lengths=lengths, off=off_ours, off_padded=off,
                          below_floor=below_floor("rank", theirs / ours)))


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


def run_scaling(
    args: argparse.Namespace,
) -> dict:
    "Step time against tokens of a step and of a text, and memory against the pairs of a data set"
    config = LlamaConfig(vocab_size=256, hidden_size=256, intermediate_size=768, num_hidden_layers=4,
                         num_attention_heads=4, num_labels=1, pad_token_id=0, max_position_embeddings=16_384)
    start, out = LlamaForSequenceClassification(config), dict(tokens=[], length=[], pairs=[])
    def step(batch, length, steps=4):
        who = Contender("rmkit", "rmkit", dict(per_device_train_batch_size=batch, use_cpu=not GPU))
        took = turn(who, start, tiny_tokenizer(), rows_of_ids(batch * (steps + 1), length), steps + 1)
        return dict(batch=batch, length=length, step=statistics.median(took["seconds"]),
                    tokens=took["tokens"] / (steps + 1), gib=took["gib"])
    most = 256 if GPU else 64
    for batch in [n for n in (8, 16, 32, 64, 128, 256) if n <= most]:
        out["tokens"].append(step(batch, 256))
    for length in (128, 256, 512, 1024, 2048, 4096, 8192):
        out["length"].append(step(max(1, (131_072 if GPU else 16_384) // length), length))
    for pairs in args.pairs:
        with tempfile.TemporaryDirectory() as folder:
            code = subprocess.run([sys.executable, __file__, "one_size", str(write_pairs(Path(folder), pairs))],
                                  stdout=subprocess.PIPE, text=True, check=True)
        out["pairs"].append(dict(pairs=pairs) | json.loads(code.stdout.splitlines()[-1]))
    slope = np.polyfit(*np.log([[r["tokens"], r["step"]] for r in out["tokens"]]).T, 1)[0]
    print(table(["pairs a step", "tokens", "step, s", "µs a token"],
                [[r["batch"], f"{r['tokens']:.0f}", f"{r['step']:.3f}", f"{1e6 * r['step'] / r['tokens']:.1f}"]
                 for r in out["tokens"]]))
    print(f"texts of 256 tokens: step time grows with tokens to the power {slope:.2f}\n")
    print(table(["tokens a text", "tokens a step", "step, s", "µs a token", "peak GiB"],
                [[r["length"], f"{r['tokens']:.0f}", f"{r['step']:.3f}", f"{1e6 * r['step'] / r['tokens']:.1f}",
                  f"{r['gib']:.2f}"] for r in out["length"]]))
    print("\n" + table(["pairs in the data set", "step, s", "resident GiB", "of which anonymous"],
                       [[f"{r['pairs']:,}", f"{r['step']:.3f}", f"{r['resident']:.2f}", f"{r['anonymous']:.2f}"]
                        for r in out["pairs"]]))
    return dict(scaling=out | dict(power=float(slope)))


def write_pairs(
    folder: Path,
    n: int,  # pairs
) -> Path:  # a .jsonl file in the folder
    "A data set of `n` pairs on disk, no two rows the same"
    rows = make_pairs(10_000, seed=0).select_columns(["prompt", "chosen", "rejected"]).to_list()
    with (folder / "pairs.jsonl").open("w") as out:
        for i in range(n):
            out.write(json.dumps(rows[i % len(rows)] | dict(source=str(i))) + "\n")
    return folder / "pairs.jsonl"


def run_one_size(
    args: argparse.Namespace,
) -> dict:
    "In a process of its own: twenty steps of the tiny model on the data set of one file, and the memory that took"
    who = Contender("rmkit", "rmkit", dict(per_device_train_batch_size=64, use_cpu=not GPU, bf16=False))
    took = turn(who, tiny_model(), tiny_tokenizer(), load_rows(args.files[0]), 21)
    status = Path("/proc/self/status").read_text()
    def gib(key): return int(status.split(key + ":")[1].split()[0]) / 2**20
    return dict(step=statistics.median(took["seconds"]), resident=gib("VmRSS"), anonymous=gib("RssAnon"))


def run_figure(
    args: argparse.Namespace,
) -> dict:
    "Ratios to TRL as bars, data set by data set"
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    results = {k: v for file in args.files for k, v in json.loads(file.read_text())["results"].items()
               if "contenders" in v and k in SETS}
    names = list(dict.fromkeys(name for r in results.values() for name in r["contenders"]))
    colours = dict(zip(names, ["#999999", "#56b4e9", "#e69f00", "#009e73", "#0072b2", "#cc79a7", "#d55e00"]))
    fig, axes = plt.subplots(1, len(results), figsize=(max(8, 1.2 + 3.1 * len(results)), 1.8 + 0.42 * len(names)),
                             sharey=True, layout="constrained")
    most = max(max(r["ratio"], np.quantile(r["ratios"], 0.75)) for result in results.values()
               for r in result["contenders"].values() if "ratio" in r)
    for ax, (title, result) in zip(np.atleast_1d(axes), results.items()):
        for y, name in enumerate(names):
            r = result["contenders"].get(name, {})
            if "ratio" not in r:
                continue
            ax.barh(y, r["ratio"], color=colours[name], height=0.68)
            low, high = np.quantile(r["ratios"], [0.25, 0.75])
            if y:
                ax.plot([low, high], [y, y], color="black", lw=1.2)
            ax.text(max(r["ratio"], high if y else 0) + most * 0.03, y,
                    f"{r['ratio']:.1f}×, {r['tokens_per_pair']:,.0f} tokens", va="center", fontsize=9)
        need = next(iter(result["contenders"].values()))["needed_per_pair"]
        ax.set_title(f"{title}\n{need:.0f} tokens a pair needed", fontsize=10)
        ax.set(xlim=(0, most * 1.75), xlabel="pairs/s, TRL = 1", yticks=range(len(names)), yticklabels=names)
        ax.spines[["top", "right"]].set_visible(False)
    np.atleast_1d(axes)[0].invert_yaxis()
    fig.suptitle(
        "Training speed beside TRL's defaults. At each bar: ratio, and tokens computed a pair; the line is the middle "
        "half of single steps", fontsize=11)
    fig.savefig(args.save or Path(__file__).parent / "results" / "throughput.svg", facecolor="white")
    return {}


RUNS: dict[str, Callable] = dict(train=run_train, tiny=run_tiny, rank=run_rank, scaling=run_scaling, figure=run_figure,
                                 one_size=run_one_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("what", choices=list(RUNS))
    add("files", nargs="*", type=Path, help="saved results, for the figure; a data set, for one_size")
    add("--sets", nargs="+", default=list(SETS), choices=list(SETS), help="data sets to train on")
    add("--only", nargs="+", help="take only contenders whose name holds one of these")
    add("--rounds", type=int, default=3, help="turns of each contender")
    add("--steps", type=int, default=2, help="timed steps of a turn")
    add("--batch", type=int, help="pairs a step (CPU 8, GPU 128, tiny 64)")
    add("--pairs", nargs="+", type=int, default=[10_000, 100_000, 300_000], help="sizes of the data set, for scaling")
    add("--gpu", action="store_true", help="the contenders of a GPU, with --toy where there is none")
    add("--toy", action="store_true", help="the tiny model: to try the script out")
    add("--data", type=Path, default=DATA, help="folder of .jsonl files with pairs")
    add("--cache", type=Path, default=CACHE, help="folder of the extracted SmolLM2")
    add("--save", type=Path, help="write the numbers to this .json file")
    args = parser.parse_args()
    disable_progress_bars()
    results = RUNS[args.what](args)
    if args.what == "one_size":
        print(json.dumps(results))
    elif args.save and args.what != "figure":
        command = " ".join(["python benchmarks/throughput.py", *sys.argv[1:]])
        args.save.write_text(json.dumps(dict(command=command, machine=machine(), results=results), indent=1) + "\n")
    sys.exit(any(result.get("below_floor") for result in results.values() if isinstance(result, dict)))


if __name__ == "__main__":
    main()
