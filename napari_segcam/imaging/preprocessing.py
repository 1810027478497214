"""Preprocessing: turn a frame into the network's input, so that results can be mapped back to the frame."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.geometry import Crop, Geometry, lay_out
from napari_segcam.imaging.value_range import to_unit, value_range_of
from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD, ModelCard

# ITU-R BT.601 weights of red, green and blue in luminance.
_LUMINANCE = (0.299, 0.587, 0.114)


def prepare(
    frame: NDArray[np.generic],
    card: ModelCard,
    stride: int,
    value_range: tuple[float, float] | None = None,
    crop: Crop | None = None,
    pixel_aspect: float = 1.0,
) -> tuple[torch.Tensor, Geometry]:
    """Turn a frame into the network's input, as described by the model card.

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3 or 4)``, any real dtype; alpha is ignored.
        card: channels and their order, size rule and normalization.
        stride: the input's height and width become multiples of this.
        value_range: the values of black and white; values beyond become black or white. By default they are estimated
            from this frame alone, so give those of the cine for one of its frames.
        crop: rows and columns that the network sees; the rest has no effect, not even on a z-score. By default all.
        pixel_aspect: height of the frame's pixels divided by their width; the network sees the frame in its true shape,
            unless the card stretches every frame to one size.

    Returns:
        The input ``(1, C, H, W)`` float32, and where the frame is in it. Padding is black.

    Raises:
        SegcamError: if the frame's shape, channels or values do not fit the card, the crop is empty or extends beyond
            the frame, or the aspect is not possible.
    """
    image = np.asarray(frame)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)) or 0 in image.shape:
        raise SegcamError(f"A frame must be (Y, X) gray or (Y, X, 3) color, but this one has the shape {image.shape}.")
    if image.dtype.kind not in "buif":
        raise SegcamError(f"A frame must hold real numbers, but this one holds {image.dtype}.")
    if not np.isfinite(image).all():
        raise SegcamError("The frame holds values that are not numbers (NaN or infinity).")
    if card.normalization == "none":
        value_range = (0.0, 1.0)
    black, white = value_range or value_range_of(image)
    if not black < white:
        raise SegcamError(f"The value range runs from {black:g} to {white:g}: white must be more than black.")
    geometry = lay_out((image.shape[0], image.shape[1]), card.size, stride, crop, pixel_aspect)
    image = image[geometry.window]
    image = image[..., :3] if image.ndim == 3 else image
    values = np.array(image, np.float32) if card.normalization == "none" else to_unit(image, black, white)
    pixels = _with_channels(torch.from_numpy(values), card.input_channels, reverse=card.channel_order == "bgr")
    if geometry.content_shape != geometry.window_shape:
        pixels = F.interpolate(pixels[None], geometry.content_shape, mode="bilinear", align_corners=False)[0]
    (top, left), (height, width) = geometry.offset, geometry.content_shape
    bottom, right = geometry.input_shape[0] - top - height, geometry.input_shape[1] - left - width
    return _normalized(pixels, F.pad(pixels, (left, right, top, bottom)), card)[None], geometry


def _with_channels(pixels: torch.Tensor, channels: int, *, reverse: bool) -> torch.Tensor:
    """``(Y, X)`` or ``(Y, X, 3)`` → ``(channels, Y, X)``; with ``reverse``, three channels are blue, green and red."""
    if pixels.ndim == 2:
        return pixels.expand(channels, -1, -1)
    if channels == 3:
        colors = pixels.permute(2, 0, 1)
        return colors.flip(0) if reverse else colors
    if channels == 1:
        return (pixels @ pixels.new_tensor(_LUMINANCE))[None]
    raise SegcamError(f"The frame is in color, but the network takes {channels} channels.", action="edit_card")


def _normalized(pixels: torch.Tensor, padded: torch.Tensor, card: ModelCard) -> torch.Tensor:
    """Return the padded image, normalized by what the pixels without the padding show."""
    if card.normalization == "percentile":
        low, high = _percentiles(pixels, card)
        pixels, padded = (pixels - low) / (high - low), (padded - low) / (high - low)
    if card.clip is not None:
        pixels, padded = pixels.clamp(*card.clip), padded.clamp(*card.clip)
    mean, std = _statistics(pixels, card)
    return (padded - mean) / std


def _percentiles(pixels: torch.Tensor, card: ModelCard) -> tuple[float, float]:
    """Return the two percentiles of the pixels of all channels; their difference is not 0, for a uniform image too."""
    low, high = np.percentile(pixels.numpy(), card.percentiles or (0, 100))
    return float(low), float(max(high, low + 1e-8))


def _statistics(pixels: torch.Tensor, card: ModelCard) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean to subtract and the std to divide by, each ``(C, 1, 1)`` or ``(1, 1, 1)``."""
    if card.normalization == "imagenet":
        mean, std = pixels.new_tensor(IMAGENET_MEAN), pixels.new_tensor(IMAGENET_STD)
        if card.input_channels != 3:  # there are no statistics for other channels: use the average of the three colors
            mean, std = mean.mean(), std.mean()
        return mean.reshape(-1, 1, 1), std.reshape(-1, 1, 1)
    if card.normalization == "custom" or card.mean:
        return pixels.new_tensor(card.mean).reshape(-1, 1, 1), pixels.new_tensor(card.std).reshape(-1, 1, 1)
    if card.normalization == "zscore":
        return pixels.mean().reshape(1, 1, 1), pixels.std(correction=0).clamp_min(1e-8).reshape(1, 1, 1)
    return pixels.new_zeros(1, 1, 1), pixels.new_ones(1, 1, 1)
