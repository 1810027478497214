"""Strokes: what napari records of the user's painting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_segcam.viewer.napari_internals.replacement import private_attribute


def is_in_stroke(labels: Labels) -> bool:
    """Return whether the user is in the middle of a stroke."""
    return bool(private_attribute(labels, "_block_history"))


def forget_strokes(labels: Labels) -> None:
    """Leave nothing to undo or redo in a Labels layer whose pixels are no longer those that were painted."""
    reset = private_attribute(labels, "_reset_history")
    if reset is not None:
        reset()


def painted_frames(labels: Labels, stroke: Sequence[Any]) -> set[int] | None:
    """Return the frames that a stroke has painted in; None if napari does not say.

    Args:
        labels: the layer.
        stroke: the value of its ``paint`` event.
    """
    if labels.ndim < 3:
        return {0}
    frames: set[int] = set()
    for change in stroke:
        index = change.slice_key[0] if hasattr(change, "slice_key") else change[0][0]
        if isinstance(index, slice):
            frames.update(range(*index.indices(len(labels.data))))
        elif isinstance(index, (int, np.integer)):
            frames.add(int(index))
        elif isinstance(index, np.ndarray):
            frames.update(np.unique(index).tolist())
        else:
            return None
    return frames
