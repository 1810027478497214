"""A mask as it was predicted and as the reader corrects it: two Labels layers, and the brush between them."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.brush import hand_over_brush
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.heatmap_layers import Later
from napari_segcam.viewer.layers.mask_layer import MaskLayer
from napari_segcam.viewer.layers.placement import Placement


class MaskPair:
    """The layers of one mask of an image: of all classes, or of one of several that may overlap.

    Args:
        viewer: that shows the image.
        placement: of the image.
        later: has something done once the window has had its turn.
        of_class: the name of the only class; empty where the mask is of all.

    Attributes:
        mask: what was predicted.
        corrections: what the reader has painted.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, later: Later, of_class: str = "") -> None:
        self.corrections = CorrectionLayer(viewer, placement, of_class)
        self.mask = MaskLayer(viewer, placement, self._take_stroke, of_class)
        self.corrections.predicted = self.mask.predicted
        self._viewer = viewer
        self._later = later
        self._frame = 0

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame
        self.mask.look_at(frame)
        self.corrections.look_at(frame)
        self._follow_brush()

    def _take_stroke(
        self, frame: int, predicted: SparseMask, is_painted: NDArray[np.bool_], labels: NDArray[np.uint8]
    ) -> None:
        self.corrections.color(self.mask.classes, self.mask.colors)
        self.corrections.take_stroke(frame, predicted, is_painted, labels)
        self._later(self._follow_brush)  # the mask's layer is still at work on the stroke

    def _follow_brush(self) -> None:
        """Paint where the reader's mask of the frame in view is: in the correction, or where one can be begun."""
        mask, correction = self.mask.layer, self.corrections.layer
        if self._frame in self.corrections.frames:
            hand_over_brush(self._viewer, of=mask, to=correction)
        else:
            hand_over_brush(self._viewer, of=correction, to=mask)
