# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
import numpy as np
from .best_of import (
    best_of as best_of,
    best_of_curve as best_of_curve,
    cautious_rewards as cautious_rewards,
    kl_of_best_of as kl_of_best_of,
    turning_point as turning_point,
)
from .bias import (
    accuracy_by_length as accuracy_by_length,
    EQUAL_LENGTH as EQUAL_LENGTH,
    fit_length_correction as fit_length_correction,
    length_correction_gain as length_correction_gain,
    length_effect as length_effect,
    length_preference as length_preference,
    style_effects as style_effects,
    STYLE_PAIRS as STYLE_PAIRS,
)
from .browser import without_nan as without_nan
from .calibration import (
    brier_scores as brier_scores,
    calibration as calibration,
    calibration_error as calibration_error,
    log_losses as log_losses,
)
from .checks import Check as Check, Checks as Checks
from .intervals import (
    accuracy_estimate as accuracy_estimate,
    bootstrap as bootstrap,
    Estimate as Estimate,
    mcnemar as mcnemar,
    paired_difference as paired_difference,
    weighted_mean as weighted_mean,
)
from .metrics import (
    accuracy_by_length_gap as accuracy_by_length_gap,
    length_rule as length_rule,
    prompt_groups as prompt_groups,
    reliability as reliability,
    wins as wins,
)
from .plots import (
    CHOSEN as CHOSEN,
    HELD_OUT as HELD_OUT,
    NEUTRAL as NEUTRAL,
    put_legend_above as put_legend_above,
    REJECTED as REJECTED,
    show_percent as show_percent,
    style_axes as style_axes,
)
from .report import as_svg as as_svg, HEAD as HEAD, shown as shown, write_page as write_page
from .rewrites import probe as probe, style_matrix as style_matrix, STYLE_ORDER as STYLE_ORDER
from .scoring import PairFeatures as PairFeatures, RewardModel as RewardModel
from .snapshots import quiet_scoring as quiet_scoring
from .suspects import (
    cross_fit as cross_fit,
    find_suspects as find_suspects,
    margins_over_training as margins_over_training,
    rank_suspects as rank_suspects,
)
from .table import complete as complete, OWN_COLUMNS as OWN_COLUMNS, PAIR_TEXTS as PAIR_TEXTS, PairScores as PairScores
from .uncertainty import (
    error_auroc as error_auroc,
    expected_p as expected_p,
    laplace_head as laplace_head,
    risk_coverage as risk_coverage,
    spread as spread,
)
from .visualizer import RewardVisualizer as RewardVisualizer
from .words import (
    as_plain_text as as_plain_text,
    is_missing as is_missing,
    percent as percent,
    printable as printable,
    short_number as short_number,
    short_probability as short_probability,
    visible as visible,
)

__all__ = [
    'MOST_SOURCES',
    'FEW_PROMPTS',
    'CLEAR_GAIN',
    'CLEAR_DIFFERENCE',
    'CLEAR_PREFERENCE',
    'CLEAR_NOISE',
    'CURVE_PAIRS',
    'HEADLINE',
    'Reading',
    'sentence',
    'in_words',
    'Grid',
    'Picture',
    'draw',
    'Section',
    'Audit',
    'Pairs',
    'subsets_of',
    'pairs_to_audit',
    'accuracy_section',
    'calibration_section',
    'length_section',
    'style_section',
    'rewrites_section',
    'suspects_section',
    'doubt_section',
    'rewards_of_answers',
    'best_of_section',
    'models_section',
    'attempt',
    'Given',
    'audit',
]
class Reading(NamedTuple):
    """One figure of an audit."""
    name: str
    estimate: Estimate
    unit: str = 'number'
    note: str = ''

def sentence(text: str) -> str:
    """A text with a capital letter and a full stop."""

def in_words(estimate: Estimate, unit: str='number') -> str:
    """An estimate with its 95% interval behind it, where there is one."""

class Grid(NamedTuple):
    """A table of an audit."""
    title: str
    columns: dict[str, str]
    rows: list[list]

    def texts(self) -> list[list[str]]:
        """The cells in words."""

class Picture(NamedTuple):
    """Points with 95% intervals, for `draw`."""
    title: str
    xlabel: str
    ylabel: str
    series: dict[str, list]
    percent: str = ''
    guide: str = ''

def draw(picture: Picture, ax):
    """Draw a picture of an audit; names stand above it where there are several series."""

class Section(NamedTuple):
    """One question put to a model, and the answer."""
    name: str
    title: str
    about: str
    checks: list[Check] = ...
    readings: list[Reading] = ...
    grids: list[Grid] = ...
    pictures: list[Picture] = ...
    pairs: PairScores | None = None

@dataclass
class Audit:
    """What a reward model has learnt. Shows itself in a notebook and a terminal; `save` writes a page."""
    title: str
    facts: dict[str, str]
    headline: list[Reading]
    sections: list[Section]
    model: RewardModel | None = None
    __repr__: Any

    @property
    def checks(self) -> Checks:
        """All that was found, in sentences."""

    @property
    def verdict(self) -> str:
        """How many questions have which answer."""

    @property
    def figures(self) -> dict[str, Estimate]:
        """The estimate of each figure, by its name."""

    def __getitem__(self, name: str) -> Section:
        """One section; a KeyError for a name that none has."""

    def explore(self, name: str) -> RewardVisualizer:
        """Its pairs in the explorer, in their order; a KeyError for a section that isn't there, a ValueError without pairs."""

    def as_dict(self) -> dict:
        """Title, facts, headline and sections, for JSON."""

    def save_json(self, path) -> Path:
        """Write all numbers and sentences; `Audit.from_json` reads them."""

    @classmethod
    def from_dict(cls, found: dict) -> Audit:
        """The audit that was kept; a ValueError for what is none."""

    @classmethod
    def from_json(cls, path) -> Audit:
        """The audit of a file; a ValueError where it holds none."""

    def __rich_console__(self, console, options):
        """Headline and findings, then section by section the figures; the first section's tables."""

    def __str__(self):
        """The audit as plain text, 80 characters wide."""

    def save(self, path) -> Path:
        """Write the audit as one self-contained page, which needs no network and runs no script."""

    def card(self) -> str:
        """The evaluation part of a model's card: the figures to read first, and what to know before using it."""

MOST_SOURCES: int
FEW_PROMPTS: int
class Pairs(NamedTuple):
    """Scored pairs to put questions to, with their prompts and sources."""
    scores: PairScores
    groups_N: np.ndarray
    subsets: dict[str, np.ndarray]
    rows_N: np.ndarray

    @property
    def margin_N(self) -> np.ndarray:
        """The reward margins."""

    def of(self, rows: np.ndarray) -> 'Pairs':
        """The pairs of one source."""

def subsets_of(names_N) -> dict[str, np.ndarray]:
    """The rows of each source, by its name as it is shown."""

def pairs_to_audit(scores, by: str='source') -> Pairs:
    """The pairs that have a reward; a ValueError where none has."""

def accuracy_section(pairs: Pairs) -> Section:
    """Accuracy, ties and the length rule; by source, and on the weakest."""

CLEAR_GAIN: float
def calibration_section(pairs: Pairs) -> Section:
    """Log loss, Brier score and calibration error, by source; what a temperature would change."""

CLEAR_DIFFERENCE: float
CLEAR_PREFERENCE: float
def length_section(pairs: Pairs) -> Section:
    """Accuracy by which response is longer, and what a correction would bring; a ValueError without lengths."""

def style_section(pairs: Pairs) -> Section:
    """How often people and the model prefer each style; a ValueError without lengths."""

def rewrites_section(model, pairs: Pairs, rewrite=None, n_prompts: int | None=200) -> Section:
    """What edits by rule do to the rewards of a sample of the pairs, and to their order in the worst case."""

CLEAR_NOISE: float
def suspects_section(pairs: Pairs, margin_N=None, name: str='suspects', whose: str='held-out') -> Section:
    """Labels that are probably wrong: their share, by source, and which. A ValueError where margins tell nothing."""

CURVE_PAIRS: int
def doubt_section(pairs: Pairs, sds: dict, whys: dict) -> Section:
    """How well the margin, and deviations of it, tell wrong pairs from right ones."""

def rewards_of_answers(models, gold, candidates) -> tuple[np.ndarray, np.ndarray]:
    """Rewards of several answers to each prompt; of as many as the prompt with the fewest has. Prompts with an answer
    that can't be read are left out. A ValueError where there is no gold reward, or a prompt has one answer only."""

def best_of_section(rewards_MGN: np.ndarray, gold_GN: np.ndarray) -> Section:
    """The best of n by the model, judged by gold; a ValueError for fewer than two prompts."""

def models_section(pairs: Pairs, other) -> Section:
    """Two models on the same pairs; a ValueError for a table of other pairs."""

def attempt(name: str, title: str, ask, remedy: str) -> Section:
    """What a question finds; where it raises a ValueError, the answer is that, and what would make it possible."""

class Given(NamedTuple):
    """What a reader gave beside the model and the pairs, and what was read of the pairs."""
    model: object
    features: object
    why: str
    train: object
    runs: list
    snapshots: object
    other: object
    gold: object
    candidates: object
    rewrite: object
    n_prompts: int | None

HEADLINE: tuple
def audit(
    model,
    dataset,
    *,
    tokenizer=None,
    by: str='source',
    quick: bool=False,
    train=None,
    runs=...,
    snapshots=None,
    other=None,
    gold=None,
    candidates=None,
    rewrite=None,
    n_prompts: int | None=200,
    title: str='Audit of a reward model',
    **reading
) -> Audit:
    """Put all questions of this chapter to a model. What can't be known is said, with what would make it possible.

    A TypeError or ValueError for a model or rows that can't be read, or where no pair has a reward."""
