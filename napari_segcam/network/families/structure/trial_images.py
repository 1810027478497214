"""Images for trying a network: frames of the sample cine, and drawn fans of speckle, prepared in the usual ways."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from napari_segcam.demo import sample_cine
from napari_segcam.errors import SegcamError

SOURCES = ("cine", "drawn")
"""Where the images come from."""

NORMALIZATIONS = ("unit", "imagenet", "zscore")
"""How the images may have been prepared when the network was trained."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CINE_FRAMES = 6


@dataclass(frozen=True)
class TrialSetup:
    """Which images a trial takes.

    Attributes:
        count: of images.
        side: pixels.
        source: one of ``SOURCES``.
        normalization: one of ``NORMALIZATIONS``.
    """

    count: int
    side: int
    source: str = "cine"
    normalization: str = "unit"


def trial_images(channels: int, setup: TrialSetup) -> torch.Tensor:
    """Return images ``(count, channels, side, side)`` in float32, the same at each call.

    Args:
        channels: all equal before the normalization, as in gray images.
        setup: which images.
    """
    gray = _cine_frames(setup.side) if setup.source == "cine" else _drawn(setup.count, setup.side)
    images = gray[: setup.count, None].expand(-1, channels, -1, -1)
    if setup.normalization == "unit":
        return images.contiguous()
    if setup.normalization == "zscore":
        return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)
    mean, std = (
        torch.tensor([values[channel % 3] if channels % 3 == 0 else sum(values) / 3 for channel in range(channels)])
        for values in (_MEAN, _STD)
    )
    return (images - mean[:, None, None]) / std[:, None, None]


@cache
def _cine_frames(side: int) -> torch.Tensor:
    """Return frames of the sample cine ``(N, side, side)`` from 0 to 1; drawn images if there is no such cine."""
    try:
        path = sample_cine()
    except SegcamError:
        return _drawn(_CINE_FRAMES, side)
    import pydicom

    pixels = np.asarray(pydicom.dcmread(path).pixel_array)
    chosen = pixels[np.linspace(0, len(pixels) - 1, _CINE_FRAMES).astype(int)].astype(np.float32) / 255
    frames = torch.from_numpy(chosen if chosen.ndim == 3 else chosen.mean(-1))
    return F.interpolate(frames[:, None], (side, side), mode="bilinear", antialias=True)[:, 0]


@cache
def _drawn(count: int, side: int) -> torch.Tensor:
    return torch.stack([_image(seed, side) for seed in range(count)])


def _image(seed: int, side: int) -> torch.Tensor:
    """Return a fan of speckle with darker and brighter regions ``(side, side)`` from 0 to 1."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(-0.5, 0.5, side), indexing="ij")

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    echo = 0.5 + 0.15 * torch.sin(number(4, 9) * y + number(-4, 4) * x + number(0, 6))
    for _ in range(6):
        center_y, center_x = number(0.15, 0.9), number(-0.35, 0.35)
        angle, long, short = number(0, math.pi), number(0.06, 0.3), number(0.03, 0.15)
        along = (y - center_y) * math.cos(angle) + (x - center_x) * math.sin(angle)
        across = (x - center_x) * math.cos(angle) - (y - center_y) * math.sin(angle)
        inside = torch.sigmoid((1 - (along / long) ** 2 - (across / short) ** 2) * 12)
        echo = echo + inside * (number(-0.05, 1.1) - echo) * number(0.5, 1)
    noise = torch.randn(2, 1, side, side, generator=generator)
    speckle = F.conv2d(noise, torch.ones(1, 1, 3, 5) / 15, padding=(1, 2)).square().sum(0)[0].sqrt()
    shown = echo.clamp(0.02, 1) * speckle / speckle.mean() * torch.exp(-number(0, 1.2) * y)
    gray = (0.75 + 0.22 * torch.log(shown.clamp_min(1e-3))).clamp(0, 1)
    apex = number(-0.35, -0.1)
    radius = torch.hypot(y - apex, x)
    fan = (torch.atan2(x.abs(), y - apex) < number(0.45, 0.8)) & (radius < 1 - apex) & (radius > 0.08 - apex)
    return gray * fan
