"""Transfer: moving inputs to the device."""

from __future__ import annotations

import torch

from napari_segcam.explanation.passes.memory import in_words


def to_device(x: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Move an input ``(B, C, H, W)`` from main memory to the device, channels-last.

    For a CUDA device it is copied from pinned memory without waiting, while the network's first kernels are queued.

    Raises:
        TooLittleMemory: if it does not fit the device.
    """
    x = x.to(dtype, memory_format=torch.channels_last)
    if device.type == "cuda":
        x = x.pin_memory()
    try:
        return x.to(device, non_blocking=device.type == "cuda")
    except torch.OutOfMemoryError as error:
        raise in_words(error, device, len(x)) from None
