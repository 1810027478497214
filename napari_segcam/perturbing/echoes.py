"""Perturbations of the echoes: gain, dynamic range, speckle noise and shadows, on the decibel scale of the display."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_segcam.perturbing.shares import FrameContext, Shares, on_brightness

DYNAMIC_RANGE = 60.0
"""Decibels from black to white that are assumed of a display: a gray value is the logarithm of the echo."""

RAYLEIGH_SNR = float(np.sqrt(np.pi / (4 - np.pi)))
"""Mean by standard deviation of Rayleigh's distribution, 1.91: of the amplitude of fully developed speckle."""

STRONGEST_SPECKLE = float(20 * np.log10(RAYLEIGH_SNR))
"""Its SNR in decibels, 5.6."""

SHADOW_WIDTH, SHADOW_LOSS = 20.0, 20.0
"""Percent of the width that a shadow covers, and decibels that it takes, where the other of both is changed."""

_GRAIN = 1.0  # pixels: σ of the point spread
_SOFT = 0.1  # of the width: the soft edge of a shadow


def gain(shares: Shares, strength: float, _context: FrameContext) -> Shares:
    """Raise or lower all echoes by so many decibels: gray values move by that part of the dynamic range."""
    return on_brightness(shares, lambda brightness: brightness + strength / DYNAMIC_RANGE)


def contrast(shares: Shares, strength: float, _context: FrameContext) -> Shares:
    """Display so many decibels more or fewer: white stays, and a smaller range makes weak echoes black."""
    factor = DYNAMIC_RANGE / (DYNAMIC_RANGE + strength)
    return on_brightness(shares, lambda brightness: 1 - (1 - brightness) * factor)


def speckle(shares: Shares, strength: float, context: FrameContext) -> Shares:
    """Multiply the echoes by noise of Rayleigh's distribution, mixed with 1 so that its SNR is so many decibels."""
    shape = shares.shape[:2]
    field = context.generator().normal(size=(2, *shape))
    field = gaussian_filter(field, (0, _GRAIN, _GRAIN), mode="wrap")
    amplitude = np.hypot(*field)
    amplitude /= np.sqrt(np.pi / 2) * max(float(field.std()), 1e-12)  # the mean of Rayleigh's distribution is then 1
    part = 10 ** ((STRONGEST_SPECKLE - strength) / 20)
    decibels = 20 * np.log10(np.maximum(1 + part * (amplitude - 1), 1e-6))
    return on_brightness(shares, lambda brightness: brightness + decibels / DYNAMIC_RANGE)


def shadow(shares: Shares, strength: float, context: FrameContext) -> Shares:
    """Take so many decibels from the echoes of a fifth of the width."""
    return _shadow(shares, SHADOW_WIDTH, strength, context)


def shadow_width(shares: Shares, strength: float, context: FrameContext) -> Shares:
    """Take 20 dB from the echoes of so many percent of the width."""
    return _shadow(shares, strength, SHADOW_LOSS, context)


def _shadow(shares: Shares, percent: float, loss: float, context: FrameContext) -> Shares:
    """Darken columns from the top to the bottom, with soft edges; the place depends on the seed alone."""
    width = shares.shape[1]
    center = context.generator().uniform(0.3, 0.7)
    distance = np.abs((np.arange(width) + 0.5) / width - center) - percent / 200
    depth = np.clip(1 - distance / _SOFT, 0, 1) if percent < 100 else np.ones(width)
    return on_brightness(shares, lambda brightness: brightness - depth[None] * loss / DYNAMIC_RANGE)
