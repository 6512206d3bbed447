"""What users do on a GPU, done on the CPU and on a pretended device (`pretended`).

`python other_device.py FILE [USE ...]`: FILE gets, as JSON, what each use gave on either, which are numbers by name or
an error's last lines. A script of its own, since the device can't be taken back."""
import json
import logging
import os
import sys
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg")

import numpy as np
import pretended
import torch
from datasets import disable_progress_bars, IterableDataset
from peft import LoraConfig
from transformers.utils.logging import disable_progress_bar

from rmkit import (audit, average_runs, bench, Dashboard, merge, preflight, RewardConfig, RewardModel, RewardTrainer,
                   Snapshots)
from rmkit.head import init_head
from rmkit.preflights import compare_with_run
from rmkit.synthetic import make_pairs, make_rankings, tiny_model, tiny_tokenizer
from rmkit.uncertainty import score_runs

PAIRS, HELD_OUT = make_pairs(64, seed=0), make_pairs(12, seed=3)
PROMPTS, ANSWERS = HELD_OUT["prompt"], HELD_OUT["chosen"]
USES = {}


def use(function):
    "Add a use: a function of the device's type that gives numbers by name"
    USES[function.__name__] = function
    return function


def trainer_of(device, model=None, rows=PAIRS, cls=RewardTrainer, more=None, **config):
    "Three steps of plain SGD in float32, so that weights are sums of gradients; `config` changes what it names"
    settings = dict(output_dir=tempfile.mkdtemp(), max_steps=3, per_device_train_batch_size=8, optim="sgd",
                    learning_rate=0.1, logging_steps=2, bf16=False, save_strategy="no", report_to="none", seed=1,
                    disable_tqdm=True, dashboard=False, use_cpu=device == "cpu")
    trainer = cls(model or tiny_model(seed=0), RewardConfig(**settings | config), train_dataset=rows,
                  processing_class=tiny_tokenizer(), **more or {})
    assert trainer.args.device.type == device
    return trainer


def weights(model): return torch.cat([p.detach().float().flatten().cpu() for p in model.parameters()])[::7]


def curve(trainer, *names):
    "Numbers of the log; those that tell of time and memory are another's"
    return {name: [row[name] for row in trainer.state.log_history if name in row] for name in names}


def trained(device, **given):
    "Weights and losses of a run"
    trainer = trainer_of(device, **given)
    trainer.train()
    assert next(trainer.model.parameters()).device.type == device
    return dict(weights=weights(trainer.model), **curve(trainer, "loss", "accuracy", "max_reward", "num_tokens"))


@cache
def run(device):
    "A run with what happens in one: logs, evaluations and checkpoints at different steps, snapshots, a dashboard"
    trainer = trainer_of(device, max_steps=6, eval_strategy="steps", eval_steps=2, save_strategy="steps", save_steps=3,
                         logging_steps=4, optim="adamw_torch", learning_rate=1e-3,
                         more=dict(eval_dataset=HELD_OUT, callbacks=[Snapshots(HELD_OUT, every=3), Dashboard(False)]))
    trainer.train()
    return trainer


@cache
def model_of(device):
    "A model to score with"
    return RewardModel(tiny_model(seed=1).to(device).eval(), tiny_tokenizer())


@use
def a_run(device):
    trainer = run(device)
    snapshots = next(x for x in trainer.callback_handler.callbacks if isinstance(x, Snapshots))
    return dict(weights=weights(trainer.model), snapshots=snapshots.margins,
                **curve(trainer, "loss", "eval_loss", "eval_accuracy", "eval_mean_reward", "min_reward", "num_tokens"))


@use
def resuming(device):
    "From the checkpoint in the middle of a log's interval, to the same end"
    first = run(device)
    again = trainer_of(device, model=tiny_model(seed=2), output_dir=first.args.output_dir, max_steps=6, logging_steps=4,
                       save_strategy="steps", save_steps=3, optim="adamw_torch", learning_rate=1e-3)
    again.train(resume_from_checkpoint=f"{first.args.output_dir}/checkpoint-3")
    return dict(weights=weights(again.model), whole=weights(first.model), **curve(again, "loss", "num_tokens"))


@use
def the_best_model(device):
    "Evaluation, log and checkpoint at the same step, every step; the best is loaded at the end"
    trainer = trainer_of(device, eval_strategy="steps", eval_steps=1, save_steps=1, save_strategy="steps",
                         logging_steps=1, load_best_model_at_end=True, metric_for_best_model="eval_loss",
                         more=dict(eval_dataset=HELD_OUT))
    trainer.train()
    return dict(weights=weights(trainer.model), **curve(trainer, "eval_loss", "loss"))


@use
def predicting_and_evaluating(device):
    trainer = run(device)
    output = trainer.predict(HELD_OUT)
    rewards = dict(rewards=output.predictions, loss=output.metrics["test_loss"])
    two = trainer.evaluate(dict(one=HELD_OUT, two=PAIRS.select(range(5))))
    return rewards | {name: x for name, x in two.items() if name.endswith(("loss", "accuracy", "reward"))}


@use
def saving_and_loading(device):
    trainer, folder = run(device), tempfile.mkdtemp()
    trainer.save_model(folder)
    there, here = (RewardModel.from_pretrained(folder, device=place) for place in (device, "cpu"))
    other = tempfile.mkdtemp()
    there.save(other)
    again = RewardModel.from_pretrained(other, device=device)
    return {f"{name}": model.score(PROMPTS, ANSWERS) for name, model in dict(a=there, b=here, c=again).items()}


@use
def scoring(device):
    model = model_of(device)
    trace, ranking = model.token_rewards(PROMPTS[0], ANSWERS[0]), model.rank(PROMPTS[0], ANSWERS[:4])
    features, pairs = model.features(PROMPTS, ANSWERS), model.pair_features(HELD_OUT)
    weights_D, bias = model.head_weights()
    return dict(rewards=model.score(PROMPTS, ANSWERS, batch_size=3), pairs=model.score_pairs(HELD_OUT)["reward_margin"],
                tokens=trace.rewards, order=ranking.order, features=features.features_ND, bias=bias, head=weights_D,
                difference=pairs.difference_ND, compared=model.compare(PROMPTS, ANSWERS, HELD_OUT["rejected"]),
                reward_func=model.as_reward_func()(PROMPTS, ANSWERS))


@use
def several_runs(device):
    runs = [model_of(device), RewardModel(tiny_model(seed=1).to(device), tiny_tokenizer())]
    init_head(runs[1].model, 5)
    return dict(mean=score_runs(runs, HELD_OUT)["margin_sd"], average=weights(average_runs(runs).model))


@use
def auditing(device):
    "With its page and its rewrites, on a model in memory and through the trainer"
    model = model_of(device)
    found = audit(model, HELD_OUT, train=PAIRS, runs=[model], other=model, n_prompts=4, candidates=make_rankings(4))
    found.save(Path(tempfile.mkdtemp(), "audit.html"))
    run(device).evaluate(HELD_OUT)
    quick = run(device).audit()
    return {f"{name} {i}": estimate.value for i, audited in enumerate((found, quick))
            for name, estimate in audited.figures.items()}


@use
def exploring(device):
    "The explorer over a run: pages of pairs, rewards at tokens, texts that are changed"
    view = run(device).visualize(HELD_OUT)
    changed = view.rescore(0, chosen=[dict(role="assistant", text="Sure: hat, shirt. Happy to help.")])
    view.save(Path(tempfile.mkdtemp(), "pairs.html"))
    samples = run(device).visualize_samples(3, HELD_OUT)
    return dict(margins=view.scores["reward_margin"], changed=[changed["reward_chosen"], changed["reward_rejected"]],
                tokens=view.tokens(0)["tokens"]["chosen"]["reward"], samples=samples["reward_margin"])


@use
def watching(device):
    "The dashboard of a run: means of short stretches, read from the running sums"
    view = run(device).dashboard.view
    run(device).dashboard.save(Path(tempfile.mkdtemp(), "run.html"))
    return {name: [row[name] for row in view.looks] for name in ("loss", "mean_reward", "step")}


@use
def checking_before(device):
    "Preflight with its trial of a few pairs, and what the run took beside it"
    trainer = trainer_of(device, logging_steps=1)
    checks = preflight(trainer)
    trainer.train()
    compare_with_run(checks, trainer)
    return dict(weights=weights(trainer.model), failed=sum(check.status == "fail" for check in checks))


@use
def benchmarking(device):
    "Rows of one's own, and a known benchmark's layout, whose rewards go through a file"
    rows = [dict(id=str(i), prompt=f"Name {i} pets.", chosen=["Cat."], rejected=["Dog.", "Sheep.", "Hat."],
                 num_correct=1, num_incorrect=3, total_completions=4, subset="Focus") for i in range(6)]
    file = Path(tempfile.mkdtemp(), "rewards.jsonl")
    known, own = (bench(model_of(device), *given, progress=False, **more) for given, more in
                  (((rows, "rewardbench2"), dict(rewards=file)), ((HELD_OUT,), {})))
    return dict(known=known.score.value, own=own.score.value,
                rewards=json.loads(file.read_text().splitlines()[1])["rewards"])


@use
def flat(device): return trained(device)


@use
def padded(device): return trained(device, padding_free=False, optim="adamw_torch_fused", learning_rate=1e-3)


@use
def in_passes(device): return trained(device, tokens_per_micro_batch=200, gradient_accumulation_steps=2)


@use
def checkpointed(device): return trained(device, gradient_checkpointing=True, center_rewards_coefficient=0.01)


@use
def with_margins(device):
    return trained(device, rows=PAIRS.add_column("margin", [i % 3 / 2 for i in range(len(PAIRS))]))


@use
def streamed(device):
    def rows(): yield from PAIRS
    return trained(device, rows=IterableDataset.from_generator(rows))


@use
def an_adapter(device):
    trainer = trainer_of(device, more=dict(peft_config=LoraConfig(r=4)), save_strategy="steps", save_steps=2)
    trainer.train()
    folder = tempfile.mkdtemp()
    trainer.save_model(folder)
    loaded = RewardModel.from_pretrained(folder, device=device)
    merged = RewardModel(merge(trainer.model), tiny_tokenizer())
    return dict(loaded=loaded.score(PROMPTS, ANSWERS), merged=merged.score(PROMPTS, ANSWERS))


class OwnLoss(RewardTrainer):
    "A loss as older scripts write it"
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        chosen, rejected = (model(input_ids=inputs[f"input_ids_{side}"],
                                  attention_mask=inputs[f"attention_mask_{side}"])["logits"]
                            for side in ("chosen", "rejected"))
        loss = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
        return (loss, dict(rewards_chosen=chosen, rewards_rejected=rejected)) if return_outputs else loss


def four_columns(rows):
    "A collator of one's own, in the shape of older scripts"
    batch = {}
    for side in ("chosen", "rejected"):
        ids = [list(row[f"{side}_ids"]) for row in rows]
        width = max(map(len, ids))
        batch[f"input_ids_{side}"] = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        batch[f"attention_mask_{side}"] = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    return batch


@use
def an_own_loss(device):
    more = dict(data_collator=four_columns, eval_dataset=HELD_OUT)
    return trained(device, cls=OwnLoss, more=more, eval_strategy="steps", eval_steps=2, save_strategy="steps",
                   save_steps=2, remove_unused_columns=False)


@use
def an_own_head(device):
    torch.manual_seed(0)
    model = tiny_model(seed=0)
    model.score = torch.nn.Sequential(torch.nn.Linear(model.config.hidden_size, 8), torch.nn.Tanh(),
                                      torch.nn.Linear(8, 1))
    return trained(device, model=model)


@use
def in_bfloat16(device):
    "Under autocast, as by default on a GPU, saved too: what is loaded again to be compared lies on the CPU"
    trainer = trainer_of(device, bf16=True, eval_strategy="steps", eval_steps=2, more=dict(eval_dataset=HELD_OUT))
    trainer.train()
    trainer.save_model()
    assert next(trainer.model.parameters()).dtype == torch.float32
    return {f"{name}, rounded": x for name, x in curve(trainer, "loss", "eval_loss").items()}


def outcome(function, device):
    "Numbers of a use, or how it ended"
    try:
        numbers = {name: np.asarray(x.detach() if isinstance(x, torch.Tensor) else x, dtype=np.float64).ravel().tolist()
                   for name, x in function(device).items()}
        return dict(numbers=numbers)
    except Exception:
        return dict(error=traceback.format_exc()[-3000:])


def main():
    kept = pretended.set_up()
    logging.disable(logging.WARNING)
    disable_progress_bar(), disable_progress_bars()
    found = {}
    for name, function in USES.items():
        if len(sys.argv) > 2 and name not in sys.argv[2:]: continue
        began = time.perf_counter()
        found[name] = {device: outcome(function, device) for device in ("cpu", pretended.NAME)}
        print(f"{name}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
    Path(sys.argv[1]).write_text(json.dumps(found))
    del kept


if __name__ == "__main__": main()
