# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
import numpy as np
import pandas as pd
from .checks import Check as Check, Checks as Checks
from .data import find_format as find_format, to_pairs as to_pairs
from .intervals import (
    accuracy_estimate as accuracy_estimate,
    bootstrap as bootstrap,
    Estimate as Estimate,
    from_resamples as from_resamples,
    paired_difference as paired_difference,
    resamples as resamples,
)
from .metrics import prompt_groups as prompt_groups, wins as wins
from .rules import levels as levels
from .synthetic import TOPIC_OF as TOPIC_OF, TOPICS as TOPICS, true_reward as true_reward
from .table import complete as complete, PairScores as PairScores
from .words import are_messages as are_messages, drop_none as drop_none

__all__ = [
    'KEEP_EDITS',
    'STYLE_EDITS',
    'AIMS',
    'REWRITES',
    'CLEAR_CHANGE',
    'CLEAR_FLIPS',
    'MAY_NOT_TURN',
    'REMEDIES',
    'STYLE_ORDER',
    'LEVELS',
    'find_in_prose',
    'replace_found',
    'substitution',
    'without_markdown',
    'sentences',
    'in_markdown',
    'addition',
    'Rewrite',
    'edit_response',
    'edited_text',
    'Sample',
    'sample_pairs',
    'versions',
    'effects',
    'estimate_means',
    'estimate_effects',
    'finding',
    'worst_case',
    'score_edited',
    'takes_target',
    'rate_pairs',
    'rate',
    'Probe',
    'probe',
    'style_versions',
    'StyleMatrix',
    'style_matrix',
]
def find_in_prose(pattern: str, text: str) -> list[re.Match]:
    """What matches outside of code, formulas and links."""

def replace_found(text: str, found: list[re.Match], new: str | Callable[[re.Match], str]) -> str:
    """The text with something else in the place of what was found."""

def substitution(pattern: str, new: str | Callable[[re.Match], str]) -> Callable[[str], str]:
    """An edit that replaces what matches outside of code, formulas and links."""

def without_markdown(text: str) -> str:
    """The same words without headings, bold, italics, quotation marks of lines and signs of lists; code stays."""

def sentences(text: str) -> list[str]:
    """The sentences, by their full stops and by lines; what follows an abbreviation counts as one, too."""

def in_markdown(text: str) -> str:
    """Each sentence as an item of a list, its first word bold; the text itself where it has Markdown, a list or code."""

KEEP_EDITS: Any
def addition(before: str='', after: str='', is_english: bool=True) -> Callable[[str], str]:
    """An edit that puts sentences around a text, as paragraphs of their own where the text has lines."""

STYLE_EDITS: Any
AIMS: dict
class Rewrite(NamedTuple):
    """An edit of a response, and what it should do to the reward."""
    edit: Callable[..., str]
    aim: str
    given: str = ''

REWRITES: Any
def edit_response(response: str | list[dict], edit: Callable[[str], str]):
    """A response with its text edited, of messages that of the last turn of the assistant."""

def edited_text(response: str | list[dict]) -> str:
    """The text that an edit of a response gets to see; empty where there is none."""

class Sample(NamedTuple):
    """Pairs that were drawn, and out of how many rows."""
    pairs: list[dict]
    given: int

def sample_pairs(dataset, n_prompts: int | None=200, seed: int=0) -> Sample:
    """Pairs to edit, from all over the dataset. A ValueError for rows of token ids or a dataset without rows, a
    `BadRowError` for a row that makes no sense."""

def versions(r_N2, edited_N2) -> dict[str, np.ndarray]:
    """Which pairs are right as they are, and with chosen, rejected, or both edited."""

def effects(r_N2, edited_N2) -> dict[str, np.ndarray]:
    """What an edit does to each pair: change of reward, flips, accuracy after it, and whether the edited response loses."""

def estimate_means(columns: Mapping, r_N2, groups_N=None, shares=...) -> dict:
    """The mean of each column with its 95% interval, by a bootstrap over groups."""

def estimate_effects(r_N2, edited: Mapping[str, np.ndarray], groups_N=None) -> dict[str, dict[str, Estimate]]:
    """Mean effects of edits with 95% intervals; `change` in standard deviations of `r_N2`."""

CLEAR_CHANGE: float
CLEAR_FLIPS: float
def finding(aim: str, found: Mapping[str, Estimate]) -> str:
    """What is wrong with what an edit does to the rewards."""

MAY_NOT_TURN: dict
def worst_case(r_N2, edited: Mapping[str, np.ndarray], aims: Mapping[str, str]) -> np.ndarray:
    """Which pairs are right whatever is done to them that should not turn their order."""

def score_edited(model, pairs: list[dict], rewrites: Mapping[str, Rewrite]) -> tuple:
    """Rewards of all pairs as they are and edited, from one call of the model."""

def takes_target(rewrite: Callable) -> bool:
    """Whether a rewriter has a second argument without a default."""

def rate_pairs(model, pairs: list[dict], rewrite: Callable) -> dict[str, Estimate]:
    """What `rate` says, of these pairs."""

def rate(model, dataset, rewrite: Callable, *, n_prompts: int | None=200, seed: int=0) -> dict[str, Estimate]:
    """The effect of an attribute on the reward, in standard deviations of the rewards of the unedited responses.

    A rewrite against a rewrite of it, as RATE has it (arXiv 2410.11348): the mean of R(W(W(y))) - R(W(y)).
    Responses that the rewriter leaves as they are, once or at the second time, are left out; `n` counts pairs with one
    that is used. A ValueError where no pair has both rewards, and what `sample_pairs` raises."""

@dataclass(repr=False)
class Probe:
    """What edits do to the rewards of a model; shows itself as a table of checks."""
    pairs: int
    pairs_given: int
    accuracy: Estimate
    worst: Estimate
    effects: dict[str, dict[str, Estimate]]
    aims: dict[str, str]
    unused: list[str]
    unscored: int = 0
    rate: dict[str, Estimate] = ...

    @property
    def findings(self) -> dict[str, str]:
        """What is wrong, by the name of the edit; empty where nothing is."""

    @property
    def table(self) -> pd.DataFrame:
        """A row an edit: what it should do, the pairs that it applies to, its effects, and what is wrong with them."""

    @property
    def checks(self) -> Checks:
        """A row for the worst case, one for each edit, and what was left out."""

    def __repr__(self):
        ...

REMEDIES: dict
def probe(
    model,
    dataset,
    rewrites: Mapping[str, Rewrite]=...,
    rewrite: Callable | None=None,
    *,
    n_prompts: int | None=200,
    seed: int=0,
) -> Probe:
    """What edits do to rewards that shouldn't care, and whether ruined answers lose (reWordBench, arXiv 2503.11751, has
    the idea). A ValueError for rows of token ids, for no rows, or where no pair has both rewards."""

STYLE_ORDER: tuple
LEVELS: tuple
def style_versions(text: str) -> list[str] | None:
    """A short, a plain and a Markdown version of a response."""

@dataclass(repr=False)
class StyleMatrix:
    """Accuracy where the chosen response has one style and the rejected one another; shows itself as a table."""
    cells: dict[tuple[str, str], Estimate]
    hard: Estimate
    normal: Estimate
    easy: Estimate
    mean: Estimate
    markdown_effect: Estimate
    pairs: int
    left_out: int

    @property
    def table(self) -> pd.DataFrame:
        """The nine shares with their intervals in words, a row a style of the chosen response."""

    def __repr__(self):
        ...

def style_matrix(model, dataset, *, n_prompts: int | None=200, seed: int=0) -> StyleMatrix:
    """The 3 x 3 matrix of RM-Bench (arXiv 2410.16184, section 3) on pairs of your own, with versions made by rules.

    Pairs are left out where two versions of a response are the same (one sentence alone, code), or one has no reward. A
    ValueError where none is left, or for what `sample_pairs` doesn't take."""
