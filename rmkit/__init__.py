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
    "load_rows": "files",
    "split_by_prompt": "data",
    "BadRowError": "words",
    "RewardDataCollatorWithPadding": "collator",
    "DataCollatorForPreference": "collator",
    "PrefixSharingCollator": "layout",
    "load_reward_model": "model",
    "merge": "model",
    "compute_accuracy": "metrics",
    "RewardModel": "scoring",
    "PairScores": "table",
    "RewardVisualizer": "visualizer",
    "Snapshots": "snapshots",
    "Dashboard": "dashboard",
    "RewardTrainer": "trainer",
    "preflight": "preflights",
    "audit": "audits",
    "Audit": "audits",
    "bench": "benches",
    "average_runs": "uncertainty",
    "check_serving": "serving",
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
    "disable_dropout_in_model": "model.disable_dropout",
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

# Names that have moved: by the module where they stood once, and by the one where they stand now
_moved = {
    "cli": {
        "options": (
            "option SOURCES DATASET TrainArguments RowArguments EvalArguments ScoreArguments "
            "CompareArguments DemoArguments UsageError nearest USUAL make_parser options_of parse"),
    },
    "collator": {
        "layout": (
            "shared_length lay_out PrefixSharingCollator take_groups join_flat cut_by_tokens "
            "tokens_of_groups share_across"),
    },
    "dashboard": {
        "words": "clock",
        "browser": "hear_waiting",
    },
    "data": {
        "words": "BadRowError drop_none as_text message_text are_messages",
        "tokens": (
            "Markers find_markers BETWEEN PairMarkers find_pair_markers SET_HERE render well_formed "
            "tokenize common_prefix_length prompt_length cut_prompt"),
        "files": "KINDS PACKED file_kind SPACE LIST_COLUMNS as_table SPLITS ask_hub load_rows",
    },
    "metrics": {
        "words": "percent",
    },
    "model": {
        "head": (
            "unwrap head_name head_module init_head replace_head set_text_pair reads_text_pairs OUTPUTS "
            "own_forward rewards token_rewards"),
        "flat": "flat_rewards needs_padding",
    },
    "plots": {
        "words": "short_percent short_number",
    },
    "review": {
        "table": "PAIR_TEXTS",
    },
    "scoring": {
        "table": "PairScores TABLE_COLUMNS sigmoid pair_scores TokenRewards OWN_COLUMNS",
        "words": "visible clip is_missing in_notebook",
    },
    "trainer": {
        "flat": "margins_of stack_pairs pairs_in tokens_of_pairs rewards_of_pairs",
        "running": (
            "RunningMetrics pair_rows peak_memory evaluation_metrics SIDE_NAMES rewards_in rows_of_outputs tensors_of "
            "are_probabilities beside join_samples"),
        "config": "reward_config set_logging_dir warn_of_emulation",
        "start": (
            "one_tokenizer check_model_init loading_arguments FILLED_BY_PEFT has_adapter keep_in_float32 check_dataset "
            "place_of_rejected check_optimizer ADDED without"),
        "model": "one_output set_special_tokens take_chat_template train_new_tokens dropout_rates disable_dropout",
        "layout": "is_flat EVAL_TOKENS JoinedBatches",
        "passes": "CONTAINER_LIMITS memory_of guess_budget OUT_OF_MEMORY is_out_of_memory",
        "checkpoints": "WEIGHTS is_torn last_whole_checkpoint",
        "report": "pipeline_call CARD CARD_SETTINGS results_table",
    },
    "visualizer": {
        "table": "REWARDS NEEDED NUMBERS complete",
        "filters": (
            "columns CATEGORIES WHOLE_NUMBERS SORTS DERIVED facets searchable search_terms rows_with "
            "CHOICES FILTERS matches ordered"),
        "differences": "WORDS COMMON ISLAND word_diff",
        "browser": "LIBRARIES PARTS front_end style SAVED START hear_while_busy",
        "snapshots": "Snapshots",
    },
}


def older_names(module):
    "The `__getattr__` of a module: names that have moved are found at their older address, too."
    homes = {name: home for home, names in _moved[module].items() for name in names.split()}

    def find(name):
        if name in homes:
            return getattr(import_module(f"rmkit.{homes[name]}"), name)
        raise AttributeError(f"module 'rmkit.{module}' has no attribute {name!r}")
    return find


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
