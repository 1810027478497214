"""A backward pass in the precision of its forward pass, for the functions here whose gradients are written by hand.

What PyTorch's own ``torch.amp.custom_fwd`` and ``custom_bwd`` do for one kind of device, for all of them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch


def remember_precision(ctx: Any, x: torch.Tensor) -> None:
    """To be called in ``forward``, with a tensor on the device where it runs."""
    kind = x.device.type
    ctx.precision = kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)


def same_precision(ctx: Any) -> AbstractContextManager[object]:
    """To be entered in ``backward``."""
    kind, enabled, dtype = ctx.precision
    return torch.autocast(kind, dtype=dtype, enabled=enabled)
