# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from .config import RewardConfig as RewardConfig
from .data import prepare_dataset as prepare_dataset
from .files import load_rows as load_rows
from .data import split_by_prompt as split_by_prompt
from .words import BadRowError as BadRowError
from .collator import RewardDataCollatorWithPadding as RewardDataCollatorWithPadding
from .collator import DataCollatorForPreference as DataCollatorForPreference
from .layout import PrefixSharingCollator as PrefixSharingCollator
from .model import load_reward_model as load_reward_model
from .model import merge as merge
from .metrics import compute_accuracy as compute_accuracy
from .scoring import RewardModel as RewardModel
from .table import PairScores as PairScores
from .visualizer import RewardVisualizer as RewardVisualizer
from .snapshots import Snapshots as Snapshots
from .dashboard import Dashboard as Dashboard
from .trainer import RewardTrainer as RewardTrainer
from .preflights import preflight as preflight
from .audits import audit as audit
from .audits import Audit as Audit
from .benchmarks import bench as bench
from .uncertainty import average_runs as average_runs
from .serving import check_serving as check_serving
from .model import disable_dropout as disable_dropout_in_model

__version__: str
__all__ = [
    "__version__",
    "RewardConfig",
    "prepare_dataset",
    "load_rows",
    "split_by_prompt",
    "BadRowError",
    "RewardDataCollatorWithPadding",
    "DataCollatorForPreference",
    "PrefixSharingCollator",
    "load_reward_model",
    "merge",
    "compute_accuracy",
    "RewardModel",
    "PairScores",
    "RewardVisualizer",
    "Snapshots",
    "Dashboard",
    "RewardTrainer",
    "preflight",
    "audit",
    "Audit",
    "bench",
    "average_runs",
    "check_serving",
]
