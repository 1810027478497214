"""Blank frames: napari draws nothing of a layer that has nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray

from napari_segcam.viewer.napari_internals.replacement import Replacement, private_attribute

_UPDATE_SLICE = Replacement(
    "ScalarFieldSlicingState._update_slice_response",
    parameters=("response",),
    attributes=("_slice.empty", "_slice.image.raw"),
)


def skip_blank_frames(layer: Image | Labels, is_blank: Callable[[NDArray[Any]], bool]) -> None:
    """Let napari draw nothing of a layer in its blank frames.

    A transparent layer costs as much to draw as any other: a tenth of a frame step without a graphics card. Most frames
    of a cine that is still being computed are blank. They are marked as napari marks a slice outside of a layer.

    Args:
        layer: one that this plugin made.
        is_blank: returns whether all pixels ``(Y, X)`` of a frame are transparent.
    """
    slicing: Any = private_attribute(layer, "_slicing_state")

    def mark_blank(update: Callable[..., Any]) -> Callable[..., Any]:
        def update_and_mark(response: Any) -> None:
            update(response)
            if not slicing._slice.empty and is_blank(slicing._slice.image.raw):
                slicing._slice = replace(slicing._slice, empty=True)
                if layer.thumbnail[..., :3].any():  # Labels would keep the thumbnail of the previous frame
                    layer.thumbnail = np.zeros(layer.thumbnail.shape, np.uint8)

        return update_and_mark

    if slicing is not None and _UPDATE_SLICE.install(slicing, mark_blank) and isinstance(layer, Labels):
        layer.events.labels_update.connect(lambda: _draw_again(layer))


def _draw_again(layer: Labels) -> None:
    """Draw a blank frame that the user has started to paint in; napari does not do so by itself."""
    if layer._slice.empty:
        layer.refresh(extent=False, thumbnail=False)
