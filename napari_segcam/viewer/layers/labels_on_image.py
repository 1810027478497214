"""Labels layers of an image: made one way, whoever they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.napari_internals.label_outline import outline_quickly
from napari_segcam.viewer.napari_internals.strokes import is_in_stroke, painted_frames

_OUTLINE = 2  # screen pixels: the outline alone, so that heat and speckle stay visible


def add_labels(
    viewer: ViewerModel,
    placement: Placement,
    frame_shape: tuple[int, int],
    name: str,
    colormap: DirectLabelColormap,
    on_shown: Callable[[], None],
) -> Labels:
    """Add a blank Labels layer over an image; what was selected stays so.

    Args:
        viewer: that shows the image.
        placement: of the image.
        frame_shape: rows and columns.
        name: of the layer.
        colormap: a color for each label.
        on_shown: called when the layer is shown, hidden or made transparent.
    """
    selected = set(viewer.layers.selection)
    layer = Labels(
        np.zeros((*placement.lead(), *frame_shape), np.uint8),
        name=name,
        colormap=colormap,
        metadata={OURS: {"image": placement.image.unique_id}},
        **placement.transform((1, 1), (0, 0)),
        **placement.names(),
    )
    placement.lay(layer, (1, 1), (0, 0))
    defer_slicing(layer)
    skip_blank_frames(layer, lambda pixels: not pixels.any())
    outline_quickly(layer)
    for event in (layer.events.visible, layer.events.opacity):
        event.connect(lambda _event: on_shown())
    viewer.add_layer(layer)
    layer.contour = _OUTLINE
    viewer.layers.selection = selected & set(viewer.layers)  # adding a layer selects it
    return layer


def frame_of(labels: Labels, frame: int) -> np.ndarray:
    """The pixels ``(Y, X)`` of a frame; of a still its only ones."""
    return labels.data[frame] if labels.ndim > 2 else labels.data


def on_painted(labels: Labels, act: Callable[[set[int] | None], None]) -> None:
    """Have something done whenever pixels may have changed: after each stroke, fill, undo, redo and refresh.

    Args:
        labels: the layer.
        act: given the frames that were painted in, besides the one in view; None if it may be any.
    """
    pending: set[int] = set()  # some strokes are told of before their pixels are written

    def on_stroke(event: Any) -> None:
        frames = painted_frames(labels, event.value)
        pending.update(range(len(labels.data)) if frames is None and labels.ndim > 2 else frames or ())
        act(set(pending))

    def on_pixels(_event: Any) -> None:
        if not is_in_stroke(labels):  # at the end of the stroke there is an event of its own
            act(set(pending))
            pending.clear()

    labels.events.paint.connect(on_stroke)
    for event in (labels.events.labels_update, labels.events.set_data):
        event.connect(on_pixels)  # no one of them tells of every fill and undo
    labels.events.data.connect(lambda _event: act(None))
