"""Layers: explanations laid on the image they explain, as Labels layers and one Image layer per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_segcam.viewer.brush import hand_over_brush
from napari_segcam.viewer.correction_layer import CorrectionLayer
from napari_segcam.viewer.heatmap_layers import HeatmapLayers, Later, ReadHeatmap, Scale
from napari_segcam.viewer.mask_layer import MaskLayer
from napari_segcam.viewer.placement import Placement
from napari_segcam.viewer.sparse_mask import SparseMask

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.explanation.explanation import Heatmap


class ExplanationLayers:
    """The layers of one image: made when first needed, filled frame by frame, used again by later runs.

    Args:
        viewer: that shows the image.
        image: the layer that is explained.
        later: has something done once the window has had its turn; by default it is done at once.

    Attributes:
        image: the layer that is explained.
    """

    def __init__(self, viewer: ViewerModel, image: Image, later: Later = lambda act: act()) -> None:
        self.image = image
        placement = Placement(image)
        self.corrections = CorrectionLayer(viewer, placement)
        self.masks = MaskLayer(viewer, placement, self._take_stroke)
        self.corrections.predicted = self.masks.predicted
        self.heat = HeatmapLayers(viewer, placement, later)
        self._viewer = viewer
        self._later = later
        self._frame = 0

    @property
    def mask(self) -> Labels | None:
        """The mask's layer, while it is in the viewer."""
        return self.masks.layer

    @property
    def size(self) -> int:
        """In bytes, what the Labels layers take when every frame has been drawn in."""
        return self.masks.size + self.corrections.size

    @property
    def heatmaps(self) -> dict[str, Image]:
        """The heatmaps' layers that are in the viewer, by stage name, in the network's order."""
        return self.heat.layers

    def colour(self, colours: Sequence[str]) -> None:
        """Draw the classes in these colours, one per output channel; none for the usual ones."""
        self.masks.colour(colours)
        self.corrections.colour(self.masks.classes, colours)

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame
        self.heat.look_at(frame)
        self.masks.look_at(frame)
        self.corrections.look_at(frame)
        self._follow_brush()

    def begin(self, stages: Sequence[str] | None, read: ReadHeatmap) -> None:
        """Make ready for a run.

        Args:
            stages: names of the heatmaps to come, the others are removed; None leaves the heatmaps as they are.
            read: gives the heatmap of a stage in a frame, or None as long as there is none.
        """
        self.masks.begin()
        if stages is not None:
            self.heat.begin(stages, read)

    def enter(
        self, frame: int, mask: SparseMask, frame_shape: tuple[int, int], classes: int, heatmaps: Mapping[str, Heatmap]
    ) -> None:
        """Take in what a frame has given; it is drawn with the next refresh."""
        self.heat.enter(frame, heatmaps)
        self.masks.show(frame, mask, frame_shape, classes)

    def refresh(self) -> None:
        """Draw anew what is seen."""
        self.heat.refresh()
        self.masks.refresh()

    def style(self, colormap: str, opacity: float, floor: float) -> None:
        """Draw all stages, and those to come, in these colours; the heatmaps stay as they are.

        Args:
            colormap: one of ``COLORMAPS``.
            opacity: 0–1.
            floor: the share of the scale, 0–1, below which nothing is drawn.
        """
        self.heat.colormap, self.heat.opacity, self.heat.floor = colormap, opacity, floor
        self.heat.restyle()

    def set_scale(self, scale: Scale) -> None:
        """Give each frame a scale of its own, or all frames of a stage one."""
        self.heat.set_scale(scale)

    def _take_stroke(
        self, frame: int, predicted: SparseMask, is_painted: NDArray[np.bool_], labels: NDArray[np.uint8]
    ) -> None:
        self.corrections.colour(self.masks.classes, self.masks.colours)
        self.corrections.take_stroke(frame, predicted, is_painted, labels)
        self._later(self._follow_brush)  # the mask's layer is still at work on the stroke

    def _follow_brush(self) -> None:
        """Paint where the reader's mask of the frame in view is: in the correction, or where one can be begun."""
        mask, correction = self.masks.layer, self.corrections.layer
        if self._frame in self.corrections.frames:
            hand_over_brush(self._viewer, of=mask, to=correction)
        else:
            hand_over_brush(self._viewer, of=correction, to=mask)
