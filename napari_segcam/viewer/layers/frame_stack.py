"""A stack of frames for napari that stores nothing: each frame is read when it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Read = Callable[[int], NDArray[np.float32] | None]


class FrameStack:
    """A read-only float32 array ``(T, h, w)`` with the interface that napari needs.

    Args:
        read: returns a frame ``(h, w)``, or None if there is none; that frame is NaN, which is drawn transparent.
        shape: ``(T, h, w)``.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, read: Read, shape: tuple[int, int, int]) -> None:
        self._read = read
        self.shape = shape
        self.size = shape[0] * shape[1] * shape[2]
        self._blank = np.full(shape[1:], np.nan, np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        key = key if isinstance(key, tuple) else (key,)
        if not key or any(part is Ellipsis for part in key):
            missing = 3 - sum(part is not Ellipsis for part in key)
            position = next((index for index, part in enumerate(key) if part is Ellipsis), 0)
            key = key[:position] + (slice(None),) * missing + key[position + 1 :]
        frames = np.arange(self.shape[0])[key[0]]
        if frames.ndim == 0:
            return self._frame(int(frames))[key[1:]]
        if all(isinstance(part, slice) for part in key[1:]):
            stack = [self._frame(int(frame))[key[1:]] for frame in frames]
            return np.stack(stack) if stack else np.empty((0, *self.shape[1:]), np.float32)[(slice(None), *key[1:])]
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("A stack of frames is built on request: it cannot be returned without a copy.")
        stack = np.stack([self._frame(frame) for frame in range(len(self))])
        return stack if dtype is None else stack.astype(dtype)

    def _frame(self, frame: int) -> NDArray[np.float32]:
        values = self._read(frame)
        if values is None:
            return self._blank
        return values if values.shape == self.shape[1:] else np.zeros(self.shape[1:], np.float32)
