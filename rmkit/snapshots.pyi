# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from contextlib import contextmanager
from transformers import TrainerCallback
from .scoring import RewardModel as RewardModel
from .table import sigmoid as sigmoid
from .words import plain_numbers as plain_numbers

__all__ = ['quiet_scoring', 'Snapshots']
@contextmanager
def quiet_scoring(speaker: str='rmkit.scoring'):
    """A context without the warnings and bars of scoring, which would come again with every click or snapshot."""

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
        """How the reward margins moved, for the browser; None before the first snapshot, a ValueError for another number of
    pairs. Mean and deviation of P(chosen) are the map of Swayamdipta et al. (arXiv 2009.10795), section 2."""

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Take a snapshot every so many steps; a ValueError where weights are sharded, which one process can't read."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """Take a snapshot before the first step; a ValueError where weights are sharded."""

    def on_train_end(self, args, state, control, **kwargs) -> None:
        """Take a snapshot after the last step; a ValueError where weights are sharded."""
