# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from .data import find_format as find_format, prepare_dataset as prepare_dataset, to_pairs as to_pairs
from .duplicates import find_leakage as find_leakage
from .files import (
    as_table as as_table,
    file_kind as file_kind,
    files_inside as files_inside,
    KINDS as KINDS,
    load_rows as load_rows,
)
from .head import reads_text_pairs as reads_text_pairs, unwrap as unwrap
from .intervals import Estimate as Estimate, from_resamples as from_resamples, resamples as resamples
from .metrics import prompt_groups as prompt_groups, wins as wins
from .rules import (
    best_of_four as best_of_four,
    DOMAINS as DOMAINS,
    gaps_and_spreads as gaps_and_spreads,
    judgebench as judgebench,
    judged_right as judged_right,
    KINDS_OF_JUDGEBENCH as KINDS_OF_JUDGEBENCH,
    llmbar as llmbar,
    picks as picks,
    PRIOR_SETS as PRIOR_SETS,
    rewardbench as rewardbench,
    rewardbench2 as rewardbench2,
    right_by_style as right_by_style,
    rm_bench as rm_bench,
    SECTIONS as SECTIONS,
    shares as shares,
    strictly_right as strictly_right,
    SUBSETS_OF_LLMBAR as SUBSETS_OF_LLMBAR,
    SUBSETS_OF_REWARDBENCH2 as SUBSETS_OF_REWARDBENCH2,
)
from .scoring import RewardModel as RewardModel
from .words import (
    BadRowError as BadRowError,
    as_plain_text as as_plain_text,
    as_text as as_text,
    bad_row as bad_row,
    clip as clip,
    percent as percent,
    printable as printable,
    value_in_words as value_in_words,
    visible as visible,
)

__all__ = [
    'DOMAINS_OF_ROWS',
    'BENCHMARKS',
    'BATCHES_A_PIECE',
    'OWN_RESAMPLES',
    'Asked',
    'read_rewardbench',
    'read_rewardbench2',
    'read_rm_bench',
    'read_judgebench',
    'read_llmbar',
    'Counted',
    'count_rewardbench',
    'count_rewardbench2',
    'count_rm_bench',
    'count_judgebench',
    'count_llmbar',
    'Benchmark',
    'find_benchmark',
    'read_rows',
    'name_of',
    'Inputs',
    'encode_rows',
    'weights_checksum',
    'rewards_of',
    'estimates',
    'BenchResult',
    'Rows',
    'check_name',
    'find_rows',
    'bench',
]
class Asked(NamedTuple):
    """What a row of a benchmark asks."""
    prompt: str | list[dict]
    responses: list[str]
    subset: str
    id: str = ''
    label: object = None

def read_rewardbench(row: Mapping, file: str) -> Asked:
    """A row of RewardBench, or of a prior set, whose subset is the name of its file. BadRowError for any other."""

def read_rewardbench2(row: Mapping, file: str) -> Asked:
    """A row of RewardBench 2. BadRowError for any other."""

DOMAINS_OF_ROWS: dict
def read_rm_bench(row: Mapping, file: str) -> Asked:
    """A row of RM-Bench. BadRowError for any other."""

def read_judgebench(row: Mapping, file: str) -> Asked:
    """A row of JudgeBench; its subset is the kind of its source. BadRowError for any other."""

def read_llmbar(row: Mapping, file: str) -> Asked:
    """A row of LLMBar. BadRowError for any other."""

class Counted(NamedTuple):
    """What the rows of a benchmark count."""
    right_N: np.ndarray
    tied_N: np.ndarray
    columns_N: tuple
    rule: Callable

def count_rewardbench(table: pd.DataFrame) -> Counted:
    """By the rule of RewardBench: a tie is wrong."""

def count_rewardbench2(table: pd.DataFrame) -> Counted:
    """By the rules of RewardBench 2: k responses that share the highest reward share the point."""

def count_rm_bench(table: pd.DataFrame) -> Counted:
    """By the rule of RM-Bench: nine pairs a prompt, a tie is wrong."""

def count_judgebench(table: pd.DataFrame) -> Counted:
    """By the rule of JudgeBench: a tie goes to B."""

def count_llmbar(table: pd.DataFrame) -> Counted:
    """By the rule of LLMBar: a tie is half right."""

@dataclass(frozen=True)
class Benchmark:
    """A known benchmark: where its rows are, how they are read and counted."""
    name: str
    hub: str
    on_hub: str
    files: tuple[str, ...]
    sizes: Mapping[str, int]
    fits: Callable
    read: Callable
    count: Callable
    ties: str
    max_length: int | None = None
    revision: str | None = None
    sections: Mapping = ...
    more: Mapping = ...

    @property
    def total(self) -> int:
        """How many prompts the whole benchmark has."""

    def parts(self, score: str) -> list[str]:
        """The subsets that a score comes from."""

BENCHMARKS: dict
def find_benchmark(name: str) -> Benchmark | None:
    """The known benchmark of that name, in any spelling."""

def read_rows(files: Mapping[str, Path], known: Benchmark) -> list[Asked]:
    """The rows of some files; BadRowError, which knows row and file, for one that isn't the benchmark's."""

def name_of(known: Benchmark, counts: Mapping[str, int]) -> str:
    """What a result on these prompts may be called."""

class Inputs(NamedTuple):
    """What a model reads of the rows."""
    ids_NK: list[list]
    template: str
    cut: int
    lost: int

def encode_rows(model: RewardModel, asked: list[Asked]) -> Inputs:
    """The rows as token ids; what is cut is logged as a warning."""

def weights_checksum(model: torch.nn.Module) -> str:
    """A checksum of up to 64 weights of every tensor, with its name: a step of training changes it."""

BATCHES_A_PIECE: int
def rewards_of(
    model: RewardModel,
    ids_NK: list[list],
    path: Path | None=None,
    header: Mapping | None=None,
    batch_size: int | None=None,
    max_tokens: int=16384,
    progress: str | None=None,
) -> list[list[float]]:
    """Rewards of all rows, from a file as far as it goes; a ValueError for a file of another run."""

def estimates(
    counted: Counted,
    groups_N,
    rows_of: Callable,
    why: Callable,
    bounds: tuple[float, float] | None=...,
    n_boot: int | None=None,
) -> dict[str, Estimate]:
    """The scores of a rule with their intervals."""

@dataclass
class BenchResult:
    """What a model scores on a benchmark, and how that came about. Made by `bench`."""
    name: str
    scores: dict[str, Estimate]
    facts: dict[str, object]
    notes: list[str]
    table: pd.DataFrame
    counted: Counted
    groups_N: np.ndarray
    in_percent: bool = True
    __repr__: Any

    @property
    def score(self) -> Estimate:
        """The first of the scores."""

    def in_words(self, name: str) -> tuple[str, str]:
        """A score and its interval in words; for a number that can't be had, why."""

    def as_dict(self) -> dict:
        """All but the rows, for JSON, which knows no NaN."""

    def __rich_console__(self, console, options):
        """The tables for a terminal."""

    def __str__(self):
        """The tables as plain text, 100 characters wide."""

    def as_page(self) -> str:
        """A self-contained HTML page, light or dark as the reader's system is."""

    def minus(self, other: BenchResult) -> pd.DataFrame:
        """How much higher each score is here, by a paired bootstrap over prompts. A ValueError for other rows."""

class Rows(NamedTuple):
    """The rows of a benchmark, before a model has read them."""
    asked: list[Asked] | Dataset
    known: Benchmark | None
    name: str
    data: str

def check_name(name: str) -> None:
    """Raise FileNotFoundError for a name that can mean nothing."""

def find_rows(source, rule: Callable | str | None=None, split: str='test', revision: str | None=None) -> Rows:
    """The rows, and what is known of them. FileNotFoundError for a name that means nothing, ConnectionError where the
    Hub can't be asked, BadRowError and ValueError for rows that can't be read."""

OWN_RESAMPLES: int
def bench(
    model: RewardModel | str | Path,
    benchmark,
    rule: Callable | str | None=None,
    *,
    limit: int | None=None,
    rewards: str | Path | None=None,
    max_length: int | None=None,
    train=None,
    columns: Mapping[str, str] | None=None,
    split: str='test',
    revision: str | None=None,
    batch_size: int | None=None,
    max_tokens: int=16384,
    progress: bool=True,
) -> BenchResult:
    """What a model scores on a known benchmark by its own rule, or on rows of your own.

    FileNotFoundError for a name that means nothing, ConnectionError where the Hub can't be asked, BadRowError for a row
    that isn't as it should be, ValueError for no rows, for a limit below 1, and for a `rewards` file of another run,
    TypeError where your rule gives anything but numbers."""
