# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
import torch
from transformers import TrainingArguments
from .head import unwrap as unwrap
from .losses import LOSS_TYPES as LOSS_TYPES

__all__ = [
    'logger',
    'FOLLOWED',
    'LEFT',
    'OLDER',
    'OLDER_VALUES',
    'OTHER_SPELLINGS',
    'NUMBERS',
    'OlderFields',
    'half_precision',
    'native_precision',
    'warn_of_emulation',
    'OlderField',
    'renamed',
    'one_value',
    'one_item',
    'an_entry',
    'gone',
    'refused',
    'take_other_spellings',
    'read_numbers',
    'check_config',
    'RewardConfig',
    'reward_config',
    'set_logging_dir',
]
logger: Any
def half_precision(device: str, capability: tuple[int, int] | None=None, has_bf16: bool=False) -> str | None:
    """The 16-bit numbers that a device multiplies itself, without emulation."""

def native_precision() -> str | None:
    """`half_precision` of the device that this process would train on."""

def warn_of_emulation(model: torch.nn.Module, args) -> None:
    """Warn where four-bit weights are multiplied in bfloat16 on a GPU that has none."""

@dataclass(eq=False)
class OlderField:
    """A field of older documentation, which reads and writes today's."""
    kind: type
    defaults: tuple = ...
    newer: str | None = None
    read: Callable | None = None
    write: Callable | None = None
    refused: bool = False
    note: str = ''

    def __set_name__(self, owner, name) -> None:
        ...

    @property
    def default(self):
        """What the constructor takes for 'not given'."""

    def __get__(self, config, owner=None):
        ...

    def __set__(self, config, value) -> None:
        ...

    def adds_nothing(self, value, config, given: set[str] | None) -> bool:
        """Whether today's field says the same, or was given and this one wasn't; a ValueError where they contradict."""

    def warn(self, value, turned, stacklevel: int) -> None:
        """Warn of an older name; a ValueError where ignoring it would change the result."""

def renamed(newer, kind, *defaults, read=..., write=...) -> OlderField:
    """The older field whose newer one has another name, and perhaps another way to say it."""

def one_value(newer, value) -> OlderField:
    """A switch for one value of today's field."""

def one_item(newer, item) -> OlderField:
    """A switch for one item of today's list (or text of items)."""

def an_entry(newer, key, kind, *defaults, more=...) -> OlderField:
    """The older field that became an entry of today's dict."""

def gone(kind, *defaults, since) -> OlderField:
    """The older field that has no effect any more, for the reason given."""

def refused(kind, *defaults, instead) -> OlderField:
    """The older field that can't be followed any more, and without which a run would be another run."""

FOLLOWED: dict
LEFT: dict
OLDER: Any
OLDER_VALUES: list
OTHER_SPELLINGS: list
def take_other_spellings(config) -> None:
    """Put today's values where a field has one that older documentation or a file spells otherwise."""

NUMBERS: Any
def read_numbers(config) -> None:
    """Numbers where a field for numbers has text; a ValueError where that is none."""

class _Fields(dict):
    """`__dataclass_fields__` that show the older names on a class and hide them on its objects."""

    def __get__(self, config, owner=None):
        ...

class _OlderNames:
    """Notes which fields a constructor was given, and puts values that are spelt otherwise into today's form."""

    def __new__(cls, *args, **kwargs):
        ...

    def __post_init__(self) -> None:
        ...

class OlderFields(_OlderNames):
    ...

@dataclass
class _Defaults:
    """Defaults that differ from `TrainingArguments`."""
    learning_rate: float = ...
    warmup_steps: float = ...
    logging_steps: float = ...
    bf16: bool = ...
    fp16: bool = ...

@dataclass
class _ModelFields:
    """What the model is loaded with."""
    model_init_kwargs: dict[str, Any] | str | None = ...
    trust_remote_code: bool = ...
    chat_template_path: str | None = ...
    disable_dropout: bool = ...

@dataclass
class _TextFields:
    """How rows become tokens, before their columns are named."""
    dataset_num_proc: int | None = ...
    eos_token: str | None = ...
    pad_token: str | None = ...
    max_length: int | None = ...

@dataclass
class _ColumnFields:
    """Columns by their names, where they aren't found."""
    prompt_column: str | None = ...
    system_column: str | None = ...
    chosen_column: str | None = ...
    rejected_column: str | None = ...
    winner_column: str | None = ...
    first_wins_column: str | None = ...

@dataclass
class _RowFields:
    """What becomes of rows, and of the batches that they make."""
    text_pair: bool | None = ...
    overlong: str = ...
    on_bad_row: str = ...
    pad_to_multiple_of: int | str | None = ...

@dataclass
class _LossFields:
    """Which loss."""
    loss_type: str = ...
    center_rewards_coefficient: float | None = ...

@dataclass
class _SpeedFields:
    """Speed and memory, and what is seen of a run."""
    padding_free: str = ...
    share_prefix: bool = ...
    tokens_per_micro_batch: str = ...
    logging_nan_inf_filter: bool = ...
    use_liger_kernel: bool = ...
    activation_offloading: bool = ...
    dashboard: str = ...

def check_config(cfg) -> None:
    """Raise a ValueError for values out of range and for fields that contradict one another."""

@dataclass
class RewardConfig(_SpeedFields, _LossFields, _RowFields, _ColumnFields, _TextFields, _ModelFields, _Defaults, OlderFields, TrainingArguments):
    """Arguments of `RewardTrainer`: those of `transformers.TrainingArguments`, TRL's `RewardConfig`, and rmkit's own.

    A ValueError for values out of range, fields that contradict one another, and an older field that can't be
    followed."""

    def __post_init__(self) -> None:
        ...

    def to_dict(self) -> dict:
        """All fields, as `TrainingArguments.to_dict`, but `eos_token` and `pad_token` as they are: they are no secrets."""

    @classmethod
    def from_arguments(cls, other) -> RewardConfig:
        """`other` as a `RewardConfig`, or itself where it is one; a TypeError where it is no config."""

def reward_config(args: TrainingArguments | None, model=None, max_length: int | None=None) -> RewardConfig:
    """The run's `RewardConfig`, which loses nothing of another config class (`RewardConfig.from_arguments`).

    A TypeError where `args` is no config."""

def set_logging_dir(callbacks: list, folder: str | None) -> None:
    """Have TensorBoard's callback write into `folder`; today's transformers takes it from the environment alone."""
