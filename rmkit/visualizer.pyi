# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import TrainerCallback
from .data import as_text as as_text, message_text as message_text
from .metrics import (
    accuracy_by_length_gap as accuracy_by_length_gap,
    headline as headline,
    reliability as reliability,
    summarize as summarize,
)
from .plots import bin_edges as bin_edges
from .review import (
    DECISIONS as DECISIONS,
    MARKS as MARKS,
    PAIR_TEXTS as PAIR_TEXTS,
    Review as Review,
    changes as changes,
    corrected as corrected,
    with_texts as with_texts,
)
from .scoring import (
    PairScores as PairScores,
    RewardModel as RewardModel,
    in_notebook as in_notebook,
    is_missing as is_missing,
    pair_scores as pair_scores,
    response_lengths as response_lengths,
    sigmoid as sigmoid,
    visible as visible,
)

__all__ = [
    'logger',
    'REWARDS',
    'NEEDED',
    'NUMBERS',
    'CATEGORIES',
    'WHOLE_NUMBERS',
    'SORTS',
    'DERIVED',
    'WORDS',
    'COMMON',
    'ISLAND',
    'SNIPPET',
    'READ',
    'CHOICES',
    'FILTERS',
    'LIBRARIES',
    'PARTS',
    'ASK_MODEL',
    'READER',
    'SAVED',
    'START',
    'TRACES',
    'TRACE_SECONDS',
    'LARGE',
    'complete',
    'columns',
    'facets',
    'histogram',
    'pictures',
    'messages',
    'word_diff',
    'searchable',
    'search_terms',
    'rows_with',
    'traces',
    'RewardVisualizer',
    'matches',
    'ordered',
    'exported',
    'front_end',
    'style',
    'hear_while_busy',
    'Snapshots',
]
logger: Any
REWARDS: tuple
NEEDED: Any
NUMBERS: Any
def complete(scores) -> PairScores:
    """The table with what can be derived from it. A TypeError for what is no table; a ValueError that names a missing
    column, the row and column of a value of the wrong type, or says that there are no rows."""

def columns(table: PairScores) -> dict[str, list]:
    """What the list is sorted and filtered by."""

CATEGORIES: int
WHOLE_NUMBERS: int
SORTS: tuple
DERIVED: tuple
def facets(table: PairScores) -> list[dict]:
    """The dataset's own columns that can be filtered and sorted by, `source` first; a missing value is -1 or None."""

def histogram(
    id: str,
    title: str,
    series: Mapping[str, np.ndarray],
    columns: list[str],
    xlabel: str,
    ylabel: str,
    zero: bool=False,
) -> dict:
    """How often each value is met."""

def pictures(table: PairScores) -> list[dict]:
    """What there is to see of all pairs; pairs without a reward are left out."""

def messages(value, role: str) -> list[dict[str, str]]:
    """A prompt or a response, message by message."""

WORDS: int
COMMON: int
ISLAND: int
def word_diff(a: str, b: str) -> dict | None:
    """Where two texts differ; the pieces of each join to the text. `share` is how much of a text is marked, the mean of
    both: a view does better without marks where that is most of it."""

def searchable(table: PairScores) -> list[bytes]:
    """What the search looks through."""

def search_terms(text: str) -> list[str]:
    """What has to be there, each of them somewhere."""

def rows_with(texts: list[bytes], terms: list[str]) -> list[int]:
    """The rows in which each term is found."""

def traces(model: RewardModel, prompt, chosen, rejected) -> tuple[dict | None, str | None]:
    """Both branches, token by token."""

class RewardVisualizer:
    """Scored pairs to sort, filter, read and decide on, and with a model to edit and rescore. Shows itself in a notebook."""
    scores: Any
    model: RewardModel | None
    title: str
    page: int
    busy: Callable[[], bool]
    moves: Any
    review: Review
    filters: dict
    sort: dict
    selected: Any
    drafts: dict

    def __init__(
        self,
        scores: pd.DataFrame,
        model: RewardModel | None=None,
        snapshots: 'Snapshots | None'=None,
        title: str='Reward model',
        page: int=20,
        busy: Callable[[], bool]=...,
        marks: str | Path | None=None,
        key: str | None=None,
        reviewer: str | None=None,
    ) -> None:
        ...

    def __repr__(self):
        ...

    @property
    def marks(self) -> dict[int, dict]:
        """What was said of each pair, by row: `mark`, `note`, and where there are such `decision` and `edit`."""

    def meta(self) -> dict:
        """What a view needs to know at once: numbers, columns, pictures, and what it can ask for."""

    def state(self, name: str) -> dict:
        """What a person did, by the name under which the views follow it."""

    def rows(self, ids: list[int]) -> list[dict]:
        """The beginnings of texts, for the list: of the prompt's last turn, and of the responses."""

    def search(self, text: str) -> dict[str, list]:
        """Rows in which a prompt, a response, the source or another column contains each term, as it is shown."""

    def pair(self, i: int) -> dict:
        """The texts of a pair, and where the responses differ: no model is asked, so that they are there at once."""

    def tokens(self, i: int) -> dict:
        """The reward at each token of both responses, or a note why there is none: the slow part, for those who ask for it."""

    def open(self, i: int) -> None:
        """Open a pair in every view; a ValueError where there is no such row."""

    def filter(self, sort: str | None=None, down: bool=False, **filters) -> np.ndarray:
        """Show the pairs that pass every filter, here and in every view; those set before go. See `matches`."""

    @property
    def shown(self) -> np.ndarray:
        """The rows that pass the filters, in the list's order: `viz.scores.iloc[viz.shown]`."""

    def rescore(
        self,
        i: int,
        prompt: list[dict] | None=None,
        chosen: list[dict] | None=None,
        rejected: list[dict] | None=None,
    ) -> dict:
        """Rewards of a pair with changed texts; a ValueError without a model, or while it is being trained."""

    def mark(self, i: int, mark: str | None=None, note: str | None=None) -> dict:
        """Mark a pair, or write a note on it; with neither, both are taken away. A ValueError for a word that isn't a mark."""

    def decide(self, i: int, decision: str, note: str | None=None) -> None:
        """Decide what becomes of a pair; a ValueError for a word that isn't a decision."""

    def undo(self) -> int | None:
        """Take the last decision, mark, note or correction back."""

    def marked(self) -> pd.DataFrame:
        """The pairs of which something was said."""

    def corrected(self) -> Dataset:
        """The pairs as they were decided; those of which nothing was said are as they were. See `review.corrected`."""

    def changes(self) -> pd.DataFrame:
        """What `corrected` changes; `review.restore(viz.corrected(), viz.changes())` takes it back."""

    def export(self, path, rows=None) -> Path:
        """Write marked pairs, or some rows, with rewards, marks and row numbers; a ValueError for what can't be written."""

    def take_marks(self, path_or_text) -> int:
        """Take in what was decided elsewhere; what is newer here stays."""

    def answer(self, request: dict[str, Any]) -> dict | list:
        """The answer to one request of a view; a ValueError for one that isn't known."""

    @property
    def widget(self):
        """What all live views stand for in the kernel, made when it is first shown."""

    def save(self, path, traces: int | None=None) -> Path:
        """Write the view as one self-contained page, in which sorting, filtering, paging and reading work without a kernel.
    A page of more than 50 MB is said to be large."""

SNIPPET: int
READ: int
CHOICES: dict
FILTERS: Any
def matches(
    table: PairScores,
    filters: Mapping,
    entries: Mapping[int, Mapping]=...,
    seen: Collection[int]=...,
    search: Callable[[str], Iterable[int]] | None=None,
    moves: Mapping | None=None,
) -> list[int]:
    """The pairs that pass every filter, as in the view; a ValueError for a filter, a column or a value that isn't known."""

def ordered(
    table: PairScores,
    sort: Mapping,
    entries: Mapping[int, Mapping]=...,
    moves: Mapping | None=None,
) -> list[int]:
    """The pairs in an order; equal ones as in the data, missing values last. A ValueError for a column that isn't there."""

def exported(table: PairScores, rows, entries: Mapping[int, Mapping]) -> PairScores:
    """Rows as they are written to a file; where a name is taken, ours begins with `rmkit_`, and a warning says so."""

LIBRARIES: dict
PARTS: dict
def front_end(name: str) -> str:
    """What runs in the browser: the pictures, and the view that uses them; for the explorer, the libraries too."""

def style() -> str:
    """The views' style sheet."""

def hear_while_busy(widget) -> None:
    """Have messages from the browser handled in a thread of their own, so that they are heard while a cell runs (ipykernel 7)."""

ASK_MODEL: tuple
READER: ThreadPoolExecutor
SAVED: str
START: str
TRACES: int
TRACE_SECONDS: int
LARGE: Any
class Snapshots(TrainerCallback):
    """Scores the same pairs again and again while a model is trained."""
    pairs: Any
    every: int
    steps: list
    margins: list
    scores: Any

    def __init__(self, pairs, every: int=50) -> None:
        ...

    def take(self, step: int, model: RewardModel) -> None:
        """Score the pairs, and remember their reward margins."""

    def moves(self, n: int) -> dict | None:
        """How the reward margins moved, for the browser; None before the first snapshot, a ValueError for another number of pairs."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """Before the first step."""

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Every so many steps."""

    def on_train_end(self, args, state, control, **kwargs) -> None:
        """After the last step."""
