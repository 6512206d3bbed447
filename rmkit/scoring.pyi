# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
import numpy as np
import pandas as pd
import torch
from datasets import Dataset, IterableDataset
from transformers import PreTrainedTokenizerBase
from .collator import lay_out as lay_out, shared_length as shared_length
from .data import (
    IDS as IDS,
    are_messages as are_messages,
    as_text as as_text,
    common_prefix_length as common_prefix_length,
    cut_prompt as cut_prompt,
    drop_none as drop_none,
    find_markers as find_markers,
    find_pair_markers as find_pair_markers,
    id_columns as id_columns,
    prepare_dataset as prepare_dataset,
    prompt_length as prompt_length,
    render as render,
    tokenize as tokenize,
    well_formed as well_formed,
)
from .metrics import wins as wins
from .model import (
    check_model_class as check_model_class,
    check_token_ids as check_token_ids,
    flat_rewards as flat_rewards,
    limit_length as limit_length,
    load_reward_model as load_reward_model,
    needs_padding as needs_padding,
    position_limit as position_limit,
    reads_text_pairs as reads_text_pairs,
    set_text_pair as set_text_pair,
    unwrap as unwrap,
)

__all__ = [
    'logger',
    'TABLE_COLUMNS',
    'READS',
    'OWN_COLUMNS',
    'PairScores',
    'sigmoid',
    'pair_scores',
    'visible',
    'clip',
    'is_missing',
    'in_notebook',
    'RewardModel',
    'Ranking',
    'TokenRewards',
    'pair_texts',
    'response_lengths',
    'further_columns',
]
logger: Any
class PairScores(pd.DataFrame):
    """A data frame with one row a pair of responses, which shows itself for reading. Made by `pair_scores`."""

    def show(self, n: int=4, title: str | None=None, max_chars: int=400) -> None:
        """Show the first pairs, as HTML in a notebook and as text in a terminal."""

    def as_html(self, n: int=4, title: str | None=None, max_chars: int=400) -> str:
        """The first pairs as a table for a page."""

    def __repr__(self):
        ...

TABLE_COLUMNS: tuple
def sigmoid(x_N) -> np.ndarray:
    """The logistic function, without overflow; NaN for NaN."""

def pair_scores(prompts, chosen, rejected, r_chosen, r_rejected, **more) -> PairScores:
    """Put scored pairs into a table; a ValueError where columns differ in length, or two have the same name."""

def visible(text: str) -> str:
    """`text` with control characters, bidirectional overrides, invisible characters and lone surrogates as their codes."""

def clip(text: str, max_chars: int) -> tuple[str, str, str]:
    """Cut the middle out of a long text; the note says how many characters went."""

def is_missing(value) -> bool:
    """Whether it is None, NaN, NA or NaT."""

def in_notebook():
    """Whether output goes to a Jupyter front end."""

class RewardModel:
    """A trained reward model that takes text or messages. TypeError or ValueError for a model of another kind."""
    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerBase
    max_length: Any

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
        **kwargs
    ) -> RewardModel:
        """Load a saved reward model; a ValueError for a model without a trained reward head, whose rewards would be random."""

    def score(
        self,
        prompts,
        responses,
        *,
        batch_size: int | None=None,
        max_tokens: int=16384,
        progress: bool=True,
    ) -> np.ndarray:
        """The reward of each response. Neither batch size nor order changes one (float32: 1e-5)."""

    def compare(self, prompts, a, b, **kwargs) -> np.ndarray:
        """How sure the model is that each `a` beats its `b` (Bradley-Terry)."""

    def rank(self, prompt, responses, **kwargs) -> Ranking:
        """Order the responses to one prompt, the best first; equal ones stay in the order given."""

    def token_rewards(self, prompt, response) -> TokenRewards:
        """The head's value at every token of one response; a ValueError for an encoder, or a response that is too long."""

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
        """Score both responses of every pair; the other columns come along. What was cut or dropped is logged as a warning."""

    def as_reward_func(self, name: str='reward_model'):
        """A function for `GRPOTrainer(reward_funcs=[...])`; None in its list (no reward) stands for a completion that is too long."""

READS: int
class Ranking(NamedTuple):
    """Responses in order."""
    order: np.ndarray
    rewards: np.ndarray

class TokenRewards(NamedTuple):
    """A reward at every token."""
    tokens: list[str]
    rewards: np.ndarray
    special: np.ndarray
    start: int

def pair_texts(row: Mapping, tokenizer: PreTrainedTokenizerBase) -> tuple:
    """What a pair says; what the model read, special tokens and all, where only ids are known."""

def response_lengths(texts, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens of each response by itself, without the template's."""

OWN_COLUMNS: Any
def further_columns(rows: Sequence[Mapping]) -> dict:
    """What a dataset says of its pairs besides their texts: ids, annotators, subsets. A taken name gets `_given`."""
