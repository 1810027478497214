"""Regions in words: what a user writes for a region, on a command line or in a notebook."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import (
    Boundary,
    Box,
    Component,
    FalseNegative,
    FalsePositive,
    Pixel,
    Region,
    Word,
)

REGION_FORMS = (
    "mask, image, component, component:X,Y, rim, rim:WIDTH, X,Y (a pixel), LEFT,TOP,RIGHT,BOTTOM (a box), "
    "false-positive or false-negative"
)


def parse_region(text: str, truth: NDArray[Any] | None = None) -> Word | Region:
    """What a user's word for a region means.

    Places are X,Y: column before row, from 0, as image viewers show them. A box is without its last row and column.

    Args:
        text: one of ``REGION_FORMS``.
        truth: the true mask ``(Y, X)`` of the explained class, which false positives and negatives need.

    Raises:
        SegcamError: if it is none of these, or the truth is missing.
    """
    match text.partition(":")[0], _numbers(text.partition(":")[2]), _numbers(text):
        case "mask", [], _:
            return "mask"
        case "image", [], _:
            return "image"
        case "component", [], _:
            return Component()
        case "component", [x, y], _:
            return Component((y, x))
        case "rim", [], _:
            return Boundary()
        case "rim", [width], _:
            return Boundary(width)
        case ("false-positive" | "false-negative") as kind, [], _:
            if truth is None:
                raise SegcamError(f"The region {kind} needs the true mask: give it with --truth.")
            return FalsePositive(truth) if kind == "false-positive" else FalseNegative(truth)
        case _, _, [x, y]:
            return Pixel(y, x)
        case _, _, [left, top, right, bottom] if left < right and top < bottom:
            return Box(top, left, bottom, right)
    raise SegcamError(f"The region {text} is not understood: give {REGION_FORMS}.")


def _numbers(text: str) -> list[int] | None:
    """Whole numbers with commas between; an empty text holds none, and None says that it holds something else."""
    parts = [part.strip() for part in text.split(",")] if text else []
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else None
