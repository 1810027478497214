"""Slices: whether what follows one another in a file are the slices of a volume or moments in time."""

from __future__ import annotations

import math


def has_distance(step: float) -> bool:
    """Whether a step from frame to frame says more than the 1 or 0 that is written where none is known."""
    return math.isfinite(step) and abs(step) not in (0, 1)


def note_on_slices(are_slices: bool | None, name: str, letters: str) -> str:
    """What the user should know of how the frames follow one another; nothing where they are known to do so in time.

    Args:
        are_slices: whether the frames are slices of a volume, None where the header does not say.
        name: of the file.
        letters: of its axes.
    """
    if are_slices is None:
        return (
            "The header does not say whether the frames are moments in time or slices of a volume: they are taken as "
            "moments in time."
        )
    if not are_slices:
        return ""
    return (
        "By the header the frames are the slices of a volume, not moments in time. If they are moments in time, open "
        f"{name}::{letters.replace('1', '')}."
    )
