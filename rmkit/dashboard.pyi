# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from pathlib import Path
from typing import Any, NamedTuple
from transformers import TrainerCallback
from . import older_names as older_names
from .browser import (
    front_end as front_end,
    hear_waiting as hear_waiting,
    hear_while_busy as hear_while_busy,
    json_without_nan as json_without_nan,
    save_page as save_page,
    style as style,
    without_nan as without_nan,
)
from .plots import (
    Curve as Curve,
    curve_points as curve_points,
    held_out_sets as held_out_sets,
    Panel as Panel,
    plot_dashboard as plot_dashboard,
    training_panels as training_panels,
)
from .words import (
    clock as clock,
    in_notebook as in_notebook,
    percent as percent,
    short_number as short_number,
    short_percent as short_percent,
    visible as visible,
)

__all__ = [
    'STATUS',
    'OVER',
    'WATCHED',
    'INK',
    'LINES',
    'SETS',
    'WIDTH',
    'HEIGHT',
    'BANDS',
    'REPEATED',
    'numbers_of',
    'RunView',
    'Frame',
    'panel_image',
    'read_run',
    'WidgetDisplay',
    'Stretch',
    'Stretches',
    'Dashboard',
]
def numbers_of(entry) -> dict[str, float]:
    """The numbers of a log entry."""

STATUS: dict
OVER: tuple
class RunView:
    """What a dashboard shows of a run."""
    title: Any
    epochs: float
    first: int
    step: int
    max_steps: int
    rows: list
    last: dict
    looks: list
    since: dict
    status: str
    note: str
    epoch: float
    seconds: float
    can_stop: bool
    reached: bool

    def __init__(self, title: str='', log_history=..., step: int=0, max_steps: int=0, epochs: float=0) -> None:
        ...

    def add(self, entries) -> None:
        """Take in what was logged."""

    def seconds_left(self) -> float | None:
        """How many seconds there are until `max_steps`; None before the first step and after the last."""

    def line(self) -> str:
        """Where the run stands, in words."""

    def finer(self) -> list:
        """The looks, where there are more of them than logs."""

    def drawn(self) -> list:
        """The rows that curves are drawn of: what is logged, or where that is coarser the looks in its place."""

    def latest(self) -> dict:
        """The latest number of each name."""

    def not_finite(self) -> dict[str, tuple[int, bool]]:
        """Which losses and rewards were NaN or infinite."""

    def word(self) -> str:
        """How the run is doing, in a few words."""

    def notes(self) -> str:
        """What wasn't finite, and where a stopped run was saved."""

    def tiles(self) -> list[tuple[str, str, str]]:
        """The latest numbers, those that were logged."""

    def text(self) -> str:
        """A summary to print."""

    def figure(self):
        """All panels as a matplotlib `Figure`."""

    def panels(self) -> str:
        """The panels, for the browser."""

    def state(self) -> dict:
        """All that the browser shows besides the log's entries."""

    def news(self, start: int=0) -> str:
        """What the browser lacks: entries, means of stretches of steps, and the state."""

    def closing(self) -> list[tuple]:
        """The closing numbers of training and of each held-out set."""

    def page(self) -> str:
        """What stays of a run in a notebook: how it ended, the closing numbers, the curves."""

WATCHED: dict
INK: str
LINES: dict
SETS: tuple
WIDTH: int
HEIGHT: int
class Frame(NamedTuple):
    """Where a picture's numbers are on its ground."""
    steps: tuple[float, float]
    values: tuple[float, float]
    left: float

    def x(self, step_K):
        """How many pixels from the left they are."""

    def y(self, value_K):
        """How many pixels from the top they are."""

BANDS: int
def panel_image(panel: Panel, rows) -> str:
    """A panel as a small picture for a page."""

def read_run(source) -> RunView:
    """The view of a run that is over; a FileNotFoundError where there is no log."""

REPEATED: int
class WidgetDisplay:
    """Shows a `RunView` in a notebook: while the run lasts as a widget, then as a page in its place."""
    make: Any
    view: RunView
    heard: Any
    widget: Any
    handle: Any

    def __init__(self) -> None:
        ...

    def open(self, view: RunView, heard) -> None:
        """Show it in the notebook."""

    def tell(self) -> None:
        """Hear what came, and send what changed."""

    def close(self) -> None:
        """Put what stays in the widget's place."""

class Stretch(NamedTuple):
    """Some steps in a row."""
    step: int
    n: int
    sums: Any
    more: dict

class Stretches:
    """Sums over a run, cut into a few stretches of steps."""
    most: int
    length: int
    parts: list

    def __init__(self, most: int=60) -> None:
        ...

    def add(self, step: int, sums, **more) -> None:
        """Take in a step; where there are too many stretches, join each with its neighbour."""

class Dashboard(TrainerCallback):
    """Shows a run while it trains, and stops it when asked to."""
    display: Any
    share: float
    outside: Any
    view: RunView
    running: Any
    own_loss: bool
    live: bool
    stopping: bool
    spent: float
    quiet_until: float
    look_at: float
    began: Any
    stretches: Stretches

    def __init__(self, display=None, share: float=0.01) -> None:
        ...

    def tell(self, now: bool=False) -> None:
        """Send the view's news, if it is time to."""

    @property
    def cost(self):
        """Share of the run's time that it took so far, in [0, 1]."""

    def heard(self, message: dict) -> None:
        """Answer to hello and stop; anything that arrives when no run is on came too late."""

    def stop(self) -> None:
        """End the run after the step that it is in, and save a checkpoint."""

    def read(self, running, own_loss: bool=False) -> None:
        """Read a trainer's running sums from now on."""

    def look(self) -> None:
        """Fetch the sums, and put their means into the view."""

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        """Note the sums, to tell what the step adds to them."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        """Open the view, with what an earlier run logged where this one goes on."""

    def on_step_end(self, args, state, control, lr_scheduler=None, **kwargs) -> None:
        """Note the step and what it added; stop here if asked to."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Take in what was logged."""

    def on_prediction_step(self, args, state, control, **kwargs):
        """Say that an evaluation is running."""

    def on_evaluate(self, args, state, control, **kwargs):
        """Go back to training, or stop."""

    def on_predict(self, args, state, control, **kwargs):
        """Go back to training after a prediction."""

    def on_save(self, args, state, control, **kwargs) -> None:
        """Say where a stopped run can be taken up."""

    def finish(self, status: str) -> None:
        """The run is over, one way or another; does nothing the second time."""

    def on_train_end(self, args, state, control, **kwargs) -> None:
        """End the view, and leave its page in the notebook."""

    @classmethod
    def replay(cls, source):
        """The dashboard of a run that is over; a FileNotFoundError where there is no log."""

    def save(self, path) -> Path:
        """Write the run so far as one self-contained page, in which curves and steps can be read without a kernel."""

__getattr__: Any
