"""The frame of a trial and its mask, shown as layers over the frame that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer

from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.overlays.trial_job import Trial

_CYAN = "#00e5ff"


class ShownTrial:
    """Two layers of one frame alone: in a cine they are there only while that frame is in view."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []

    def show(self, image: Image, placement: Placement, frame: int, trial: Trial, words: str) -> None:
        """Show a trial in place of an earlier one.

        Args:
            image: whose frame was tried.
            placement: of the image.
            frame: its number.
            trial: what to show.
            words: what was done to the frame, for the names of the layers.
        """
        self.hide()
        lead = placement.lead()
        options = self._options(image, placement, frame)
        pixels, mask = (
            np.asarray(values)[None] if lead else np.asarray(values) for values in (trial.frame, trial.mask)
        )
        picture = Image(
            pixels,
            rgb=image.rgb,
            name=f"{image.name} {words}",
            colormap=image.colormap,
            contrast_limits=None if image.rgb else image.contrast_limits,
            **options,
        )
        labels = Labels(mask.astype(np.uint8), name=f"{image.name} mask {words}", opacity=0.9, **options)
        labels.contour = 2
        if mask.max(initial=0) <= 1:
            from napari.utils.colormaps import DirectLabelColormap

            labels.colormap = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: _CYAN})
        with keep_selection(self._viewer.layers):
            above = self._viewer.layers.index(image) + 1
            for layer in (picture, labels):
                self._viewer.add_layer(layer)
                self._layers.append(layer)
            self._viewer.layers.move(self._viewer.layers.index(picture), above)  # below masks and heat

    def hide(self) -> None:
        """Remove the layers."""
        for layer in self._layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        self._layers = []

    @property
    def is_shown(self) -> bool:
        """Whether the layers are there: the user can remove them too."""
        return any(layer in self._viewer.layers for layer in self._layers)

    def _options(self, image: Image, placement: Placement, frame: int) -> dict[str, Any]:
        """Return the transform that places one frame at its number, and what else both layers share."""
        transform = placement.transform((1, 1), (0, 0))
        if placement.lead():
            origin, here = (np.asarray(image.data_to_world((at, 0, 0))) for at in (0, frame))
            transform["translate"] = np.asarray(transform["translate"]) + (here - origin)
        return {**transform, **placement.names(), "metadata": {OURS: {"image": image.unique_id}}}
