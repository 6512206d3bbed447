"Train, see and test reward models from a notebook. Names below load their module on first use."
from importlib import import_module
from importlib.metadata import version

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


def __getattr__(name):
    if name not in _home:
        raise AttributeError(f"module 'rmkit' has no attribute {name!r}")
    return getattr(import_module(f"rmkit.{_home[name]}"), name)


def __dir__():
    return sorted({*globals(), *__all__})
