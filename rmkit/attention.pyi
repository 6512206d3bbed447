# Written by docs/stubs.py: run `make prepare` after an edit of the notebook.
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

__all__ = [
    'CALL_COST',
    'FEW_SCORES',
    'NO_MASK',
    'HARMLESS',
    'ATTENTION_LAYERS',
    'Branches',
    'varlen_attention',
    'rectangles',
    'Rectangle',
    'Plan',
    'rectangle_attention',
    'FlatAttentionError',
    'flat_attention',
    'why_padded',
    'use_flat_attention',
]
@dataclass
class Branches:
    """How the texts of a flat row lie in it (see `rmkit.layout.lay_out`)."""
    keys_M: torch.Tensor
    cu_q: torch.Tensor
    cu_k: torch.Tensor
    sizes_R2: np.ndarray
    plans: dict[int, tuple] = ...

    @classmethod
    def of(cls, flat: dict[str, Any]) -> 'Branches':
        """The branches of a flat batch."""

    @property
    def ends_R(self) -> torch.Tensor:
        """Where in the row each text ends, and its reward is read."""

    @property
    def is_shared(self) -> bool:
        """Whether any text has tokens that stand in another's stretch."""

    def plan(self, width: int) -> Plan:
        """The rectangles of this batch, as tensors on its device."""

def varlen_attention(
    query_NHD: torch.Tensor,
    key_NhD: torch.Tensor,
    value_NhD: torch.Tensor,
    branches: Branches,
    scale: float,
    window: int | None=None,
) -> torch.Tensor:
    """Attention of each text (Vaswani et al., arXiv 1706.03762, eq. 1), by the kernel of `torch.nn.attention.varlen`."""

CALL_COST: int
def rectangles(sizes_R2: np.ndarray, width: int) -> tuple[list[tuple], np.ndarray]:
    """The fewest, least wasteful rectangles for the texts of a row; and where each query of the row comes out."""

@dataclass
class Rectangle:
    """Texts of similar length, gathered for one call."""
    keys_SK: torch.Tensor
    n_queries: int
    lengths_S2: np.ndarray
    whole: bool
    masks: dict[tuple, torch.Tensor] = ...

class Plan(NamedTuple):
    """The rectangles of a batch, as tensors on its device."""
    rectangles: list[Rectangle]
    queries_P: torch.Tensor
    keys_P: torch.Tensor
    output_index_N: torch.Tensor

FEW_SCORES: Any
def rectangle_attention(
    query_NHD: torch.Tensor,
    key_NhD: torch.Tensor,
    value_NhD: torch.Tensor,
    branches: Branches,
    scale: float,
    window: int | None=None,
    softcap: float | None=None,
) -> torch.Tensor:
    """Attention of each text (Vaswani et al., arXiv 1706.03762, eq. 1), in rectangles of similar length; scores capped
    as in Gemma 2 (arXiv 2408.00118, section 2)."""

class FlatAttentionError(NotImplementedError):
    """The model's attention can't run over a flat row."""

NO_MASK: tuple
HARMLESS: set
def flat_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None=None,
    dropout: float=0.0,
    sliding_window: int | None=None,
    softcap: float | None=None,
    branches: Branches | None=None,
    fallback: Callable[..., Any]=...,
    **kwargs
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """An attention function for `transformers.AttentionInterface` that takes flat rows; a FlatAttentionError if not."""

ATTENTION_LAYERS: set
def why_padded(model: PreTrainedModel) -> str | None:
    """Why a model can't run over a flat row, as far as its code and config tell."""

def use_flat_attention(model: PreTrainedModel) -> PreTrainedModel:
    """Switch to attention that takes flat rows, and padded ones as before; nothing of it is saved with the model."""
