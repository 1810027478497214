"""Run lengths of a mask, as COCO writes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of the runs of a mask ``(Y, X)`` column by column, the first of pixels outside it."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], changes])).tolist()


def compress(lengths: list[int]) -> str:
    """Return run lengths as COCO's text: from the fourth on the difference to the length two before.

    Each number is cut into groups of five bits, the lowest first; a sixth bit says that another group follows, and the
    fifth is the sign.
    """
    letters = []
    for place, length in enumerate(lengths):
        rest = length - (lengths[place - 2] if place > 2 else 0)
        while True:
            group = rest & 31
            rest >>= 5
            is_last = rest == (-1 if group & 16 else 0)
            letters.append(chr(48 + (group if is_last else group | 32)))
            if is_last:
                break
    return "".join(letters)
