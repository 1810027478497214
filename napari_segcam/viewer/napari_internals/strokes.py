"""Strokes: what napari keeps of the user's painting, to which it gives no public way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Labels


def is_in_stroke(labels: Labels) -> bool:
    """Whether the user is in the middle of a stroke, of which more is to come."""
    return bool(getattr(labels, "_block_history", False))


def forget_strokes(labels: Labels) -> None:
    """Leave nothing to undo or redo in a Labels layer, whose pixels are not those any more that were painted."""
    reset = getattr(labels, "_reset_history", None)
    if reset is not None:
        reset()


def painted_frames(labels: Labels, stroke: Sequence[Any]) -> set[int] | None:
    """The frames that a stroke has painted in; None where napari does not tell.

    Args:
        labels: the layer.
        stroke: what its ``paint`` event gives.
    """
    if labels.ndim < 3:
        return {0}
    frames: set[int] = set()
    for part in stroke:
        along = part.slice_key[0] if hasattr(part, "slice_key") else part[0][0]
        if isinstance(along, slice):
            frames.update(range(*along.indices(len(labels.data))))
        elif isinstance(along, (int, np.integer)):
            frames.add(int(along))
        elif isinstance(along, np.ndarray):
            frames.update(np.unique(along).tolist())
        else:
            return None
    return frames
