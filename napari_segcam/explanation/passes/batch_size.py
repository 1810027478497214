"""Batches: how many frames are worth one pass."""

from __future__ import annotations

import torch


def best_batch_size(frame_shape: tuple[int, ...], device: torch.device) -> int:
    """How many frames of a size are worth one pass.

    On a CPU small frames gain by sharing a pass and large ones lose (eight frames of U-Net++ / EfficientNet-B5 took
    0.8 of the time each at 256 px and 1.1 at 640 px); a GPU is filled by about two megapixels.
    """
    pixels = frame_shape[0] * frame_shape[1]
    enough = 2_000_000 if device.type == "cuda" else 8 * 256 * 256
    largest = 32 if device.type == "cuda" else 8
    if device.type != "cuda" and pixels > 384 * 384:
        return 1
    return max(1, min(largest, enough // pixels))
