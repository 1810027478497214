"""The frames of a cine that is still coming: those that are here, and a picture that says so in place of the others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import Cine
from napari_segcam.reporting.lettering import text_and_font, text_width, truncate_text

_KEPT = 24  # decoded frames
_STRIPE = 12  # rows and columns of a stripe of the picture
_LETTERING = 26  # letters are this part of the frame's width as high
_DARK, _LIGHT = 0.25, 0.4  # of the way from black to white

IS_COMING = "Frame {number} is still coming"
CANNOT_BE_SHOWN = "Frame {number} cannot be shown"


class ArrivingFrames:
    """An array ``(T, Y, X[, 3])`` with the interface that napari needs, for the canvas alone.

    A frame that has not come yet is shown as gray stripes with words, which nobody takes for ultrasound. What computes
    reads ``received``, whose missing frames are an error.

    Args:
        cine: whose frames come one by one.
        has: returns whether a frame is here; for any thread.
        received: the frames as an array that never has anything else in it.
    """

    def __init__(self, cine: Cine, has: Callable[[int], bool], received: Any) -> None:
        self.received = received
        self.dtype = np.dtype(cine.dtype)
        self.shape = (len(cine), *cine.frame_shape)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))
        self._cine = cine
        self.has = has
        self._decoded: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        key = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in key):
            position = next(index for index, part in enumerate(key) if part is Ellipsis)
            missing = self.ndim - (len(key) - 1)
            key = key[:position] + (slice(None),) * missing + key[position + 1 :]
        numbers = np.arange(len(self))[key[0]] if key else np.arange(len(self))
        if numbers.ndim == 0:
            return self._frame(int(numbers))[key[1:]]
        stack = [self._frame(int(number))[key[1:]] for number in numbers]
        return np.stack(stack) if stack else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("The frames are read on request: they cannot be returned without a copy.")
        stack = self[:]
        return stack if dtype is None else stack.astype(dtype)

    def _frame(self, number: int) -> NDArray[Any]:
        if number in self._decoded:
            self._decoded.move_to_end(number)
            return self._decoded[number]
        if not self.has(number):
            return self._words(IS_COMING.format(number=number))
        try:
            frame = np.asarray(self._cine[number])
        except SegcamError:
            return self._words(CANNOT_BE_SHOWN.format(number=number))
        self._decoded[number] = frame
        if len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return frame

    def _words(self, words: str) -> NDArray[Any]:
        black, white = self._cine.value_range
        shares = placeholder(self.shape[1], self.shape[2], words)
        values = (black + shares * (white - black)).astype(self.dtype)
        return np.repeat(values[..., np.newaxis], 3, axis=2) if self.ndim == 4 else values


def placeholder(rows: int, columns: int, words: str) -> NDArray[np.float32]:
    """Return a picture ``(rows, columns)`` of stripes with words in the middle; 0 is black, 1 is white."""
    stripes = (np.add.outer(np.arange(rows), np.arange(columns)) // _STRIPE) % 2
    picture = Image.fromarray(np.where(stripes, _LIGHT * 255, _DARK * 255).astype(np.uint8))
    size = max(9, columns // _LETTERING)
    shown = truncate_text(words, size, columns - size)
    drawable, font = text_and_font(shown, size)
    left, top, width = (columns - text_width(shown, size)) // 2, rows // 2 - size, text_width(shown, size)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left - size // 2, top - size // 2, left + width + size // 2, top + size * 3 // 2), fill=0)
    draw.text((left, top), drawable, font=font, fill=255)
    return np.asarray(picture, np.float32) / np.float32(255)
