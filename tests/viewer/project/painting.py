"""Painting in tests, as the brush does it."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels

from napari_segcam.viewer.review.session import ReviewSession


def paint(session: ReviewSession, rows: slice, columns: slice, label: int = 1) -> None:
    """Paint a rectangle in the frame in view: in the correction if there is one, else over the mask."""
    review = session.review
    assert review is not None
    pair = review.layers.shown[0]
    frame = session.current_frame()
    layer = pair.corrections.layer if frame in pair.corrections.frames else pair.mask.layer
    assert isinstance(layer, Labels)
    grid = np.mgrid[rows, columns].reshape(2, -1)
    lead = (np.full(grid.shape[1], frame),) if layer.ndim > 2 else ()
    layer.data_setitem((*lead, *grid), np.full(grid.shape[1], label, np.uint8))


def corrected(session: ReviewSession, frame: int) -> np.ndarray | None:
    """Return the correction of a frame as the layer shows it."""
    review = session.review
    assert review is not None
    return review.layers.pair("").corrections.pixels(frame)
