"""Does rmkit give on this GPU what it gives on a CPU, and how fast? For a machine with a GPU, a free Colab say.

Correctness first: attention kernels, rewards, gradients, float16 with a scaler, memory that runs out, resuming, saving,
QLoRA. Then the speed rows of throughput.py. A failure doesn't stop the rest; the exit status is 1 if anything failed.

  python benchmarks/gpu_check.py                        # everything
  python benchmarks/gpu_check.py --quick                # correctness alone, some minutes
  python benchmarks/gpu_check.py --device cpu --quick   # tries the script out: a minute
"""
import argparse
import copy
import json
import logging
import math
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from datasets import disable_progress_bars
from peft import LoraConfig
from transformers import (AutoModelForSequenceClassification, BitsAndBytesConfig, LlamaConfig,
                          LlamaForSequenceClassification, PrinterCallback)
from transformers.utils.logging import disable_progress_bar

from rmkit import RewardConfig, RewardModel, RewardTrainer, attention
from rmkit.attention import Branches, rectangle_attention, varlen_attention
from rmkit.layout import lay_out
from rmkit.config import native_precision
from rmkit.flat import flat_rewards, needs_padding
from rmkit.head import rewards
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

HERE = Path(__file__).resolve().parent
DTYPES = dict(fp16=torch.float16, bf16=torch.bfloat16)
ROUNDING = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 4e-2}  # of numbers around 1
NEEDS_GPU = "needs a GPU"
PACKAGES = "rmkit", "torch", "transformers", "accelerate", "peft", "datasets", "bitsandbytes"
SPEED = dict(train=["--rounds", "2"], tiny=["--rounds", "3", "--steps", "40"], rank=[],
             scaling=["--pairs", "10000", "100000"])  # the commands of throughput.py and their options
NEED_PAIRS = "train", "rank"
CHECKS: dict[str, Callable] = {}


class NotRun(Exception):
    "Why a check can't be made here"


def check(function: Callable) -> Callable:
    "Add a check: a generator of (what, number, limit) that fails where a number isn't within its limit"
    CHECKS[function.__name__] = function
    return function


def halves(device: str) -> list[str]:
    "The 16-bit precisions to try: both on a GPU, though an old one emulates bfloat16"
    return ["fp16", "bf16"] if device == "cuda" else ["bf16"]


def off(
    found: torch.Tensor,
    wanted: torch.Tensor,
) -> float:
    "Largest difference, as a share of the largest number"
    found, wanted = found.detach().double().cpu(), wanted.detach().double().cpu()
    return float((found - wanted).abs().max() / wanted.abs().max())


def branches_of(
    groups: list[list[list[int]]],
    device: str,
) -> Branches:
    "How these groups of texts lie in a flat row"
    branches = Branches.of(lay_out(groups))
    return Branches(branches.keys_M.to(device), branches.cu_q.to(device), branches.cu_k.to(device), branches.sizes_R2)


@check
def attention_kernels(device: str) -> Iterator:
    "Both ways of attention, forward and back, against float64 on the CPU; which of them the model takes"
    groups = [[[1] * 200 + [2] * n for n in (30, 90, 1, 140)], [[5] * 40 + [6], [7] * 300], [[8], [9, 9]]]
    here, there = branches_of(groups, "cpu"), branches_of(groups, device)
    n = int(here.sizes_R2[:, 0].sum())
    for dtype in [torch.float32, *(DTYPES[half] for half in halves(device))]:
        for width, heads, window in ((64, 4, None), (64, 2, 50), (128, 1, None)):
            generator = torch.Generator().manual_seed(0)
            q, k, v = (torch.randn(n, h, width, generator=generator).to(dtype) for h in (4, heads, heads))
            weight = torch.randn(n, 4, width, generator=generator)

            def run(attend, where, branches, kind):
                inputs = [x.to(where, kind).requires_grad_() for x in (q, k, v)]
                out = attend(*inputs, branches, width**-0.5, window)
                return [out, *torch.autograd.grad((out.to(kind) * weight.to(where, kind)).sum(), inputs)]
            wanted = run(rectangle_attention, "cpu", here, torch.float64)
            ways = dict(rectangles=rectangle_attention)
            if attention._can_run_varlen(q.to(device), v.to(device), window, None):
                ways["variable length"] = varlen_attention
            for name, attend in ways.items():
                found = run(attend, device, there, dtype)
                yield (f"{name}, {str(dtype)[6:]}, {heads} of 4 heads, width {width}{', window' if window else ''}",
                       max(map(off, found, wanted)), ROUNDING[dtype])


def texts(n: int) -> list[list[int]]:
    "Token ids of `n` texts, some of which begin alike"
    generator = torch.Generator().manual_seed(0)
    start = torch.randint(5, 99, (40,), generator=generator).tolist()
    def own(length): return torch.randint(5, 99, (length,), generator=generator).tolist()
    return [start[:5 * (i % 8)] + own(3 + 7 * (i % 5)) for i in range(n)]


@check
def rewards_of_texts(device: str) -> Iterator:
    "Flat and padded, in each precision, against padded float32 on the CPU"
    ids = texts(24)
    width = max(map(len, ids))
    ids_BL = torch.tensor([row + [0] * (width - len(row)) for row in ids])
    mask_BL = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    model = tiny_model(seed=0)
    with torch.no_grad():
        wanted = rewards(model, ids_BL, mask_BL)
        model.to(device)
        yield "flat rows are refused", float(needs_padding(model) is not None), 0
        flat = lay_out([[row] for row in ids])
        for half in (None, *halves(device)):
            context = torch.autocast(device, DTYPES[half]) if half else nullcontext()
            limit = ROUNDING[DTYPES[half] if half else torch.float32]
            with context:
                padded = rewards(model, ids_BL.to(device), mask_BL.to(device))
                yield f"padded, {half or 'float32'}", off(padded, wanted), limit
                yield f"flat, {half or 'float32'}", off(flat_rewards(model, flat), wanted), limit


def trainer_of(
    device: str,
    model=None,
    rows=None,
    output_dir: str | None = None,
    peft_config=None,
    more: dict | None = None,  # further arguments of `RewardTrainer`
    scale: float | None = 2.0**10,  # of a float16 loss at the start, so low that no step is skipped; None: the usual
    **config,
) -> RewardTrainer:
    "Some steps of plain SGD in float32, so that weights are sums of gradients; `config` changes what it names"
    settings = dict(max_steps=4, per_device_train_batch_size=16, optim="sgd", learning_rate=0.1, max_grad_norm=1e9,
                    logging_steps=1, fp16=False, bf16=False, save_strategy="no", report_to="none", disable_tqdm=True,
                    dashboard=False, seed=1, use_liger_kernel=False, use_cpu=device == "cpu")
    args = RewardConfig(output_dir or tempfile.mkdtemp(), **(settings | config))
    trainer = RewardTrainer(model or tiny_model(seed=0), args, train_dataset=rows or make_pairs(64, seed=0),
                            processing_class=tiny_tokenizer(), peft_config=peft_config, **more or {})
    trainer.remove_callback(PrinterCallback)
    if scale and trainer.accelerator.scaler is not None:
        trainer.accelerator.scaler = torch.amp.GradScaler(device, init_scale=scale)
    return trainer


def train(*args, resume: str | None = None, **config) -> RewardTrainer:
    "`trainer_of`, trained"
    trainer = trainer_of(*args, **config)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def weights(trainer: RewardTrainer) -> torch.Tensor:
    "All weights, end to end"
    return torch.cat([p.detach().float().flatten().cpu() for p in trainer.model.parameters()])


def logged(
    trainer: RewardTrainer,
    name: str = "loss",
) -> np.ndarray:
    "One number of every log"
    return np.array([entry[name] for entry in trainer.state.log_history if name in entry])


@check
def gradients(device: str) -> Iterator:
    "Four steps in one pass, in many, padded, checkpointed, against the CPU's; and in 16 bits"
    plain = train("cpu")
    ways = {"flat": {}, "passes of 200 tokens": dict(tokens_per_micro_batch=200),
            "padded": dict(padding_free=False), "checkpointed": dict(gradient_checkpointing=True)}
    if device == "cuda":
        ways["activations in CPU memory"] = dict(activation_offloading=True)
    for name, config in ways.items():
        found = train(device, **config)
        yield f"{name}: weights", off(weights(found), weights(plain)), 1e-4
        yield f"{name}: losses", float(np.abs(logged(found) - logged(plain)).max()), 1e-4
    for half in halves(device):
        found = train(device, **{half: True})
        yield f"{half}: losses", float(np.abs(logged(found) - logged(plain)).max()), 5 * ROUNDING[DTYPES[half]]


@check
def scaler(device: str) -> Iterator:
    "Float16: the loss is scaled, steps that overflow are counted, and training goes on as in float32"
    if device == "cpu":
        raise NotRun(NEEDS_GPU)
    settings = dict(rows=make_pairs(480, seed=0), max_steps=30, optim="adamw_torch_fused", learning_rate=1e-3,
                    max_grad_norm=1.0, logging_steps=30, scale=None)
    plain, half = (train(device, fp16=fp16, **settings) for fp16 in (False, True))
    yield "runs without a scaler", float(half.accelerator.scaler is None), 0
    yield "steps skipped, of 30", float(logged(half, "skipped_steps").sum()), 10
    yield "mean loss of 30 steps", float(np.abs(logged(half) - logged(plain)).max()), 2e-2
    default, native = RewardConfig(tempfile.mkdtemp(), report_to="none"), native_precision()
    is_native = (default.fp16, default.bf16) == (native == "fp16", native == "bf16")
    yield "the default isn't what the GPU has", float(not is_native), 0


@contextmanager
def little_memory(
    trainer: RewardTrainer,
    tokens: int,  # of a pass that still fits
    limit: int | None = None,  # bytes; None: an error is raised instead, at passes of more tokens
) -> Iterator:
    "Memory that runs out"
    def fail(module, args, kwargs):
        if kwargs["input_ids"].numel() > tokens:
            raise torch.OutOfMemoryError("out of memory, on purpose")
    if limit is None:
        hook = trainer.model.register_forward_pre_hook(fail, with_kwargs=True)
    else:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        yield
    finally:
        hook.remove() if limit is None else torch.cuda.set_per_process_memory_fraction(1.0)


@check
def out_of_memory(device: str) -> Iterator:
    "A step that doesn't fit is done again in smaller passes, and comes out the same; in float32, and as by default"
    wide, layers, batch, tokens = (512, 8, 256, 2048) if device == "cuda" else (64, 2, 32, 400)
    shape = dict(hidden_size=wide, intermediate_size=3 * wide, num_hidden_layers=layers, num_attention_heads=8,
                 num_key_value_heads=8, head_dim=wide // 8)
    torch.manual_seed(0)
    start = LlamaForSequenceClassification(LlamaConfig(**(tiny_model().config.to_dict() | shape)))
    settings = dict(rows=make_pairs(2 * batch, seed=0), max_steps=2, per_device_train_batch_size=batch,
                    learning_rate=1e-3)
    for half in dict.fromkeys((None, native_precision() if device == "cuda" else None)):
        precision = {half: True} if half else {}
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        calm = train(device, copy.deepcopy(start), tokens_per_micro_batch=tokens, **settings, **precision)
        wanted, losses = weights(calm), logged(calm)
        del calm
        limit = int(1.5 * torch.cuda.max_memory_reserved()) if device == "cuda" else None
        hit = trainer_of(device, copy.deepcopy(start), tokens_per_micro_batch=10**6, **settings, **precision)
        with little_memory(hit, tokens, limit):
            hit.train()
        name, limit = half or "float32", 1e-5 if half is None else 1e-2
        yield f"{name}: memory never ran out", float(hit.running.budget is None), 0
        yield f"{name}: weights", off(weights(hit), wanted), limit
        yield f"{name}: losses", float(np.abs(logged(hit) - losses).max()), limit


@check
def resuming(device: str) -> Iterator:
    "Eight steps at once, and in two halves, in the precision that is the default here; a GPU adds in no fixed order"
    folder = tempfile.mkdtemp()
    settings = dict(max_steps=8, optim="adamw_torch_fused", learning_rate=1e-3, fp16=None, bf16=None)
    whole = train(device, output_dir=folder, save_strategy="steps", save_steps=4, **settings)
    again = train(device, resume=f"{folder}/checkpoint-4", **settings)
    yield "weights", off(weights(again), weights(whole)), 1e-2 if device == "cuda" else 0
    yield "losses", float(np.abs(logged(again) - logged(whole)).max()), 1e-3 if device == "cuda" else 0


@check
def saving(device: str) -> Iterator:
    "What is saved scores the same in plain transformers and in rmkit, an adapter's folder too"
    for name, peft_config in (("all weights", None), ("adapter", LoraConfig(r=4))):
        trainer = train(device, peft_config=peft_config)
        folder = tempfile.mkdtemp()
        trainer.save_model(folder)
        wanted = trainer.predict(make_pairs(8, seed=7)).predictions
        scores = RewardModel.from_pretrained(folder, device=device).score_pairs(make_pairs(8, seed=7))
        found = scores[["reward_chosen", "reward_rejected"]].to_numpy()
        yield f"{name}, RewardModel", float(np.abs(found - wanted).max()), 1e-4
        plain = AutoModelForSequenceClassification.from_pretrained(folder).to(device).eval()
        row = trainer._prepare(make_pairs(8, seed=7), "saved")[0]
        with torch.no_grad():
            logit = plain(input_ids=torch.tensor([row["chosen_ids"]], device=device)).logits.item()
        yield f"{name}, transformers", abs(logit - float(wanted[0, 0])), 1e-4


@check
def qlora(device: str) -> Iterator:
    "Four-bit weights with an adapter, in the default precision: flat as padded"
    if not find_spec("bitsandbytes"):
        raise NotRun("bitsandbytes is not installed")
    folder = tempfile.mkdtemp()
    tiny_model(seed=0).save_pretrained(folder), tiny_tokenizer().save_pretrained(folder)
    dtype = DTYPES.get(native_precision() if device == "cuda" else None, torch.float32)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    flat, padded = (train(device, folder, padding_free=padding_free, optim="adamw_torch", learning_rate=1e-3, fp16=None,
                          bf16=None, peft_config=LoraConfig(r=4), more=dict(quantization_config=config))
                    for padding_free in (True, False))
    yield "losses, flat and padded", float(np.abs(logged(flat) - logged(padded)).max()), 3e-2


def speed(
    what: str,  # of throughput.py
    args: argparse.Namespace,
) -> Iterator:
    "Run throughput.py; its numbers are kept, and its floors are its own"
    if args.quick:
        raise NotRun("--quick")
    if args.device == "cpu":
        raise NotRun(NEEDS_GPU)
    if what in NEED_PAIRS and not args.data.is_dir():
        raise NotRun(f"no pairs in {args.data}; give a folder with --data")
    save = args.save.with_name(f"{args.save.stem}_{what}.json")
    data = ["--data", args.data] if what in NEED_PAIRS else []
    done = subprocess.run([sys.executable, HERE / "throughput.py", what, *SPEED[what], *data, "--save", save])
    yield f"exit status; numbers in {save.name}", float(done.returncode), 0


def outcome(
    name: str,
    function: Callable,
    *args,
) -> list[dict]:  # one a number; one where the check wasn't made or broke
    "Make a check; what it raises is a failure of its own"
    found, begin = [], time.perf_counter()
    try:
        for what, number, limit in function(*args):
            is_right = math.isfinite(number) and number <= limit
            found.append(dict(check=name, what=what, result="ok" if is_right else "FAILED", number=number, limit=limit))
    except NotRun as reason:
        found.append(dict(check=name, what="", result=f"not run: {reason}"))
    except Exception as error:  # the other checks are still worth making
        found.append(dict(check=name, what=f"{type(error).__name__}: {error}"[:300], result="FAILED"))
    found[-1]["seconds"] = round(time.perf_counter() - begin, 1)
    return found


def show(row: dict) -> str:
    "One line of the table"
    number, limit = (f"{row[key]:.2g}" if key in row else "" for key in ("number", "limit"))
    return f"| {row['check']} | {row['what']} | {row['result']} | {number} | {limit} |"


def facts(device: str) -> dict:
    "The GPU, and the versions of what was checked"
    about = {}
    if device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        about = dict(gpu=gpu.name, capability=f"{gpu.major}.{gpu.minor}", gib=round(gpu.total_memory / 2**30, 1))
    return about | dict(cuda=torch.version.cuda, precision=native_precision(), python=platform.python_version(),
                        versions={name: version(name) for name in PACKAGES if find_spec(name)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="leave the speed rows out")
    names = [*CHECKS, *SPEED]
    parser.add_argument("--only", nargs="+", metavar="CHECK", choices=names, help=f"some of {', '.join(names)}")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data",
                        help="folder of .jsonl files with pairs, for train and rank")
    parser.add_argument("--save", type=Path, help="file for the numbers (default: results/gpu_check_<GPU>.json)")
    args = parser.parse_args()
    about = facts(args.device)
    slug = re.sub("[^a-z0-9]+", "_", about.get("gpu", "cpu").lower())
    args.save = args.save or HERE / "results" / f"gpu_check_{slug}.json"
    disable_progress_bars()
    disable_progress_bar()
    logging.disable(logging.WARNING)
    print(json.dumps(about), "\n\n| check | what | result | number | limit |\n|---|---|---|---|---|", flush=True)
    found = []
    todo = {name: (function, args.device) for name, function in CHECKS.items()}
    todo |= {what: (speed, what, args) for what in SPEED}
    for name, (function, *inputs) in todo.items():
        if args.only and name not in args.only:
            continue
        made = outcome(name, function, *inputs)
        print(*map(show, made), sep="\n", flush=True)
        found += made
    right, failed = (sum(row["result"] == result for row in found) for result in ("ok", "FAILED"))
    not_run = [row["check"] for row in found if row["result"].startswith("not run")]
    print(f"\n{right} right, {failed} failed; not run: {', '.join(not_run) or 'none'}")
    args.save.write_text(json.dumps(dict(about=about, failed=failed, checks=found), indent=1) + "\n")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
