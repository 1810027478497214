"""The heatmaps of one stage as data of a napari layer, which looks like those of the workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.types import LayerDataTuple

from napari_segcam.viewer.drawing.colormaps import COLORMAPS, heat_colormap, signed_colormap
from napari_segcam.viewer.functions.given_image import GivenImage
from napari_segcam.viewer.layers.placement import OURS

if TYPE_CHECKING:  # torch comes with it
    from napari_segcam.explanation.explanation import Heatmap

_OPACITY = 0.6


class StageFrames:
    """The heatmaps of one stage in all frames of an image.

    Args:
        count: number of frames.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._heatmaps: dict[int, Heatmap] = {}

    @property
    def kind(self) -> str:
        """The stage's kind, such as ``"encoder"``."""
        return self._heatmaps[0].stage.kind

    def enter(self, frame: int, heatmap: Heatmap) -> None:
        """Take in the heatmap of a frame."""
        self._heatmaps[frame] = heatmap

    def layer(self, image: GivenImage, facts: Mapping[str, Any], *, visible: bool) -> LayerDataTuple:
        """Return the layer over an image.

        The name holds the image's, so that it is none of the workspace's layers: napari replaces the data of a layer
        that has the name of a new result.

        Args:
            image: the frames.
            facts: that go into the layer's metadata.
            visible: whether the layer is shown.
        """
        # Where a target does not depend on the stage, the map is a single value; it must not set the shape.
        largest = max(self._heatmaps.values(), key=lambda heatmap: heatmap.values.size)
        values = np.zeros((self._count, *largest.values.shape), np.float32)
        for frame, heatmap in self._heatmaps.items():
            if heatmap.values.shape == largest.values.shape:
                values[frame] = heatmap.values
        peak = max(heatmap.peak for heatmap in self._heatmaps.values()) or 1.0
        stage, signed = largest.stage, largest.signed
        reasons = {frame: heatmap.reason.value for frame, heatmap in self._heatmaps.items() if heatmap.reason}
        properties = {
            "image": None if image.layer is None else image.layer.unique_id,
            "explained": stage.name,
            "stride": stage.stride,
            "signed": signed,
            "reasons": reasons,
            **facts,
        }
        attributes = {
            "name": f"{stage.name} {facts['method']} ({image.name})",
            "rgb": False,
            "colormap": signed_colormap(0) if signed else heat_colormap(COLORMAPS[0], 0),
            "contrast_limits": (-peak if signed else 0.0, peak),
            "opacity": _OPACITY,
            "blending": "translucent_no_depth",
            "interpolation2d": "linear",
            "visible": visible,
            "metadata": {OURS: properties},
            **image.transform(largest.scale, largest.translate),
        }
        return LayerDataTuple((values if image.has_frames else values[0], attributes, "image"))
