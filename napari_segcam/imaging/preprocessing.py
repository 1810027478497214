"""Frame ⇄ network input: exact, and reversible for everything that comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.value_range import value_range_of
from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD, ModelCard, SizeRule

# ITU-R BT.601 weights of red, green and blue in luminance.
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Geometry:
    """How a frame lies in the network's input, in pixel-centre coordinates (``align_corners=False``).

    The frame is resized to ``content_shape`` and stands with its top left corner at ``offset`` in ``input_shape``.
    All are (rows, columns) in pixels.
    """

    frame_shape: tuple[int, int]
    input_shape: tuple[int, int]
    content_shape: tuple[int, int]
    offset: tuple[int, int] = (0, 0)

    @cached_property
    def zoom(self) -> tuple[float, float]:
        """Input pixels per frame pixel, for rows and columns."""
        rows, columns = (content / frame for content, frame in zip(self.content_shape, self.frame_shape, strict=True))
        return rows, columns

    def placement(self, map_shape: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Scale and translate that lay a map of the whole input on the frame, in frame pixels.

        Pixel ``i`` of the map has its centre at ``scale · i + translate``; at zoom 1 and stride s these are s and
        (s − 1) / 2.
        """
        scale, translate = [], []
        for length, size, zoom, offset in zip(map_shape, self.input_shape, self.zoom, self.offset, strict=True):
            stride = size / length
            scale.append(stride / zoom)
            translate.append((stride / 2 - offset) / zoom - 0.5)
        return (scale[0], scale[1]), (translate[0], translate[1])

    def to_frame(self, maps: torch.Tensor) -> torch.Tensor:
        """Interpolate maps ``(..., h, w)`` of the whole input bilinearly to the frame's grid ``(..., Y, X)``.

        Equals ``F.interpolate(mode="bilinear", align_corners=False)`` where the input holds nothing but the frame.
        """
        map_shape = (maps.shape[-2], maps.shape[-1])
        if map_shape == self.input_shape:  # the padding has no part in the frame's edge
            content = maps[..., self._content[0], self._content[1]]
            if self.content_shape == self.frame_shape:
                return content
            lead = content.shape[:-2]
            return F.interpolate(
                content.reshape(1, -1, *self.content_shape), self.frame_shape, mode="bilinear", align_corners=False
            ).reshape(*lead, *self.frame_shape)
        (scale_y, scale_x), (translate_y, translate_x) = self.placement(map_shape)
        rows = _interpolation(self.frame_shape[0], map_shape[0], scale_y, translate_y).to(maps.dtype).to(maps.device)
        columns = _interpolation(self.frame_shape[1], map_shape[1], scale_x, translate_x).to(maps.dtype).to(maps.device)
        return rows @ maps @ columns.T

    def to_input(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A region of the frame ``(Y, X)`` on the input's grid ``(H, W)``; nothing outside the frame.

        Where pixels are merged, one that was in the region is enough, so that no region is too small to survive.
        """
        for axis, (content, frame) in enumerate(zip(self.content_shape, self.frame_shape, strict=True)):
            if content < frame:
                region = np.logical_or.reduceat(region, np.arange(content) * frame // content, axis=axis)
            elif content > frame:
                region = region.take((2 * np.arange(content) + 1) * frame // (2 * content), axis=axis)
        laid = np.zeros(self.input_shape, dtype=bool)
        laid[self._content] = region
        return laid

    @property
    def content(self) -> NDArray[np.bool_]:
        """Where the frame lies in the input, ``(H, W)``."""
        return self.to_input(np.ones(self.frame_shape, dtype=bool))

    @property
    def _content(self) -> tuple[slice, slice]:
        (top, left), (height, width) = self.offset, self.content_shape
        return slice(top, top + height), slice(left, left + width)


def lay_out(frame_shape: tuple[int, int], rule: SizeRule, stride: int) -> Geometry:
    """The geometry that a size rule gives for a frame and a network's stride."""
    height, width = frame_shape
    if rule.rule == "pad":
        padded = (math.ceil(height / stride) * stride, math.ceil(width / stride) * stride)
        return Geometry(frame_shape, padded, frame_shape)
    if rule.height is None or rule.width is None:
        nearest = (max(1, round(height / stride)) * stride, max(1, round(width / stride)) * stride)
        return Geometry(frame_shape, nearest, nearest)
    wanted = (rule.height, rule.width)
    if any(length % stride for length in wanted):
        raise SegcamError(
            f"The model card asks for {wanted[0]}×{wanted[1]} pixels, but this network needs multiples of {stride}."
        )
    if rule.rule == "resize":
        return Geometry(frame_shape, wanted, wanted)
    zoom = min(wanted[0] / height, wanted[1] / width)
    content = (min(wanted[0], max(1, round(height * zoom))), min(wanted[1], max(1, round(width * zoom))))
    offset = ((wanted[0] - content[0]) // 2, (wanted[1] - content[1]) // 2)
    return Geometry(frame_shape, wanted, content, offset)


def prepare(
    frame: NDArray[np.generic], card: ModelCard, stride: int, value_range: tuple[float, float] | None = None
) -> tuple[torch.Tensor, Geometry]:
    """Turn a frame into the network's input, as its model card says.

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3 or 4)``, any real dtype; alpha is ignored.
        card: channels, size rule and normalisation.
        stride: the input's height and width become multiples of this.
        value_range: the values that mean black and white; by default the dtype's own for whole numbers, and 0–1 or
            0–255 for fractions, whichever holds the frame.

    Returns:
        The input ``(1, C, H, W)`` float32, and how the frame lies in it. Padding is black.

    Raises:
        SegcamError: if the frame's shape, channels or values do not go with the card.
    """
    image = np.asarray(frame)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)) or 0 in image.shape:
        raise SegcamError(f"A frame must be (Y, X) gray or (Y, X, 3) colour, but this one has the shape {image.shape}.")
    if image.dtype.kind not in "buif":
        raise SegcamError(f"A frame must hold real numbers, but this one holds {image.dtype}.")
    if not np.isfinite(image).all():
        raise SegcamError("The frame holds values that are not numbers (NaN or infinity).")
    if card.normalisation == "none":
        value_range = (0.0, 1.0)
    black, white = value_range or value_range_of(image)
    if not black < white:
        raise SegcamError(f"The value range runs from {black:g} to {white:g}: white must be more than black.")
    pixels = torch.from_numpy(np.array(image[..., :3] if image.ndim == 3 else image, dtype=np.float32))
    pixels = _with_channels((pixels - black) / (white - black), card.input_channels)
    geometry = lay_out((image.shape[0], image.shape[1]), card.size, stride)
    if geometry.content_shape != geometry.frame_shape:
        pixels = F.interpolate(pixels[None], geometry.content_shape, mode="bilinear", align_corners=False)[0]
    mean, std = _statistics(pixels, card)
    (top, left), (height, width) = geometry.offset, geometry.content_shape
    bottom, right = geometry.input_shape[0] - top - height, geometry.input_shape[1] - left - width
    padded = F.pad(pixels, (left, right, top, bottom))
    return ((padded - mean) / std)[None], geometry


def _with_channels(pixels: torch.Tensor, channels: int) -> torch.Tensor:
    """``(Y, X)`` or ``(Y, X, 3)`` → ``(channels, Y, X)``."""
    if pixels.ndim == 2:
        return pixels.expand(channels, -1, -1)
    if channels == 3:
        return pixels.permute(2, 0, 1)
    if channels == 1:
        return (pixels @ pixels.new_tensor(_LUMINANCE))[None]
    raise SegcamError(f"The frame is in colour, but the network takes {channels} channels.")


def _statistics(pixels: torch.Tensor, card: ModelCard) -> tuple[torch.Tensor, torch.Tensor]:
    """What to subtract and to divide by, each ``(C, 1, 1)`` or ``(1, 1, 1)``."""
    if card.normalisation == "imagenet":
        mean, std = pixels.new_tensor(IMAGENET_MEAN), pixels.new_tensor(IMAGENET_STD)
        if card.input_channels != 3:  # no statistics exist for other channels: the three colours' average stands in
            mean, std = mean.mean(), std.mean()
        return mean.reshape(-1, 1, 1), std.reshape(-1, 1, 1)
    if card.normalisation == "zscore":
        return pixels.mean().reshape(1, 1, 1), pixels.std(correction=0).clamp_min(1e-8).reshape(1, 1, 1)
    return pixels.new_zeros(1, 1, 1), pixels.new_ones(1, 1, 1)


def _interpolation(length: int, map_length: int, scale: float, translate: float) -> torch.Tensor:
    """The ``(length, map_length)`` matrix of linear interpolation, float64, clamped at the ends."""
    at = ((torch.arange(length, dtype=torch.float64) - translate) / scale).clamp(0, map_length - 1)
    below = at.floor().long().clamp_max(max(map_length - 2, 0))
    above = (below + 1).clamp_max(map_length - 1)
    share = at - below
    rows = torch.arange(length)
    matrix = torch.zeros(length, map_length, dtype=torch.float64)
    matrix[rows, below] += 1 - share
    matrix[rows, above] += share
    return matrix
