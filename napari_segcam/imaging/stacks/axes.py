"""Axes of a stored array: rows, columns, time and colors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError

Convention = Literal["TYX", "YXT", "XYT"]
"""The usual order of axes: NumPy and HDF5, MATLAB, and the medical formats whose first axis runs along a row."""

_WORDS = {"T": "frames", "Y": "rows", "X": "columns", "C": "colors"}
_COLORS = (3, 4)
_LONGEST = 4.0  # times as long as wide: a longer frame is probably a cut through time


@dataclass(frozen=True)
class Axes:
    """One letter for each stored axis: T, Y, X, C, or 1 for an axis of length 1 without meaning.

    Attributes:
        letters: one for each axis of the array.
        flipped: those of Y and X that are reversed on the screen.
    """

    letters: str
    flipped: frozenset[str] = frozenset()

    def frames_in(self, shape: Sequence[int]) -> int:
        return int(shape[self.letters.index("T")]) if "T" in self.letters else 1

    def frame_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return ``(Y, X)`` or ``(Y, X, 3)``; a fourth color is alpha and dropped."""
        length = dict(zip(self.letters, shape, strict=True))
        return (length["Y"], length["X"], 3) if "C" in length else (length["Y"], length["X"])

    def frame(self, array: Any, index: int) -> NDArray[Any]:
        """Return frame ``index`` of a stored array, ``(Y, X)`` or ``(Y, X, 3)``."""
        key = tuple(index if letter == "T" else 0 if letter == "1" else slice(None) for letter in self.letters)
        kept = [letter for letter in self.letters if letter in "YXC"]
        pixels = np.asarray(array[key]).transpose([kept.index(letter) for letter in "YXC" if letter in kept])
        if "Y" in self.flipped:
            pixels = pixels[::-1]
        if "X" in self.flipped:
            pixels = pixels[:, ::-1]
        return pixels[..., :3] if "C" in kept else pixels

    def in_words(self) -> str:
        return ", ".join(_WORDS.get(letter, "nothing") for letter in self.letters)


def parse_axes(letters: str, shape: Sequence[int], name: str) -> Axes:
    """Return the axes from the user's letters, with or without those of length 1.

    Raises:
        SegcamError: if they do not fit the array.
    """
    long = [length for length in shape if length > 1]
    if len(letters) == len(long) != len(shape):
        remaining = iter(letters)
        letters = "".join(next(remaining) if length > 1 else "1" for length in shape)
    if len(letters) != len(shape):
        raise SegcamError(f"{name} has the shape {tuple(shape)}: {letters} does not name each of its axes.")
    if "C" in letters and shape[letters.index("C")] not in _COLORS:
        raise SegcamError(f"{name} has the shape {tuple(shape)}: an axis of colors has 3 or 4 of them.")
    return Axes(letters)


def guess_axes(shape: Sequence[int], convention: Convention, name: str) -> Axes:
    """Guess the axes of an array from its shape: the usual order, unless the frames would not be sensible.

    Raises:
        SegcamError: if the array is not a frame or sequence of frames.
    """
    long = [axis for axis, length in enumerate(shape) if length > 1]
    lengths = [shape[axis] for axis in long]
    if not 2 <= len(long) <= 4 or 0 in shape:
        raise SegcamError(f"{name} has the shape {tuple(shape)}, which is neither a frame nor a sequence of frames.")
    color = None if convention == "XYT" else _color_axis(lengths)
    others = [length for number, length in enumerate(lengths) if number != color]
    if len(others) == 4:
        raise SegcamError(
            f"{name} has the shape {tuple(shape)}: volumes over time are not frames. Save one plane of them, or add "
            "the axes to its name if one of them is color, for instance ::TYXC."
        )
    order = _order(others, convention)
    if color is not None:
        order = order[:color] + "C" + order[color:]
    letters = ["1"] * len(shape)
    for axis, letter in zip(long, order, strict=True):
        letters[axis] = letter
    return Axes("".join(letters))


def _color_axis(lengths: Sequence[int]) -> int | None:
    """Return the axis of colors, if there must be one: the last of three or four axes with a length of 3 or 4."""
    if len(lengths) == 3 and lengths[-1] in _COLORS and min(lengths[:2]) > 4:
        return 2
    if len(lengths) == 4:
        return next((axis for axis in (3, 2, 1, 0) if lengths[axis] in _COLORS), None)
    return None


def _order(lengths: Sequence[int], convention: Convention) -> str:
    if len(lengths) == 2:
        return convention.replace("T", "")
    others: dict[Convention, Convention] = {"TYX": "YXT", "YXT": "TYX"}
    other = others.get(convention)
    if other is not None and not _are_sensible(lengths, convention) and _are_sensible(lengths, other):
        return other
    return convention


def _are_sensible(lengths: Sequence[int], order: str) -> bool:
    sides = [length for letter, length in zip(order, lengths, strict=True) if letter in "YX"]
    return max(sides) <= _LONGEST * min(sides)
