# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from datasets import Dataset, DatasetDict, IterableDataset, List
from transformers import PreTrainedTokenizerBase
from . import older_names as older_names
from .tokens import (
    common_prefix_length as common_prefix_length,
    cut_prompt as cut_prompt,
    find_markers as find_markers,
    find_pair_markers as find_pair_markers,
    Markers as Markers,
    prompt_length as prompt_length,
    render as render,
    texts_of_parts as texts_of_parts,
    tokenize as tokenize,
)
from .words import (
    bad_row as bad_row,
    BadRowError as BadRowError,
    clip as clip,
    drop_none as drop_none,
    message_text as message_text,
    value_in_words as value_in_words,
)

__all__ = [
    'logger',
    'ROLE_KEYS',
    'CONTENT_KEYS',
    'ROLES',
    'USUAL_ROLES',
    'HUMAN',
    'ASSISTANT',
    'TEXT_KEYS',
    'LONG_ENOUGH',
    'BETTER_WORSE',
    'SIDES',
    'NOUNS',
    'TIES',
    'FILLERS',
    'TRUTHS',
    'ID_COLUMNS',
    'IDS',
    'LABELS',
    'NOT_ANSWERS',
    'CONVERSATIONS',
    'WHICH',
    'COMPARED',
    'VERDICTS',
    'RESPONSE_LISTS',
    'SCORE_LISTS',
    'SCORE_KEYS',
    'AMOUNTS',
    'RATED_COLUMNS',
    'RATING_COLUMNS',
    'CERTAIN',
    'PROMPTS',
    'SYSTEMS',
    'COLUMN_ROLES',
    'TRUNCATED',
    'SHOWN',
    'ROW',
    'OUTCOME',
    'REPEATED',
    'TEXTS',
    'MESSAGES',
    'SAMPLED',
    'SHAPE_FAULTS',
    'Verdict',
    'Format',
    'parse_hh',
    'format_hh',
    'unwrap_number',
    'read_cell',
    'extract_prompt',
    'column_words',
    'twin_columns',
    'better_side',
    'is_tie',
    'id_columns',
    'named_columns',
    'detect_format',
    'to_pairs',
    'PrepareReport',
    'find_format',
    'check_ids',
    'longest_text',
    'prepare_dataset',
    'name_split',
    'split_by_prompt',
]
logger: Any
@dataclass(frozen=True)
class Verdict:
    """How a row says which of two answers is better."""
    columns: tuple[str, ...]
    sides: tuple[str, str]
    ends: tuple[float, float] | None = None

    def describe(self, first: str, second: str) -> str:
        """In words."""

@dataclass(frozen=True)
class Format:
    """What the rows of a dataset hold, and in which columns."""
    layout: str
    kind: str
    margin: str | None = None
    columns: tuple[tuple[str, str], ...] = ...
    verdict: Verdict | None = None
    encoded: str | None = None
    repeats: bool = False
    joint: str = ''
    tie: bool = False

    def __str__(self):
        ...

    @cached_property
    def names(self) -> dict[str, str]:
        """The column of each role."""

ROLE_KEYS: tuple
CONTENT_KEYS: tuple
ROLES: dict
USUAL_ROLES: set
HUMAN: str
ASSISTANT: str
def parse_hh(text: str) -> list[dict]:
    """Read a transcript in the style of Anthropic's HH."""

def format_hh(messages: list[dict]) -> str:
    """Write messages as a transcript in the style of Anthropic's HH."""

def unwrap_number(value):
    """The number that stands alone in a list, an array or a tensor, or is written as text; anything else as it is."""

def read_cell(text: str) -> list | dict | None:
    """The list or dictionary that a text writes, as JSON or as Python does."""

TEXT_KEYS: list
def extract_prompt(chosen: str | list, rejected: str | list) -> tuple:
    """Split off what both begin with."""

LONG_ENOUGH: int
BETTER_WORSE: list
SIDES: list
def column_words(name: str) -> tuple[str, ...]:
    """`responseA`, `response_a` and `Response-A` are the same two words."""

def twin_columns(names: Iterable[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str, tuple, set]]:
    """Columns whose names differ in one word."""

NOUNS: set
TIES: set
FILLERS: Any
def better_side(row: Mapping, format: Format) -> int | None:
    """Which of two answers a row says is better; a BadRowError where it names neither."""

TRUTHS: dict
def is_tie(row: Mapping, format: Format) -> bool:
    """Whether neither answer of a pair is better. Raises BadRowError where the row says neither yes nor no."""

ID_COLUMNS: list
IDS: list
def id_columns(names: Iterable[str]) -> tuple[str, str] | tuple[()]:
    """Under which names the token ids of pairs came."""

LABELS: set
NOT_ANSWERS: Any
CONVERSATIONS: list
WHICH: set
COMPARED: set
VERDICTS: list
RESPONSE_LISTS: list
SCORE_LISTS: list
SCORE_KEYS: list
AMOUNTS: set
RATED_COLUMNS: Any
RATING_COLUMNS: list
CERTAIN: list
PROMPTS: Any
SYSTEMS: list
COLUMN_ROLES: tuple
def named_columns(config: Any) -> dict[str, str | None]:
    """The columns that a config names, as `columns` takes them."""

def detect_format(row: Mapping | Sequence[Mapping], columns: Mapping[str, str] | None=None) -> Format:
    """Tell the format by the column names and the values. A ValueError where `columns` has another role than those of
    `COLUMN_ROLES`."""

def to_pairs(row: Mapping, format: Format | None=None) -> list[dict]:
    """Bring a row of any format but ratings (which need several rows) to pairs. Raises BadRowError, a ValueError, where
    it can't be read, names no winner, or has no answer."""

TRUNCATED: str
@dataclass
class PrepareReport:
    """What became of the rows of one split. The report of a stream fills as the stream is read."""
    split: str
    format: Format
    max_length: int | None = None
    rows: int = 0
    pairs: int = 0
    truncated: int = 0
    dropped: Counter = ...
    repeated: int = 0
    doubts: list[str] = ...
    first_pair: str = ''
    last_row: int = ...

    def __str__(self):
        ...

    def see(self, row: int) -> None:
        """Count a row; start from zero where a stream is read again."""

    def add(self, outcome: str | None, repeated: bool=False) -> bool:
        """Count an outcome."""

SHOWN: int
@dataclass(frozen=True)
class _Recipe:
    """What is the same for all rows of a dataset; the fields are prepare_dataset's."""
    format: Format
    tokenizer: PreTrainedTokenizerBase
    markers: Markers
    max_length: int | None
    overlong: str
    on_bad_row: str
    n_ids: int | None = None

    def refuse(self, error: BadRowError, row: int) -> str:
        """Raise the error, or say its reason."""

ROW: Any
OUTCOME: Any
REPEATED: Any
TEXTS: Any
MESSAGES: List
SAMPLED: int
def find_format(
    dataset: Dataset | IterableDataset,
    columns: Mapping[str, str] | None=None,
    has_template: bool=True,
) -> Format:
    """Tell the format of a dataset. Raises BadRowError where none fits, ValueError where there are no rows."""

def check_ids(dataset: Dataset | IterableDataset, tokenizer: PreTrainedTokenizerBase) -> Dataset | IterableDataset:
    """Look for ids of another vocabulary in rows that nobody prepares, because a data collator takes them as they are."""

def longest_text(dataset: Dataset) -> int:
    """How long the longest text of a dataset is."""

SHAPE_FAULTS: set
def prepare_dataset(
    dataset: Dataset | IterableDataset | Mapping,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int | None=None,
    overlong: str='truncate',
    on_bad_row: str='raise',
    num_proc: int | None=None,
    split: str='train',
    text_pair: bool=False,
    columns: Mapping[str, str] | None=None,
) -> tuple:
    """Bring a dataset to pairs of token ids. A stream stays one. Raises BadRowError for a row that can't be used where
    they aren't dropped, ValueError if no pair is left, or for an option that isn't known."""

@contextmanager
def name_split(split: str) -> Iterator[None]:
    """A BadRowError that leaves the block says in `split` which dataset its row belongs to."""

def split_by_prompt(
    dataset: Dataset,
    test_size: float | int=0.1,
    seed: int=0,
    columns: Mapping[str, str] | None=None,
) -> DatasetDict:
    """Hold out whole prompts. Raises BadRowError where no prompt can be extracted, ValueError for token ids alone."""

__getattr__: Any
