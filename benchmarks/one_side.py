"""One library's half of `real_run.py`, in a process of its own so that its peak memory is its own.

It trains the reward model saved in `work/start` on `work/train.jsonl` with the `RewardTrainer` of the library named,
scores `work/test.jsonl` with plain transformers, and writes `work/<library>.json`. With `none` it only scores.
"""
import argparse
import json
import re
import resource
import sys
import time
import zlib
from pathlib import Path

import torch
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def trainer_class(
    library: str,  # "trl" or "rmkit"
) -> tuple:  # its RewardTrainer, its RewardConfig, and what its config needs to treat rows as the other does
    "Both halves of a library's interface"
    if library == "trl":
        import trl
        return trl.RewardTrainer, trl.RewardConfig, {}  # drops pairs over `max_length`
    import rmkit
    # the same batches, to the bit
    return rmkit.RewardTrainer, rmkit.RewardConfig, dict(overlong="drop", padding_free=False)


def recording(
    cls: type,  # a `RewardTrainer`
) -> type:  # the same, which keeps the loss, the end time and the checksum of every step in `steps`
    "A trainer that remembers its steps to full precision (logged losses are means over an interval, rounded by some)"

    class Recording(cls):
        def training_step(self, model, inputs, *args, **kwargs):
            batch = {k: inputs[k] for k in ("input_ids", "attention_mask")}
            loss = super().training_step(model, inputs, *args, **kwargs)
            if loss.is_cuda:
                torch.cuda.synchronize()
            self.steps.append(dict(loss=loss, end=time.perf_counter(), batch=batch))
            return loss

    Recording.steps = []
    return Recording


def checksum(
    batch: dict,  # of tensors
) -> str:  # the same for batches of the same ids, order and padding
    "Eight hexadecimal digits"
    return f"{zlib.crc32(b''.join(batch[k].cpu().long().numpy().tobytes() for k in sorted(batch))):08x}"


def make_config(
    cls: type,  # a `RewardConfig`
    settings: dict,  # see `real_run.PRESETS`
    output_dir: Path,  # where a trainer would save; nothing is saved
    **more,  # what only this library has
):
    "The same arguments for either library; every default in which the two differ is set here"
    return cls(
        str(output_dir), max_length=settings["max_length"], seed=settings["seed"],
        per_device_train_batch_size=settings["batch_size"], num_train_epochs=1, learning_rate=settings["learning_rate"],
        warmup_steps=settings["warmup"], bf16=settings["bf16"],
        gradient_checkpointing=settings["gradient_checkpointing"],
        use_cpu=settings["device"] == "cpu", logging_steps=10, disable_tqdm=True, report_to="none", save_strategy="no",
        **more)


def memory() -> dict:  # GiB
    "Peak resident memory of this process so far; with CUDA also the peak that PyTorch has allocated there"
    status = Path("/proc/self/status")
    if status.exists():  # in Linux `ru_maxrss` starts from the parent's peak
        peak = dict(ram=int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024**2)
    else:
        peak = dict(ram=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024**3 if sys.platform == "darwin" else 1024**2))
    if torch.cuda.is_available():
        peak["gpu"] = torch.cuda.max_memory_allocated() / 1024**3
    return peak


def train(
    library: str,  # "trl" or "rmkit"
    settings: dict,  # see `real_run.PRESETS`
    work: Path,  # holds `start` and `train.jsonl`
) -> tuple:  # the trained model, and a dict of what was measured
    "Train on the raw rows: each library templates, tokenises, filters, shuffles and pads by itself"
    trainer_cls, config_cls, more = trainer_class(library)
    rows = load_dataset("json", data_files=str(work / "train.jsonl"), split="train",
                        cache_dir=str(work / "cache" / library))
    config = make_config(config_cls, settings, work / library, **more)
    trainer = recording(trainer_cls)(model=str(work / "start"), args=config, train_dataset=rows,
                                     processing_class=AutoTokenizer.from_pretrained(work / "start"))
    before, start = memory(), time.perf_counter()
    trainer.train()
    seconds, steps = time.perf_counter() - start, trainer.steps
    ends = [start] + [step["end"] for step in steps]
    return trainer.model, dict(
        pairs=len(trainer.train_dataset), seconds=seconds, memory=memory(), memory_before=before,
        losses=[step["loss"].item() for step in steps], batches=[checksum(step["batch"]) for step in steps],
        step_seconds=[b - a for a, b in zip(ends, ends[1:])],
        tokens=sum(int(step["batch"]["attention_mask"].sum()) for step in steps),
        slots=sum(step["batch"]["input_ids"].numel() for step in steps))


@torch.no_grad()
def score(
    model,  # a sequence classifier with one output
    tokenizer,  # its tokenizer, whose pad token no text ends with
    chats: list,  # lists of messages
    batch_size: int = 32,  # chats at once
) -> list[float]:  # one reward a chat, in the order given
    "Rewards by plain transformers, so that neither library marks its own work"
    model.eval()
    ids = tokenizer.apply_chat_template(chats, return_dict=True)["input_ids"]
    order, rewards = sorted(range(len(ids)), key=lambda i: len(ids[i])), [0.0] * len(ids)
    for first in range(0, len(order), batch_size):
        at = order[first:first + batch_size]
        batch = tokenizer.pad({"input_ids": [ids[i] for i in at]}, return_tensors="pt", padding_side="right")
        for i, r in zip(at, model(**batch.to(model.device)).logits[:, 0].float().tolist()):
            rewards[i] = r
    return rewards


def run(
    library: str,  # "trl", "rmkit" or "none"
    work: Path,  # the folder that `real_run.py` made
) -> dict:  # what is written to `work/<library>.json`
    "Train, then score the held-out pairs"
    settings = json.loads((work / "settings.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(work / "start")
    if library == "none":
        model, measured = AutoModelForSequenceClassification.from_pretrained(work / "start").to(settings["device"]), {}
    else:
        model, measured = train(library, settings, work)
    pairs = [json.loads(line) for line in (work / "test.jsonl").read_text().splitlines()]
    start = time.perf_counter()
    rewards = score(model, tokenizer, [p["prompt"] + p[k] for k in ("chosen", "rejected") for p in pairs])
    return measured | dict(library=library, test_seconds=time.perf_counter() - start,
                           reward_chosen=rewards[:len(pairs)], reward_rejected=rewards[len(pairs):])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=["trl", "rmkit", "none"])
    parser.add_argument("work", type=Path)
    args = parser.parse_args()
    (args.work / f"{args.library}.json").write_text(json.dumps(run(args.library, args.work)))
