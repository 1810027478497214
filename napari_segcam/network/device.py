"""Devices: where a network can run on this machine."""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.errors import SegcamError


def image_like(module: nn.Module) -> torch.Tensor:
    """A tensor of the type, and on the device, that a network's image has: of its first real weights."""
    real = (parameter for parameter in module.parameters() if parameter.is_floating_point())
    return next(real, torch.zeros(()))


def channels_last(module: nn.Module) -> nn.Module:
    """The module with its weights channels-last: that halves the time of convolutions on CPU, and changes no value."""
    if any(parameter.ndim == 5 for parameter in module.parameters()):  # torch knows another order for these
        return module
    return module.to(memory_format=torch.channels_last)


def choose_device(device: str) -> torch.device:
    """The device meant by a word; ``"auto"`` takes the fastest there is.

    Raises:
        SegcamError: if that device is not on this machine.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(kind for kind, available in there.items() if available))
    kind, _, index = device.partition(":")
    available = [kind for kind, is_there in there.items() if is_there]
    if kind not in available or (index and (kind != "cuda" or not index.isdigit())):
        raise SegcamError(f"There is no device {device!r} on this machine. Choose from: auto, {', '.join(available)}.")
    if index and int(index) >= torch.cuda.device_count():
        raise SegcamError(f"There is no device {device!r}: this machine has {torch.cuda.device_count()} CUDA devices.")
    return torch.device(device)
