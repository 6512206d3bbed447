# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
import torch
from datasets import Dataset
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState
from .flat import margins_of as margins_of, pairs_in as pairs_in, tokens_of_pairs as tokens_of_pairs
from .metrics import pair_metrics as pair_metrics, wilson_interval as wilson_interval
from .scoring import pair_texts as pair_texts, response_lengths as response_lengths
from .table import pair_scores as pair_scores, PairScores as PairScores

__all__ = [
    'logger',
    'SIDE_NAMES',
    'PairRows',
    'pair_rows',
    'RunningMetrics',
    'peak_memory',
    'rewards_in',
    'rows_of_outputs',
    'tensors_of',
    'evaluation_metrics',
    'are_probabilities',
    'Evaluation',
    'beside',
    'join_samples',
]
class PairRows(NamedTuple):
    """What is remembered of B pairs: tensors (or arrays) of (B,); None for what other code than rmkit's doesn't tell."""
    loss: torch.Tensor | None
    reward_chosen: torch.Tensor | None
    reward_rejected: torch.Tensor | None
    tokens_chosen: torch.Tensor
    tokens_rejected: torch.Tensor
    margin: torch.Tensor

    @property
    def n_pairs(self) -> int:
        """How many pairs these are."""

    @property
    def rewards(self) -> torch.Tensor | None:
        """(B, 2): chosen, rejected."""

    def stack(self) -> torch.Tensor:
        """What is known in one tensor, a row a pair."""

    def gather(self, join: Callable):
        """The pairs of all processes on the CPU, in one exchange."""

def pair_rows(
    loss_B: torch.Tensor,
    r_chosen_B: torch.Tensor,
    r_rejected_B: torch.Tensor,
    tokens_B2: torch.Tensor,
    margin_B: torch.Tensor | None=None,
) -> PairRows:
    """The rows of a batch, all in float32 and on the device of the loss."""

class RunningMetrics(TrainerCallback, ExportableState):
    """Sums over the pairs trained on since the last log, kept on the device, saved with the trainer's state."""
    names: Any
    total: dict
    budget: Any
    clock: Any
    scale: Any
    warned: bool
    step: int
    broken: Any
    logged: float
    sums: Any
    low: Any
    high: Any
    seconds: float
    skipped: int

    def __init__(self) -> None:
        ...

    def reset(self) -> None:
        """Forget the pairs since the last log."""

    def add(self, rows: PairRows) -> None:
        """Add a batch of pairs."""

    def take_back(self, before) -> None:
        """Forget the pairs added since a copy was made."""

    def means_of(self, sums: list) -> dict[str, float]:
        """Means over these pairs, `{}` if there are none."""

    def so_far(self) -> dict[str, float]:
        """Metrics of the pairs since the last log, `{}` if none; nothing is changed."""

    def merge(self, accelerator) -> None:
        """Every process holds the sums of all."""

    @property
    def are_few(self) -> bool:
        """Whether so few pairs came since the last log that their means would be noise beside it; never where one is broken."""

    def means(self) -> dict[str, float]:
        """Metrics of the pairs since the last call, `{}` if none; adds them to the run's total and starts afresh."""

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        """Start the watch where it stands."""

    def pause(self) -> None:
        """Stop the watch, and add what it shows."""

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs) -> None:
        """Note the scale of the loss."""

    def on_optimizer_step(self, args, state, control, optimizer=None, **kwargs) -> None:
        """Count the step as skipped where its scale was lowered; a RuntimeError where no scale fits."""

    def state(self) -> dict:
        """What a checkpoint keeps; floats survive JSON exactly."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """Take back the checkpoint's sums, or start from nothing."""

logger: Any
def peak_memory(device: torch.device) -> float | None:
    """Most memory that tensors took on the device so far; on a CPU, that the process took."""

SIDE_NAMES: tuple
def rewards_in(outputs, n_pairs: int) -> tuple | None:
    """The rewards that a loss or a prediction step gave back: (B, 2), (2B, 1), (2, B), or two tensors of B."""

def rows_of_outputs(loss: torch.Tensor | None, outputs, inputs) -> PairRows:
    """What is remembered of a batch that other code than rmkit's scored."""

def tensors_of(outputs):
    """What a `compute_metrics` may know how to read, where it is no rewards."""

def evaluation_metrics(rows: PairRows, prompts=None) -> dict:
    """`metrics.pair_metrics` of the pairs, and their mean loss; without rewards, the loss alone."""

def are_probabilities(rows: PairRows) -> bool:
    """Whether the two numbers of every pair are shares of 1."""

@dataclass
class Evaluation:
    """One pass over a dataset: what was scored, batch by batch, and what it comes to."""
    dataset: Any = None
    batches: list[PairRows] = ...
    latest: PairRows | None = None

    @cached_property
    def rows(self) -> PairRows:
        """All pairs, as arrays, once all batches are there; what isn't known of one batch isn't known."""

    @property
    def pairs(self) -> Dataset | None:
        """The dataset, where its rows are those that were scored."""

    def metrics(self) -> dict:
        """`evaluation_metrics` of all pairs, as far as they tell."""

    def scores(self, n: int, tokenizer) -> PairScores | None:
        """The first pairs as a table; None where no row of the dataset belongs to a reward."""

def beside(theirs: dict, ours: dict, prefix: str) -> dict:
    """Leave another's metrics their names; an accuracy takes its interval along."""

def join_samples(tables: Mapping) -> PairScores | None:
    """Pairs of several sets in one table, whose column `source` names the set."""
