"""Run a backward pass in the precision of its forward pass, for functions with gradients written by hand.

PyTorch's ``torch.amp.custom_fwd`` and ``custom_bwd`` do this for one kind of device; these functions do it for all.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch


def remember_precision(ctx: Any, x: torch.Tensor) -> None:
    """Remember the precision. Call it in ``forward`` with a tensor on the device in use."""
    kind = x.device.type
    ctx.precision = kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)


def same_precision(ctx: Any) -> AbstractContextManager[object]:
    """Return a context with the remembered precision. Enter it in ``backward``."""
    kind, enabled, dtype = ctx.precision
    return torch.autocast(kind, dtype=dtype, enabled=enabled)
