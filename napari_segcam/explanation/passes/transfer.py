"""Transfer: inputs on their way to the device."""

from __future__ import annotations

import torch


def to_device(x: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """An input ``(B, C, H, W)`` from main memory on the device, channels-last.

    To a CUDA device it goes from pinned memory and without waiting: the network's first kernels are queued meanwhile.
    """
    x = x.to(dtype, memory_format=torch.channels_last)
    if device.type == "cuda":
        x = x.pin_memory()
    return x.to(device, non_blocking=device.type == "cuda")
