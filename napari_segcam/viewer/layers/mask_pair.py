"""A predicted mask and its corrections: two Labels layers, and the brush that moves between them."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.heatmap_layers import Later
from napari_segcam.viewer.layers.mask_layer import MaskLayer
from napari_segcam.viewer.layers.placement import Placement
from napari_segcam.viewer.layers.selection import move_brush


class MaskPair:
    """The layers of one mask of an image: of all classes, or of one class if classes may overlap.

    Args:
        viewer: that shows the image.
        placement: of the image.
        later: calls a function after the window has handled its events.
        of_class: the name of the class; empty for a mask of all classes.

    Attributes:
        mask: the layer of the predicted masks.
        corrections: the layer of the reader's corrections.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, later: Later, of_class: str = "") -> None:
        self.corrections = CorrectionLayer(viewer, placement, of_class)
        self.mask = MaskLayer(viewer, placement, self._take_stroke, of_class)
        self.corrections.predicted = self.mask.predicted
        self._viewer = viewer
        self._later = later
        self._frame = 0

    def look_at(self, frame: int) -> None:
        """Take note of the frame in view."""
        self._frame = frame
        self.mask.look_at(frame)
        self.corrections.look_at(frame)
        self._follow_brush()

    def _take_stroke(
        self, frame: int, predicted: SparseMask, is_painted: NDArray[np.bool_], labels: NDArray[np.uint8]
    ) -> None:
        self.corrections.color(self.mask.classes, self.mask.colors)
        self.corrections.take_stroke(frame, predicted, is_painted, labels)
        self._later(self._follow_brush)  # the mask layer is still handling the stroke

    def _follow_brush(self) -> None:
        """Move the brush to the frame's correction, or to the mask if there is none yet."""
        mask, correction = self.mask.layer, self.corrections.layer
        if self._frame in self.corrections.frames:
            move_brush(self._viewer, mask, correction)
        else:
            move_brush(self._viewer, correction, mask)
