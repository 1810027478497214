"""The mask's layer: written frame by frame, except where the user has painted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_segcam.viewer.colormaps import class_colormap
from napari_segcam.viewer.economy.blank_frames import leave_out_blank_frames
from napari_segcam.viewer.economy.deferred_slicing import defer_slicing
from napari_segcam.viewer.economy.outline import outline_quickly
from napari_segcam.viewer.garbage import made_to_stay
from napari_segcam.viewer.placement import OURS, Placement
from napari_segcam.viewer.sparse_mask import SparseMask

_NOTHING = SparseMask.of(np.zeros((1, 1), np.uint8))


class MaskLayer:
    """The Labels layer of one image, made when it is first needed.

    Only the bounding boxes of masks are ever written, so that blank parts of a long cine take no memory.

    Attributes:
        only_label: the only label that is shown; None for all.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement) -> None:
        self._viewer = viewer
        self._placement = placement
        self._layer: Labels | None = None
        self._predicted: dict[int, SparseMask] = {}
        self._written: dict[int, SparseMask] = {}  # what of that the layer was given, to tell the user's edits from it
        self.only_label: int | None = None
        self._classes = 1
        self._colours: tuple[str, ...] = ()

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def size(self) -> int:
        """In bytes, what the layer takes when every frame has been drawn in."""
        return 0 if self.layer is None else int(self.layer.data.nbytes)

    def begin(self) -> None:
        """A new run has been asked for: a layer that the user has deleted may come back."""
        if self.layer is None:
            self._layer = None
            self._predicted, self._written = {}, {}

    def show(self, frame: int, mask: SparseMask, frame_shape: tuple[int, int], classes: int) -> None:
        """Show what was predicted for a frame; one that the user has edited is kept as it is."""
        if self._layer is None:
            with made_to_stay():
                self._layer = self._make(frame_shape)
        if classes != self._classes:
            self._classes = classes
            self.colour(self._colours)
        self._predicted[frame] = mask
        self._write(frame)

    def erase(self, frame: int) -> None:
        """Forget what was predicted for a frame; one that the user has edited is kept as it is."""
        self._predicted.pop(frame, None)
        self._write(frame)

    def show_only(self, label: int | None) -> None:
        """Show one label, or all; edited frames are kept as they are."""
        self.only_label = label
        for frame in self._predicted:
            self._write(frame)
        self.refresh()

    def colour(self, colours: Sequence[str]) -> None:
        """Draw the classes in these colours, one per output channel; none for the usual ones."""
        self._colours = tuple(colours)
        if self.layer is not None:
            self.layer.colormap = class_colormap(self._classes, self._colours)

    def is_edited(self, frame: int) -> bool:
        """Whether a frame shows anything but what it was given."""
        pixels = self.pixels(frame)
        return pixels is not None and not self._written.get(frame, _NOTHING).is_in(pixels)

    def discard_edits(self, frame: int) -> None:
        """Show what was predicted for a frame again."""
        pixels = self.pixels(frame)
        if pixels is not None:
            pixels[...] = 0
            self._written.pop(frame, None)
            self._write(frame)
            self.refresh()

    def predicted(self, frame: int) -> SparseMask | None:
        """What was predicted for a frame, whatever the user has made of it."""
        return self._predicted.get(frame)

    def pixels(self, frame: int) -> np.ndarray | None:
        """The labels ``(Y, X)`` that a frame shows, the user's edits with them."""
        layer = self.layer
        if layer is None:
            return None
        return layer.data[frame] if self._placement.lead() else layer.data

    def refresh(self) -> None:
        """Have napari draw what was written."""
        layer = self.layer
        if layer is not None and layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _write(self, frame: int) -> None:
        pixels = self.pixels(frame)
        if pixels is None or self.is_edited(frame):
            return
        self._written.pop(frame, _NOTHING).erase(pixels)
        if frame in self._predicted:
            self._written[frame] = self._predicted[frame].only(self.only_label)
            self._written[frame].paint(pixels)

    def _make(self, frame_shape: tuple[int, int]) -> Labels:
        place = self._placement
        selected = set(self._viewer.layers.selection)
        layer = Labels(
            np.zeros((*place.lead(), *frame_shape), np.uint8),
            name=f"{place.image.name} mask",
            colormap=class_colormap(self._classes, self._colours),
            metadata={OURS: {"image": place.image.unique_id}},
            **place.transform((1, 1), (0, 0)),
            **place.names(),
        )
        place.lay(layer, (1, 1), (0, 0))
        defer_slicing(layer)
        leave_out_blank_frames(layer, lambda pixels: not pixels.any())
        outline_quickly(layer)
        self._viewer.add_layer(layer)
        layer.contour = 2  # the outline alone, so that heat and speckle stay visible
        self._viewer.layers.selection = selected  # adding a layer selects it
        return layer
