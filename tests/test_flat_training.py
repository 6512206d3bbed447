"Training on flat rows: the same run as on padded ones, however it is cut, whatever memory does, on one process or two."
import copy
import importlib.util
import json
import logging
import os
import subprocess
import sys
from types import MethodType, ModuleType

import numpy as np
import pytest
import torch
from datasets import IterableDataset
from peft import LoraConfig
from ranks import two_ranks
from transformers import (BertConfig, BertForSequenceClassification, BitsAndBytesConfig, Qwen2Config,
                          Qwen2ForSequenceClassification)
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

from rmkit import (DataCollatorForPreference, PrefixSharingCollator, RewardConfig, RewardTrainer, load_rows,
                   prepare_dataset)
from rmkit.layout import lay_out
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.layout import JoinedBatches
from rmkit.passes import activations_on_cpu, guess_budget

BERT = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1,
            pad_token_id=0, hidden_dropout_prob=0.)
SMALL = dict(vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, num_labels=1, pad_token_id=0)


def trainer_of(path, pairs, model=None, peft_config=None, data_collator=None, eval_dataset=None, **kw):
    kw = dict(max_steps=4, per_device_train_batch_size=16, logging_steps=1, learning_rate=1e-3, save_strategy="no",
              report_to="none", disable_tqdm=True, use_cpu=True, seed=1) | kw
    return RewardTrainer(model or tiny_model(seed=0), RewardConfig(str(path), **kw), train_dataset=pairs,
                         processing_class=tiny_tokenizer(), peft_config=peft_config, data_collator=data_collator,
                         eval_dataset=eval_dataset)


def logged(trainer, key="loss"): return [entry[key] for entry in trainer.state.log_history if key in entry]


def weights(trainer): return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def run(path, pairs, **kw):
    trainer = trainer_of(path, pairs, **kw)
    trainer.train()
    return trainer


def passes_of(trainer):
    "Tokens of every forward pass from now on"
    seen = []
    trainer.model.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs["input_ids"].numel()),
                                            with_kwargs=True)
    return seen


# Flat or padded

def test_flat_by_default(tmp_path, pairs):
    trainer = trainer_of(tmp_path, pairs)
    assert trainer.flat and trainer.data_collator == PrefixSharingCollator(share_prefix=True)
    assert trainer_of(tmp_path, pairs, share_prefix=False).data_collator == PrefixSharingCollator(share_prefix=False)
    padded = trainer_of(tmp_path, pairs, padding_free=False)
    assert not padded.flat and isinstance(padded.data_collator, DataCollatorForPreference)


def test_models_that_cannot_are_padded_with_one_warning(tmp_path, pairs, caplog):
    bert = BertForSequenceClassification(BertConfig(vocab_size=500, **BERT))
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"): trainer = run(tmp_path, pairs, model=bert)
    said = [r.getMessage() for r in caplog.records if "padded" in r.getMessage()]
    assert not trainer.flat and len(said) == 1 and "later" in said[0] and len(logged(trainer)) == 4
    with pytest.raises(ValueError, match="padding_free=True.*later"):
        trainer_of(tmp_path, pairs, model=bert, padding_free=True)
    with pytest.raises(ValueError, match="collator"):
        trainer_of(tmp_path, pairs, data_collator=DataCollatorForPreference(0), padding_free=True)


def test_dropout_is_padded(tmp_path, pairs, caplog):
    model = tiny_model(seed=0)
    for layer in model.model.layers: layer.self_attn.attention_dropout = 0.1
    assert not trainer_of(tmp_path, pairs, model=model, disable_dropout=False).flat and "dropout" in caplog.text
    assert trainer_of(tmp_path, pairs, model=model).flat # switched off, as by default


def test_model_init(tmp_path, pairs):
    cfg = RewardConfig(str(tmp_path), max_steps=2, per_device_train_batch_size=4, save_strategy="no", report_to="none",
                       use_cpu=True)
    trainer = RewardTrainer(model_init=lambda: tiny_model(seed=0), args=cfg, train_dataset=pairs,
                            processing_class=tiny_tokenizer())
    trainer.train()
    assert trainer.flat


# The same run

def test_a_hundred_steps_lie_on_the_padded_curve(tmp_path):
    rows = make_pairs(800, seed=5)
    flat, padded = (run(tmp_path, rows, max_steps=100, per_device_train_batch_size=8, learning_rate=2e-3,
                        padding_free=kind) for kind in ("auto", False))
    assert len(logged(flat)) == 100
    np.testing.assert_allclose(logged(flat), logged(padded), atol=2e-4)
    test = make_pairs(40, seed=6, split="test")
    np.testing.assert_allclose(flat.predict(test).predictions, padded.predict(test).predictions, atol=2e-3)


@pytest.mark.parametrize("kw", [dict(tokens_per_micro_batch=100), dict(tokens_per_micro_batch=1),
                                dict(per_device_train_batch_size=4, gradient_accumulation_steps=4),
                                dict(per_device_train_batch_size=4, gradient_accumulation_steps=4,
                                     tokens_per_micro_batch=300), dict(share_prefix=False),
                                dict(padding_free=False, per_device_train_batch_size=4, gradient_accumulation_steps=4)],
                                ids=str)
def test_however_a_step_is_cut(tmp_path, kw):
    rows = make_pairs(64, seed=0, margins=True)
    whole = run(tmp_path, rows, optim="sgd", learning_rate=0.1)
    cut = run(tmp_path, rows, optim="sgd", learning_rate=0.1, **kw)
    torch.testing.assert_close(weights(cut), weights(whole), atol=2e-6, rtol=0)
    for key in ("loss", "accuracy", "margin", "min_reward", "num_tokens", "grad_norm"):
        np.testing.assert_allclose(logged(cut, key), logged(whole, key), rtol=1e-4, atol=1e-6, err_msg=key)


def test_passes_keep_to_the_budget(tmp_path, pairs):
    whole = trainer_of(tmp_path, pairs, max_steps=1)
    cut = trainer_of(tmp_path, pairs, max_steps=1, tokens_per_micro_batch=200)
    one, many = passes_of(whole), passes_of(cut)
    whole.train()
    cut.train()
    assert len(one) == 1 and one[0] <= sum(many) and max(many) <= 200 # what all texts begin with is in every pass
    assert len(many) <= -(-one[0] // 200) + 1


@pytest.mark.parametrize("kw",
                         [dict(gradient_checkpointing=True, gradient_checkpointing_kwargs=dict(use_reentrant=False)),
                          dict(gradient_checkpointing=True, gradient_checkpointing_kwargs=dict(use_reentrant=True)),
                          dict(bf16=True), dict(peft_config=LoraConfig(r=4, lora_dropout=0.1)),
                          dict(peft_config=LoraConfig(r=4), gradient_checkpointing=True)], ids=str)
def test_with_everything_else(tmp_path, pairs, kw):
    flat = run(tmp_path, pairs, tokens_per_micro_batch=400, **kw)
    padded = run(tmp_path, pairs, padding_free=False, **kw)
    assert flat.flat
    np.testing.assert_allclose(logged(flat), logged(padded), atol=1e-2 if "bf16" in kw else 2e-5)


def test_streams(tmp_path, pairs):
    def stream(): return IterableDataset.from_generator(lambda: iter(pairs.to_list()))
    flat, padded = (run(tmp_path, stream(), eval_dataset=stream(), padding_free=kind, optim="sgd")
                    for kind in ("auto", False))
    np.testing.assert_allclose(logged(flat), logged(padded), atol=1e-5)
    assert flat.evaluate(num_print_samples=0)["eval_loss"] == pytest.approx(
        padded.evaluate(num_print_samples=0)["eval_loss"], abs=1e-5)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_what_waits_in_cpu_memory_comes_back_as_it_was(is_frozen):
    "Kernels count on the strides of what they saved; PyTorch's own context packs it, and carries weights along"
    seen = []
    class Strict(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, mask, weight):
            ctx.save_for_backward(mask, weight)
            return x * mask.sum() * weight.sum()
        @staticmethod
        def backward(ctx, grad):
            seen.extend(ctx.saved_tensors)
            return grad, None, None
    x, weight = torch.ones(2, requires_grad=True), torch.nn.Parameter(torch.ones(3), requires_grad=not is_frozen)
    mask = torch.zeros(2, 5, 40)[..., :37].unsqueeze(1).expand(2, 8, 5, 37)
    with activations_on_cpu(): out = Strict.apply(x, mask, weight)
    out.sum().backward()
    assert seen[0].shape == mask.shape and seen[0].stride() == mask.stride()
    assert seen[0].data_ptr() != mask.data_ptr() and seen[1].data_ptr() == weight.data_ptr()


def test_activations_in_cpu_memory(tmp_path, pairs):
    flat, padded = (trainer_of(tmp_path, pairs, padding_free=kind) for kind in ("auto", False))
    for t in (flat, padded):
        t.args.activation_offloading = True # the config refuses it on a CPU, where it only copies
        t.train()
    np.testing.assert_allclose(logged(flat), logged(padded), atol=2e-5)


# Memory

def runs_out(trainer, limit, backward=False):
    "Let every pass of more than `limit` tokens run out of memory, on its way forward or back"
    def check(module, args, kwargs):
        if kwargs["input_ids"].numel() > limit and not backward: raise torch.OutOfMemoryError("CUDA out of memory")
    def check_back(module, args, output):
        def fail(grad): raise torch.OutOfMemoryError("CUDA out of memory")
        if output.requires_grad and output.shape[1] > limit and backward: output.register_hook(fail)
    trainer.model.register_forward_pre_hook(check, with_kwargs=True)
    trainer.model.get_input_embeddings().register_forward_hook(check_back)


@pytest.mark.parametrize("backward", [False, True])
def test_out_of_memory_costs_nothing(tmp_path, pairs, caplog, backward):
    calm = run(tmp_path, pairs, optim="sgd", learning_rate=0.1)
    hit = trainer_of(tmp_path, pairs, optim="sgd", learning_rate=0.1)
    runs_out(hit, 300, backward)
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"): hit.train()
    assert "Out of memory" in caplog.text and hit.running.budget < 400
    torch.testing.assert_close(weights(hit), weights(calm), atol=2e-6, rtol=0)
    for key in ("loss", "num_tokens", "accuracy"):
        np.testing.assert_allclose(logged(hit, key), logged(calm, key), atol=1e-5, err_msg=key)


def test_a_pair_that_does_not_fit(tmp_path, pairs):
    trainer = trainer_of(tmp_path, pairs)
    runs_out(trainer, 5)
    with pytest.raises(RuntimeError, match="single pair of .* tokens .*`gradient_checkpointing=True`.*`max_length`"):
        trainer.train()


def test_a_lowered_budget_is_resumed(tmp_path, pairs):
    trainer = trainer_of(tmp_path, pairs, save_strategy="steps", save_steps=2)
    runs_out(trainer, 300)
    trainer.train()
    state = json.loads((tmp_path/"checkpoint-2"/"trainer_state.json").read_text())
    again = trainer_of(tmp_path, pairs)
    again.train(resume_from_checkpoint=str(tmp_path/"checkpoint-2"))
    saved = state["stateful_callbacks"]["RunningMetrics"]["attributes"]["budget"]
    assert saved == trainer.running.budget == again.running.budget
    torch.testing.assert_close(weights(again), weights(trainer), atol=0, rtol=0)


def test_a_guess_depends_on_memory_and_model():
    model = tiny_model()
    small, large = guess_budget(model, 2**24), guess_budget(model, 2**34)
    assert 1024 <= small <= large <= 4096 and guess_budget(model, 2**24, checkpointing=True) >= small
    assert guess_budget(model, 1) == 1024 and guess_budget(model, 2**25, in_16_bits=True) > guess_budget(model, 2**25)


# Evaluation

@pytest.mark.parametrize("n", [3, 64])
def test_evaluation_is_the_padded_one(tmp_path, pairs, n):
    # last batch of an epoch: 4 pairs
    flat, padded = (run(tmp_path, pairs, per_device_train_batch_size=30, learning_rate=0.0, padding_free=kind)
                    for kind in ("auto", False))
    test = make_pairs(n, seed=9)
    ours, theirs = (t.evaluate(test, num_print_samples=0) for t in (flat, padded))
    for key in ("loss", "accuracy", "accuracy_low", "margin", "min_reward", "mean_reward"):
        assert ours[f"eval_{key}"] == pytest.approx(theirs[f"eval_{key}"], abs=1e-5), key
    got = flat.predict(test).predictions
    assert got.shape == (n, 2)
    np.testing.assert_allclose(got, padded.predict(test).predictions, atol=1e-5)


def test_joined_batches_lose_nothing():
    batches = [lay_out([[[5] * n, [6]]]) for n in (3, 9, 2, 2, 30, 1)]
    for budget in (1, 10, 15, 1000):
        out = list(JoinedBatches(batches, budget))
        assert len(out) == len(JoinedBatches(batches, budget)) == 6
        assert torch.equal(torch.cat([b["input_ids"] for b in out if b], 1),
                           torch.cat([b["input_ids"] for b in batches], 1))
        assert all(b["input_ids"].numel() <= budget or len(b["groups"]) == 1 for b in out if b)


# Several processes

DDP = """
import sys, torch
from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

def train(out, how):
    rows = make_pairs(64, seed=0)
    rows = rows.add_column("n", [len(str(r)) for r in rows]).sort("n").remove_columns("n")
    cfg = RewardConfig(out, max_steps=4, per_device_train_batch_size=16 if how == "alone" else 8, logging_steps=1,
                       learning_rate=0.1, optim="sgd", save_strategy="no", report_to="none", disable_tqdm=True,
                       use_cpu=True, seed=1,
                       tokens_per_micro_batch="auto" if how in ("alone", "rehearsal") else 130)
    t = RewardTrainer(tiny_model(seed=0), cfg, train_dataset=rows, processing_class=tiny_tokenizer())
    calls, failed = [], []
    def watch(module, args, kwargs):
        calls.append(kwargs["input_ids"].numel())
        once = how == "first step" and len(calls) == 2 or how == "second step" and t.state.global_step == 1
        fails = how == "rehearsal" and calls[-1] > 700 or once and not failed
        if t.args.process_index == 1 and fails:
            failed.append(len(calls))
            raise torch.OutOfMemoryError("out of memory")
    t.model.register_forward_pre_hook(watch, with_kwargs=True)
    t.train()
    torch.save(dict(weights=t.model.state_dict(), logs=t.state.log_history, budget=t.running.budget, calls=calls,
                    failed=failed), f"{out}/{how}.{t.args.process_index}.pt")

if __name__ == "__main__":
    for how in sys.argv[2:]: train(sys.argv[1], how)
"""


def test_two_processes_end_with_the_weights_of_one(tmp_path):
    """With unequal numbers of passes; with memory that runs out on one of them, in the rehearsal or in the first pass
    of a step"""
    script, hows = tmp_path/"run.py", ("cut", "rehearsal", "first step", "second step")
    script.write_text(DDP)
    subprocess.run([sys.executable, script, tmp_path, "alone"], check=True, timeout=900,
                   env=os.environ | dict(OMP_NUM_THREADS="1"))
    two_ranks(script, str(tmp_path), *hows)
    def result(how, rank=0): return torch.load(tmp_path/f"{how}.{rank}.pt", weights_only=False)
    def losses(run): return [entry["loss"] for entry in run["logs"] if "loss" in entry]
    alone = result("alone")
    for how in hows:
        first, second = result(how), result(how, 1)
        for run in (first, second):
            for name, weight in alone["weights"].items():
                torch.testing.assert_close(run["weights"][name], weight, atol=2e-6, rtol=0, msg=f"{how}: {name}")
        np.testing.assert_allclose(losses(first), losses(alone), atol=1e-5, err_msg=how)
        assert not first["failed"] and bool(second["failed"]) == (how != "cut"), how
        assert len(first["calls"]) > 4 and first["budget"] <= 700 and (how == "cut" or second["budget"] <= 700), how


FSDP = """
import os, sys, torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from rmkit.layout import lay_out, take_groups
from rmkit.flat import flat_rewards, needs_padding
from rmkit.synthetic import tiny_model

def loss_of(model, flat):
    r = flat_rewards(model, flat).view(-1, 2)
    return -torch.nn.functional.logsigmoid(r[:, 0] - r[:, 1]).sum()

def main():
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    groups = [[[5] * 8 + torch.randint(5, 99, (n,)).tolist() for n in (4, 9)] for _ in range(6)]
    flat = lay_out(groups)
    plain, model = tiny_model(seed=0), tiny_model(seed=0)
    assert needs_padding(plain) is None and needs_padding(model) is None
    loss_of(plain, flat).backward()
    mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
    for layer in model.model.layers: fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    assert all(isinstance(p, DTensor) for p in model.parameters())
    # four pairs here in two passes, two pairs there in one pass and a dummy
    for first, stop, weight in ([(0, 2, 1), (2, 4, 1)] if rank == 0 else [(4, 6, 1), (4, 5, 0)]):
        loss = loss_of(model, take_groups(flat, first, stop))
        (loss * weight * 2).backward()  # gradients are averaged over two processes
    for (name, p), want in zip(model.named_parameters(), plain.parameters()):
        torch.testing.assert_close(p.grad.full_tensor(), want.grad, atol=1e-5, rtol=1e-4, msg=name)
    dist.destroy_process_group()

if __name__ == "__main__": main()
"""


def test_sharded_weights(tmp_path):
    "FSDP2 by itself, since accelerate leaves it out on a CPU"
    script = tmp_path/"run.py"
    script.write_text(FSDP)
    two_ranks(script)


# The rest

def test_liger_leaves_the_forward_alone(tmp_path):
    cfg = RewardConfig(str(tmp_path), use_liger_kernel=True, use_cpu=True, liger_kernel_config=dict(rms_norm=False))
    own = dict(cross_entropy=False, fused_linear_cross_entropy=False, rope=False)
    assert cfg.liger_kernel_config == own | dict(rms_norm=False)
    assert RewardConfig(str(tmp_path), use_cpu=True).use_liger_kernel is False
    assert RewardConfig(str(tmp_path), use_liger_kernel=True, use_cpu=True).liger_kernel_config == own


@pytest.mark.parametrize("model, module, name", [
    (lambda: tiny_model(seed=0), modeling_llama, "LlamaRMSNorm"),
    (lambda: tiny_model(seed=0), modeling_llama, "LlamaMLP"),
    (lambda: Qwen2ForSequenceClassification(Qwen2Config(**SMALL)), modeling_qwen2, "Qwen2RMSNorm")])
def test_liger_stays_in_the_model_that_is_trained(monkeypatch, tmp_path, pairs, model, module, name):
    "It takes the place of a family's classes for the whole process, and can't run on a CPU"
    def kernel(self, hidden): raise ValueError("Pointer argument (at 0) cannot be accessed from Triton (cpu tensor?)")
    kernel.__module__ = "liger_kernel.transformers.any"
    own, calls = getattr(module, name), []
    def put_in(model, **config):
        calls.append(config)
        monkeypatch.setattr(module, name, type("Liger", (torch.nn.Module,), dict(forward=kernel)))
        for part in model.modules():
            if type(part) is own: part.forward = MethodType(kernel, part)
    liger = ModuleType("liger_kernel.transformers")
    liger._apply_liger_kernel_to_instance = put_in
    for package in ModuleType("liger_kernel"), liger: monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setattr("transformers.integrations.liger.is_liger_kernel_available", lambda: True)
    start = model()
    plain = run(tmp_path, pairs, model=copy.deepcopy(start))
    trained = run(tmp_path, pairs, model=copy.deepcopy(start), use_liger_kernel=True)
    assert len(calls) == 1 and not calls[0]["rope"] and getattr(module, name) is own
    torch.testing.assert_close(weights(trained), weights(plain), atol=0, rtol=0)
    reloaded = torch.nn.Module.state_dict(copy.deepcopy(trained.model))
    assert reloaded.keys() == start.state_dict().keys()


def test_importing_costs_little():
    "What takes seconds is imported with what needs it"
    code = "import sys, rmkit; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"torch", "transformers", "datasets", "accelerate", "peft", "pandas", "matplotlib", "IPython", "anywidget"}
    assert not slow & set(done.stdout.split())


def test_tokenised_rows_are_cached(tmp_path, monkeypatch, pairs):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path/"cache"))
    with (tmp_path/"rows.jsonl").open("w") as f:
        f.writelines(json.dumps({k: row[k] for k in ("prompt", "chosen", "rejected")}) + "\n" for row in pairs)
    tokenizer, calls = tiny_tokenizer(), []
    encode = type(tokenizer)._encode_plus
    def counted(self, text, *args, **kw):
        # single strings only ask what the tokenizer puts around a text
        if not isinstance(text, str): calls.append(len(text))
        return encode(self, text, *args, **kw)
    monkeypatch.setattr(type(tokenizer), "_encode_plus", counted)
    first, report = prepare_dataset(load_rows(tmp_path/"rows.jsonl"), tokenizer)
    once = len(calls)
    second, again = prepare_dataset(load_rows(tmp_path/"rows.jsonl"), tiny_tokenizer())
    assert sum(calls) == 2 * len(pairs) and len(calls) == once
    assert second["chosen_ids"] == first["chosen_ids"] and str(again) == str(report)
    assert [f["filename"] for f in first.cache_files] == [f["filename"] for f in second.cache_files] != []


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None,
                    reason="bitsandbytes is not installed (rmkit[qlora])")
def test_qlora_over_flat_rows(tmp_path):
    "Four-bit weights: the losses of padded batches, within what they round"
    tiny_model(seed=0).save_pretrained(tmp_path), tiny_tokenizer().save_pretrained(tmp_path)
    def run(padding_free):
        cfg = RewardConfig(str(tmp_path/"out"), max_steps=3, per_device_train_batch_size=8, learning_rate=1e-3,
                           logging_steps=1, report_to="none", disable_tqdm=True, use_cpu=True, bf16=False,
                           save_strategy="no", padding_free=padding_free)
        trainer = RewardTrainer(str(tmp_path), cfg, train_dataset=make_pairs(24, seed=1),
                                quantization_config=BitsAndBytesConfig(load_in_4bit=True),
                                peft_config=LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
        trainer.train()
        assert trainer.flat == padding_free
        return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert run(True) == pytest.approx(run(False), abs=1e-2) # products are of 16 bits, and rounded by their shape
