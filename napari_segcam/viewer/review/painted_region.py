"""Painting: the pixels that the reader has painted as the region of a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_segcam.viewer.frames.plan import CORRECTED, Painted
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.resampling import labels_on_frame, refuse_unfit


def painted_by(viewer: ViewerModel, image: Image, region: Any, corrections: CorrectionLayer, label: int) -> Painted:
    """What tells the painted region of each frame: of a Labels layer, of a label in the corrections, or none.

    Args:
        viewer: that shows all of them.
        image: whose frames they are.
        region: as for ``Request``.
        corrections: of the image.
        label: of the explained class in the network's masks.

    Raises:
        SegcamError: if the Labels layer does not go with the image.
    """
    if isinstance(region, Labels):
        refuse_unfit(region, image)
        return lambda frame: labels_on_frame(viewer, region, image, frame) > 0
    if region == CORRECTED:
        return lambda frame: _corrected(corrections, label, frame)
    return lambda _frame: None


def _corrected(corrections: CorrectionLayer, label: int, frame: int) -> NDArray[np.bool_] | None:
    pixels, own = corrections.pixels(frame), corrections.label_of(frame, label)
    return None if pixels is None or own is None else pixels == own
