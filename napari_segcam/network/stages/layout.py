"""Layouts: how the output of a layer holds a feature map.

Convolutions give maps ``(B, K, h, w)``. Transformers give one token per patch ``(B, N, K)``, often after some that
stand for no place (a class token, registers), or maps with their channels last ``(B, h, w, K)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from napari_segcam.errors import SegcamError

# None; a class token; that and one of distillation; that and four or eight registers; these registers alone.
_EXTRA_TOKENS = (0, 1, 2, 5, 9, 4, 8)


@dataclass(frozen=True)
class Layout:
    """How the output of a layer is read as a map.

    Attributes:
        form: ``"map"`` for ``(B, K, h, w)``, ``"channels_last"`` for ``(B, h, w, K)``, ``"tokens"`` for ``(B, N, K)``.
        extra: the number of tokens that stand for no place; they come first.
    """

    form: Literal["map", "channels_last", "tokens"] = "map"
    extra: int = 0

    def map_of(self, output: torch.Tensor, size: tuple[int, int], stride: int) -> torch.Tensor:
        """The map ``(B, K, h, w)`` in what the layer gave, a view of it.

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
                    f"A layer gives {output.shape[1]} tokens for an input of {size[0]} × {size[1]} pixels, where "
                    f"{self.extra} and {height} × {width} were expected. Choose another layer."
                )
            return output[:, self.extra :].mT.unflatten(2, (height, width))
        return output

    def restored(self, maps: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """What the layer would have given with these maps; tokens that stand for no place are those of its output.

        Args:
            maps: ``(B, K, h, w)``.
            output: of the layer, for as many images or for one.
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
    """The map that a layer's output holds.

    Attributes:
        layout: how it holds it.
        channels: of the map.
        width: of the map, pixels.
    """

    layout: Layout
    channels: int
    width: int


def map_shape(shape: tuple[int, ...], size: tuple[int, int]) -> MapShape | None:
    """The map in an output of this shape, which a layer gave for one image; None if there is none.

    Args:
        shape: of the output.
        size: of the image, height and width in pixels.
    """
    if 0 in shape:
        return None
    height, width = size
    if len(shape) == 4:
        _, first, second, last = shape
        as_first, as_last = second * width == last * height, first * width == second * height
        if as_last and not as_first and last > 1 and height % first == 0:  # and no row or column of a pooled map
            return MapShape(Layout("channels_last"), last, second)
        return MapShape(MAP, first, last)
    if len(shape) == 3 and shape[0] == 1:
        for extra in _EXTRA_TOKENS:
            tokens = max(shape[1] - extra, 0)
            across = math.isqrt(tokens * width // height)
            if across > 1 and across * across * height == tokens * width and width % across == 0:
                return MapShape(Layout("tokens", extra), shape[2], across)
    return None
