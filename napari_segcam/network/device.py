"""Choose the device that a network runs on, and prepare its weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.preferences.present import origin, preferences


class TooLittleMemory(SegcamError):  # noqa: N818 - a SegcamError is named for users
    """Not enough memory on the device for the network, or for one pass of it."""


_own_threads: int | None = None  # torch's own number, once it was changed


_WITHOUT_FLOAT64 = {"mps"}  # Apple's GPUs


def has_float64(device: torch.device) -> bool:
    """Return whether a device computes in float64."""
    return device.type not in _WITHOUT_FLOAT64


def image_like(module: nn.Module) -> torch.Tensor:
    """Return a tensor with the dtype and device for the network's image: its first floating-point parameter."""
    parameters = (parameter for parameter in module.parameters() if parameter.is_floating_point())
    return next(parameters, torch.zeros(()))


def channels_last(module: nn.Module) -> nn.Module:
    """Return the module with channels-last weights, which halve the time of convolutions on CPU; no value changes."""
    if any(parameter.ndim == 5 for parameter in module.parameters()):  # torch has another memory format for 3D
        return module
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return module


@contextmanager
def network_must_fit() -> Iterator[None]:
    """Raise TooLittleMemory, in the user's words, if the device has no room for the network that is loaded in here."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise TooLittleMemory(
            "The device has too little memory for this network. Close other programs that use it, or use the CPU.",
            action="use_cpu",
        ) from None


def choose_device(device: str) -> torch.device:
    """Return the torch device of this name; ``"auto"`` is that of the user's preferences, or else the fastest.

    Raises:
        SegcamError: if this machine does not have the device.
    """
    availability = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [kind for kind, is_available in availability.items() if is_available]
    if device == "auto":
        device = preferences().device
        if device == "auto":
            return torch.device(available[0])
        if device not in available:
            raise SegcamError(
                f"There is no device {device!r} on this machine, for which your preferences ask. Choose another one: "
                f"{', '.join(available)}."
            )
    kind, _, index = device.partition(":")
    if kind not in available or (index and (kind != "cuda" or not index.isdigit())):
        raise SegcamError(
            f"There is no device {device!r} on this machine. Choose from: auto, {', '.join(available)}.",
            action="use_any_device",
        )
    if index and int(index) >= torch.cuda.device_count():
        raise SegcamError(f"There is no device {device!r}: this machine has {torch.cuda.device_count()} CUDA devices.")
    return torch.device(device)


def use_preferred_threads() -> None:
    """Let torch use as many threads as the user's preferences say, in this thread and those that it starts.

    Without such a preference, or with ``OMP_NUM_THREADS`` in the environment, torch's own number stays, unless
    ``NAPARI_SEGCAM_THREADS`` asks for another.
    """
    global _own_threads
    wanted = preferences().threads
    if "OMP_NUM_THREADS" in os.environ and origin("threads") != "environment":
        return
    if wanted and _own_threads is None:
        _own_threads = torch.get_num_threads()
    number = wanted or _own_threads
    if number is not None and number != torch.get_num_threads():
        torch.set_num_threads(number)
