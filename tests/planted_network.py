"""A network with known answers: the effect of each stage on the mask, and where; and frames for such networks."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc

SIDE = 64


class Planted(nn.Module):
    """The mask is the bright part of the image, but only while the deep stage is bright in its top left quadrant.

    ``shallow`` (stride 2) is the image itself; ``deep`` (stride 8) holds the switch in its top left quadrant; ``idle``
    (stride 4) is computed and then multiplied by zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shallow = nn.Conv2d(1, 1, 1, stride=2, bias=False)
        self.idle = nn.AvgPool2d(2)
        self.deep = nn.AvgPool2d(4)
        self.head = nn.Identity()
        nn.init.ones_(self.shallow.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.shallow(x)
        idle = self.idle(shallow)
        deep = self.deep(shallow)
        rows, columns = deep.shape[-2] // 2, deep.shape[-1] // 2
        switch = deep[..., :rows, :columns].amax((2, 3), keepdim=True)
        logits = 20 * (shallow - 0.5) + 40 * (switch - 0.9).clamp(max=0)
        upsampled = F.interpolate(logits, size=x.shape[-2:], mode="nearest")
        return self.head(upsampled + 0 * F.interpolate(idle, size=x.shape[-2:]))


def planted() -> sc.Network:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))
    return sc.Network.from_module(Planted(), card, device="cpu")


def frame(seed: int = 0) -> np.ndarray:
    """Return dark speckle with a bright finding at the right, and the bright, smaller switch at the top left."""
    values = np.random.default_rng(seed).integers(0, 60, (SIDE, SIDE)).astype(np.uint8)
    values[8:16, 8:16] = 255
    values[30:50, 36:56] = 250
    return values


def soft_speckle(height: int = 200, width: int = 260, seed: int = 0) -> np.ndarray:
    """Return speckle as a beam several pixels wide gives it, with a bright soft arc like bone, which saturates."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(2, height, width)), (0, 1.6, 1.6))
    values = np.hypot(*field)
    values = 70 * values / values.mean()
    rows, columns = np.indices((height, width))
    radius = np.hypot(rows - 0.55 * height, (columns - 0.5 * width) * 0.8)
    values += 260 * np.exp(-(((radius - 0.3 * height) / 4.0) ** 2)) * (rows < 0.5 * height)
    return np.clip(values, 0, 255).astype(np.uint8)
