"""A mask's layer: what the network predicts of each frame, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels
from numpy.typing import NDArray

from napari_segcam.viewer.drawing.colormaps import class_colormap
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.labels_on_image import add_labels, on_painted
from napari_segcam.viewer.layers.placement import Placement
from napari_segcam.viewer.napari_internals.strokes import forget_strokes
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

_NOTHING = SparseMask.from_labels(np.zeros((1, 1), np.uint8))

# Given a frame, what was predicted for it, where the reader has painted ``(Y, X)`` and with which labels there.
TakeStroke = Callable[[int, SparseMask, NDArray[np.bool_], NDArray[np.uint8]], None]


class MaskLayer:
    """A Labels layer of one image, made when it is first needed: of all classes, or of one that may overlap others.

    Only the bounding boxes of masks are ever written, so that blank parts of a long cine take no memory. What the
    reader paints in it is not the network's: it is handed on, and the layer shows the prediction again.

    Args:
        viewer: that shows the image.
        placement: of the image.
        take_stroke: is given what the reader has painted.
        of_class: the name of the only class, of several that may overlap; empty where the mask is of all.

    Attributes:
        only_label: the only label that is shown; None for all.
        on_shown: called when what is shown of the layer has changed.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, take_stroke: TakeStroke, of_class: str = "") -> None:
        self._viewer = viewer
        self._placement = placement
        self._take_stroke = take_stroke
        self._of_class = of_class
        self._layer: Labels | None = None
        self._pixels = np.zeros((0, 0), np.uint8)
        self._predicted: dict[int, SparseMask] = {}
        self._written: dict[int, SparseMask] = {}  # what of that the layer was given, to tell strokes from it
        self._is_handing_on = False
        self._frame = 0
        self.only_label: int | None = None
        self.on_shown: Callable[[], None] = lambda: None
        self._classes = 1
        self._colors: tuple[str, ...] = ()

    @property
    def layer(self) -> Labels | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def size(self) -> int:
        """In bytes, what the layer takes when every frame has been drawn in."""
        return 0 if self.layer is None else int(self._pixels.nbytes)

    @property
    def classes(self) -> int:
        """How many output channels the network has whose masks are shown."""
        return self._classes

    @property
    def colors(self) -> tuple[str, ...]:
        """Those that were given, one per output channel; empty for the usual ones."""
        return self._colors

    def begin(self) -> None:
        """A new run has been asked for: a layer that the user has deleted may come back."""
        if self.layer is None:
            self._layer = None
            self._predicted, self._written = {}, {}

    def look_at(self, frame: int) -> None:
        """The user has come to this frame."""
        self._frame = frame

    def show(self, frame: int, mask: SparseMask, frame_shape: tuple[int, int], classes: int) -> None:
        """Show what was predicted for a frame."""
        if self._layer is None:
            with without_gc_pause():
                self._layer = self._make(frame_shape)
        if classes != self._classes:
            self._classes = classes
            self.color(self._colors)
        self._predicted[frame] = mask
        self._write(frame)

    def erase(self, frame: int) -> None:
        """Forget what was predicted for a frame."""
        if self._predicted.pop(frame, None) is not None:
            self._write(frame)

    def show_only(self, label: int | None) -> None:
        """Show one label, or all."""
        self.only_label = label
        for frame in self._predicted:
            self._write(frame)
        self.refresh()
        self.on_shown()

    def color(self, colors: Sequence[str]) -> None:
        """Draw the classes in these colors, one per output channel; none for the usual ones."""
        self._colors = tuple(colors)
        if self.layer is not None:
            self.layer.colormap = class_colormap(self._classes, self._colors)

    def predicted(self, frame: int) -> SparseMask | None:
        """What was predicted for a frame; None where nothing was computed."""
        return self._predicted.get(frame)

    def drawn(self, frame: int) -> SparseMask | None:
        """What of that the layer shows; None where it has nothing to show, or is not in the viewer."""
        return None if self.layer is None else self._written.get(frame)

    def remove(self) -> None:
        """Take the layer out of the viewer: no mask of its kind will come."""
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)
        self.begin()

    def refresh(self) -> None:
        """Have napari draw what was written."""
        layer = self.layer
        if layer is not None and layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _write(self, frame: int) -> None:
        if self.layer is None:
            return
        self._hand_on(frame)  # a stroke of which no event has told yet
        pixels = self._frame_of(frame)
        self._written.pop(frame, _NOTHING).erase(pixels)
        if frame in self._predicted:
            self._written[frame] = self._predicted[frame].only(self.only_label)
            self._written[frame].paint(pixels)

    def _make(self, frame_shape: tuple[int, int]) -> Labels:
        name = f"{self._placement.image.name} {self._of_class or 'mask'}"
        colormap = class_colormap(self._classes, self._colors)
        layer = add_labels(self._viewer, self._placement, frame_shape, name, colormap, lambda: self.on_shown())
        self._pixels = layer.data
        on_painted(layer, self._on_painted)
        return layer

    def _frame_of(self, frame: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = self._pixels[frame] if self._placement.lead() else self._pixels
        return pixels

    # What the reader paints

    def _on_painted(self, frames: set[int] | None) -> None:
        layer = self._layer
        if self._is_handing_on or layer is None:
            return
        self._is_handing_on = True
        try:
            is_foreign = layer.data is not self._pixels
            if is_foreign:
                self._take_foreign(layer)
            count = (self._placement.lead() or (1,))[0]
            touched = range(count) if frames is None or is_foreign else sorted(frames | {self._frame})
            handed_on = [frame for frame in touched if self._hand_on(frame)]
            if handed_on or is_foreign:
                forget_strokes(layer)
                layer.refresh(extent=False)
        finally:
            self._is_handing_on = False

    def _take_foreign(self, layer: Labels) -> None:
        """Another array has been put in the place of the layer's own: what is in it counts as painted."""
        given = np.asarray(layer.data)
        if given.shape == self._pixels.shape:
            self._pixels[...] = given
        else:  # it cannot be laid on the image: it stays as a layer of its own
            self._viewer.add_labels(given, name=f"{layer.name} given", scale=layer.scale[-given.ndim :])
        layer.data = self._pixels

    def _hand_on(self, frame: int) -> bool:
        """Hand on what the reader has painted in a frame, and show the prediction again; False where there is none."""
        pixels, written = self._frame_of(frame), self._written.get(frame, _NOTHING)
        if written.is_in(pixels):
            return False
        shown = np.zeros_like(pixels)
        written.paint(shown)
        is_painted, labels = pixels != shown, pixels.copy()
        pixels[...] = shown
        self._take_stroke(frame, self._predicted.get(frame, _NOTHING), is_painted, labels[is_painted])
        return True
