"""Geometry: how a frame, or a part of it, lies in a network's input, and how what comes out lies on the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.budget import INPUT_PIXELS
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.plausibility import is_square
from napari_segcam.network.model_card import SizeRule

Crop = tuple[slice, slice]
"""Rows and columns of a frame, in its pixels, without the last ones."""

_LONGEST_PIXEL = 1e9  # times as long as wide


@dataclass(frozen=True)
class Geometry:
    """How a frame lies in the network's input, in pixel-center coordinates (``align_corners=False``).

    The crop, by default the whole frame, is resized to ``content_shape`` and stands with its top left corner at
    ``offset`` in ``input_shape``. All shapes are (rows, columns) in pixels.

    Attributes:
        frame_shape: of the whole frame.
        input_shape: of the network's input.
        content_shape: of the crop within the input.
        offset: of the crop within the input.
        crop: top, bottom, left and right of what the network sees of the frame, without the last row and column; None
            where it sees all of it.
        pixel_aspect: height of the frame's pixels by their width, by which the size rule was followed.
    """

    frame_shape: tuple[int, int]
    input_shape: tuple[int, int]
    content_shape: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    crop: tuple[int, int, int, int] | None = None
    pixel_aspect: float = 1.0

    @property
    def window(self) -> Crop:
        """Rows and columns of the frame that the network sees."""
        top, bottom, left, right = self.crop or (0, self.frame_shape[0], 0, self.frame_shape[1])
        return slice(top, bottom), slice(left, right)

    @property
    def window_shape(self) -> tuple[int, int]:
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    @cached_property
    def zoom(self) -> tuple[float, float]:
        """Input pixels per frame pixel, for rows and columns."""
        rows, columns = (content / seen for content, seen in zip(self.content_shape, self.window_shape, strict=True))
        return rows, columns

    def placement(self, map_shape: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Scale and translate that lay a map of the whole input on the frame, in frame pixels.

        Pixel ``i`` of the map has its center at ``scale · i + translate``; at zoom 1, stride s and without a crop these
        are s and (s − 1) / 2.
        """
        scale, (row, column) = self._placement_in_window(map_shape)
        rows, columns = self.window
        return scale, (row + rows.start, column + columns.start)

    def to_frame(self, maps: torch.Tensor, outside: torch.Tensor | float = 0.0) -> torch.Tensor:
        """Interpolate maps ``(..., h, w)`` of the whole input bilinearly to the frame's grid ``(..., Y, X)``.

        Equals ``F.interpolate(mode="bilinear", align_corners=False)`` where the input holds nothing but the frame.

        Args:
            maps: any real dtype.
            outside: what stands where the network did not look, outside of the crop; it must broadcast to the result.
        """
        return self.paste(self.to_window(maps), outside)

    def to_window(self, maps: torch.Tensor) -> torch.Tensor:
        """As ``to_frame``, but only what the network saw: the crop's grid."""
        map_shape = (maps.shape[-2], maps.shape[-1])
        window_shape = self.window_shape
        if map_shape == self.input_shape:  # the padding has no part in the frame's edge
            content = maps[..., self._content[0], self._content[1]]
            if self.content_shape == window_shape:
                return content
            lead = content.shape[:-2]
            return F.interpolate(
                content.reshape(1, -1, *self.content_shape), window_shape, mode="bilinear", align_corners=False
            ).reshape(*lead, *window_shape)
        rows, columns = (matrix.to(maps.device) for matrix in self.interpolation(map_shape, maps.dtype))
        return rows @ maps @ columns.T

    def interpolation(self, map_shape: tuple[int, int], dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """The matrices R, ``(Y, h)``, and C, ``(X, w)``, by which ``to_window`` of a map m is R m Cᵀ.

        They are shared: they must not be written to.
        """
        scale, translate = self._placement_in_window(map_shape)
        matrices = []
        for axis, (length, seen) in enumerate(zip(map_shape, self.window_shape, strict=True)):
            if map_shape == self.input_shape:  # the padding has no part in the frame's edge
                start, stop = self._content[axis].start, self._content[axis].stop
                at = translate[axis] + start * scale[axis]
                matrix = F.pad(_interpolation(seen, stop - start, scale[axis], at, dtype), (start, length - stop))
            else:
                matrix = _interpolation(seen, length, scale[axis], translate[axis], dtype)
            matrices.append(matrix)
        return matrices[0], matrices[1]

    def paste(self, seen: torch.Tensor, outside: torch.Tensor | float = 0.0) -> torch.Tensor:
        """Lay what stands on the crop's grid on the frame's ``(..., Y, X)``, with ``outside`` around it."""
        if self.crop is None:
            return seen
        whole = seen.new_empty(*seen.shape[:-2], *self.frame_shape)
        whole[...] = outside
        whole[(..., *self.window)] = seen
        return whole

    def seen(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The part of a region of the frame ``(Y, X)`` that lies where the network looked."""
        if self.crop is None:
            return region
        kept = np.zeros_like(region)
        kept[self.window] = region[self.window]
        return kept

    def to_input(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A region of the frame ``(Y, X)`` on the input's grid ``(H, W)``; nothing outside the frame or the crop.

        Where pixels are merged, one that was in the region is enough, so that no region is too small to survive.
        """
        region = region[self.window]
        for axis, (content, seen) in enumerate(zip(self.content_shape, self.window_shape, strict=True)):
            if content < seen:
                region = np.logical_or.reduceat(region, np.arange(content) * seen // content, axis=axis)
            elif content > seen:
                region = region.take((2 * np.arange(content) + 1) * seen // (2 * content), axis=axis)
        laid = np.zeros(self.input_shape, dtype=bool)
        laid[self._content] = region
        return laid

    @property
    def content(self) -> NDArray[np.bool_]:
        """Where the frame, or its crop, lies in the input, ``(H, W)``."""
        return self.to_input(np.ones(self.frame_shape, dtype=bool))

    @property
    def _content(self) -> tuple[slice, slice]:
        (top, left), (height, width) = self.offset, self.content_shape
        return slice(top, top + height), slice(left, left + width)

    def _placement_in_window(self, map_shape: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
        """As ``placement``, but counted from the crop's corner."""
        scale, translate = [], []
        for length, size, zoom, offset in zip(map_shape, self.input_shape, self.zoom, self.offset, strict=True):
            stride = size / length
            scale.append(stride / zoom)
            translate.append((stride / 2 - offset) / zoom - 0.5)
        return (scale[0], scale[1]), (translate[0], translate[1])


def lay_out(
    frame_shape: tuple[int, int], rule: SizeRule, stride: int, crop: Crop | None = None, pixel_aspect: float = 1.0
) -> Geometry:
    """The geometry that a size rule gives for a frame, or for the crop of it, and a network's stride.

    What is seen comes to lie in its true shape, with square pixels, unless the rule stretches every frame to one size.

    Args:
        frame_shape: of the whole frame.
        rule: of the model card.
        stride: the input's height and width become multiples of this.
        crop: what the network sees of the frame; by default all.
        pixel_aspect: height of the frame's pixels by their width.

    Raises:
        SegcamError: if the network does not take the size that the rule asks for, the crop is empty or reaches out of
            the frame, or no pixel can have such an aspect.
    """
    if not 1 / _LONGEST_PIXEL <= pixel_aspect <= _LONGEST_PIXEL:
        raise SegcamError(f"A pixel cannot be {pixel_aspect:g} times as high as wide. Correct its aspect ratio.")
    top, bottom, left, right = edges = (0, frame_shape[0], 0, frame_shape[1])
    if crop is not None:
        top, bottom, left, right = edges = _edges(crop, frame_shape)
    geometry = _lay_out_whole((bottom - top, right - left), rule, stride, pixel_aspect)
    if geometry.frame_shape == frame_shape:
        return replace(geometry, pixel_aspect=pixel_aspect)
    return replace(geometry, frame_shape=frame_shape, crop=edges, pixel_aspect=pixel_aspect)


def _lay_out_whole(frame_shape: tuple[int, int], rule: SizeRule, stride: int, pixel_aspect: float) -> Geometry:
    height, width = _with_square_pixels(frame_shape, pixel_aspect)
    if rule.rule == "pad":
        padded = (math.ceil(height / stride) * stride, math.ceil(width / stride) * stride)
        return Geometry(frame_shape, _fitting(padded, pixel_aspect), (height, width))
    if rule.height is None or rule.width is None:
        nearest = (max(1, round(height / stride)) * stride, max(1, round(width / stride)) * stride)
        return Geometry(frame_shape, _fitting(nearest, pixel_aspect), nearest)
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


def _with_square_pixels(shape: tuple[int, int], pixel_aspect: float) -> tuple[int, int]:
    """The rows and columns of the same picture in square pixels; none is lost, since the coarser axis is enlarged."""
    height, width = shape
    if is_square(pixel_aspect):
        return shape
    return (round(height * pixel_aspect), width) if pixel_aspect > 1 else (height, round(width / pixel_aspect))


def _fitting(input_shape: tuple[int, int], pixel_aspect: float) -> tuple[int, int]:
    """An input's shape, which pixels far from square must not make too large."""
    if not is_square(pixel_aspect) and math.prod(input_shape) > INPUT_PIXELS:
        raise SegcamError(
            f"The pixels are {pixel_aspect:.3g} times as high as wide: in its true shape the frame would have "
            f"{input_shape[0]}×{input_shape[1]} pixels, more than a network can see. Correct the pixel spacing in the "
            "file, or give the model card a size rule with a height and a width."
        )
    return input_shape


def _edges(crop: Crop, frame_shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of a crop that lies in the frame."""
    (top, bottom), (left, right) = (
        (part.start or 0, length if part.stop is None else part.stop)
        for part, length in zip(crop, frame_shape, strict=True)
    )
    place = f"(rows {top} to {bottom}, columns {left} to {right})"
    advice = "Draw it again, or let the network see the whole frame."
    if any(part.step not in (None, 1) for part in crop):
        raise SegcamError("The region of the scan must be a rectangle of neighboring pixels, but it skips some.")
    if min(top, left) < 0 or bottom > frame_shape[0] or right > frame_shape[1]:
        size = f"{frame_shape[0]}×{frame_shape[1]} pixels"
        raise SegcamError(f"The region of the scan {place} reaches out of the frame of {size}. {advice}")
    if top >= bottom or left >= right:
        raise SegcamError(f"The region of the scan {place} is empty. {advice}")
    return int(top), int(bottom), int(left), int(right)


@lru_cache(maxsize=32)  # six resolutions, by rows and by columns, in two precisions, the same for frame after frame
@torch.inference_mode(mode=False)  # what is kept must serve a later pass with a graph
def _interpolation(length: int, map_length: int, scale: float, translate: float, dtype: torch.dtype) -> torch.Tensor:
    """The ``(length, map_length)`` matrix of linear interpolation, clamped at the ends; not to be written to."""
    at = ((torch.arange(length, dtype=torch.float64) - translate) / scale).clamp(0, map_length - 1)
    below = at.floor().long().clamp_max(max(map_length - 2, 0))
    above = (below + 1).clamp_max(map_length - 1)
    share = at - below
    rows = torch.arange(length)
    matrix = torch.zeros(length, map_length, dtype=torch.float64)
    matrix[rows, below] += 1 - share
    matrix[rows, above] += share
    return matrix.to(dtype)
