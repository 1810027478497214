"""What a verdict is about: a frame, a range of frames, a finding or the whole case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_segcam.viewer.review.review import Review

Scope = Literal["frame", "range", "finding", "case"]
SCOPES: tuple[Scope, ...] = ("frame", "range", "finding", "case")


@dataclass(frozen=True)
class Finding:
    """A connected part of a mask.

    Attributes:
        number: from 1, in the order in which they are met row by row.
        count: how many the mask has.
        point: row and column of a pixel inside it.
        pixels: how many it has.
    """

    number: int
    count: int
    point: tuple[int, int]
    pixels: int


@dataclass(frozen=True)
class Target:
    """The frames ``first`` to ``last``, or the whole case where both are None; and a finding in a single frame."""

    first: int | None = None
    last: int | None = None
    finding: Finding | None = None

    @property
    def number(self) -> int | None:
        """The number of the finding, or None."""
        return None if self.finding is None else self.finding.number


@dataclass
class Marks:
    """The first and the last frame of a range, as far as the reader has marked them."""

    start: int | None = None
    end: int | None = None

    def span(self, frame: int) -> tuple[int, int]:
        """Return the range; an end that is not marked is the frame in view."""
        ends = (frame if self.start is None else self.start, frame if self.end is None else self.end)
        return min(ends), max(ends)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is marked."""
        return self.start is None and self.end is None


def mask_in_view(review: Review, frame: int) -> NDArray[np.bool_] | None:
    """Return the pixels ``(Y, X)`` of the explained class: corrected by the reader, else predicted; None if unknown."""
    plan, layers = review.plan, review.layers
    label = 1 if plan is None else plan.label
    corrected = layers.corrections.pixels(frame)
    if corrected is not None:
        own_label = layers.corrections.label_of(frame, label)
        return corrected > 0 if plan is None else corrected == own_label
    predicted = layers.masks.predicted(frame)
    if predicted is None:
        return None
    rows, columns = review.image.data.shape[review.image.ndim - 2 : review.image.ndim]
    pixels = np.zeros((rows, columns), np.uint8)
    predicted.paint(pixels)
    return pixels == label


def finding_at(mask: NDArray[np.bool_], at: tuple[int, int] | None) -> Finding | None:
    """Return the finding at a pixel, or the largest where there is none; None for a blank mask.

    Args:
        mask: ``(Y, X)``; its pixels are connected if they touch at a side or a corner.
        at: row and column, or None.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), bool))
    if not count:
        return None
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    is_inside = at is not None and 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]
    number = int(labels[at]) if is_inside else 0
    if at is None or not number:
        number = int(sizes[1:].argmax()) + 1
        at = _middle(labels == number)
    return Finding(number, count, at, int(sizes[number]))


def _middle(part: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel of a part that is nearest to its center of mass."""
    pixels = np.argwhere(part)
    row, column = pixels[((pixels - pixels.mean(0)) ** 2).sum(1).argmin()]
    return int(row), int(column)
