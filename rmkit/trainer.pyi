# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from contextlib import contextmanager
import torch
from transformers import Trainer
from . import older_names as older_names
from .audits import Audit as Audit
from .checkpoints import checkpoint_to_resume as checkpoint_to_resume, has_scale as has_scale, mark_torn as mark_torn
from .collator import (
    DataCollatorForPreference as DataCollatorForPreference,
    PAIR_COLUMNS as PAIR_COLUMNS,
    RewardDataCollatorWithPadding as RewardDataCollatorWithPadding,
)
from .config import (
    reward_config as reward_config,
    RewardConfig as RewardConfig,
    set_logging_dir as set_logging_dir,
    warn_of_emulation as warn_of_emulation,
)
from .dashboard import Dashboard as Dashboard
from .data import (
    check_ids as check_ids,
    id_columns as id_columns,
    IDS as IDS,
    longest_text as longest_text,
    name_split as name_split,
    named_columns as named_columns,
    prepare_dataset as prepare_dataset,
)
from .flat import (
    margins_of as margins_of,
    needs_padding as needs_padding,
    pairs_in as pairs_in,
    rewards_of_pairs as rewards_of_pairs,
)
from .head import unwrap as unwrap
from .layout import (
    EVAL_TOKENS as EVAL_TOKENS,
    is_flat as is_flat,
    join_flat as join_flat,
    JoinedBatches as JoinedBatches,
    PrefixSharingCollator as PrefixSharingCollator,
    take_groups as take_groups,
)
from .losses import preference_loss as preference_loss
from .model import (
    check_saved as check_saved,
    CORRECTION_FILE as CORRECTION_FILE,
    dropout_rates as dropout_rates,
    fix_date as fix_date,
    padding_right as padding_right,
    save_reward_model as save_reward_model,
    save_tokenizer as save_tokenizer,
)
from .passes import (
    activations_on_cpu as activations_on_cpu,
    computes_in_16_bits as computes_in_16_bits,
    cut_step as cut_step,
    cut_step_alike as cut_step_alike,
    full_pass as full_pass,
    guess_budget as guess_budget,
    memory_of as memory_of,
    number_everywhere as number_everywhere,
    smaller_budget as smaller_budget,
)
from .report import card_text as card_text, pipeline_call as pipeline_call, results_table as results_table
from .running import (
    beside as beside,
    Evaluation as Evaluation,
    join_samples as join_samples,
    pair_rows as pair_rows,
    PairRows as PairRows,
    peak_memory as peak_memory,
    rows_of_outputs as rows_of_outputs,
    RunningMetrics as RunningMetrics,
    tensors_of as tensors_of,
)
from .scoring import pair_texts as pair_texts, RewardModel as RewardModel
from .start import (
    ADDED as ADDED,
    check_dataset as check_dataset,
    check_model_init as check_model_init,
    check_optimizer as check_optimizer,
    check_stacking as check_stacking,
    keep_in_float32 as keep_in_float32,
    KernelsOfOneModel as KernelsOfOneModel,
    load_for_training as load_for_training,
    one_tokenizer as one_tokenizer,
    prepare_for_training as prepare_for_training,
    RowReports as RowReports,
    settle_text_pair as settle_text_pair,
    without as without,
)
from .visualizer import RewardVisualizer as RewardVisualizer
from .words import in_notebook as in_notebook, visible as visible

__all__ = ['logger', 'ONE_OF_SEVERAL', 'OURS', 'DROPS_ALIKE', 'RewardTrainer', 'tell_tokenizer', 'instead']
class RewardTrainer(Trainer):
    """Train a reward model on preference pairs; takes the arguments of TRL's `RewardTrainer`, 0.11's and 1.x's.
    A ValueError (of a row: `BadRowError`) where config, model, data don't fit; a TypeError if `args` is no config."""
    args: Any
    processing_class: Any
    data_collator: Any
    running: RunningMetrics
    data_reports: RowReports
    train_dataset: Any
    eval_dataset: Any
    max_length: Any
    text_pair: Any
    label_names: list
    can_return_loss: bool
    flat: Any
    budget: Any
    gather_function: Any
    tokenizer: Any
    loss_is_scaled_for_ga: bool
    use_reward_data_collator: bool

    def __init__(
        self,
        model=None,
        args: RewardConfig | None=None,
        data_collator=None,
        train_dataset=None,
        eval_dataset=None,
        processing_class=None,
        model_init=None,
        compute_metrics=None,
        callbacks=None,
        optimizers=...,
        optimizer_cls_and_kwargs=None,
        preprocess_logits_for_metrics=None,
        max_length=None,
        quantization_config=None,
        peft_config=None,
        *,
        tokenizer=None,
    ) -> None:
        ...

    def compute_loss(self, model, inputs: dict, return_outputs: bool=False, num_items_in_batch=None):
        """Mean loss over the pairs of a batch.

    With `return_outputs` also a dict of `rewards_chosen` and `rewards_rejected`, each (B,), and `rows`, (B, 6), the
    columns of `PairRows`; for a prediction step of one's own the two rewards alone, each (B, 1), which TRL 0.11's
    stacks as they come."""

    def create_accelerator_and_postprocess(self) -> None:
        """Keep the process to one GPU (`Trainer` would copy the model to all of them), and whole batches to a process."""

    def call_model_init(self, trial=None):
        """The model of `model_init`, made ready like any other; a ValueError where texts of the data are too long for it."""

    def get_batch_samples(self, epoch_iterator, num_batches: int, device: torch.device):
        """The batches of a step, flat ones all in the last place, since they are cut anew; and the step's pairs."""

    def training_step(self, model, inputs: dict, num_items_in_batch=None) -> torch.Tensor:
        """All passes of a step over flat rows, or one over a padded batch; activations on the CPU where the config says so.

    A RuntimeError where memory runs out even with one pair a pass."""

    def prediction_step(self, model, inputs: dict, prediction_loss_only: bool, ignore_keys=None) -> tuple:
        """Rewards of a batch, chosen in column 0, rejected in column 1; the labels are zeros, since column 0 is right."""

    def evaluation_loop(
        self,
        dataloader,
        description: str,
        prediction_loss_only: bool | None=None,
        ignore_keys=None,
        metric_key_prefix: str='eval',
    ):
        """`Trainer`'s loop, its metrics replaced by means over pairs; a ValueError where the dataset has none."""

    def evaluate(
        self,
        eval_dataset=None,
        ignore_keys=None,
        metric_key_prefix: str='eval',
        num_print_samples: int=4,
    ) -> dict[str, float]:
        """Metrics over pairs: loss, accuracy with its 95% interval (`_low`, `_high`), ties, mean reward margin, rewards.

    A ValueError where there is no dataset, it has no pairs, or `padding_free=True` can't be."""

    def predict(self, test_dataset, ignore_keys=None, metric_key_prefix: str='test'):
        """A `PredictionOutput` with raw rewards, (N, 2): chosen, rejected.

    A ValueError where the dataset has no pairs, or `padding_free=True` can't be."""

    def visualize_samples(self, num_print_samples: int=4, dataset=None):
        """Score the first pairs in evaluation mode and show them, in a notebook to explore; returns a `PairScores`, of a
    dict of datasets one each. A ValueError where `padding_free=True` can't be."""

    def visualize(
        self,
        dataset=None,
        snapshots=None,
        *,
        marks=None,
        key: str | None=None,
        reviewer: str | None=None,
    ) -> RewardVisualizer:
        """Score all pairs of a dataset and explore them; a RuntimeError while training runs, a ValueError where there is no
    dataset, or a dict of several."""

    def log(self, logs: dict, start_time: float | None=None) -> None:
        """Add the metrics of the pairs trained on since the last log."""

    @property
    def dashboard(self) -> Dashboard | None:
        """The dashboard that shows the run, None where none does."""

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        """Train, and return `Trainer`'s `TrainOutput`; resumed, ends as a run that was never interrupted, in its weights
    and logged metrics. A ValueError where there is no whole checkpoint to go on from, or `padding_free=True` can't be;
    a RuntimeError where memory runs out even with one pair a pass."""

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        """`Trainer`'s schedule. The optimizer is there by now, whoever made it: `check_optimizer` raises a ValueError where
    it doesn't hold what is trained."""

    def save_model(self, output_dir: str | None=None, _internal_call: bool=False):
        """Save, load again and compare (`check_saved`); a ValueError where what was saved scores otherwise."""

    def create_model_card(
        self,
        model_name: str | None=None,
        dataset_name: str | None=None,
        tags=None,
        **kwargs
    ) -> None:
        """Write README.md into the output folder."""

    def audit(self, quick: bool=True, **more) -> Audit:
        """Audit the model on the pairs of the last evaluation; a ValueError where there was none, or no rewards of pairs."""

logger: Any
def tell_tokenizer(trainer: RewardTrainer) -> None:
    """Give callbacks the tokenizer under its older name, too."""

ONE_OF_SEVERAL: str
OURS: Any
DROPS_ALIKE: str
@contextmanager
def instead(thing, name: str, value):
    """A context: while the block runs, an attribute has another value."""

__getattr__: Any
