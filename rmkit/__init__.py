"Train, see and test reward models from a notebook. Names below load their module on first use."
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

__version__ = version("rmkit")

_home = {
    "RewardConfig": "config",
    "prepare_dataset": "data",
    "load_rows": "data",
    "split_by_prompt": "data",
    "BadRowError": "data",
    "RewardDataCollatorWithPadding": "collator",
    "DataCollatorForPreference": "collator",
    "PrefixSharingCollator": "collator",
    "load_reward_model": "model",
    "merge": "model",
    "compute_accuracy": "metrics",
    "RewardModel": "scoring",
    "PairScores": "scoring",
    "RewardVisualizer": "visualizer",
    "Snapshots": "visualizer",
    "Dashboard": "dashboard",
    "RewardTrainer": "trainer",
}
__all__ = ["__version__", *_home]

# What older code imports from TRL beside these: a name of rmkit's, or what took its place.
_OPTIONS = ("rmkit's options are fields of `RewardConfig` and arguments of `RewardTrainer` "
            "(`peft_config=LoraConfig(...)`, `quantization_config=BitsAndBytesConfig(...)`); TRL's own still fit: "
            "keep `from trl import {name}`.")
_TEMPLATE = "`RewardTrainer` applies the chat template itself: pass the rows without this step."
_PROMPT = "`RewardTrainer` finds the prompt itself: pass the rows as they are."
_NEW_TEMPLATE = "pass `RewardConfig(chat_template_path=...)`, a template's file or a tokenizer that has one."
_SEEN = "`RewardTrainer.visualize_samples()` and `PairScores.show()` print scored pairs."
_elsewhere = {
    "disable_dropout_in_model": "trainer.disable_dropout",
    **dict.fromkeys(("ModelConfig", "ScriptArguments", "RewardScriptArguments", "TrlParser", "YamlConfigParser",
                     "DatasetMixtureConfig", "get_peft_config", "get_quantization_config", "get_kbit_device_map"),
                    _OPTIONS),
    **dict.fromkeys(("apply_chat_template", "maybe_apply_chat_template", "conversations_formatting_function",
                     "instructions_formatting_function", "get_formatting_func_from_dataset"), _TEMPLATE),
    **dict.fromkeys(("maybe_extract_prompt", "extract_prompt"), _PROMPT),
    **dict.fromkeys(("setup_chat_format", "clone_chat_template"), _NEW_TEMPLATE),
    **dict.fromkeys(("print_rich_table", "log_table_to_comet_experiment"), _SEEN),
    "decode_and_strip_padding": "`tokenizer.batch_decode(ids, skip_special_tokens=True)` does it.",
    "is_conversational": "`rmkit.data.detect_format(row).kind == \"messages\"` says it.",
    "_tokenize": "`rmkit.prepare_dataset(dataset, tokenizer)` tokenises, and `RewardTrainer` calls it.",
    "get_dataset": "`rmkit.load_rows(name, split)` loads rows.",
    "get_reward": "`rmkit.RewardModel(model, tokenizer).score(prompt, responses)` scores texts.",
    "peft_module_casting_to_bf16": "`RewardTrainer(peft_config=...)` casts an adapter on quantised weights itself.",
    "prepare_peft_model": "`RewardTrainer(peft_config=...)` puts the adapter on.",
    "PeftSavingCallback": "adapters are saved as such: leave the callback out.",
    "BestOfNSampler": "`rmkit.RewardModel.rank` orders responses, the best first.",
    "RichProgressCallback": "`rmkit.Dashboard` shows a run.",
    "create_reference_model": "a reward model has no reference model: leave it out.",
    "unpair_preference_dataset": "reward models train on pairs: pass them as they are.",
    "set_seed": "`from transformers import set_seed`, or `RewardConfig(seed=...)`.",
}


def _missing(name):
    "Why there is no such name, and what to do."
    if name in _elsewhere:
        return f"rmkit has no `{name}`: {_elsewhere[name].format(name=name)}"
    if name.endswith(("Trainer", "WithValueHead", "Judge")) or name[-6:] == "Config" and name[:-6].isupper():
        return f"rmkit has no `{name}`: it trains reward models and nothing else; keep `from trl import {name}`."
    near = get_close_matches(name, __all__, 1)
    return f"module 'rmkit' has no attribute {name!r}" + (f". Did you mean {near[0]!r}?" if near else "")


def __getattr__(name):
    home = _home.get(name) or _elsewhere.get(name, "")
    module, _, renamed = home.partition(".")
    if name in _home or renamed.isidentifier():
        return getattr(import_module(f"rmkit.{module}"), renamed or name)
    # `from rmkit import name` swallows the text of an AttributeError; it asks by way of this function
    is_import = sys._getframe(1).f_code.co_name == "_handle_fromlist" and find_spec(f"rmkit.{name}") is None
    raise (ImportError if is_import else AttributeError)(_missing(name))


def __dir__():
    return sorted({*globals(), *__all__})
