"""Geometry: where a frame, or a part of it, is in a network's input, and where results are on the frame."""

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
    """Position of a frame in the network's input, in pixel-center coordinates (``align_corners=False``).

    The crop, by default the whole frame, is resized to ``content_shape`` and placed with its top left corner at
    ``offset`` in ``input_shape``. All shapes are (rows, columns) in pixels.

    Attributes:
        frame_shape: of the whole frame.
        input_shape: of the network's input.
        content_shape: of the crop within the input.
        offset: of the crop within the input.
        crop: top, bottom, left and right of the part that the network sees, without the last row and column; None if
            it sees the whole frame.
        pixel_aspect: height of the frame's pixels divided by their width, which the size rule takes into account.
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
        rows, columns = (
            content / window for content, window in zip(self.content_shape, self.window_shape, strict=True)
        )
        return rows, columns

    def placement(self, map_shape: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the scale and translate that edges a map of the whole input on the frame, in frame pixels.

        Pixel ``i`` of the map has its center at ``scale · i + translate``; at zoom 1, stride s and without a crop these
        are s and (s − 1) / 2.
        """
        scale, (row, column) = self._placement_in_window(map_shape)
        rows, columns = self.window
        return scale, (row + rows.start, column + columns.start)

    def to_frame(self, maps: torch.Tensor, outside: torch.Tensor | float = 0.0) -> torch.Tensor:
        """Interpolate maps ``(..., h, w)`` of the whole input bilinearly to the frame's grid ``(..., Y, X)``.

        Equals ``F.interpolate(mode="bilinear", align_corners=False)`` where the input holds only the frame.

        Args:
            maps: any real dtype.
            outside: value outside the crop, where the network did not look; it must broadcast to the result.
        """
        return self.paste(self.to_window(maps), outside)

    def to_window(self, maps: torch.Tensor) -> torch.Tensor:
        """Interpolate like ``to_frame``, but only to the crop's grid, which the network saw."""
        map_shape = (maps.shape[-2], maps.shape[-1])
        window_shape = self.window_shape
        if map_shape == self.input_shape:  # the padding must not affect the frame's edge
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
        """Return the matrices R, ``(Y, h)``, and C, ``(X, w)``, with which ``to_window`` of a map m is R m Cᵀ.

        They are shared: do not write to them.
        """
        scale, translate = self._placement_in_window(map_shape)
        matrices = []
        for axis, (length, window) in enumerate(zip(map_shape, self.window_shape, strict=True)):
            if map_shape == self.input_shape:  # the padding must not affect the frame's edge
                start, stop = self._content[axis].start, self._content[axis].stop
                origin = translate[axis] + start * scale[axis]
                matrix = _interpolation(window, stop - start, scale[axis], origin, dtype)
                matrix = F.pad(matrix, (start, length - stop))
            else:
                matrix = _interpolation(window, length, scale[axis], translate[axis], dtype)
            matrices.append(matrix)
        return matrices[0], matrices[1]

    def paste(self, window_map: torch.Tensor, outside: torch.Tensor | float = 0.0) -> torch.Tensor:
        """Place a map of the crop on the frame's grid ``(..., Y, X)``, with ``outside`` around it."""
        if self.crop is None:
            return window_map
        frame_map = window_map.new_empty(*window_map.shape[:-2], *self.frame_shape)
        frame_map[...] = outside
        frame_map[(..., *self.window)] = window_map
        return frame_map

    def within_window(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the part of a region of the frame ``(Y, X)`` that the network sees."""
        if self.crop is None:
            return region
        inside = np.zeros_like(region)
        inside[self.window] = region[self.window]
        return inside

    def to_input(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bring a region of the frame ``(Y, X)`` to the input's grid ``(H, W)``, without the padding.

        Where pixels are merged, one pixel in the region is enough, so that small regions do not disappear.
        """
        region = region[self.window]
        for axis, (content, window) in enumerate(zip(self.content_shape, self.window_shape, strict=True)):
            if content < window:
                region = np.logical_or.reduceat(region, np.arange(content) * window // content, axis=axis)
            elif content > window:
                region = region.take((2 * np.arange(content) + 1) * window // (2 * content), axis=axis)
        input_region = np.zeros(self.input_shape, dtype=bool)
        input_region[self._content] = region
        return input_region

    @property
    def content(self) -> NDArray[np.bool_]:
        """Mask of the frame, or its crop, in the input, ``(H, W)``."""
        return self.to_input(np.ones(self.frame_shape, dtype=bool))

    @property
    def _content(self) -> tuple[slice, slice]:
        (top, left), (height, width) = self.offset, self.content_shape
        return slice(top, top + height), slice(left, left + width)

    def _placement_in_window(self, map_shape: tuple[int, int]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ``placement``, but relative to the crop's corner."""
        scale, translate = [], []
        for length, size, zoom, offset in zip(map_shape, self.input_shape, self.zoom, self.offset, strict=True):
            stride = size / length
            scale.append(stride / zoom)
            translate.append((stride / 2 - offset) / zoom - 0.5)
        return (scale[0], scale[1]), (translate[0], translate[1])


def lay_out(
    frame_shape: tuple[int, int], rule: SizeRule, stride: int, crop: Crop | None = None, pixel_aspect: float = 1.0
) -> Geometry:
    """Return the geometry of a frame, or its crop, for a size rule and a network's stride.

    The network sees it in its true shape, with square pixels, unless the rule stretches every frame to one size.

    Args:
        frame_shape: of the whole frame.
        rule: of the model card.
        stride: the input's height and width become multiples of this.
        crop: the part of the frame that the network sees; by default all.
        pixel_aspect: height of the frame's pixels divided by their width.

    Raises:
        SegcamError: if the network does not accept the size of the rule, the crop is empty or extends beyond the
            frame, or the aspect is not possible.
    """
    if not 1 / _LONGEST_PIXEL <= pixel_aspect <= _LONGEST_PIXEL:
        raise SegcamError(f"A pixel cannot be {pixel_aspect:g} times as high as wide. Correct its aspect ratio.")
    top, bottom, left, right = edges = (0, frame_shape[0], 0, frame_shape[1])
    if crop is not None:
        top, bottom, left, right = edges = _edges(crop, frame_shape)
    geometry = _frame_geometry((bottom - top, right - left), rule, stride, pixel_aspect)
    if geometry.frame_shape == frame_shape:
        return replace(geometry, pixel_aspect=pixel_aspect)
    return replace(geometry, frame_shape=frame_shape, crop=edges, pixel_aspect=pixel_aspect)


def _frame_geometry(frame_shape: tuple[int, int], rule: SizeRule, stride: int, pixel_aspect: float) -> Geometry:
    height, width = _with_square_pixels(frame_shape, pixel_aspect)
    if rule.rule == "pad":
        padded = (math.ceil(height / stride) * stride, math.ceil(width / stride) * stride)
        return Geometry(frame_shape, _checked_input_shape(padded, pixel_aspect), (height, width))
    if rule.height is None or rule.width is None:
        nearest = (max(1, round(height / stride)) * stride, max(1, round(width / stride)) * stride)
        return Geometry(frame_shape, _checked_input_shape(nearest, pixel_aspect), nearest)
    size = (rule.height, rule.width)
    if any(length % stride for length in size):
        raise SegcamError(
            f"The model card asks for {size[0]}×{size[1]} pixels, but this network needs multiples of {stride}."
        )
    if rule.rule == "resize":
        return Geometry(frame_shape, size, size)
    if rule.rule == "tiles":
        at_least_one_tile = (max(height, size[0]), max(width, size[1]))
        return Geometry(frame_shape, _checked_input_shape(at_least_one_tile, pixel_aspect), (height, width))
    zoom = min(size[0] / height, size[1] / width)
    content = (min(size[0], max(1, round(height * zoom))), min(size[1], max(1, round(width * zoom))))
    offset = ((size[0] - content[0]) // 2, (size[1] - content[1]) // 2)
    return Geometry(frame_shape, size, content, offset)


def _with_square_pixels(shape: tuple[int, int], pixel_aspect: float) -> tuple[int, int]:
    """Return the rows and columns of the same image in square pixels; the coarser axis is enlarged, so none is lost."""
    height, width = shape
    if is_square(pixel_aspect):
        return shape
    return (round(height * pixel_aspect), width) if pixel_aspect > 1 else (height, round(width / pixel_aspect))


def _checked_input_shape(input_shape: tuple[int, int], pixel_aspect: float) -> tuple[int, int]:
    """Return an input's shape, or raise a SegcamError if pixels far from square make it too large."""
    if not is_square(pixel_aspect) and math.prod(input_shape) > INPUT_PIXELS:
        raise SegcamError(
            f"The pixels are {pixel_aspect:.3g} times as high as wide: in its true shape the frame would have "
            f"{input_shape[0]}×{input_shape[1]} pixels, more than a network can see. Correct the pixel spacing in the "
            "file, or give the model card a size rule with a height and a width."
        )
    return input_shape


def _edges(crop: Crop, frame_shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of a crop, which must be within the frame."""
    (top, bottom), (left, right) = (
        (part.start or 0, length if part.stop is None else part.stop)
        for part, length in zip(crop, frame_shape, strict=True)
    )
    edges = f"(rows {top} to {bottom}, columns {left} to {right})"
    advice = "Draw it again, or let the network see the whole frame."
    if any(part.step not in (None, 1) for part in crop):
        raise SegcamError("The region of the scan must be a rectangle of neighboring pixels, but it skips some.")
    if min(top, left) < 0 or bottom > frame_shape[0] or right > frame_shape[1]:
        size = f"{frame_shape[0]}×{frame_shape[1]} pixels"
        raise SegcamError(f"The region of the scan {edges} extends beyond the frame of {size}. {advice}")
    if top >= bottom or left >= right:
        raise SegcamError(f"The region of the scan {edges} is empty. {advice}")
    return int(top), int(bottom), int(left), int(right)


@lru_cache(maxsize=32)  # six resolutions, by rows and by columns, in two precisions, the same for frame after frame
@torch.inference_mode(mode=False)  # cached tensors must work in a later pass with a graph
def _interpolation(length: int, map_length: int, scale: float, translate: float, dtype: torch.dtype) -> torch.Tensor:
    """Return the ``(length, map_length)`` matrix of linear interpolation, clamped at the ends; do not write to it."""
    positions = ((torch.arange(length, dtype=torch.float64) - translate) / scale).clamp(0, map_length - 1)
    below = positions.floor().long().clamp_max(max(map_length - 2, 0))
    above = (below + 1).clamp_max(map_length - 1)
    share = positions - below
    rows = torch.arange(length)
    matrix = torch.zeros(length, map_length, dtype=torch.float64)
    matrix[rows, below] += 1 - share
    matrix[rows, above] += share
    return matrix.to(dtype)
