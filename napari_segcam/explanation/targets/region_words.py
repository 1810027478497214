"""Regions in words: what a user types for a region on a command line or in a notebook."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import (
    At,
    Boundary,
    Box,
    Component,
    FalseNegative,
    FalsePositive,
    Pixel,
    Polygon,
    Region,
    RegionName,
)
from napari_segcam.remedies import remedy

REGION_FORMS = (
    "mask, image, component, component:X,Y, at:X,Y or at:X,Y,RADIUS (the component there, or a disk where there is "
    "none), boundary, boundary:WIDTH, X,Y (a pixel), LEFT,TOP,RIGHT,BOTTOM (a box), polygon:X,Y,X,Y,X,Y, "
    "false-positive or false-negative"
)


def parse_region(text: str, truth: NDArray[Any] | None = None) -> RegionName | Region:
    """Parse a region from the words of a user.

    Coordinates are X,Y: column before row, from 0, as image viewers show them. A box excludes its last row and column.

    Args:
        text: one of ``REGION_FORMS``; ``rim`` is the earlier word for ``boundary``.
        truth: the true mask ``(Y, X)`` of the explained class, which false positives and negatives need.

    Raises:
        SegcamError: if it is none of these, or the truth is missing.
    """
    match text.partition(":")[0], _numbers(text.partition(":")[2]), _numbers(text.removeprefix("box:")):
        case "mask", [], _:
            return "mask"
        case "image", [], _:
            return "image"
        case "component", [], _:
            return Component()
        case "component", [x, y], _:
            return Component((y, x))
        case "at", [x, y], _:
            return At(y, x)
        case "at", [x, y, radius], _:
            return At(y, x, radius)
        case "polygon", [*numbers], _ if len(numbers) >= 6 and len(numbers) % 2 == 0:
            return Polygon(tuple(zip(numbers[1::2], numbers[::2], strict=True)))
        case "boundary" | "rim", [], _:
            return Boundary()
        case "boundary" | "rim", [width], _:
            return Boundary(width)
        case ("false-positive" | "false-negative") as kind, [], _:
            if truth is None:
                raise SegcamError(f"The region {kind} needs the true mask: {remedy('true_mask')}.")
            return FalsePositive(truth) if kind == "false-positive" else FalseNegative(truth)
        case _, _, [x, y]:
            return Pixel(y, x)
        case ("box", [left, top, right, bottom], _) | (_, _, [left, top, right, bottom]) if (
            left < right and top < bottom
        ):
            return Box(top, left, bottom, right)
    raise SegcamError(f"The region {text} is not understood: give {REGION_FORMS}.")


def _numbers(text: str) -> list[int] | None:
    """Return the integers of a list with commas; empty for an empty text, None for any other text."""
    parts = [part.strip() for part in text.split(",")] if text else []
    return [int(part) for part in parts] if all(part.isdecimal() for part in parts) else None
