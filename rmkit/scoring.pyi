# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
import numpy as np
import torch
from datasets import Dataset, IterableDataset
from transformers import PreTrainedTokenizerBase
from . import older_names as older_names
from .bias import LengthCorrection as LengthCorrection
from .collator import pad_rows as pad_rows
from .data import id_columns as id_columns, IDS as IDS, prepare_dataset as prepare_dataset
from .files import as_table as as_table
from .flat import flat_rewards as flat_rewards, needs_padding as needs_padding
from .head import (
    evaluating as evaluating,
    head_module as head_module,
    own_forward as own_forward,
    reads_text_pairs as reads_text_pairs,
    set_text_pair as set_text_pair,
    unwrap as unwrap,
)
from .layout import lay_out as lay_out, shared_length as shared_length
from .model import (
    check_model_class as check_model_class,
    check_token_ids as check_token_ids,
    CORRECTION_FILE as CORRECTION_FILE,
    find_model as find_model,
    HUB_KEYS as HUB_KEYS,
    limit_length as limit_length,
    load_reward_model as load_reward_model,
    position_limit as position_limit,
    save_reward_model as save_reward_model,
)
from .table import (
    OWN_COLUMNS as OWN_COLUMNS,
    PAIR_TEXTS as PAIR_TEXTS,
    pair_scores as pair_scores,
    PairScores as PairScores,
    sigmoid as sigmoid,
    TokenRewards as TokenRewards,
)
from .tokens import (
    common_prefix_length as common_prefix_length,
    cut_prompt as cut_prompt,
    find_markers as find_markers,
    find_pair_markers as find_pair_markers,
    prompt_length as prompt_length,
    render as render,
    tokenize as tokenize,
    well_formed as well_formed,
)
from .words import are_messages as are_messages, as_text as as_text, drop_none as drop_none, visible as visible

__all__ = [
    'logger',
    'CORRECTION_BYTES',
    'LENGTH_UNIT',
    'READS_PER_TOKEN',
    'CORRECTION_NOTE',
    'RewardModel',
    'response_lengths',
    'Ranking',
    'pair_texts',
    'further_columns',
    'Features',
    'PairFeatures',
]
logger: Any
class RewardModel:
    """A trained reward model that takes text or messages. A TypeError or ValueError for a model of another kind."""
    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    max_length: Any
    length_correction: Any

    def __init__(self, model: torch.nn.Module, tokenizer: PreTrainedTokenizerBase, max_length: int | None=None) -> None:
        ...

    def __repr__(self):
        ...

    @classmethod
    def from_pretrained(
        cls,
        path_or_name: str | Path,
        *,
        max_length: int | None=None,
        device: str | torch.device | None=None,
        text_pair: bool=False,
        length_correction: bool=True,
        **kwargs
    ) -> RewardModel:
        """The saved reward model of a folder or of the Hub; a ValueError for a model without a trained reward head, whose
    rewards would be random, or for a broken length correction; an OSError where there is no such model."""

    def score(
        self,
        prompts,
        responses,
        *,
        batch_size: int | None=None,
        max_tokens: int=16384,
        progress: bool=True,
    ) -> np.ndarray:
        """The reward of each response. Neither batch size nor order changes one (float32: 1e-5).

    A TypeError for what is neither text nor messages, a ValueError for another number of prompts than of responses, or
    for messages that the chat template refuses."""

    def compare(self, prompts, a, b, **kwargs) -> np.ndarray:
        """How sure the model is that each `a` beats its `b`: the logistic function of the difference of their rewards, by
    the model of Bradley and Terry (1952). A ValueError for other numbers of `a` and `b`; TypeError and ValueError for
    what `score` doesn't take."""

    def rank(self, prompt, responses, **kwargs) -> Ranking:
        """The responses to one prompt in order, the best first; equal ones stay in the order given.

    TypeError and ValueError for what `score` doesn't take."""

    def token_rewards(self, prompt, response) -> TokenRewards:
        """The head's value at every token of one response: raw rewards, from which no length correction is taken off.

    A ValueError for an encoder, or a response that is too long; a TypeError for what is neither text nor messages."""

    def score_pairs(
        self,
        dataset: Dataset | IterableDataset | Iterable[Mapping],
        *,
        on_bad_row: str='raise',
        columns: Mapping[str, str] | None=None,
        batch_size: int | None=None,
        max_tokens: int=16384,
        progress: bool=True,
    ) -> PairScores:
        """Score both responses of every pair; the other columns come along. What was cut or dropped is logged as a warning.

    A TypeError where there are no rows (a file's name, several splits), a ValueError where no pair is left; for a row
    that makes no sense its `BadRowError`, unless `on_bad_row="drop"`."""

    def head_weights(self) -> tuple[np.ndarray, float]:
        """What the head's last layer multiplies its features by; ValueError where the reward isn't linear in anything."""

    def features(
        self,
        prompts,
        responses,
        *,
        batch_size: int | None=None,
        max_tokens: int=16384,
        progress: bool=True,
    ) -> Features:
        """What the head's last layer reads of each response, and the reward that it makes of it, from one pass.

    A TypeError or ValueError for what `score` doesn't take, and a ValueError where the reward isn't linear in anything
    (a forward of the model's own)."""

    def pair_features(
        self,
        dataset: Dataset | IterableDataset | Iterable[Mapping],
        *,
        on_bad_row: str='raise',
        columns: Mapping[str, str] | None=None,
        batch_size: int | None=None,
        max_tokens: int=16384,
        progress: bool=True,
    ) -> PairFeatures:
        """The table of `score_pairs`, and what the head's last layer reads of both sides, from one pass.

    A TypeError or ValueError where `score_pairs` raises one, and a ValueError where the reward isn't linear in
    anything."""

    def as_reward_func(self, name: str='reward_model'):
        """A function for `GRPOTrainer(reward_funcs=[...])`; None in its list (no reward) stands for a completion that is
    too long. It raises what `score` does: a TypeError or ValueError for what can't be read."""

    def with_length_correction(self, correction: LengthCorrection | None) -> RewardModel:
        """Take a bias for length off all rewards of whole responses, by whatever method; rewards at tokens stay raw.

    Post-hoc reward calibration of Huang et al. (arXiv 2409.17407). Lengths are those of `response_lengths`."""

    def save(self, folder: str | Path, *, with_base: bool | None=None) -> None:
        """Save model and tokenizer by `save_reward_model`, and the length correction, where there is one, beside them.

    `AutoModelForSequenceClassification.from_pretrained(folder)` gives the same rewards, raw."""

CORRECTION_BYTES: Any
LENGTH_UNIT: str
READS_PER_TOKEN: int
def response_lengths(texts, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """How many tokens each response has by itself, without the template's."""

class Ranking(NamedTuple):
    """Responses in order."""
    order: np.ndarray
    rewards: np.ndarray

def pair_texts(row: Mapping, tokenizer: PreTrainedTokenizerBase) -> tuple:
    """What a pair says; what the model read, special tokens and all, where only ids are known."""

def further_columns(rows: Sequence[Mapping]) -> dict:
    """What a dataset says of its pairs besides their texts: ids, annotators, subsets. A taken name gets `_given`."""

class Features(NamedTuple):
    """Responses as the head's last layer reads them."""
    rewards_N: np.ndarray
    features_ND: np.ndarray

class PairFeatures(NamedTuple):
    """Pairs as the head's last layer reads them."""
    scores: PairScores
    chosen_ND: np.ndarray
    rejected_ND: np.ndarray

    @property
    def difference_ND(self) -> np.ndarray:
        """Chosen less rejected: all that a linear head can know of a pair."""

CORRECTION_NOTE: str
__getattr__: Any
