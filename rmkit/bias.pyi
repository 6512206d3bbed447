# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
import numpy as np
import pandas as pd
from .fits import (
    gradient_and_curvature as gradient_and_curvature,
    logistic_fit as logistic_fit,
    lowess as lowess,
    one_newton_step as one_newton_step,
)
from .intervals import (
    accuracy_estimate as accuracy_estimate,
    bootstrap as bootstrap,
    Estimate as Estimate,
    paired_difference as paired_difference,
    prompt_folds as prompt_folds,
    weighted_mean as weighted_mean,
)
from .metrics import length_rule as length_rule, numbered_groups as numbered_groups, wins as wins
from .table import REWARDS as REWARDS, sigmoid as sigmoid
from .words import as_text as as_text

__all__ = [
    'EQUAL_LENGTH',
    'WEAK_RIDGE',
    'STRENGTHS',
    'CURVE_RESPONSES',
    'STYLES',
    'LEAST_PAIRS',
    'STYLE_PAIRS',
    'accuracy_by_length',
    'length_effect',
    'Preference',
    'length_preference',
    'LengthCorrection',
    'fit_length_correction',
    'length_correction_gain',
    'style_counts',
    'holm',
    'style_effects',
]
class _Pairs(NamedTuple):
    """What is needed of N pairs."""
    reward_N2: np.ndarray
    length_N2: np.ndarray
    group_N: np.ndarray

    @property
    def margin_N(self):
        ...

    @property
    def gap_N(self):
        ...

    def rows(self, at):
        """Some of the pairs."""

EQUAL_LENGTH: float
def accuracy_by_length(table: pd.DataFrame) -> dict[str, Estimate]:
    """Accuracy where the chosen response is the shorter one, the longer one, or about as long, and length-balanced.

    About as long: they differ by a tenth of the longer one, or less. A ValueError where the table has no rewards or
    lengths."""

WEAK_RIDGE: float
def length_effect(table: pd.DataFrame) -> dict[str, Estimate]:
    """The logistic fit of the label on reward margin and length gap, both orders of each pair, no intercept.

    `reward` and `length` are in log-odds for a standard deviation of the gap; `accuracy_at_equal_length` is what the
    fit says of pairs without a length gap, as length-controlled win rates do (Dubois et al., arXiv 2404.04475);
    `length_rule` is the accuracy of the better rule without a model. A ValueError where the table has no rewards or
    lengths."""

class Preference(NamedTuple):
    """How often one kind of response is preferred to another, in the pairs that have one of each."""
    label: Estimate
    model: Estimate
    difference: Estimate

    @property
    def is_beyond(self) -> bool:
        """Whether the model goes further than the label, or the other way, and isn't just less sure."""

def length_preference(table: pd.DataFrame) -> Preference:
    """How often label and model prefer the longer response, where one is.

    It is a bias where the difference's interval excludes 0 and `is_beyond` says that the model isn't just less sure. A
    ValueError where the table has no rewards or lengths."""

@dataclass(frozen=True)
class LengthCorrection:
    """What is taken off a reward for the length of its response; a ValueError for what isn't a curve."""
    lengths: tuple
    bias: tuple
    strength: float

    def __post_init__(self) -> None:
        ...

    def apply(self, rewards_R, lengths_R) -> np.ndarray:
        """Take the bias off: `reward - strength * bias(length)`."""

    def as_dict(self) -> dict:
        """The correction as lists and numbers, for JSON."""

    @classmethod
    def from_dict(cls, saved: Mapping) -> LengthCorrection:
        """The correction that was written; a ValueError where it is none."""

STRENGTHS: Any
CURVE_RESPONSES: int
def fit_length_correction(table: pd.DataFrame, seed: int=0) -> LengthCorrection:
    """The LOWESS curve of reward over length, with the strength that held-out, length-balanced pairs ask for.

    Post-hoc reward calibration of Huang et al. (arXiv 2409.17407), whose strength is always 1. The strength is 0 where
    no gain in length-balanced accuracy can be told from luck. A ValueError where no pair has rewards and lengths."""

def length_correction_gain(table: pd.DataFrame, seed: int=0) -> dict[str, Estimate]:
    """What `fit_length_correction` does to prompts that it hasn't seen: plain and length-balanced accuracy.

    Each third of the prompts is corrected by what the other two gave. A ValueError where the table has no rewards or
    lengths, or fewer than three prompts."""

STYLES: Any
def style_counts(text: str) -> dict[str, int]:
    """How often each style occurs in a text; all but code is looked for outside of code."""

def holm(p_K) -> np.ndarray:
    """Probabilities corrected for the number of tests (Holm, 1979)."""

LEAST_PAIRS: int
STYLE_PAIRS: int
def style_effects(table: pd.DataFrame, seed: int=0) -> pd.DataFrame:
    """For each of `STYLES`, how often the label and the model prefer the response that has more of it.

    `label`, `model`, `difference` (with its interval) and `is_beyond` are as in `Preference`; `log_odds` is model less
    label at equal length, its errors by prompt (Liang and Zeger, 1986); `p` is the chance of both as far on one side of
    0, corrected for the number of styles (Holm, 1979). `is_biased`: p is below 0.05, and the model isn't just less sure
    than the label. A style that fewer than 30 pairs differ in has none of these, and says so in `why`. A ValueError
    where the table has no rewards."""
