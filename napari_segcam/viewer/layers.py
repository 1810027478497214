"""Layers: explanations laid on the image they explain, as one Labels layer and one Image layer per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from napari.components import ViewerModel
from napari.layers import Image, Labels

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
        self.masks = MaskLayer(viewer, placement)
        self.heat = HeatmapLayers(viewer, placement, later)

    @property
    def mask(self) -> Labels | None:
        """The mask's layer, while it is in the viewer."""
        return self.masks.layer

    @property
    def heatmaps(self) -> dict[str, Image]:
        """The heatmaps' layers that are in the viewer, by stage name, in the network's order."""
        return self.heat.layers

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
        self.heat.scale = scale
        self.heat.rescale()
