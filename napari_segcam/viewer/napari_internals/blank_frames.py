"""Blank frames: where a layer has nothing to show, nothing is drawn of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from numpy.typing import NDArray


def leave_out_blank_frames(layer: Image | Labels, is_blank: Callable[[NDArray[Any]], bool]) -> None:
    """Have napari draw nothing of a layer in frames of which there is nothing to be seen.

    A transparent layer costs as much to draw as any other, which is a tenth of a step where there is no graphics card,
    and most frames of a cine that is just being computed are blank. They are given the mark that napari gives what lies
    outside of a layer, which it does not draw.

    Args:
        layer: that is made by this plugin.
        is_blank: whether all pixels ``(Y, X)`` of a frame are transparent.
    """
    slicing: Any = getattr(layer, "_slicing_state", None)
    if not hasattr(slicing, "_update_slice_response"):
        return
    update = slicing._update_slice_response

    def update_and_mark(response: Any) -> None:
        update(response)
        if not slicing._slice.empty and is_blank(slicing._slice.image.raw):
            slicing._slice = replace(slicing._slice, empty=True)
            if layer.thumbnail[..., :3].any():  # Labels would keep that of the frame before
                layer.thumbnail = np.zeros(layer.thumbnail.shape, np.uint8)

    slicing._update_slice_response = update_and_mark
    if isinstance(layer, Labels):
        layer.events.labels_update.connect(lambda: _show_again(layer))


def _show_again(layer: Labels) -> None:
    """Have a frame drawn again that the user has begun to paint in, which napari does not do by itself."""
    if layer._slice.empty:
        layer.refresh(extent=False, thumbnail=False)
