"""Painting: the pixels that the user has painted as the region of a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_segcam.viewer.mask_layer import MaskLayer
from napari_segcam.viewer.work import CORRECTED, Painted


def painted_by(region: Any, masks: MaskLayer, label: int) -> Painted:
    """What tells the painted region of each frame: of a Labels layer, of a label in the edited mask, or none."""
    if isinstance(region, Labels):
        return lambda frame: _pixels(region, frame)
    if region == CORRECTED:
        return lambda frame: _corrected(masks, label, frame)
    return lambda _frame: None


def _pixels(labels: Labels, frame: int) -> NDArray[np.bool_]:
    data = np.asarray(labels.data[frame] if labels.ndim == 3 else labels.data)
    return data > 0


def _corrected(masks: MaskLayer, label: int, frame: int) -> NDArray[np.bool_] | None:
    pixels = masks.pixels(frame)
    return pixels == label if pixels is not None and masks.is_edited(frame) else None
