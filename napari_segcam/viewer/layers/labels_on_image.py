"""Labels layers on an image, for predicted masks and corrections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray

from napari_segcam.viewer.layers.placement import OURS, Pair, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.napari_internals.label_outline import outline_quickly
from napari_segcam.viewer.napari_internals.strokes import is_in_stroke, painted_frames

_OUTLINE = 2  # screen pixels: an outline only, so that heat and image stay visible


def add_labels(
    viewer: ViewerModel,
    placement: Placement,
    frame_shape: tuple[int, int],
    name: str,
    colormap: DirectLabelColormap,
    on_shown: Callable[[], None],
    *,
    by_reader: bool = False,
    laid: tuple[Pair, Pair] = ((1, 1), (0, 0)),
    pixels: NDArray[np.uint8] | None = None,
) -> Labels:
    """Add a Labels layer over an image, and keep the selection.

    Args:
        viewer: that shows the image.
        placement: of the image.
        frame_shape: rows and columns.
        name: of the layer.
        colormap: a color for each label.
        on_shown: called when the layer is shown or hidden, or its opacity changes.
        by_reader: whether it shows what the reader paints, or what is in the image, and nothing that was predicted.
        laid: scale and translation of its pixels in those of the frame.
        pixels: of all frames; by default they are blank.
    """
    layer = Labels(
        np.zeros((*placement.lead(), *frame_shape), np.uint8) if pixels is None else pixels,
        name=name,
        colormap=colormap,
        metadata={OURS: {"image": placement.image.unique_id, "by_reader": by_reader}},
        **placement.transform(*laid),
        **placement.names(),
    )
    placement.lay(layer, *laid)
    defer_slicing(layer)
    skip_blank_frames(layer, lambda pixels: not pixels.any())
    outline_quickly(layer)
    for event in (layer.events.visible, layer.events.opacity):
        event.connect(lambda _event: on_shown())
    with keep_selection(viewer.layers):
        viewer.add_layer(layer)
    layer.contour = _OUTLINE
    return layer


def frame_of(labels: Labels, frame: int) -> np.ndarray:
    """Return the pixels ``(Y, X)`` of a frame."""
    return labels.data[frame] if labels.ndim > 2 else labels.data


def on_painted(labels: Labels, callback: Callable[[set[int] | None], None]) -> None:
    """Call a function whenever pixels may have changed: after each stroke, fill, undo, redo and refresh.

    Args:
        labels: the layer.
        callback: called with the frames painted in, besides the one in view; with None if it may be any frame.
    """
    pending: set[int] = set()  # for some strokes the event comes before the pixels are written

    def on_stroke(event: Any) -> None:
        frames = painted_frames(labels, event.value)
        pending.update(range(len(labels.data)) if frames is None and labels.ndim > 2 else frames or ())
        callback(set(pending))

    def on_pixels(_event: Any) -> None:
        if not is_in_stroke(labels):  # the end of a stroke has its own event
            callback(set(pending))
            pending.clear()

    labels.events.paint.connect(on_stroke)
    for event in (labels.events.labels_update, labels.events.set_data):
        event.connect(on_pixels)  # neither event alone covers every fill and undo
    labels.events.data.connect(lambda _event: callback(None))
