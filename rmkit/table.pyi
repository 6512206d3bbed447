# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from typing import NamedTuple
import numpy as np
import pandas as pd
from .metrics import wins as wins
from .words import (
    as_text as as_text,
    clip as clip,
    drop_none as drop_none,
    in_notebook as in_notebook,
    is_missing as is_missing,
    printable as printable,
    short_probability as short_probability,
    short_reward as short_reward,
    visible as visible,
)

__all__ = [
    'PAIR_TEXTS',
    'REWARDS',
    'NEEDED',
    'TABLE_COLUMNS',
    'NUMBERS',
    'OWN_COLUMNS',
    'sigmoid',
    'PairScores',
    'pair_scores',
    'TokenRewards',
    'as_series',
    'short_repr',
    'as_number',
    'complete',
]
PAIR_TEXTS: tuple
REWARDS: tuple
NEEDED: Any
TABLE_COLUMNS: Any
NUMBERS: Any
OWN_COLUMNS: Any
def sigmoid(x_N) -> np.ndarray:
    """The logistic function, without overflow; NaN for NaN. Of a reward margin it is P(chosen), by the model of Bradley
    and Terry (1952)."""

class PairScores(pd.DataFrame):
    """A data frame with one row a pair of responses, which shows itself for reading. Made by `pair_scores`."""

    def __repr__(self):
        ...

    def as_html(self, n: int=4, title: str | None=None, max_chars: int=400) -> str:
        """The first pairs as a table for a page."""

    def show(self, n: int=4, title: str | None=None, max_chars: int=400) -> None:
        """Show the first pairs, as HTML in a notebook and as text in a terminal."""

def pair_scores(prompts, chosen, rejected, r_chosen, r_rejected, **more) -> PairScores:
    """Put scored pairs into a table; a ValueError where columns differ in length, or two have the same name."""

class TokenRewards(NamedTuple):
    """A reward at every token."""
    tokens: list[str]
    rewards: np.ndarray
    special: np.ndarray
    start: int

def as_series(values) -> pd.Series:
    """One column; texts with half of a surrogate pair as objects, since Arrow refuses them."""

def short_repr(value) -> str:
    """A value in words, for an error."""

def as_number(value) -> float | None:
    """A value as a float, NaN where it is missing; None where it is no number."""

def complete(scores) -> PairScores:
    """The table with what can be derived from it. A TypeError for what is no table; a ValueError that names a missing
    column, the row and column of a value of the wrong type, or says that there are no rows."""
