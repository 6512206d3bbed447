"Float16 with a scaler, bfloat16 or float32: what a (pretended) GPU gets, and that a scaler changes no result"
import copy
import json
import logging
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate.utils import AutocastKwargs
from peft import LoraConfig
from ranks import two_ranks
from transformers import BitsAndBytesConfig, HfArgumentParser
from transformers.utils import import_utils

from rmkit import RewardConfig, RewardTrainer, attention
from rmkit.attention import Branches, rectangle_attention
from rmkit.cli import lora_of
from rmkit.options import TrainArguments
from rmkit.layout import lay_out
from rmkit.config import half_precision
from rmkit.model import add_lora
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer
from rmkit.passes import is_out_of_memory, memory_of
from rmkit.trainer import keep_in_float32, warn_of_emulation

# What is chosen

@pytest.fixture(autouse=True)
def forget_the_hardware():
    "transformers asks once a process what there is; what was pretended in a test is nobody else's"
    def forget():
        for name in ("is_torch_available", "is_torch_cuda_available", "is_torch_bf16_gpu_available",
                     "is_torch_xpu_available"):
            getattr(getattr(import_utils, name), "cache_clear", lambda: None)()
    forget()
    yield
    forget()


def pretend(monkeypatch, *capabilities):
    "A machine with Nvidia GPUs of these compute capabilities; RewardConfig asks no more of it"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)  # of a T4 too
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(capabilities))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capabilities[device or 0])
    monkeypatch.setattr(RewardConfig, "_setup_devices", torch.device("cuda", 0))


def precision(path, **kw):
    cfg = RewardConfig(str(path), report_to="none", **kw)
    return "bf16" if cfg.bf16 else "fp16" if cfg.fp16 else None


GPUS = dict(gtx_1080=((6, 1), None), p100=((6, 0), None), v100=((7, 0), "fp16"), rtx_2080=((7, 5), "fp16"),
            t4=((7, 5), "fp16"), a100=((8, 0), "bf16"), rtx_3090=((8, 6), "bf16"), l4=((8, 9), "bf16"),
            h100=((9, 0), "bf16"), rtx_5090=((12, 0), "bf16"))


@pytest.mark.parametrize("name", GPUS)
def test_default_of_a_gpu(monkeypatch, tmp_path, name):
    pretend(monkeypatch, GPUS[name][0])
    assert precision(tmp_path) == GPUS[name][1]
    for off in dict(use_cpu=True), dict(bf16=False), dict(fp16=False, bf16=False):
        assert precision(tmp_path, **off) is None


@pytest.mark.parametrize("capability,use", [((6, 0), False), ((7, 5), True), ((9, 0), True)], ids=str)
def test_liger_where_triton_compiles(monkeypatch, tmp_path, capability, use):
    "Installed, it would stop a P100 at its first step"
    pretend(monkeypatch, capability)
    monkeypatch.setattr("rmkit.config.is_liger_kernel_available", lambda: True)
    assert RewardConfig(str(tmp_path), report_to="none").use_liger_kernel is use
    assert RewardConfig(str(tmp_path), report_to="none", use_liger_kernel=False).use_liger_kernel is False


def test_other_makes():
    assert half_precision("cpu") is half_precision("mps", has_bf16=True) is half_precision("xpu") is None
    assert half_precision("npu", has_bf16=True) == half_precision("xpu", has_bf16=True) == "bf16"


def test_what_is_set_is_kept(monkeypatch, tmp_path, recwarn):
    pretend(monkeypatch, (7, 5))
    assert precision(tmp_path, fp16=True) == precision(tmp_path, fp16=True, bf16=False) == "fp16"
    assert precision(tmp_path, fp16=False) is None and not recwarn.list
    with pytest.warns(UserWarning, match=r"no bfloat16 and emulates it.*float16 \(`fp16=True`\) is faster here"):
        assert precision(tmp_path, bf16=True) == "bf16"
    with pytest.raises(ValueError, match="At most one"): precision(tmp_path, fp16=True, bf16=True)
    with pytest.warns(UserWarning, match="`bf16_full_eval=True`, but"): precision(tmp_path, bf16_full_eval=True)
    pretend(monkeypatch, (6, 0))
    with pytest.warns(UserWarning, match="float32 is faster here, and the default"): precision(tmp_path, bf16=True)
    pretend(monkeypatch, (9, 0))
    assert precision(tmp_path, fp16=True) == "fp16" and precision(tmp_path, fp16=False) == "bf16"


def test_several_gpus(monkeypatch, tmp_path):
    "One process asks its own GPU; several must choose alike"
    pretend(monkeypatch, (8, 6), (6, 1))
    assert precision(tmp_path) == "bf16"
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert precision(tmp_path) is None


def test_accelerate_launch_decides(monkeypatch, tmp_path):
    pretend(monkeypatch, (9, 0))
    for launched, chosen in ("no", "bf16"), ("fp16", "fp16"), ("bf16", "bf16"), ("fp8", None):
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launched)
        assert precision(tmp_path) == chosen
        assert precision(tmp_path, bf16=False) is None
    pretend(monkeypatch, (7, 5))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.warns(UserWarning, match="emulates it"): assert precision(tmp_path) == "bf16"


def test_flags():
    def parsed(*flags):
        words = ["--output_dir", "x", "--report_to", "none", "--use_cpu", *flags]
        return HfArgumentParser(RewardConfig).parse_args_into_dataclasses(words)[0]
    assert parsed("--bf16").bf16 is True and parsed("--bf16", "false").bf16 is False
    assert parsed("--use_liger_kernel", "false").use_liger_kernel is False
    with pytest.warns(UserWarning, match="no effect on a CPU"): assert parsed("--fp16").fp16 is True


# The scaler. accelerate makes none on a CPU, so it is put in; all else is as on a GPU

SETTINGS = dict(max_steps=4, per_device_train_batch_size=16, logging_steps=1, learning_rate=1e-3, save_strategy="no",
                report_to="none", disable_tqdm=True, use_cpu=True, seed=1)


def trainer_of(path, scale=2.**16, autocast=True, model=None, **kw):
    lora = kw.pop("peft_config", None)
    cfg = RewardConfig(str(path), **(SETTINGS | dict(fp16=scale is not None) | kw))
    trainer = RewardTrainer(model or tiny_model(seed=0), cfg, train_dataset=make_pairs(64, seed=0),
                            processing_class=tiny_tokenizer(), peft_config=lora)
    accelerator = trainer.accelerator
    if scale is not None:
        accelerator.scaler, accelerator.native_amp = torch.amp.GradScaler("cpu", init_scale=scale), True
    if not autocast: accelerator.autocast_handler = AutocastKwargs(enabled=False)
    return trainer


def run(*args, **kw):
    trainer = trainer_of(*args, **kw)
    trainer.train()
    return trainer


def logged(trainer, key="loss"): return [entry[key] for entry in trainer.state.log_history if key in entry]


def weights(trainer): return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


pytestmark = pytest.mark.filterwarnings("ignore:`fp16=True` has no effect")
FOUR = dict(per_device_train_batch_size=4, gradient_accumulation_steps=4)
CUTS = {"one pass": {}, "passes": dict(tokens_per_micro_batch=200), "accumulated": FOUR,
        "padded": dict(padding_free=False) | FOUR, "unclipped": dict(max_grad_norm=0.0)}


@pytest.mark.parametrize("cut", CUTS)
def test_a_scaler_changes_no_gradient(tmp_path, cut):
    "Plain SGD, so that the weights are sums of gradients; no autocast, so that only the scale differs"
    kw = dict(optim="sgd", learning_rate=0.1) | CUTS[cut]
    plain, scaled = run(tmp_path, None, **kw), run(tmp_path, 2.**10, autocast=False, **kw)
    torch.testing.assert_close(weights(scaled), weights(plain), atol=1e-6, rtol=0)
    for key in ("loss", "grad_norm", "num_tokens"):
        np.testing.assert_allclose(logged(scaled, key), logged(plain, key), rtol=1e-5, err_msg=key)
    assert logged(scaled, "skipped_steps") == [0] * 4 and not logged(plain, "skipped_steps")


WAYS = {"plain": {}, "passes": dict(tokens_per_micro_batch=200), "checkpointing": dict(gradient_checkpointing=True),
        "lora": dict(peft_config=LoraConfig(r=4))}


@pytest.mark.parametrize("way", WAYS)
def test_float16_trains_as_float32_does(tmp_path, way):
    plain, half = run(tmp_path, None, **WAYS[way]), run(tmp_path, **WAYS[way])
    np.testing.assert_allclose(logged(half), logged(plain), atol=2e-3)
    assert {p.dtype for p in half.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("optim", ["sgd", "adamw_torch_fused", "adamw_torch"])
def test_a_skipped_step_is_counted_and_leaves_the_weights(tmp_path, caplog, optim):
    "A fused optimizer skips by itself, unseen by accelerate"
    trainer = trainer_of(tmp_path, 2.**10, optim=optim, autocast=False, lr_scheduler_type="constant", warmup_steps=0,
                         logging_steps=2)
    seen = []
    trainer.running.on_step_end = lambda *args, **kw: seen.append(weights(trainer).clone())
    before = weights(trainer)
    def explode(grad): return grad * math.inf if trainer.state.global_step < 2 else grad
    trainer.model.score.weight.register_hook(explode)
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"): trainer.train()
    assert torch.equal(seen[0], before) and torch.equal(seen[1], before) and not torch.equal(seen[2], before)
    assert logged(trainer, "skipped_steps") == [2, 0]
    said = [r.getMessage().split(":")[0] for r in caplog.records if "skipped" in r.getMessage()]
    assert said == ["Step 1 was skipped"]


def test_a_model_that_does_not_fit_float16_is_an_error(tmp_path):
    "Or every step would be skipped, and the model saved as it came"
    model = tiny_model(seed=0)
    model.model.embed_tokens.register_forward_hook(lambda module, args, out: out * 1e6)
    model.model.layers[0].register_forward_hook(lambda module, args, out: out.half() * 1e5)
    with pytest.raises(RuntimeError, match="float16 can't train this model.*`fp16=False`"):
        run(tmp_path, max_steps=40, model=model, padding_free=False)


def fails_once(trainer, which, error):
    "Pass number `which` of the run fails"
    calls = []
    def check(module, args):
        calls.append(1)
        if len(calls) == which: raise error
    trainer.model.register_forward_pre_hook(check)
    return calls


OUT_OF_MEMORY = dict(cuda="CUDA error: out of memory", mps="MPS backend out of memory (MPS allocated: 1 GB)",
                     cublas="CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
                     cpu="[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried")


@pytest.mark.parametrize("source", OUT_OF_MEMORY)
def test_out_of_memory_in_the_second_pass(tmp_path, source):
    "The first pass's scaled gradients are thrown away, and the scaler isn't asked"
    kw = dict(optim="sgd", learning_rate=0.1, tokens_per_micro_batch=400)
    calm, hit = run(tmp_path, 2.**10, autocast=False, **kw), trainer_of(tmp_path, 2.**10, autocast=False, **kw)
    calls = fails_once(hit, 2, RuntimeError(OUT_OF_MEMORY[source]))
    hit.train()
    assert len(calls) > 12 and hit.accelerator.scaler.get_scale() == 2.**10 and logged(hit, "skipped_steps") == [0] * 4
    torch.testing.assert_close(weights(hit), weights(calm), atol=2e-6, rtol=0)
    for key in ("loss", "num_tokens"):
        np.testing.assert_allclose(logged(hit, key), logged(calm, key), rtol=1e-5, err_msg=key)


def test_other_errors_are_raised_as_they_are(tmp_path):
    trainer = trainer_of(tmp_path, None)
    fails_once(trainer, 1, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="^mat1 and mat2"): trainer.train()
    assert is_out_of_memory(torch.OutOfMemoryError("")) and not is_out_of_memory(RuntimeError("out of range"))


# Weights that come in 16 bits

SIXTEEN_BITS = [(torch.float16, None), (torch.float16, 2.**16), (torch.bfloat16, 2.**16)]


@pytest.mark.parametrize("dtype,scale", SIXTEEN_BITS, ids=str)
def test_trained_weights_are_float32(tmp_path, caplog, dtype, scale):
    "In float16 AdamW diverges without a scaler and can't run with one"
    model = tiny_model(seed=0).to(dtype)
    want = run(tmp_path, None, model=copy.deepcopy(model).float())
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"): got = run(tmp_path, scale, model=model)
    assert f"came in {str(dtype)[6:]}" in caplog.text and {p.dtype for p in got.model.parameters()} == {torch.float32}
    np.testing.assert_allclose(logged(got), logged(want), atol=1e-5 if scale is None else 2e-3)


@pytest.mark.parametrize("scale", [None, 2.**16])
def test_an_adapter_on_float16_weights(tmp_path, scale):
    trainer = run(tmp_path, scale, model=tiny_model(seed=0).half(), peft_config=LoraConfig(r=4))
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    np.testing.assert_allclose(logged(trainer), logged(run(tmp_path, None, peft_config=LoraConfig(r=4))), atol=5e-3)


def test_a_frozen_base_stays_in_float16_where_autocast_joins_the_two():
    model = add_lora(tiny_model(seed=0).half(), LoraConfig(r=4))
    keep_in_float32(model, SimpleNamespace(fp16=True, bf16=False, deepspeed=None, device=torch.device("cuda")))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.float16}


def test_after_an_evaluation_in_float16(tmp_path, caplog):
    "transformers turns the model's own weights into float16 then"
    trainer = trainer_of(tmp_path, None, fp16_full_eval=True)
    trainer.evaluate(make_pairs(8, seed=1), num_print_samples=0)
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float16}
    trainer.train()
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32} and "came in float16" in caplog.text
    np.testing.assert_allclose(logged(trainer), logged(run(tmp_path, None)), atol=2e-3)


def test_bfloat16_weights_are_the_users_choice(tmp_path):
    trainer = run(tmp_path, None, model=tiny_model(seed=0).bfloat16(), max_steps=1)
    assert {p.dtype for p in trainer.model.parameters()} == {torch.bfloat16}


# Coming back

@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    "Eight float16 steps, of which the first are skipped, with a checkpoint after the fourth"
    folder = tmp_path_factory.mktemp("fp16")
    return folder, run(folder, 2.**40, max_steps=8, save_strategy="steps", save_steps=4, logging_steps=3)


def test_resumed_to_the_bit(saved, tmp_path):
    folder, whole = saved
    state = json.loads((folder/"checkpoint-4"/"trainer_state.json").read_text())
    assert state["stateful_callbacks"]["RunningMetrics"]["attributes"]["now"]["skipped"] == 1
    again = trainer_of(tmp_path, max_steps=8, logging_steps=3)
    again.train(resume_from_checkpoint=str(folder/"checkpoint-4"))
    assert torch.equal(weights(again), weights(whole))
    assert again.accelerator.scaler.state_dict() == whole.accelerator.scaler.state_dict()
    for key in ("loss", "num_tokens", "skipped_steps"): assert logged(again, key) == logged(whole, key), key
    assert sum(logged(whole, "skipped_steps")) > 3


CHANGES = [(2.**10, None, "trained in float16, and the run goes on without"),
           (None, 2.**10, "trained without float16, and the run goes on in")]


@pytest.mark.parametrize("first,then,said", CHANGES, ids=["to float32", "to float16"])
def test_resumed_in_another_precision(tmp_path, caplog, first, then, said):
    "A free GPU is a T4 one day and an L4 the next"
    whole = run(tmp_path, first, max_steps=4, save_strategy="steps", save_steps=2)
    again = trainer_of(tmp_path, then, max_steps=4)
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"):
        again.train(resume_from_checkpoint=str(tmp_path/"checkpoint-2"))
    assert said in caplog.text
    torch.testing.assert_close(weights(again), weights(whole), atol=2e-3, rtol=0)


# One of several GPUs

def test_one_of_several_gpus(tmp_path, caplog):
    "A notebook with two GPUs trains on the first, as with one"
    alone = run(tmp_path, None)
    cfg = RewardConfig(str(tmp_path), **SETTINGS)
    cfg._n_gpu = 2
    with caplog.at_level(logging.WARNING, logger="rmkit.trainer"):
        trainer = RewardTrainer(tiny_model(seed=0), cfg, train_dataset=make_pairs(64, seed=0),
                                processing_class=tiny_tokenizer())
    assert "sees 2 GPUs and trains on the first" in caplog.text
    assert "notebook_launcher(train, num_processes=2)" in caplog.text
    trainer.train()
    assert torch.equal(weights(trainer), weights(alone)) and type(trainer.model_wrapped) is type(trainer.model)


# Attention

def test_a_t4_goes_by_rectangles(monkeypatch):
    "Flash attention needs 8.0; asked with half-precision queries of each kind of device"
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(attention, "_varlen_kernel", lambda: (object(), frozenset({"window_size"})))
    def takes(capability, is_cuda=True, D=64):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        q = SimpleNamespace(shape=(9, 4, D), dtype=torch.float16, is_cuda=is_cuda, device=None)
        return attention._can_run_varlen(q, q, None, None)
    assert [takes(c) for c in ((6, 0), (7, 0), (7, 5), (8, 0), (8, 9), (9, 0), (12, 0))] == [False] * 3 + [True] * 4
    assert [takes(c, D=208) for c in ((8, 0), (8, 6), (8, 9), (9, 0), (12, 0))] == [True, False, False, True, False]
    assert not takes((8, 0), is_cuda=False)
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert not takes((9, 4))


@pytest.mark.parametrize("options", [{}, dict(window=5), dict(softcap=2.)], ids=str)
@pytest.mark.parametrize("dtype,atol", [(torch.float16, 5e-3), (torch.bfloat16, 4e-2)], ids=str)
def test_rectangles_in_16_bits(monkeypatch, dtype, atol, options):
    "Within the rounding of the numbers, by products and by PyTorch's function; large scores beside -inf stay finite"
    groups = [[[1] * 20 + [2] * n for n in (3, 9, 1, 14)], [[5] * 4 + [6], [7] * 30], [[8], [9, 9]]]
    branches, generator = Branches.of(lay_out(groups)), torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, int(branches.sizes_R2[:, 0].sum()), 4, 16, generator=generator).to(dtype)
    k, v = k[:, :2], v[:, :2]
    want = rectangle_attention(*(x.double() for x in (q, k, v)), branches, 0.25, **options)
    for few in 2**20, 0:
        monkeypatch.setattr(attention, "FEW_SCORES", few)
        got = rectangle_attention(q, k, v, branches, 0.25, **options)
        torch.testing.assert_close(got.double(), want, atol=atol, rtol=0)
        assert got.dtype == dtype and rectangle_attention(50 * q, 50 * k, v, branches, 0.25, **options).isfinite().all()


# Four-bit weights

FOUR_BITS = [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((6, 0), torch.float32)]


@pytest.mark.parametrize("capability,dtype", FOUR_BITS, ids=str)
def test_four_bit_weights_are_multiplied_in_the_runs_precision(monkeypatch, tmp_path, capability, dtype):
    pretend(monkeypatch, capability)
    args = TrainArguments(model="m", dataset="d", lora_r=4, load_in_4bit=True)
    quantization = lora_of(args, RewardConfig(str(tmp_path), report_to="none"))["quantization_config"]
    assert quantization.bnb_4bit_compute_dtype == dtype


def test_the_usual_recipe_on_a_t4(monkeypatch, tmp_path, caplog):
    "`bnb_4bit_compute_dtype=torch.bfloat16`: done, and told"
    model, cfg = tiny_model(), RewardConfig(str(tmp_path), report_to="none", use_cpu=True)
    cfg.use_cpu = False
    model.config.quantization_config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
    for capability in (8, 0), (7, 5):
        pretend(monkeypatch, capability)
        warn_of_emulation(model, cfg)
        assert ("bnb_4bit_compute_dtype=torch.float16" in caplog.text) == (capability == (7, 5))


# The machine's memory

def test_memory_of_a_container(monkeypatch, tmp_path):
    "A container's limit counts, where it has one"
    whole = memory_of(torch.device("cpu"))
    unlimited, limit = tmp_path/"memory.max", tmp_path/"limit_in_bytes"
    unlimited.write_text("max\n"), limit.write_text(f"{whole}\n")
    monkeypatch.setattr("rmkit.passes.CONTAINER_LIMITS", [str(unlimited), str(tmp_path/"nothing")])
    machine = memory_of(torch.device("cpu"))
    monkeypatch.setattr("rmkit.passes.CONTAINER_LIMITS", [str(limit)])
    assert memory_of(torch.device("cpu")) == whole // 2 < whole <= machine
    monkeypatch.delattr("os.sysconf")
    assert memory_of(torch.device("cpu")) == 2**33 # on Windows


# Two processes

SCRIPT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from test_precision import trainer_of, weights
t = trainer_of(sys.argv[2], 2.**10, autocast=False, optim="sgd", learning_rate=0.1, per_device_train_batch_size=8,
               tokens_per_micro_batch=130)
t.train()
found = weights(t), t.accelerator.scaler.get_scale(), t.state.log_history
torch.save(found, f"{sys.argv[2]}/{t.args.process_index}.pt")
"""


def test_two_processes_under_a_scaler(tmp_path):
    "Gradients are exchanged scaled; unequal numbers of passes, and the first pass a rehearsal"
    script = tmp_path/"run.py"
    script.write_text(SCRIPT)
    two_ranks(script, str(Path(__file__).parent), str(tmp_path))
    alone = run(tmp_path, None, optim="sgd", learning_rate=0.1)
    for rank in range(2):
        found, scale, logs = torch.load(tmp_path/f"{rank}.pt", weights_only=False)
        torch.testing.assert_close(found, weights(alone), atol=2e-6, rtol=0)
        assert scale == 2.**10
    np.testing.assert_allclose([entry["loss"] for entry in logs if "loss" in entry], logged(alone), atol=1e-5)
