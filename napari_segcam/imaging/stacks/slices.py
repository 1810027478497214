"""Slices: whether the frames of a file are slices of a volume or moments in time."""

from __future__ import annotations

import math


def has_distance(step: float) -> bool:
    """Whether the step from frame to frame is known: 1 and 0 usually mean unknown."""
    return math.isfinite(step) and abs(step) not in (0, 1)


def note_on_slices(are_slices: bool | None, name: str, letters: str) -> str:
    """Return a note on whether frames are slices or moments in time; empty if they are known to be moments in time.

    Args:
        are_slices: whether the frames are slices of a volume, None if unknown.
        name: of the file.
        letters: of its axes.
    """
    if are_slices is None:
        return (
            "The header does not say whether the frames are moments in time or slices of a volume: they are read as "
            "moments in time."
        )
    if not are_slices:
        return ""
    return (
        "By the header, the frames are slices of a volume, not moments in time. If they are moments in time, open "
        f"{name}::{letters.replace('1', '')}."
    )
