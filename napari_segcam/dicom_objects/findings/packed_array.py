"""A packed array: compressed in memory until it is needed again."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEVEL = 1  # masks are mostly blank: a higher level takes longer and saves little


@dataclass(frozen=True)
class PackedArray:
    """An array as compressed bytes; the values are kept exactly."""

    data: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: NDArray[Any]) -> PackedArray:
        """Return an array, packed."""
        return cls(zlib.compress(array.tobytes(), _LEVEL), array.dtype, array.shape)

    def unpack(self) -> NDArray[Any]:
        """Return the array, which cannot be written to."""
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)
