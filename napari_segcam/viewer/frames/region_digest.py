"""A short digest of a painted region, which shows whether the region has changed."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def region_digest(region: NDArray[np.bool_] | None) -> bytes | None:
    """Return a digest of a region's pixels; None where there is no painted region."""
    return None if region is None else hashlib.blake2b(np.packbits(region).tobytes(), digest_size=16).digest()
