# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
import numpy as np
import pandas as pd
from datasets import Dataset
from . import older_names as older_names
from .browser import front_end as front_end, hear_while_busy as hear_while_busy, save_page as save_page, style as style
from .differences import word_diff as word_diff
from .filters import (
    columns as columns,
    facets as facets,
    further_facts as further_facts,
    matches as matches,
    ordered as ordered,
    rows_with as rows_with,
    search_terms as search_terms,
    searchable as searchable,
    source_codes as source_codes,
)
from .metrics import (
    accuracy_by_length_gap as accuracy_by_length_gap,
    headline as headline,
    reliability as reliability,
    summarize as summarize,
)
from .plots import bin_edges as bin_edges
from .review import changes as changes, corrected as corrected, Review as Review, with_texts as with_texts
from .scoring import response_lengths as response_lengths, RewardModel as RewardModel
from .snapshots import quiet_scoring as quiet_scoring, Snapshots as Snapshots
from .table import (
    as_series as as_series,
    complete as complete,
    pair_scores as pair_scores,
    PAIR_TEXTS as PAIR_TEXTS,
    PairScores as PairScores,
    short_repr as short_repr,
)
from .words import (
    as_text as as_text,
    in_notebook as in_notebook,
    is_missing as is_missing,
    message_text as message_text,
    plain_numbers as plain_numbers,
    visible as visible,
)

__all__ = [
    'logger',
    'SNIPPET_LETTERS',
    'LETTERS_READ',
    'ASK_MODEL',
    'READER',
    'SAVED_TRACES',
    'TRACE_SECONDS',
    'LARGE_PAGE',
    'histogram',
    'pictures',
    'messages',
    'traces',
    'RewardVisualizer',
    'exported',
]
logger: Any
def histogram(
    id: str,
    title: str,
    series: Mapping[str, np.ndarray],
    columns: list[str],
    xlabel: str,
    ylabel: str,
    zero: bool=False,
) -> dict:
    """A picture of how often values are met, in bins of one width."""

def pictures(table: PairScores) -> list[dict]:
    """What there is to see of all pairs; pairs without a reward are left out."""

def messages(value, role: str) -> list[dict[str, str]]:
    """A prompt or a response, message by message."""

def traces(model: RewardModel, prompt, chosen, rejected) -> tuple[dict | None, str | None]:
    """The rewards at the tokens of both responses, or why there are none."""

class RewardVisualizer:
    """Scored pairs to sort, filter, read and decide on; with a model, to edit and rescore. Shows itself in a notebook."""
    scores: Any
    model: RewardModel | None
    busy: Callable[[], bool]
    title: str
    page: int
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
        snapshots: Snapshots | None=None,
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

    @property
    def shown(self) -> np.ndarray:
        """The rows that pass the filters, in the list's order: `viz.scores.iloc[viz.shown]`."""

    def filter(self, sort: str | None=None, down: bool=False, **filters) -> np.ndarray:
        """Show the pairs that pass every filter, here and in every view; those set before go. See `matches`, which raises a
    ValueError for what can't be filtered by."""

    def rescore(
        self,
        i: int,
        prompt: list[dict] | None=None,
        chosen: list[dict] | None=None,
        rejected: list[dict] | None=None,
    ) -> dict:
        """Rewards of a pair with changed texts; a ValueError without a model, while it is being trained, or for texts of
    another number of messages."""

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

SNIPPET_LETTERS: int
LETTERS_READ: int
def exported(table: PairScores, rows, entries: Mapping[int, Mapping]) -> PairScores:
    """Rows as they are written to a file; where a name is taken, ours begins with `rmkit_`, and a warning says so.

    A ValueError for what is no row of the table."""

ASK_MODEL: tuple
READER: ThreadPoolExecutor
SAVED_TRACES: int
TRACE_SECONDS: int
LARGE_PAGE: Any
__getattr__: Any
