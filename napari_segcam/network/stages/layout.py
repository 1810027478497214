"""Layouts: how the output of a layer is read as a feature map.

Convolutions return maps ``(B, K, h, w)``. Transformers return maps with the channels last ``(B, h, w, K)``, or one
token per patch ``(B, N, K)``, often after some that have no position in the image (a class token, registers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from napari_segcam.errors import SegcamError

# Counts of tokens without a position: none; a class token; class and distillation tokens; a class token with four or
# eight registers; four or eight registers alone.
_EXTRA_TOKENS = (0, 1, 2, 5, 9, 4, 8)


@dataclass(frozen=True)
class Layout:
    """How the output of a layer is read as a map.

    Attributes:
        form: ``"map"`` for ``(B, K, h, w)``, ``"channels_last"`` for ``(B, h, w, K)``, ``"tokens"`` for ``(B, N, K)``.
        extra: the number of tokens without a position in the image; they come first.
    """

    form: Literal["map", "channels_last", "tokens"] = "map"
    extra: int = 0

    def map_of(self, output: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
        """Return the map ``(B, K, h, w)`` in a layer's output, as a view.

        Args:
            output: of the layer.
            size: height and width of the network's input, pixels.
            stride: pixels of the input per pixel of the map.

        Raises:
            SegcamError: if the tokens do not cover the input.
        """
        if self.form == "channels_last":
            return output.permute(0, 3, 1, 2)
        if self.form == "tokens":
            height, width = (round(pixels / stride) for pixels in size)
            if output.shape[1] != self.extra + height * width:
                raise SegcamError(
                    f"A layer returns {output.shape[1]} tokens for an input of {size[0]} × {size[1]} pixels, but "
                    f"{self.extra} + {height} × {width} were expected. Choose another layer."
                )
            return output[:, self.extra :].mT.unflatten(2, (height, width))
        return output

    def restored(self, maps: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Return the output of the layer with these maps in it; tokens without a position are copied from its output.

        Args:
            maps: ``(B, K, h, w)``.
            output: of the layer, for as many images as there are maps or for one.
        """
        if self.form == "channels_last":
            return maps.permute(0, 2, 3, 1)
        if self.form == "tokens":
            extra = output[:, : self.extra].expand(len(maps), -1, -1)
            return torch.cat([extra, maps.flatten(2).mT], dim=1)
        return maps


MAP = Layout()


@dataclass(frozen=True)
class MapShape:
    """Layout and size of the map in a layer's output.

    Attributes:
        layout: how the output is read as a map.
        channels: of the map.
        width: of the map, pixels.
    """

    layout: Layout
    channels: int
    width: int


def map_shape(shape: tuple[int, ...], size: tuple[int, int]) -> MapShape | None:
    """Return layout and size of the map in an output of this shape; None if there is no map in it.

    Args:
        shape: of the output for one image.
        size: of the image, height and width in pixels.
    """
    if 0 in shape:
        return None
    height, width = size
    if len(shape) == 4:
        _, first, second, last = shape
        fits_channels_first, fits_channels_last = second * width == last * height, first * width == second * height
        # A last side of 1 would be the row or column of a pooled map.
        if fits_channels_last and not fits_channels_first and last > 1 and height % first == 0:
            return MapShape(Layout("channels_last"), last, second)
        return MapShape(MAP, first, last)
    if len(shape) == 3 and shape[0] == 1:
        for extra in _EXTRA_TOKENS:
            tokens = max(shape[1] - extra, 0)
            tokens_per_row = math.isqrt(tokens * width // height)
            if (
                tokens_per_row > 1
                and tokens_per_row * tokens_per_row * height == tokens * width
                and width % tokens_per_row == 0
            ):
                return MapShape(Layout("tokens", extra), shape[2], tokens_per_row)
    return None
