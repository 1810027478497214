"""The pixels that the reader has painted as the region of a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_segcam.viewer.frames.plan import PaintedRegion
from napari_segcam.viewer.frames.run_request import CORRECTED
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.labels_on_image import on_painted
from napari_segcam.viewer.layers.placement import MOVING_EVENTS
from napari_segcam.viewer.layers.resampling import labels_on_frame, refuse_unfit


def painted_region(
    viewer: ViewerModel, image: Image, region: Any, corrections: CorrectionLayer, label: int
) -> PaintedRegion:
    """Return a function that reads a frame's painted region: of a Labels layer, of a label in the corrections, or None.

    Args:
        viewer: that shows all of them.
        image: with the frames.
        region: as for ``RunRequest``.
        corrections: of the image.
        label: of the explained class in the network's masks.

    Raises:
        SegcamError: if the Labels layer does not fit the image.
    """
    if isinstance(region, Labels):
        refuse_unfit(region, image)
        return lambda frame: labels_on_frame(viewer, region, image, frame) > 0
    if region == CORRECTED:
        return lambda frame: _corrected_region(corrections, label, frame)
    return lambda _frame: None


def _corrected_region(corrections: CorrectionLayer, label: int, frame: int) -> NDArray[np.bool_] | None:
    pixels, corrected_label = corrections.pixels(frame), corrections.label_of(frame, label)
    return None if pixels is None or corrected_label is None else pixels == corrected_label


class PaintedRegionWatch:
    """Follows what is painted in the Labels layer that gives the region, and where that layer is moved.

    Args:
        on_painted: called with the painted frames; None if it may be any frame.
    """

    def __init__(self, on_painted: Callable[[set[int] | None], None]) -> None:
        self._on_painted = on_painted
        self._labels: Labels | None = None
        self._connected: WeakSet[Labels] = WeakSet()

    def watch(self, region: Any) -> None:
        """Follow this layer from now on, and no other; any other kind of region needs no watching."""
        labels = region if isinstance(region, Labels) else None
        if labels is not None and labels not in self._connected:
            self._connected.add(labels)
            on_painted(labels, lambda frames: self._report(labels, frames))
            for event in MOVING_EVENTS:
                getattr(labels.events, event).connect(lambda _event: self._report(labels, None))
        self._labels = labels

    def _report(self, labels: Labels, frames: set[int] | None) -> None:
        is_region = labels is self._labels
        if is_region:
            self._on_painted(None if labels.ndim < 3 else frames)
