# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Mapping
from pathlib import Path
import pandas as pd
from datasets import Dataset
from . import older_names as older_names
from .data import (
    BETTER_WORSE as BETTER_WORSE,
    column_words as column_words,
    CONTENT_KEYS as CONTENT_KEYS,
    find_format as find_format,
    Format as Format,
    id_columns as id_columns,
    is_tie as is_tie,
    ROLE_KEYS as ROLE_KEYS,
    ROLES as ROLES,
    to_pairs as to_pairs,
    twin_columns as twin_columns,
    unwrap_number as unwrap_number,
)
from .files import as_table as as_table
from .table import as_series as as_series, NUMBERS as NUMBERS, OWN_COLUMNS as OWN_COLUMNS, PAIR_TEXTS as PAIR_TEXTS
from .tokens import well_formed as well_formed
from .words import (
    are_messages as are_messages,
    as_text as as_text,
    BadRowError as BadRowError,
    drop_none as drop_none,
    is_missing as is_missing,
    message_text as message_text,
    visible as visible,
)

__all__ = [
    'MARKS',
    'DECISIONS',
    'logger',
    'STATE',
    'OWN',
    'NOTHING',
    'PAUSE',
    'DERIVED',
    'NOTED',
    'DONE',
    'PAIRS',
    'pair_keys',
    'Review',
    'with_texts',
    'original_set',
    'side_columns',
    'corrected',
    'changes',
    'restore',
]
MARKS: tuple
DECISIONS: tuple
def pair_keys(table: pd.DataFrame, key: str | None=None) -> list[str]:
    """A name for every pair. A ValueError where the column isn't there, has gaps, or gives two pairs the same name."""

logger: Any
STATE: tuple
OWN: set
NOTHING: dict
class Review:
    """What people said about the pairs of a table. ValueError or OSError for a file that can't be read or written."""
    keys: Any
    reviewer: Any
    path: Any
    entries: dict
    reviewers: dict
    seen: set
    outdated: set

    def __init__(
        self,
        table: pd.DataFrame,
        path: str | Path | None=None,
        key: str | None=None,
        reviewer: str | None=None,
    ) -> None:
        ...

    def __repr__(self):
        ...

    @property
    def lost(self) -> int:
        """How many entries are of pairs that are not in this table; they stay in the file."""

    def refresh(self) -> int:
        """Take in what another notebook or process has written since. A ValueError for a line that isn't a review's, an
    OSError where the file can't be read, or what it has lost can't be added again."""

    def row(self, row: int) -> int:
        """The number of a row; a ValueError where there is no such row."""

    def change(self, row: int, **fields) -> None:
        """Say something about a pair. A TypeError for a field that isn't known, a ValueError for a row or a word that
    isn't, an OSError where it can't be kept."""

    @property
    def can_undo(self) -> bool:
        """Whether there is something of one's own to take back."""

    def undo(self) -> int | None:
        """Take back the last thing that the reviewer said. An OSError where that can't be kept, a ValueError for a line of
    the file that isn't a review's."""

    def pace(self) -> float | None:
        """How long the reviewer has lately taken for a pair."""

    def take(self, path_or_text: str | Path) -> dict[str, int]:
        """Take in what was said elsewhere; one's own newer word stays. A ValueError for a line that isn't a review's, an
    OSError where the file can't be read, or what was taken can't be kept."""

    def lines(self) -> list[dict]:
        """All that is known: a line for each entry, and for each pair that was seen."""

    def text(self) -> str:
        """All that is known, as the text of a file."""

def with_texts(original, texts: list[str | None], part: str):
    """A prompt or a response with some of its texts replaced. A ValueError where the messages don't match."""

PAUSE: int
DERIVED: Any
def original_set(table: pd.DataFrame) -> Dataset:
    """The dataset that was scored, as pairs. A ValueError where it couldn't be read again as it was read then."""

def side_columns(names: list[str]) -> list[tuple[str, str]]:
    """Which columns change places when a label is swapped."""

def corrected(table: pd.DataFrame, entries: Mapping[int, Mapping]) -> Dataset:
    """The dataset with what was decided carried out. A ValueError where that can't be done, or nothing is left; a
    TypeError for an entry with a field that isn't known."""

NOTED: tuple
DONE: dict
def changes(
    table: pd.DataFrame,
    entries: Mapping[int, Mapping],
    keys: list[str] | None=None,
    reviewers: Mapping[int, str] | None=None,
) -> pd.DataFrame:
    """What `corrected` does to a set, for a person to read and for `restore`. A ValueError for an entry of a row that
    isn't there, or that says what can't be said; a TypeError for one with a field that isn't known."""

PAIRS: Format
def restore(dataset: Dataset, changes: pd.DataFrame, rows: list[int] | None=None) -> Dataset:
    """Undo what was done. A ValueError where the dataset isn't what these changes made, in that order."""

__getattr__: Any
