"""Precision: autocast to bfloat16, which GPUs multiply several times faster than float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError

# On CPUs without bfloat16 units autocast takes almost twice as long, and Apple's GPUs gain nothing.
_DEVICES_THAT_GAIN = ("cuda",)

# What rounding may change: a share of the pixels with a finding, and a few pixels on the boundaries of small ones.
_LARGEST_CHANGE = 0.02
_FEW_PIXELS = 8


def autocast_on(device: torch.device, enabled: bool) -> AbstractContextManager[object]:
    """Return the context for a run of the network, in bfloat16 if enabled and the device gains from it."""
    if enabled and device.type in _DEVICES_THAT_GAIN:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def refuse_autocast_without_gain(device: torch.device) -> None:
    """Raise a SegcamError unless autocast is faster on the device."""
    if device.type not in _DEVICES_THAT_GAIN:
        raise SegcamError(
            f"Autocast is faster on NVIDIA GPUs only; this network is on {device}, where it is slower. Leave it out."
        )
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SegcamError(
            f"{torch.cuda.get_device_name(device)} has no bfloat16 units: autocast is slower on it. Leave it out."
        )


def refuse_changed_masks(exact: NDArray[np.uint8], rounded: NDArray[np.uint8]) -> bool:
    """Raise a SegcamError if autocast changes masks by more than their outermost pixels.

    A network with large weights can answer in bfloat16 as if it were another network; its maps are then worth nothing.

    Args:
        exact: labels ``(B, H, W)`` in the network's own precision.
        rounded: the same with autocast.

    Returns:
        Whether there was any finding to compare.
    """
    changed, found = int((exact != rounded).sum()), int(((exact > 0) | (rounded > 0)).sum())
    allowed = _LARGEST_CHANGE * found + (_FEW_PIXELS if exact[0].size > 1 else 0)
    if changed > allowed:
        raise SegcamError(
            f"With autocast, this network's mask differs in {changed:,} pixels from its mask in full precision, of "
            f"{found:,} with a finding in either: it cannot take the rounding. Leave autocast out."
        )
    return found > 0
