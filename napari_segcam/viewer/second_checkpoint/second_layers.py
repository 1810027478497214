"""The layers of B on one image: the dashed outline of its mask, and the pixels that only A or only B has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

COLOR_B = "#ff7043"
_COLOR_A = "#56b4e9"  # vermilion and sky blue: the color-blind can tell them apart, and stripes and dashes do so too

OUTLINE, DIFFERENCE = "outline", "difference"

ReadPixels = Callable[[int], NDArray[np.float32] | None]
"""Returns the pixels ``(Y, X)`` of a frame, NaN where nothing is drawn; None where there is nothing to draw."""


@dataclass(frozen=True)
class _Kind:
    """How one of the layers looks."""

    title: str
    colormap: Colormap
    opacity: float


_KINDS = {
    DIFFERENCE: _Kind(
        "A and B differ", Colormap([_COLOR_A, COLOR_B], name="segcam A or B", interpolation="zero"), 0.55
    ),
    OUTLINE: _Kind("mask of B", Colormap([COLOR_B, COLOR_B], name="segcam B"), 1.0),
}


class SecondLayers:
    """Two Image layers, added when they are first wanted; they store nothing, and cannot be painted in.

    Args:
        viewer: that shows the image.
        image: whose masks are compared.
        read: for each kind of layer, what returns its pixels.
        on_removed: called with the kind of a layer that the user has removed.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        read: Mapping[str, ReadPixels],
        on_removed: Callable[[str], None],
    ) -> None:
        self._viewer = viewer
        self._placement = Placement(image)
        self._read = dict(read)
        self._on_removed = on_removed
        self._layers: dict[str, Image] = {}

    def layer(self, kind: str) -> Image | None:
        """Return a layer, while it is in the viewer."""
        layer = self._layers.get(kind)
        return layer if layer in self._viewer.layers else None

    def show(self, kind: str, frame: int, *, is_new: bool = True) -> None:
        """Add a layer if it is missing; draw the frame in view again if there is another mask in it."""
        known = self._layers.get(kind)
        if known is not None and known not in self._viewer.layers:
            del self._layers[kind]
            self._on_removed(kind)
            return
        if known is None:
            if self._placement.image in self._viewer.layers:
                with without_gc_pause():
                    self._layers[kind] = self._add(kind, frame)
        elif not is_new:
            pass
        elif known.data.ndim == 2:
            known.data = self._pixels(kind, frame)
        elif known.visible:
            known.refresh(extent=False, thumbnail=False)

    def remove(self, kind: str) -> None:
        """Remove a layer."""
        layer = self.layer(kind)
        self._layers.pop(kind, None)
        if layer is not None:
            self._viewer.layers.remove(layer)

    def remove_all(self) -> None:
        """Remove both layers."""
        for kind in _KINDS:
            self.remove(kind)

    def _shape(self) -> tuple[int, int]:
        image = self._placement.image
        rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
        return int(rows), int(columns)

    def _pixels(self, kind: str, frame: int) -> NDArray[np.float32]:
        pixels = self._read[kind](frame)
        return np.full(self._shape(), np.nan, np.float32) if pixels is None else pixels

    def _add(self, kind: str, frame: int) -> Image:
        style, image, lead = _KINDS[kind], self._placement.image, self._placement.lead()
        layer = Image(
            FrameStack(self._read[kind], (lead[0], *self._shape())) if lead else self._pixels(kind, frame),
            name=f"{image.name} {style.title}",
            rgb=False,
            multiscale=False,
            colormap=style.colormap,
            contrast_limits=(0, 1),
            opacity=style.opacity,
            blending="translucent_no_depth",
            interpolation2d="nearest",
            metadata={OURS: {"image": image.unique_id}},
            **self._placement.transform((1, 1), (0, 0)),
            **self._placement.names(),
        )
        self._placement.lay(layer, (1, 1), (0, 0))
        defer_slicing(layer)
        skip_blank_frames(layer, lambda drawn: bool(np.isnan(drawn).all()))
        with keep_selection(self._viewer.layers):
            self._viewer.add_layer(layer)
        return layer
