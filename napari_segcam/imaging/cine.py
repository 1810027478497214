"""Cines: ordered, lazily read sequences of frames, with what is known of their time and space."""

from __future__ import annotations

import operator
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.value_range import depends_on_dtype_alone, value_range_of

Frame = NDArray[np.generic]


class Cine(ABC):
    """A sequence of frames of one shape and dtype; a still is a cine of one frame.

    ``len(cine)`` is the number of frames and ``cine[i]`` reads frame ``i``, ``(Y, X)`` gray or ``(Y, X, 3)`` colour;
    nothing that was read is kept. Frames may be read from several threads at once.

    Attributes:
        name: what to call it: the file's name without its suffix.
        path: the file, where there is one.
        frame_shape: ``(Y, X)`` or ``(Y, X, 3)``.
        dtype: of the frames.
        value_range: the values that mean black and white.
        frame_rate: frames per second, None where unknown.
        spacing_mm: distance between neighbouring rows and between neighbouring columns in mm, None where unknown.
        region: rows and columns that hold the scan rather than the screen around it, None where unknown.
    """

    name: str
    path: Path | None = None
    frame_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    value_range: tuple[float, float]
    frame_rate: float | None = None
    spacing_mm: tuple[float, float] | None = None
    region: tuple[slice, slice] | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _read(self, index: int) -> Frame:
        """Frame ``index``, which lies in ``range(len(self))``.

        Raises:
            SegcamError: if the frame cannot be decoded.
        """

    def __getitem__(self, index: int) -> Frame:
        at = operator.index(index)
        if at < 0:
            at += len(self)
        if not 0 <= at < len(self):
            raise IndexError(f"frame {index} of a cine with {len(self)}")
        return self._read(at)

    def __iter__(self) -> Iterator[Frame]:
        return (self._read(index) for index in range(len(self)))

    def __repr__(self) -> str:
        shape = " × ".join(str(length) for length in self.frame_shape)
        return f"<{type(self).__name__} {self.name!r}: {len(self)} frames of {shape} {self.dtype}>"

    @property
    def is_rgb(self) -> bool:
        return len(self.frame_shape) == 3


class ArrayCine(Cine):
    """An array in memory, or a dask array, as a cine.

    Args:
        array: ``(Y, X)``, ``(Y, X, 3 or 4)``, ``(T, Y, X)`` or ``(T, Y, X, 3 or 4)``, numpy or dask, any real dtype;
            an alpha channel is dropped.
        rgb: whether the last axis holds colours. By default it does where its length is 3 or 4 and there are at
            least two others; give False for a cine whose frames are 3 or 4 columns wide.
        value_range: the values that mean black and white. By default those of the dtype for whole numbers; for
            fractions 0–1 or 0–255, whichever holds the first, middle and last frame.

    Raises:
        SegcamError: if the array is not a frame or a sequence of frames, or its black and white are unclear.
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
                f"An image must be (Y, X) or (T, Y, X), with a last axis of 3 or 4 if it is in colour, but {name} has "
                f"the shape {shape}."
            )
        if array.dtype.kind not in "buif":
            raise SegcamError(f"The values of an image must be real numbers, but those of {name} are {array.dtype}.")
        colours = array[..., :3] if rgb else array
        self._frames = colours[None] if len(spatial) == 2 else colours
        self.name = name
        self.path = path
        self.frame_shape = tuple(self._frames.shape[1:])
        self.dtype = array.dtype
        self.frame_rate = frame_rate
        self.spacing_mm = spacing_mm
        self.value_range = value_range or usual_value_range(self)

    def __len__(self) -> int:
        return int(self._frames.shape[0])

    def _read(self, index: int) -> Frame:
        return np.asarray(self._frames[index])


def usual_value_range(cine: Cine) -> tuple[float, float]:
    """The values that mean black and white where the file does not say, from as few frames as will do.

    Raises:
        SegcamError: if the values are fractions outside 0–255, which have no usual meaning.
    """
    if depends_on_dtype_alone(cine.dtype):
        return value_range_of(np.empty(0, cine.dtype))
    return value_range_of(*(cine[index] for index in sorted({0, len(cine) // 2, len(cine) - 1})), name=cine.name)


def name_of(path: Path) -> str:
    """A file's name without its suffix; the last number of a name such as ``1.2.840.10008`` is not a suffix."""
    return without_suffix(path.name)


def without_suffix(name: str) -> str:
    """A path or name without its suffix, which may be a double one such as ``.nii.gz``."""
    if name.lower().endswith(".nii.gz"):
        return name[: -len(".nii.gz")]
    stem, _ = os.path.splitext(name)
    return name if name[len(stem) + 1 :].isdigit() else stem
