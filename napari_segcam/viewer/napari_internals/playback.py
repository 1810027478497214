"""Playback of a cine at its own frame rate."""

from __future__ import annotations

import math
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image

from napari_segcam.viewer.napari_internals.replacement import private_attribute


def play_at(viewer: ViewerModel, image_layer: Image) -> None:
    """Let a viewer play a cine at the frame rate that its file gives.

    Only the slider of the cine's frames in this viewer changes: the speed in napari's settings stays as the user saved
    it. A reversed direction stays reversed. Nothing happens if the frame rate is unknown, the layer is a still, or the
    viewer has no window.

    Args:
        viewer: the one that shows the layer.
        image_layer: a cine that this plugin's reader opened, with its frames along the first axis.
    """
    frame_rate = image_layer.metadata.get("segcam_source", {}).get("frame_rate")
    window: Any = getattr(viewer, "window", None)
    if not frame_rate or window is None or image_layer.ndim < 3:
        return
    # The model of the viewer has no speed, only the slider of each axis has one.
    sliders = private_attribute(window, "_qt_viewer.dims.slider_widgets") or []
    axis = viewer.dims.ndim - image_layer.ndim
    if not 0 <= axis < len(sliders):  # the layer is already gone, or napari has not followed yet
        return
    slider = sliders[axis]
    slider.fps = math.copysign(frame_rate, slider.fps)
