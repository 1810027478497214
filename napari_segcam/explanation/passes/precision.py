"""Precision: autocast to bfloat16, which GPUs multiply several times faster than float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from napari_segcam.errors import SegcamError

# On CPUs without bfloat16 units autocast takes almost twice as long, and Apple's GPUs gain nothing.
_DEVICES_THAT_GAIN = ("cuda",)


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
