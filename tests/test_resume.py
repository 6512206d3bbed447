"A run killed with SIGKILL, at a step or while it saves, and resumed, ends where the uninterrupted run does"
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.checkpoints import is_torn, last_whole_checkpoint

SCRIPT = """
import os, signal, sys
import transformers
from peft import LoraConfig
from rmkit import RewardConfig, RewardTrainer
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

out, when, lora, resume = sys.argv[1], sys.argv[2], sys.argv[3] == "lora", sys.argv[4] == "resume"
def die(): os.kill(os.getpid(), signal.SIGKILL)

class Killer(transformers.TrainerCallback):
    def on_step_end(self, args, state, control, **kw):
        if when == f"step{state.global_step}": die()

cfg = RewardConfig(out, num_train_epochs=2, per_device_train_batch_size=4, gradient_accumulation_steps=2,
                   learning_rate=1e-3, logging_steps=5, save_steps=4, report_to="none", disable_tqdm=True,
                   use_cpu=True, seed=3, disable_dropout=False)
model = tiny_model(seed=0)
if lora: model.save_pretrained(out + "-base"); model = type(model).from_pretrained(out + "-base")
t = RewardTrainer(model, cfg, train_dataset=make_pairs(60, seed=1), processing_class=tiny_tokenizer(),
                  callbacks=[Killer()],
                  peft_config=LoraConfig(r=4, lora_dropout=0.1, target_modules=["q_proj", "v_proj"]) if lora else None)
save = t._save_optimizer_and_scheduler
def torn(folder):
    if when == "saving" and folder.endswith("-8"): die()
    save(folder)
t._save_optimizer_and_scheduler = torn
t.train(resume_from_checkpoint=True if resume else None)
t.save_model(out + "/final")
t.state.save_to_json(out + "/final/trainer_state.json")
"""

TIMES = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "pairs_per_second", "tokens_per_second",
         "memory_gib"}


def run(folder, when="never", lora="full", resume="fresh"):
    script = folder.parent/"run.py"
    script.write_text(SCRIPT)
    return subprocess.run([sys.executable, str(script), str(folder), when, lora, resume], env=os.environ
                          | dict(OMP_NUM_THREADS="1"), capture_output=True, text=True)


def outcome(folder):
    name = "model" if (folder/"final"/"model.safetensors").exists() else "adapter_model"
    logs = json.loads((folder/"final"/"trainer_state.json").read_text())["log_history"]
    return load_file(folder/"final"/f"{name}.safetensors"), [{k: v for k, v in entry.items() if k not in TIMES}
                                                             for entry in logs]


@pytest.fixture(scope="module", params=["full", "lora"])
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)/"whole"
    done = run(folder, lora=request.param)
    assert done.returncode == 0, done.stderr
    return folder, request.param


@pytest.mark.parametrize("when", ["step6", "step11", "saving"])
def test_killed_and_resumed(whole, when):
    reference, lora = whole
    folder = reference.parent/when
    assert run(folder, when, lora).returncode == -signal.SIGKILL
    again = run(folder, "never", lora, "resume")
    assert again.returncode == 0, again.stderr
    assert ("passed over" in again.stderr) == (when == "saving")
    (weights, logs), (expected_weights, expected_logs) = outcome(folder), outcome(reference)
    assert all(torch.equal(weights[k], expected_weights[k]) for k in expected_weights)
    assert logs == expected_logs and {"std_reward_chosen", "accuracy_low"} <= set(logs[-2])


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    out = tmp_path_factory.mktemp("ckpt")
    cfg = RewardConfig(str(out), max_steps=4, save_steps=2, per_device_train_batch_size=4, report_to="none",
                       disable_tqdm=True, use_cpu=True)
    t = RewardTrainer(tiny_model(), cfg, train_dataset=make_pairs(16, seed=1), processing_class=tiny_tokenizer())
    t.train()
    return t, out


def test_the_newest_whole_one(checkpoints, tmp_path):
    t, out = checkpoints
    assert last_whole_checkpoint(out).endswith("checkpoint-4")
    torn = shutil.copytree(out/"checkpoint-4", out/"checkpoint-10")
    (torn/"trainer_state.json").write_text('{"half')
    assert is_torn(torn)
    with pytest.warns(UserWarning, match="checkpoint-10"): assert last_whole_checkpoint(out).endswith("checkpoint-4")
    shutil.rmtree(torn)


def test_none_whole(tmp_path, checkpoints):
    with pytest.raises(ValueError, match="start afresh"): last_whole_checkpoint(tmp_path)


def test_without_optimizer_is_refused(checkpoints, tmp_path):
    t, out = checkpoints
    bare = shutil.copytree(out/"checkpoint-4", tmp_path/"checkpoint-4")
    (bare/"optimizer.pt").unlink()
    with pytest.raises(ValueError, match="no optimiser state"): t.train(resume_from_checkpoint=str(bare))
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        t.train(resume_from_checkpoint=str(tmp_path/"nowhere"))


def test_a_new_run_over_old_checkpoints_leaves_no_mixture(checkpoints, tmp_path):
    "The mark of a whole checkpoint goes before its files are written over"
    t, out = checkpoints
    def fail(*a): raise RuntimeError("disk")
    t._save_optimizer_and_scheduler, keep = fail, t._save_optimizer_and_scheduler
    with pytest.raises(RuntimeError): t.train()
    t._save_optimizer_and_scheduler = keep
    assert is_torn(out/"checkpoint-2") and not is_torn(out/"checkpoint-4")


def test_sums_of_an_older_checkpoint_are_left(tmp_path, caplog):
    "A log that straddles the resume then covers the pairs since"
    def run(resume=None):
        cfg = RewardConfig(str(tmp_path), max_steps=4, save_steps=2, logging_steps=3, per_device_train_batch_size=4,
                           report_to="none", disable_tqdm=True, use_cpu=True)
        t = RewardTrainer(tiny_model(), cfg, train_dataset=make_pairs(16, seed=1), processing_class=tiny_tokenizer())
        t.train(resume_from_checkpoint=resume)
        return next(entry for entry in t.state.log_history if "loss" in entry)
    whole, path = run(), tmp_path/"checkpoint-2"/"trainer_state.json"
    state = json.loads(path.read_text())
    now = state["stateful_callbacks"]["RunningMetrics"]["attributes"]["now"]
    now["sums"] = now["sums"][:7]
    del now["seconds"]
    path.write_text(json.dumps(state))
    late = run(str(path.parent))
    assert "older rmkit" in caplog.text
    assert whole["step"] == late["step"] == 3 and late["num_tokens"] < whole["num_tokens"]
    assert late["pairs_per_second"] > 0
