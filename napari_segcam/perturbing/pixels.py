"""Perturbations of the picture: blur, JPEG, resolution and burned-in graphics."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_segcam.imaging.burned_in.calipers import paste_calipers
from napari_segcam.perturbing.shares import Frame, FrameContext, Shares

_MARGIN = 0.1  # of each side, without marks


def blur(shares: Shares, strength: float, context: FrameContext) -> Shares:
    """Smooth by a Gaussian whose σ is in mm, or in pixels where the frame is not calibrated."""
    height, width = context.spacing_mm or (context.pixel_aspect, 1.0)
    sigma = (strength / height, strength / width)
    return gaussian_filter(shares, sigma + (0,) * (shares.ndim - 2), mode="nearest")


def jpeg(shares: Shares, strength: float, _context: FrameContext) -> Shares:
    """Compress by JPEG of a quality, and read it again."""
    values = np.rint(shares * 255).astype(np.uint8)
    if values.ndim == 2 or values.shape[2] == 3:
        return _compressed(values, round(strength))
    return np.stack([_compressed(channel, round(strength)) for channel in np.moveaxis(values, 2, 0)], axis=2)


def _compressed(values: Frame, quality: int) -> Shares:
    file = io.BytesIO()
    Image.fromarray(values).save(file, format="JPEG", quality=quality)
    with Image.open(file) as image:
        return np.asarray(image, np.float64) / 255


def resolution(shares: Shares, strength: float, _context: FrameContext) -> Shares:
    """Reduce the frame by a factor (mean of the pixels) and enlarge it again (bilinear)."""
    if shares.ndim > 2:
        channels = [resolution(channel, strength, _context) for channel in np.moveaxis(shares, 2, 0)]
        return np.stack(channels, axis=2)
    height, width = shares.shape
    small = (max(1, round(width / strength)), max(1, round(height / strength)))
    image = Image.fromarray(shares.astype(np.float32))
    image = image.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(image, np.float64), 0, 1)


def graphics(frame: Frame, strength: float, context: FrameContext) -> Frame:
    """Burn so many white marks, as of calipers, into a frame, at places that depend on the seed alone.

    A larger number has the marks of a smaller one, and more.
    """
    count = round(strength)
    places = context.generator().uniform(_MARGIN, 1 - _MARGIN, (count, 2))
    points = np.floor(places * frame.shape[:2])
    return paste_calipers(frame, points, value_range=context.value_range)
