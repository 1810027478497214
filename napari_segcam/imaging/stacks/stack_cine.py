"""Cine of a stored array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine, Frame, name_of
from napari_segcam.imaging.stacks.axes import Axes


class StackCine(Cine):
    """Cine of a stored array, whose frames are read when they are needed.

    Args:
        path: of the file.
        stored: returns the array, in the file's own order of axes.
        axes: of the array.
        name: by default the file's name.
        slope: factor of the stored values.
        intercept: added to the product.
        frame_rate: per second, if known.
        spacing_mm: of rows and of columns, if known.
        aspect: height of a pixel divided by its width, if known.
        are_slices: whether the frames are slices of a volume, not moments in time.
        notes: on assumptions, for the user.

    Raises:
        SegcamError: if the values are not real numbers.
    """

    path: Path

    def __init__(
        self,
        path: Path,
        stored: Callable[[], Any],
        axes: Axes,
        *,
        name: str = "",
        slope: float = 1.0,
        intercept: float = 0.0,
        frame_rate: float | None = None,
        spacing_mm: tuple[float, float] | None = None,
        aspect: float | None = None,
        are_slices: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.path, self.name = path, name or name_of(path)
        self._stored, self._axes, self._slope, self._intercept = stored, axes, slope, intercept
        array = stored()
        dtype = np.dtype(array.dtype)
        if dtype.kind not in "buif":
            raise SegcamError(f"The values of an image must be real numbers, but those of {path.name} are {dtype}.")
        self._shape = tuple(array.shape)
        self._frames = axes.frames_in(self._shape)
        self.frame_shape = axes.frame_shape(self._shape)
        if 0 in self._shape:
            raise SegcamError(f"{path.name} holds no pixels: its shape is {self._shape}.")
        refuse_large_frame(path.name, self.frame_shape, dtype.itemsize, self._frames)
        self.dtype = self._rescale(np.empty(0, dtype.newbyteorder("="))).dtype
        self.frame_rate, self.spacing_mm = frame_rate, spacing_mm
        self.stated_aspect, self.are_slices = aspect, are_slices
        self.notes = notes

    def __len__(self) -> int:
        return self._frames

    def _read(self, index: int) -> Frame:
        try:
            array = self._stored()
            if tuple(array.shape) != self._shape:
                raise SegcamError(f"{self.path.name} has changed since it was opened. Open it again.")
            pixels = self._axes.frame(array, index)
            return self._rescale(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("=")))
        except (OSError, ValueError, KeyError) as error:
            raise SegcamError(f"Frame {index} of {self.path.name} cannot be read: {error}.") from error

    def _rescale(self, pixels: NDArray[Any]) -> Frame:
        if self._slope == 1 and self._intercept == 0:
            return pixels
        scaled: NDArray[Any] = pixels.astype(np.float32 if pixels.dtype.itemsize <= 2 else np.float64)
        scaled *= self._slope
        scaled += self._intercept
        return scaled
