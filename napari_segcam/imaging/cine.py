"""Cines: ordered, lazily read sequences of frames, with their frame rate and pixel spacing where known."""

from __future__ import annotations

import math
import operator
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.plausibility import is_possible_rate, is_possible_spacing, is_square
from napari_segcam.imaging.value_range import (
    SMALLEST_SHARE,
    Spread,
    ValueRange,
    range_of_type,
    range_of_values,
)

Frame = NDArray[np.generic]

_SAMPLED_FRAMES = 5
_SET_IT = "If that is wrong, set the value range."


class Cine(ABC):
    """A sequence of frames of one shape and dtype; a still is a cine of one frame.

    ``len(cine)`` is the number of frames and ``cine[i]`` reads frame ``i``, ``(Y, X)`` gray or ``(Y, X, 3)`` color;
    frames are not cached. Several threads may read frames at once.

    Attributes:
        name: the file's name without its suffix.
        path: the file, if there is one.
        frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.
        dtype: of the frames.
        stated_aspect: height of a pixel divided by its width, from the file; None if the file does not give it.
        file_names: the name of each frame's file, for a folder of stills; empty for a cine in one file.
        are_slices: whether the frames are slices of a volume, not moments in time.
        region: rows and columns that hold the scan, without the screen around it; None if unknown.
        stated_range: black and white as set by the file or the user; None if nobody set them.
        stored_range: range of the bits that the file uses; None if it uses all bits of the type.
        stated_extent: smallest and largest stored value, from the file; None if the file does not give them.
        inversion_sum: sum of a stored value and the frame's value, where the file stores white as its smallest value;
            None elsewhere.
    """

    name: str
    path: Path | None = None
    frame_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stated_aspect: float | None = None
    file_names: tuple[str, ...] = ()
    are_slices: bool = False
    region: tuple[slice, slice] | None = None
    stated_range: ValueRange | None = None
    stored_range: tuple[float, float] | None = None
    stated_extent: tuple[float, float] | None = None
    inversion_sum: float | None = None
    _notes: tuple[str, ...] = ()
    _frame_rate: float | None = None
    _spacing_mm: tuple[float, float] | None = None

    @property
    def frame_rate(self) -> float | None:
        """Frames per second, None if unknown; an impossible rate is not used, and noted."""
        return self._frame_rate if self._frame_rate is not None and is_possible_rate(self._frame_rate) else None

    @frame_rate.setter
    def frame_rate(self, rate: float | None) -> None:
        self._frame_rate = rate

    @property
    def spacing_mm(self) -> tuple[float, float] | None:
        """Distance between neighboring rows and between neighboring columns in mm, None if unknown.

        An impossible distance is not used, and noted.
        """
        return self._spacing_mm if self._spacing_mm is not None and is_possible_spacing(self._spacing_mm) else None

    @spacing_mm.setter
    def spacing_mm(self, spacing_mm: tuple[float, float] | None) -> None:
        self._spacing_mm = spacing_mm

    @property
    def pixel_aspect(self) -> float:
        """Height of a pixel divided by its width: from the spacing if known, else from the file, else 1."""
        if self.spacing_mm is not None:
            return self.spacing_mm[0] / self.spacing_mm[1]
        return self.stated_aspect or 1.0

    @property
    def value_range(self) -> tuple[float, float]:
        """Values of black and white; the same for all frames."""
        return self.black_and_white.limits

    @cached_property
    def black_and_white(self) -> ValueRange:
        """Values of black and white, and their source: the user, the file, the data type, or the pixel values."""
        stated = self.stated_range
        if stated is not None and (self._spread is None or self._spread.is_within(*stated.limits)):
            return stated
        if (fixed := self._fixed_range) is not None:
            return ValueRange(*fixed, "the data type")
        spread, total = self._spread, self.inversion_sum
        if spread is not None and total is not None:  # the rules are about values as they are stored
            spread = Spread(total - spread.high, total - spread.low, total - spread.bright, total - spread.dark)
        limits = range_of_values(spread, self.dtype, self.stored_range, self.stated_extent)
        return limits if total is None else replace(limits, black=total - limits.white, white=total - limits.black)

    def set_value_range(self, black: float, white: float, reason: str = "what was set") -> None:
        """Set the values of black and white; they replace those of the file.

        Args:
            black: its value.
            white: its value, which is larger.
            reason: the source, in words.

        Raises:
            SegcamError: unless both are finite numbers and white is more than black.
        """
        if not (math.isfinite(black) and math.isfinite(white) and black < white):
            raise SegcamError(
                f"The value range {black:g} to {white:g} cannot be used: white must be more than black, both finite."
            )
        self.__dict__["black_and_white"] = self.stated_range = ValueRange(float(black), float(white), reason)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user on how the frames were read: problems and assumptions, in sentences."""
        return *self._notes, *self._notes_on_refused(), *self._notes_on_shape(), *self._notes_on_range()

    @notes.setter
    def notes(self, reader_notes: Iterable[str]) -> None:
        """Set the notes of the file reader; notes on black and white follow them."""
        self._notes = tuple(reader_notes)

    def _notes_on_refused(self) -> Iterator[str]:
        if self._frame_rate is not None and self.frame_rate is None:
            yield f"A frame rate of {self._frame_rate:g} per second is not possible: it is not used."
        if self._spacing_mm is not None and self.spacing_mm is None:
            row, column = self._spacing_mm
            yield f"A pixel spacing of {row:g} × {column:g} mm is not possible: it is not used."

    def _notes_on_shape(self) -> Iterator[str]:
        if not is_square(self.pixel_aspect):
            yield (
                f"Its pixels are not square ({self.pixel_aspect:.3g} times as high as wide). The viewer shows the "
                "frames in their true shape, and the network sees the same, unless its model card stretches every "
                "frame to one size."
            )

    def _notes_on_range(self) -> Iterator[str]:
        used, spread = self.black_and_white, self._spread
        if self.stated_range is not None and used is not self.stated_range:
            black, white = self.stated_range.limits
            yield (
                f"{self.stated_range.reason.capitalize()} says that black is {black:g} and white {white:g}, but no "
                "pixel is between them: it is not used."
            )
        black, white = used.limits
        if used.is_assumed:
            yield f"Black is assumed to be {black:g} and white {white:g}, from {used.reason}. {_SET_IT}"
        if spread is not None and not spread.is_flat and (share := spread.share_of(black, white)) < SMALLEST_SHARE:
            yield (
                f"The image uses only {100 * share:.0f} % of the range from black ({black:g}) to white ({white:g}), "
                f"which comes from {used.reason}: the network sees hardly any contrast. {_SET_IT}"
            )

    @property
    def _fixed_range(self) -> tuple[float, float] | None:
        """Range of a data type that defines black and white, None for other types."""
        fixed = range_of_type(self.dtype)
        return fixed if fixed is None else self.stored_range or fixed

    @cached_property
    def _spread(self) -> Spread | None:
        """Spread of the values of some frames from the first to the last, or of fewer if these confirm a given range.

        Frames that cannot be decoded are skipped.
        """
        given_range = self.stated_range.limits if self.stated_range is not None else self._fixed_range
        total: Spread | None = None
        for index in np.unique(np.linspace(0, len(self) - 1, _SAMPLED_FRAMES).round().astype(int)):
            with suppress(SegcamError):
                spread = Spread.of(self._read(int(index)))
                total = total.union(spread) if total is not None and spread is not None else total or spread
                if given_range is not None and total is not None and total.share_of(*given_range) >= SMALLEST_SHARE:
                    break
        return total

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _read(self, index: int) -> Frame:
        """Read frame ``index``, which is in ``range(len(self))``.

        Raises:
            SegcamError: if the frame cannot be decoded.
        """

    def __getitem__(self, index: int) -> Frame:
        number = operator.index(index)
        if number < 0:
            number += len(self)
        if not 0 <= number < len(self):
            raise IndexError(f"frame {index} of a cine with {len(self)}")
        return self._read(number)

    def __iter__(self) -> Iterator[Frame]:
        return (self._read(index) for index in range(len(self)))

    def __repr__(self) -> str:
        shape = " × ".join(str(length) for length in self.frame_shape)
        return f"<{type(self).__name__} {self.name!r}: {len(self)} frames of {shape} {self.dtype}>"

    @property
    def is_rgb(self) -> bool:
        return len(self.frame_shape) == 3


class ArrayCine(Cine):
    """Cine of an array in memory or a dask array.

    Args:
        array: ``(Y, X)``, ``(Y, X, 3 or 4)``, ``(T, Y, X)`` or ``(T, Y, X, 3 or 4)``, numpy or dask, any real dtype;
            an alpha channel is dropped.
        rgb: whether the last axis holds colors. By default it does if its length is 3 or 4 and there are at least two
            others; give False for a cine whose frames are 3 or 4 columns wide.
        value_range: the values of black and white. By default those of the dtype for 8-bit frames and masks; for
            others they are estimated from the values of some frames.

    Raises:
        SegcamError: if the array is not a frame or a sequence of frames.
    """

    def __init__(
        self,
        array: Any,
        *,
        name: str = "cine",
        path: Path | None = None,
        rgb: bool | None = None,
        value_range: tuple[float, float] | None = None,
        frame_rate: float | None = None,
        spacing_mm: tuple[float, float] | None = None,
    ) -> None:
        shape = tuple(array.shape)
        if rgb is None:
            rgb = len(shape) >= 3 and shape[-1] in (3, 4)
        spatial = shape[:-1] if rgb else shape
        if len(spatial) not in (2, 3) or 0 in shape or (rgb and shape[-1] not in (3, 4)):
            raise SegcamError(
                f"An image must be (Y, X) or (T, Y, X), with a last axis of 3 or 4 if it is in color, but {name} has "
                f"the shape {shape}."
            )
        if array.dtype.kind not in "buif":
            raise SegcamError(f"The values of an image must be real numbers, but those of {name} are {array.dtype}.")
        colors = array[..., :3] if rgb else array
        self._frames = colors[None] if len(spatial) == 2 else colors
        self.name = name
        self.path = path
        self.frame_shape = tuple(self._frames.shape[1:])
        self.dtype = array.dtype
        self.frame_rate = frame_rate
        self.spacing_mm = spacing_mm
        if value_range is not None:
            self.set_value_range(*value_range)

    def __len__(self) -> int:
        return int(self._frames.shape[0])

    def _read(self, index: int) -> Frame:
        return np.asarray(self._frames[index])


def name_of(path: Path) -> str:
    """Return a file's name without its suffix; the last number of a name such as ``1.2.840.10008`` is not a suffix."""
    return without_suffix(path.name)


def without_suffix(name: str) -> str:
    """Return a path or name without its suffix, which may be a double one such as ``.nii.gz``."""
    if name.lower().endswith(".nii.gz"):
        return name[: -len(".nii.gz")]
    stem, _ = os.path.splitext(name)
    return name if name[len(stem) + 1 :].isdigit() else stem
