# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from contextlib import contextmanager
from transformers import TrainerCallback
from .scoring import RewardModel as RewardModel
from .table import sigmoid as sigmoid
from .words import plain_numbers as plain_numbers

__all__ = ['quiet_scoring', 'Snapshots']
@contextmanager
def quiet_scoring():
    """Without the warnings and bars of scoring: they would be printed under the view at every click or snapshot."""

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
    pairs."""

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Every so many steps."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """Before the first step."""

    def on_train_end(self, args, state, control, **kwargs) -> None:
        """After the last step."""
