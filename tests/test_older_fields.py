"Fields that older documentation lists: what they are called today, wherever they are given; and other config classes"
import json
import pickle
import warnings
from argparse import Namespace
from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace

import pytest
import yaml
from transformers import HfArgumentParser, TrainingArguments
from transformers.trainer_pt_utils import AcceleratorConfig

from rmkit import RewardConfig, RewardTrainer
from rmkit.config import OLDER
from rmkit.synthetic import make_pairs, tiny_model, tiny_tokenizer

# Every field of TRL 0.11's `RewardConfig` on transformers 4.45, with the default of the documentation
DOCUMENTED = dict(
    overwrite_output_dir=False, do_train=False, do_eval=False, do_predict=False, eval_strategy="no",
    prediction_loss_only=False, per_device_train_batch_size=8, per_device_eval_batch_size=8,
    per_gpu_train_batch_size=None, per_gpu_eval_batch_size=None, gradient_accumulation_steps=1,
    eval_accumulation_steps=None, eval_delay=0, torch_empty_cache_steps=None, learning_rate=5e-05, weight_decay=0.0,
    adam_beta1=0.9, adam_beta2=0.999, adam_epsilon=1e-08, max_grad_norm=1.0, num_train_epochs=3.0, max_steps=-1,
    lr_scheduler_type="linear", lr_scheduler_kwargs={}, warmup_ratio=0.0, warmup_steps=0, log_level="passive",
    log_level_replica="warning", log_on_each_node=True, logging_dir=None, logging_strategy="steps",
    logging_first_step=False, logging_steps=500, logging_nan_inf_filter=True, save_strategy="steps", save_steps=500,
    save_total_limit=None, save_safetensors=True, save_on_each_node=False, save_only_model=False,
    restore_callback_states_from_checkpoint=False, no_cuda=False, use_cpu=False, use_mps_device=False, seed=42,
    data_seed=None, jit_mode_eval=False, use_ipex=False, bf16=False, fp16=False, fp16_opt_level="O1",
    half_precision_backend="auto", bf16_full_eval=False, fp16_full_eval=False, tf32=None, local_rank=-1,
    ddp_backend=None, tpu_num_cores=None, tpu_metrics_debug=False, debug="", dataloader_drop_last=False,
    eval_steps=None, dataloader_num_workers=0, dataloader_prefetch_factor=None, past_index=-1, run_name=None,
    disable_tqdm=None, remove_unused_columns=True, label_names=None, load_best_model_at_end=False,
    metric_for_best_model=None, greater_is_better=None, ignore_data_skip=False, fsdp="", fsdp_min_num_params=0,
    fsdp_config=None, fsdp_transformer_layer_cls_to_wrap=None, accelerator_config=None, deepspeed=None,
    label_smoothing_factor=0.0, optim="adamw_torch", optim_args=None, adafactor=False, group_by_length=False,
    length_column_name="length", report_to=None, ddp_find_unused_parameters=None, ddp_bucket_cap_mb=None,
    ddp_broadcast_buffers=None, dataloader_pin_memory=True, dataloader_persistent_workers=False,
    skip_memory_metrics=True, use_legacy_prediction_loop=False, push_to_hub=False, resume_from_checkpoint=None,
    hub_model_id=None, hub_strategy="every_save", hub_token=None, hub_private_repo=False, hub_always_push=False,
    gradient_checkpointing=False, gradient_checkpointing_kwargs=None, include_inputs_for_metrics=False,
    eval_do_concat_batches=True, fp16_backend="auto", evaluation_strategy=None, push_to_hub_model_id=None,
    push_to_hub_organization=None, push_to_hub_token=None, mp_parameters="", auto_find_batch_size=False,
    full_determinism=False, torchdynamo=None, ray_scope="last", ddp_timeout=1800, torch_compile=False,
    torch_compile_backend=None, torch_compile_mode=None, dispatch_batches=None, split_batches=None,
    include_tokens_per_second=False, include_num_input_tokens_seen=False, neftune_noise_alpha=None,
    optim_target_modules=None, batch_eval_metrics=False, eval_on_start=False, use_liger_kernel=False,
    eval_use_gather_object=False, max_length=None, dataset_num_proc=None, center_rewards_coefficient=None)
EARLIER_OR_LATER = dict(sharded_ddp="", xpu_backend=None, tp_size=0)  # of transformers 4.31 and 4.51

# Given, and what today's field says then
TURNED = dict(
    evaluation_strategy=("steps", "eval_strategy", "steps"),
    per_gpu_train_batch_size=(8, "per_device_train_batch_size", 8),
    per_gpu_eval_batch_size=(3, "per_device_eval_batch_size", 3), warmup_ratio=(.25, "warmup_steps", .25),
    no_cuda=(True, "use_cpu", True),
    torchdynamo=("eager", "torch_compile_backend", "eager"),
    gradient_checkpointing=(True, "activation_checkpointing", True),
    gradient_checkpointing_kwargs=({"every_n_layers": 2}, "activation_checkpointing_kwargs", {"every_n_layers": 2}),
    push_to_hub_token=("hf_x", "hub_token", "hf_x"), push_to_hub_model_id=("me/rm", "hub_model_id", "me/rm"),
    push_to_hub_organization=("us", "hub_model_id", "us/out"), adafactor=(True, "optim", "adafactor"),
    group_by_length=(True, "train_sampling_strategy", "group_by_length"),
    include_inputs_for_metrics=(True, "include_for_metrics", ["inputs"]),
    tpu_metrics_debug=(True, "debug", ["tpu_metrics_debug"]),
    fsdp_min_num_params=(9, "fsdp_config", dict(min_num_params=9, auto_wrap_policy="SIZE_BASED_WRAP")),
    fsdp_transformer_layer_cls_to_wrap=("Block", "fsdp_config", dict(transformer_layer_cls_to_wrap="Block")),
    dispatch_batches=(False, "accelerator_config.dispatch_batches", False),
    split_batches=(True, "accelerator_config.split_batches", True))
NO_EFFECT = dict(
    overwrite_output_dir=True, save_safetensors=False, use_mps_device=True, jit_mode_eval=True, use_ipex=True,
    tpu_num_cores=8, fp16_opt_level="O2", mp_parameters="x", use_legacy_prediction_loop=True,
    include_tokens_per_second=True, sharded_ddp="simple", logging_dir="logs")
REFUSED = dict(fp16_backend="apex", half_precision_backend="apex", past_index=1, ray_scope="all", tp_size=2)


def config(**kw): return RewardConfig("out", **kw)


def read(cfg, path):
    for name in path.split("."): cfg = getattr(cfg, name)
    return cfg


def warned(make):
    "What `make()` gives, and its FutureWarnings"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = make()
    return made, [str(w.message) for w in said if w.category is FutureWarning]


def parsed(*flags):
    return HfArgumentParser(RewardConfig).parse_args_into_dataclasses(["--output_dir", "out", *flags])[0]


# The documentation --------------------------------------------------------------------------------------------------

def test_the_tables_here_are_whole():
    assert OLDER.keys() == TURNED.keys() | NO_EFFECT.keys() | REFUSED.keys() | {"xpu_backend"}
    assert OLDER.keys() == ((DOCUMENTED | EARLIER_OR_LATER).keys() - {f.name for f in fields(TrainingArguments)} - {
        f.name for f in fields(RewardConfig()) }) | {"gradient_checkpointing", "gradient_checkpointing_kwargs"}


def test_all_defaults_of_the_documentation_pass_in_silence():
    cfg, said = warned(lambda: config(**DOCUMENTED | EARLIER_OR_LATER))
    assert not said and cfg.eval_strategy == "no" and cfg.report_to == [] and cfg.warmup_steps == 0
    assert RewardConfig(**cfg.to_dict()) == cfg


@pytest.mark.parametrize("source", ["dict", "yaml", "json", "flags"])
def test_all_fields_parse(source, tmp_path):
    parser, given = HfArgumentParser(RewardConfig), dict(output_dir="out", **DOCUMENTED | EARLIER_OR_LATER)
    file = tmp_path / "args"
    if source == "dict":
        def make(): return parser.parse_dict(given)
    if source == "yaml":
        file.write_text(yaml.safe_dump(given))
        def make(): return parser.parse_yaml_file(file)
    if source == "json":
        file.write_text(json.dumps(given))
        def make(): return parser.parse_json_file(file)
    if source == "flags":
        words = [f"--{k}={v}" for k, v in given.items() if v not in (None, "")]
        def make(): return parser.parse_args_into_dataclasses(words)
    (cfg,), said = warned(make)
    assert not said and (cfg.per_device_train_batch_size, cfg.optim, cfg.logging_steps) == (8, "adamw_torch", 500)


def test_help_shows_todays_names():
    shown = HfArgumentParser(RewardConfig).format_help()
    assert "--eval_strategy" in shown and "--warmup_steps" in shown
    gone = OLDER.keys() - {f.name for f in fields(TrainingArguments)}
    assert len(gone) > 32 and not [name for name in gone if f"--{name} " in shown]


# Given otherwise ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", TURNED)
def test_an_older_name_is_followed_with_one_warning(name):
    given, newer, expected = TURNED[name]
    cfg, said = warned(lambda: config(**{name: given}))
    assert read(cfg, newer) == expected and len(said) == 1 and f"`{newer.split('.')[0]}=" in said[0]
    assert "hf_x" not in said[0]
    later = config()
    _, said = warned(lambda: setattr(later, name, given))
    assert read(later, newer) == expected and getattr(later, name) == read(cfg, name) and len(said) <= 1


@pytest.mark.parametrize("flags, newer, expected", [
    (["--evaluation_strategy", "epoch"], "eval_strategy", "epoch"), (["--warmup-ratio", "0.5"], "warmup_steps", .5),
    (["--adafactor"], "optim", "adafactor"), (["--no_cuda"], "use_cpu", True), (["--no_cuda", "no"], "use_cpu", False),
    (["--group_by_length", "True"], "train_sampling_strategy", "group_by_length"),
    (["--no_save_safetensors"], "save_safetensors", False),
    (["--gradient_checkpointing"], "activation_checkpointing", True),
    (["--per_gpu_train_batch_size", "3"], "per_device_train_batch_size", 3),
    (["--split_batches", "true"], "accelerator_config.split_batches", True),
    (["--push_to_hub_organization", "us"], "hub_model_id", "us/out"),
    (["--fsdp_min_num_params", "7"], "fsdp_config", dict(min_num_params=7, auto_wrap_policy="SIZE_BASED_WRAP"))])
def test_flags(flags, newer, expected):
    cfg, _ = warned(lambda: parsed(*flags))
    assert read(cfg, newer) == expected


@pytest.mark.parametrize("name", NO_EFFECT)
def test_without_effect_it_is_said_and_kept(name):
    cfg, said = warned(lambda: config(**{name: NO_EFFECT[name]}))
    assert len(said) == 1 and f"`{name}=" in said[0] and getattr(cfg, name) == NO_EFFECT[name]
    assert getattr(config(), name) == (DOCUMENTED | EARLIER_OR_LATER)[name]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_ignored_is_an_error(name):
    with pytest.raises(ValueError, match=f"`{name}=.*would change the result: "): config(**{name: REFUSED[name]})
    with pytest.raises(ValueError, match=f"`{name}="): setattr(config(), name, REFUSED[name])


@pytest.mark.parametrize("kw", [
    dict(evaluation_strategy="steps", eval_strategy="epoch"), dict(evaluation_strategy="steps", eval_strategy="no"),
    dict(per_gpu_train_batch_size=4, per_device_train_batch_size=8), dict(warmup_ratio=.1, warmup_steps=50),
    dict(no_cuda=True, use_cpu=False), dict(adafactor=True, optim="sgd"), dict(push_to_hub_token="a", hub_token="b"),
    dict(split_batches=True, accelerator_config=dict(split_batches=False)),
    dict(torchdynamo="eager", torch_compile_backend="inductor"),
    dict(fsdp_min_num_params=3, fsdp_config=dict(min_num_params=4)),
    dict(gradient_checkpointing=True, activation_checkpointing=False),
    dict(push_to_hub_organization="us", hub_model_id="them/rm"),
    dict(group_by_length=True, train_sampling_strategy="sequential")])
def test_a_contradiction_names_both(kw):
    older, newer = kw
    with pytest.raises(ValueError, match=f"`{older}=.*`{newer}`"): config(**kw)


@pytest.mark.parametrize("kw, newer, expected", [
    (dict(evaluation_strategy="steps", eval_strategy="steps"), "eval_strategy", "steps"),
    (dict(evaluation_strategy="no", eval_strategy="steps"), "eval_strategy", "steps"),  # a default says nothing
    (dict(warmup_ratio=.0, warmup_steps=50), "warmup_steps", 50),
    (dict(warmup_ratio=.1, warmup_steps=0), "warmup_steps", .1),
    (dict(warmup_ratio=.0), "warmup_steps", 0), (dict(no_cuda=False, use_cpu=True), "use_cpu", True),
    (dict(split_batches=True, accelerator_config=dict(even_batches=False)), "accelerator_config.even_batches", False),
    (dict(push_to_hub_model_id="rm", push_to_hub_organization="us"), "hub_model_id", "us/rm"),
    (dict(include_inputs_for_metrics=True, include_for_metrics=["loss"]), "include_for_metrics", ["loss", "inputs"]),
    (dict(report_to=None), "report_to", []), (dict(report_to=[None]), "report_to", []),
    (dict(learning_rate="1e-5"), "learning_rate", 1e-5), (dict(warmup_ratio="1e-1"), "warmup_steps", .1),
    (dict(max_steps="10"), "max_steps", 10), (dict(optim="adamw_hf"), "optim", "adamw_torch"),
    (dict(split_batches=True, accelerator_config=AcceleratorConfig(even_batches=False)),
     "accelerator_config.even_batches", False),
    (dict(evaluation_strategy=False, save_strategy=False), "save_strategy", "no")])  # YAML's bare `no`
def test_together_with_the_newer_name(kw, newer, expected):
    assert read(warned(lambda: config(**kw))[0], newer) == expected


def test_a_warmup_ratio_is_a_share():
    for n in (1, 7, 100, 1024): assert warned(lambda: config(warmup_ratio=1.0))[0].get_warmup_steps(n) == n
    assert config(warmup_steps=1).get_warmup_steps(100) == 1
    with pytest.raises(ValueError, match="warmup_steps=5"): config(warmup_ratio=5)


def test_a_number_is_a_number():
    with pytest.raises(ValueError, match="`learning_rate='fast'` must be a number"): config(learning_rate="fast")
    with pytest.raises(ValueError, match=r"`max_steps='1.5'` must be a number \(int\)"): config(max_steps="1.5")


# Afterwards ---------------------------------------------------------------------------------------------------------

def test_what_is_not_said_reads_as_documented():
    cfg = config()
    for name in "include_inputs_for_metrics tpu_metrics_debug fsdp_min_num_params push_to_hub_token ray_scope".split():
        assert getattr(cfg, name) == DOCUMENTED[name]


def test_an_attribute_of_an_older_name_is_the_newer_one():
    cfg = config(eval_strategy="epoch")
    warned(lambda: setattr(cfg, "evaluation_strategy", "steps"))
    assert cfg.eval_strategy == "steps"
    cfg.eval_strategy = "no"
    assert cfg.evaluation_strategy == "no"
    for name, value in dict(gradient_checkpointing=True, xpu_backend="gloo", adafactor=True).items():
        warned(lambda: setattr(cfg, name, value))
    assert cfg.activation_checkpointing is True and cfg.ddp_backend == "gloo" and cfg.optim == "adafactor"
    cfg.adafactor = False
    assert cfg.optim == TrainingArguments("out").optim
    with pytest.raises(AttributeError): cfg.evalution_strategy


@pytest.mark.parametrize("copied", [copy, deepcopy, replace, lambda c: pickle.loads(pickle.dumps(c)),
                                    lambda c: RewardConfig(**json.loads(c.to_json_string()))])
def test_a_copy_is_the_same_config(copied):
    cfg, _ = warned(lambda: config(evaluation_strategy="steps", warmup_ratio=.2, no_cuda=True, eos_token="<end>"))
    again = copied(cfg)
    assert again == cfg and again.evaluation_strategy == "steps" and again.eos_token == "<end>"
    assert not OLDER.keys() & again.to_dict().keys() and "warmup_ratio" not in repr(again)
    assert replace(again, eval_strategy="epoch").eval_strategy == "epoch"
    assert warned(lambda: setattr(again, "warmup_ratio", .4))[1] and again.warmup_steps == .4


@dataclass
class Mine(RewardConfig):
    evaluation_strategy: str = "steps"
    warmup_ratio: float = .2
    temperature: float = 1.0


def test_a_subclass_may_give_older_fields_defaults():
    cfg, _ = warned(lambda: Mine("out"))
    assert (cfg.eval_strategy, cfg.warmup_steps, cfg.temperature) == ("steps", .2, 1.0)
    cfg.eval_strategy = "no"
    assert cfg.evaluation_strategy == "no" and "evaluation_strategy" not in cfg.to_dict()
    assert warned(lambda: Mine("out", eval_strategy="epoch"))[0].eval_strategy == "epoch"
    parser, words = HfArgumentParser(Mine), ["--output_dir", "out", "--temperature", "2"]
    (mine,), _ = warned(lambda: parser.parse_args_into_dataclasses(words))
    assert (mine.eval_strategy, mine.temperature) == ("steps", 2)
    assert RewardConfig.from_arguments(mine) is mine


def test_the_command_line_takes_older_names(tmp_path):
    from rmkit.options import make_parser, parse, TrainArguments
    file = tmp_path / "run.yaml"
    file.write_text("model: m\ndataset: d\noutput_dir: out\nevaluation_strategy: steps\nsave_strategy: no\nreport_to:")
    words = ["--config", str(file), "--warmup_ratio", "0.5", "--no_cuda"]
    (_, cfg), said = warned(lambda: parse("train", words, TrainArguments, RewardConfig))
    assert (cfg.eval_strategy, cfg.save_strategy, cfg.report_to) == ("steps", "no", [])
    assert (cfg.warmup_steps, cfg.use_cpu) == (.5, True)
    assert len(said) == 3
    shown = make_parser("train", TrainArguments, RewardConfig).format_help()
    assert "--eval_strategy" in shown and "evaluation_strategy" not in shown and "no_cuda" not in shown


# Another config class -----------------------------------------------------------------------------------------------

@dataclass
class Own(TrainingArguments):
    max_length: int = 256
    evaluation_strategy: str = "epoch"
    temperature: float = 1.0
    steps_of_mine: int | None = None

    def __post_init__(self):
        super().__post_init__()
        self.derived = self.temperature * 2


def test_an_own_class_loses_nothing():
    with pytest.warns(UserWarning, match=r"`temperature=0.5`, `derived=1.0` of this Own"):
        cfg = RewardConfig.from_arguments(Own("out", learning_rate=1e-4, temperature=.5))
    assert (cfg.max_length, cfg.eval_strategy, cfg.learning_rate) == (256, "epoch", 1e-4)
    assert (cfg.temperature, cfg.derived) == (.5, 1.0)
    assert cfg.overlong == "truncate" and cfg.steps_of_mine is None and deepcopy(cfg) == cfg


def test_attributes_set_afterwards_are_taken():
    args = TrainingArguments("out")
    args.evaluation_strategy, args.max_length, args.num_train_epochs, args.evalution_steps = "steps", 7, 5, 3
    with pytest.warns(UserWarning, match=r"`evalution_steps=3` of this TrainingArguments"):
        cfg = RewardConfig.from_arguments(args)
    assert (cfg.eval_strategy, cfg.eval_steps, cfg.max_length, cfg.num_train_epochs) == ("steps", 500, 7, 5)
    assert args.accelerator_config is not cfg.accelerator_config


def test_trls_classes():
    trl = pytest.importorskip("trl")
    args = trl.RewardConfig("out", max_length=24, center_rewards_coefficient=.01, use_cpu=True,
                            model_init_kwargs=dict(dtype="float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        cfg = RewardConfig.from_arguments(args)
    same = {f.name for f in fields(args) if f.init} - {"accelerator_config", "ddp_broadcast_buffers"}
    assert {k: getattr(cfg, k) for k in same} == {k: getattr(args, k) for k in same}
    with pytest.warns(UserWarning, match="`packing=True` of this SFTConfig"):
        RewardConfig.from_arguments(trl.SFTConfig("out", packing=True, use_cpu=True))
    assert RewardConfig.from_arguments(trl.DPOConfig("out", use_cpu=True)).loss_type == "bradley_terry"
    with pytest.raises(ValueError, match=r"loss_type=\['ipo'\]` is unknown"):
        RewardConfig.from_arguments(trl.DPOConfig("out", use_cpu=True, loss_type=["ipo"]))


@pytest.mark.parametrize("args", [{}, dict(output_dir="out"), Namespace(output_dir="out"), "out", TrainingArguments])
def test_no_config_at_all(args):
    with pytest.raises(TypeError, match="expected a `RewardConfig` or another `TrainingArguments`"):
        RewardConfig.from_arguments(args)


def test_the_trainer_reads_what_was_given(tmp_path):
    from transformers.integrations import TensorBoardCallback
    board = TensorBoardCallback.__new__(TensorBoardCallback)  # the package may not be there
    given = dict(logging_dir="logs", max_steps=1, evaluation_strategy="steps", eval_steps=1)
    args, _ = warned(lambda: RewardConfig(str(tmp_path), **given))
    args.report_to = None
    trainer = RewardTrainer(tiny_model(seed=0), args, train_dataset=make_pairs(16, seed=0),
                            eval_dataset=make_pairs(8, seed=1), processing_class=tiny_tokenizer(), callbacks=[board])
    assert board.logging_dir == "logs"
    trainer.remove_callback(board)
    trainer.train()
    assert [log["step"] for log in trainer.state.log_history if "eval_loss" in log] == [1]
