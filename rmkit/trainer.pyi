# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from typing import Any
from collections.abc import Mapping
from contextlib import contextmanager
import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import ExportableState
from .collator import (
    DataCollatorForPreference as DataCollatorForPreference,
    PairBatch as PairBatch,
    PAIR_COLUMNS as PAIR_COLUMNS,
    PrefixSharingCollator as PrefixSharingCollator,
    RewardDataCollatorWithPadding as RewardDataCollatorWithPadding,
    cut_by_tokens as cut_by_tokens,
    join_flat as join_flat,
    take_groups as take_groups,
    tokens_of_groups as tokens_of_groups,
)
from .config import RewardConfig as RewardConfig, native_precision as native_precision
from .dashboard import Dashboard as Dashboard
from .data import (
    IDS as IDS,
    check_ids as check_ids,
    find_markers as find_markers,
    id_columns as id_columns,
    longest_text as longest_text,
    name_split as name_split,
    named_columns as named_columns,
    prepare_dataset as prepare_dataset,
    render as render,
    tokenize as tokenize,
)
from .losses import preference_loss as preference_loss
from .metrics import pair_metrics as pair_metrics, wilson_interval as wilson_interval
from .model import (
    add_lora as add_lora,
    check_saved as check_saved,
    fix_date as fix_date,
    flat_rewards as flat_rewards,
    grow_embeddings as grow_embeddings,
    grow_to_vocabulary as grow_to_vocabulary,
    limit_length as limit_length,
    load_reward_model as load_reward_model,
    needs_padding as needs_padding,
    padding_right as padding_right,
    prepare_for_reward as prepare_for_reward,
    reads_text_pairs as reads_text_pairs,
    replace_head as replace_head,
    rewards as rewards,
    save_reward_model as save_reward_model,
    save_tokenizer as save_tokenizer,
    set_text_pair as set_text_pair,
    unwrap as unwrap,
)
from .scoring import (
    in_notebook as in_notebook,
    pair_scores as pair_scores,
    pair_texts as pair_texts,
    response_lengths as response_lengths,
    RewardModel as RewardModel,
)
from .visualizer import RewardVisualizer as RewardVisualizer

__all__ = [
    'logger',
    'ONE_OF_SEVERAL',
    'FILLED_BY_PEFT',
    'SIDE_NAMES',
    'MOST',
    'CONTAINER_LIMITS',
    'OUT_OF_MEMORY',
    'EVAL_TOKENS',
    'READS_BATCHES',
    'OURS',
    'ADDED',
    'WEIGHTS',
    'CARD',
    'margins_of',
    'stack_pairs',
    'RunningMetrics',
    'pair_rows',
    'peak_memory',
    'evaluation_metrics',
    'one_output',
    'set_special_tokens',
    'take_chat_template',
    'train_new_tokens',
    'dropout_rates',
    'disable_dropout',
    'keep_in_float32',
    'warn_of_emulation',
    'RewardTrainer',
    'reward_config',
    'set_logging_dir',
    'one_tokenizer',
    'check_model_init',
    'loading_arguments',
    'has_adapter',
    'tell_tokenizer',
    'is_flat',
    'pairs_in',
    'tokens_of_pairs',
    'rewards_of_pairs',
    'rewards_in',
    'rows_of_outputs',
    'instead',
    'memory_of',
    'guess_budget',
    'is_out_of_memory',
    'check_dataset',
    'place_of_rejected',
    'JoinedBatches',
    'tensors_of',
    'are_probabilities',
    'beside',
    'join_samples',
    'without',
    'is_torn',
    'last_whole_checkpoint',
    'check_optimizer',
    'pipeline_call',
    'results_table',
]
logger: Any
def margins_of(inputs: dict) -> torch.Tensor | None:
    """Label margins of a batch, whether its collator made a row or a column of them."""

def stack_pairs(inputs: dict) -> dict:
    """One batch of 2B sequences from a batch of B pairs; a ValueError where it has neither shape."""

class RunningMetrics(TrainerCallback, ExportableState):
    """Sums over the pairs trained on since the last log, kept on the device, saved with the trainer's state"""
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
        """Forget the pairs since the last log"""

    def add(self, rows: torch.Tensor) -> None:
        """Add a batch of pairs"""

    def take_back(self, before) -> None:
        """Forget the pairs added since a copy was made"""

    def merge(self, accelerator) -> None:
        """Every process holds the sums of all"""

    def means_of(self, sums: list) -> dict:
        """Means over these pairs, `{}` if there are none"""

    def so_far(self) -> dict:
        """Metrics of the pairs since the last log, `{}` if none; nothing is changed"""

    @property
    def are_few(self) -> bool:
        """Whether so few pairs came since the last log that their means would be noise beside it; never where one is broken"""

    def means(self) -> dict:
        """Metrics of the pairs since the last call, `{}` if none; adds them to the run's total and starts afresh"""

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        """Start the watch where it stands"""

    def pause(self) -> None:
        """Stop the watch, and add what it shows"""

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs) -> None:
        """Note the scale of the loss"""

    def on_optimizer_step(self, args, state, control, optimizer=None, **kwargs) -> None:
        """Count the step as skipped where its scale was lowered; a RuntimeError where no scale fits"""

    def state(self) -> dict:
        """What a checkpoint keeps; floats survive JSON exactly"""

    def on_train_begin(self, args, state, control, **kwargs):
        """Take back the checkpoint's sums, or start from nothing"""

def pair_rows(loss_B, r_chosen_B, r_rejected_B, tokens_B2, margin_B=None) -> torch.Tensor:
    """One row a pair: loss, reward of chosen and rejected, tokens of chosen and rejected, label margin (NaN where there is none)"""

def peak_memory(device: torch.device) -> float | None:
    """Most memory that tensors took on the device so far; on a CPU, that the process took"""

def evaluation_metrics(rows, prompts=None) -> dict:
    """`metrics.pair_metrics` of the pairs, and their mean loss"""

def one_output(model, seed: int):
    """`model`, its head replaced, with a warning, where it has more than one output"""

def set_special_tokens(model, tokenizer, args: RewardConfig) -> list[int]:
    """Give the tokenizer the end-of-text token, padding token and chat template that the config names"""

def take_chat_template(model, tokenizer, path: str, trust_remote_code: bool=False) -> list[int]:
    """The chat template at `path`; from a tokenizer, also the special tokens that the template writes"""

def train_new_tokens(peft_config, model, ids: list[int]):
    """`peft_config` that also trains the embeddings of new tokens"""

def dropout_rates(model):
    """Every (module, attribute) of `model` that holds a dropout rate"""

def disable_dropout(model) -> None:
    """Set every dropout rate of `model` to 0"""

def keep_in_float32(model, args: RewardConfig) -> None:
    """Turn float16 weights that are trained into float32, and with a loss scaler bfloat16 ones as well, with a warning."""

def warn_of_emulation(model, args: RewardConfig) -> None:
    """Warn where four-bit weights are multiplied in bfloat16 on a GPU that has none."""

ONE_OF_SEVERAL: str
class RewardTrainer(Trainer):
    """Train a reward model on preference pairs; takes the arguments of TRL's `RewardTrainer`, 0.11's and 1.x's"""
    loss_is_scaled_for_ga: bool
    args: Any
    max_length: Any
    text_pair: Any
    train_dataset: Any
    eval_dataset: Any
    processing_class: Any
    running: RunningMetrics
    data_collator: Any
    data_reports: dict
    budget: Any
    label_names: list
    can_return_loss: bool
    flat: Any
    gather_function: Any
    tokenizer: Any
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

    def call_model_init(self, trial=None):
        """The model of `model_init`, made ready like any other; a ValueError where the data have longer texts than it takes"""

    def create_accelerator_and_postprocess(self) -> None:
        """Each process reads its own share of a stream: one that deals out batches to the others would cut them by rows."""

    def compute_loss(self, model, inputs: dict, return_outputs: bool=False, num_items_in_batch=None):
        """Mean loss over the pairs of a batch.

    With `return_outputs` also a dict of `rewards_chosen` and `rewards_rejected`, each (B,), and `rows` (`pair_rows`); for a
    prediction step of one's own the two rewards alone, each (B, 1), which TRL 0.11's stacks as they come."""

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """The batches of a step; flat ones all in the last place, since they are cut anew"""

    def training_step(self, model, inputs, num_items_in_batch=None):
        """All passes of a step over flat rows, or one over a padded batch; activations in CPU memory where the config says so"""

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        """Loss, raw rewards (B, 2) and labels (zeros: the chosen one, column 0, is right); Nones for an empty batch"""

    def evaluation_loop(
        self,
        dataloader,
        description,
        prediction_loss_only=None,
        ignore_keys=None,
        metric_key_prefix='eval',
    ):
        """`Trainer`'s loop, its metrics replaced by means over pairs"""

    def evaluate(
        self,
        eval_dataset=None,
        ignore_keys=None,
        metric_key_prefix: str='eval',
        num_print_samples: int=4,
    ) -> dict:
        """Metrics over pairs: loss, accuracy with its 95% interval (`_low`, `_high`), ties, mean reward margin, rewards"""

    def predict(self, test_dataset, ignore_keys=None, metric_key_prefix: str='test'):
        """A `PredictionOutput` with raw rewards, (N, 2): chosen, rejected"""

    def visualize_samples(self, num_print_samples: int=4, dataset=None):
        """Score the first pairs in evaluation mode and show them, in a notebook to explore; returns the table (`PairScores`)"""

    def visualize(
        self,
        dataset=None,
        snapshots=None,
        *,
        marks=None,
        key: str | None=None,
        reviewer: str | None=None,
    ) -> RewardVisualizer:
        """Score all pairs of a dataset and explore them; a RuntimeError while training runs"""

    def log(self, logs: dict, start_time=None) -> None:
        """Add the metrics of the pairs trained on since the last log"""

    @property
    def dashboard(self) -> Dashboard | None:
        """What shows the run, if anything does"""

    def train(self, resume_from_checkpoint=None, trial=None, ignore_keys_for_eval=None):
        """Train; resumed, ends with the weights and logged metrics of a run that was never interrupted"""

    def create_scheduler(self, num_training_steps, optimizer=None):
        """The optimizer is there by now, whoever made it: see what it trains"""

    def save_model(self, output_dir=None, _internal_call=False):
        """Save, load again and compare (`rmkit.model.check_saved`); ValueError where what was saved scores otherwise"""

    def create_model_card(
        self,
        model_name: str | None=None,
        dataset_name: str | None=None,
        tags=None,
        **kwargs
    ) -> None:
        """Write README.md into the output folder"""

def reward_config(args, model=None, max_length: int | None=None) -> RewardConfig:
    """The run's `RewardConfig`, which loses nothing of another config class (`RewardConfig.from_arguments`)"""

def set_logging_dir(callbacks, folder) -> None:
    """Have TensorBoard's callback write into `folder`; today's transformers takes it from the environment alone."""

def one_tokenizer(processing_class, tokenizer, data_collator):
    """The tokenizer, whichever name it came under; None where the model's own is meant"""

def check_model_init(tokenizer, args: RewardConfig) -> None:
    """A ValueError for what has to be known before `model_init` makes a model: data are tokenised first"""

def loading_arguments(args: RewardConfig, quantization_config=None) -> dict:
    """What a model is loaded with; what `model_init_kwargs` names comes from there. A ValueError for two quantisations."""

FILLED_BY_PEFT: set
def has_adapter(model, peft_config) -> bool:
    """Whether a model has that very adapter already; a ValueError that names the differences where it has another."""

def tell_tokenizer(trainer: RewardTrainer) -> None:
    """Give callbacks the tokenizer under its older name, too."""

def is_flat(inputs) -> bool:
    """Whether a batch is a flat row (`rmkit.collator.lay_out`)"""

def pairs_in(inputs) -> int:
    """Pairs of a batch; of one that has neither shape, the length of its first tensor"""

def tokens_of_pairs(inputs) -> torch.Tensor:
    """Tokens of the chosen and of the rejected text, prompt included"""

def rewards_of_pairs(model, inputs: dict) -> tuple:
    """What the model says of a batch"""

SIDE_NAMES: tuple
def rewards_in(outputs, n_pairs: int) -> tuple | None:
    """The rewards that a loss or a prediction step gave back: (B, 2), (2B, 1), (2, B), or two tensors of B."""

def rows_of_outputs(loss: torch.Tensor | None, outputs, inputs) -> torch.Tensor:
    """What is remembered of a batch that other code than rmkit's scored."""

@contextmanager
def instead(thing, name: str, value):
    """While the block runs, an attribute has another value"""

MOST: dict
CONTAINER_LIMITS: tuple
def memory_of(device: torch.device) -> int:
    """Memory of the device, or as much of the machine's as a notebook should take: half"""

def guess_budget(model, memory: int, checkpointing: bool=False) -> int:
    """Tokens of a forward and backward pass that should fit, at least 1,024"""

OUT_OF_MEMORY: tuple
def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a smaller pass would help."""

def check_dataset(dataset, split: str) -> None:
    """A TypeError where it isn't a dataset, which says how to get one."""

def place_of_rejected(collator, row: dict) -> int | None:
    """Where a collator puts the first rejected text of two pairs."""

EVAL_TOKENS: int
class JoinedBatches:
    """A dataloader whose flat batches are joined up to a budget of tokens; in their place come empty ones"""
    dataloader: Any
    budget: int
    dataset: Any

    def __init__(self, dataloader, budget: int) -> None:
        ...

    def __len__(self):
        ...

    def __iter__(self):
        ...

def tensors_of(outputs):
    """What a `compute_metrics` may know how to read, where it is no rewards."""

def are_probabilities(rows) -> bool:
    """Whether the two numbers of every pair are shares of 1"""

def beside(theirs: dict, ours: dict, prefix: str) -> dict:
    """Leave another's metrics their names; an accuracy takes its interval along"""

def join_samples(tables: Mapping):
    """Pairs of several sets in one table, whose column `source` names the set."""

READS_BATCHES: tuple
OURS: Any
ADDED: dict
def without(method, added: tuple):
    """`method`, called without those of the arguments that it doesn't take; itself where it takes all"""

WEIGHTS: Any
def is_torn(folder) -> bool:
    """Whether the checkpoint was not written to its end"""

def last_whole_checkpoint(output_dir) -> str:
    """Newest checkpoint that is whole; torn ones are passed over with a warning, and a ValueError is raised if none is left"""

def check_optimizer(model, optimizer) -> None:
    """A ValueError where trainable parameters are in no group of the optimizer, or none is trainable"""

def pipeline_call(tokenizer, kind: str | None) -> str | None:
    """The call of `pipeline` that makes the tokens of training out of a question and an answer"""

CARD: str
def results_table(logs: list) -> str:
    """The last evaluation as a markdown table"""
