"""The mask layer: the predicted mask of each frame, and nothing else."""

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

_BLANK = SparseMask.from_labels(np.zeros((1, 1), np.uint8))

# Called with a frame, its predicted mask, where the reader has painted ``(Y, X)``, and the labels painted there.
TakeStroke = Callable[[int, SparseMask, NDArray[np.bool_], NDArray[np.uint8]], None]


class MaskLayer:
    """A Labels layer of one image, added when first needed: of all classes, or of one class if they may overlap.

    Only the bounding boxes of masks are written, so blank parts of a long cine take no memory. What the reader paints
    is passed on as a correction, and the layer shows the predicted mask again.

    Args:
        viewer: that shows the image.
        placement: of the image.
        take_stroke: called with what the reader has painted.
        of_class: the name of the class, if classes may overlap; empty for a mask of all classes.

    Attributes:
        only_label: the only label that is shown; None for all.
        on_shown: called when what the layer shows has changed.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement, take_stroke: TakeStroke, of_class: str = "") -> None:
        self._viewer = viewer
        self._placement = placement
        self._take_stroke = take_stroke
        self._of_class = of_class
        self._layer: Labels | None = None
        self._pixels = np.zeros((0, 0), np.uint8)
        self._predicted: dict[int, SparseMask] = {}
        self._written: dict[int, SparseMask] = {}  # the masks in the layer's pixels, to detect strokes
        self._is_busy = False
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
        """Memory of the layer in bytes if every frame is painted in."""
        return 0 if self.layer is None else int(self._pixels.nbytes)

    @property
    def classes(self) -> int:
        """The number of output channels of the network."""
        return self._classes

    @property
    def colors(self) -> tuple[str, ...]:
        """The colors of the classes, one per output channel; empty for the default colors."""
        return self._colors

    def begin(self) -> None:
        """Start a new run: a layer that the user has deleted may come back."""
        if self.layer is None:
            self._layer = None
            self._predicted, self._written = {}, {}

    def look_at(self, frame: int) -> None:
        """Take note of the frame in view."""
        self._frame = frame

    def show(self, frame: int, mask: SparseMask, frame_shape: tuple[int, int], classes: int) -> None:
        """Show the predicted mask of a frame."""
        if self._layer is None:
            with without_gc_pause():
                self._layer = self._add_layer(frame_shape)
        if classes != self._classes:
            self._classes = classes
            self.color(self._colors)
        self._predicted[frame] = mask
        self._write(frame)

    def erase(self, frame: int) -> None:
        """Forget the predicted mask of a frame."""
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
        """Set the colors of the classes, one per output channel; empty for the default colors."""
        self._colors = tuple(colors)
        if self.layer is not None:
            self.layer.colormap = class_colormap(self._classes, self._colors)

    def predicted(self, frame: int) -> SparseMask | None:
        """Return the predicted mask of a frame; None if it is not computed."""
        return self._predicted.get(frame)

    def drawn(self, frame: int) -> SparseMask | None:
        """Return the part of the mask that the layer shows; None if there is none, or no layer in the viewer."""
        return None if self.layer is None else self._written.get(frame)

    def remove(self) -> None:
        """Remove the layer from the viewer."""
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)
        self.begin()

    def refresh(self) -> None:
        """Redraw the layer if it is visible."""
        layer = self.layer
        if layer is not None and layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _write(self, frame: int) -> None:
        if self.layer is None:
            return
        self._pass_on(frame)  # a stroke whose event has not come yet
        pixels = self._frame_of(frame)
        self._written.pop(frame, _BLANK).erase(pixels)
        if frame in self._predicted:
            self._written[frame] = self._predicted[frame].only(self.only_label)
            self._written[frame].paint(pixels)

    def _add_layer(self, frame_shape: tuple[int, int]) -> Labels:
        name = f"{self._placement.image.name} {self._of_class or 'mask'}"
        colormap = class_colormap(self._classes, self._colors)
        layer = add_labels(self._viewer, self._placement, frame_shape, name, colormap, lambda: self.on_shown())
        self._pixels = layer.data
        on_painted(layer, self._on_painted)
        return layer

    def _frame_of(self, frame: int) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = self._pixels[frame] if self._placement.lead() else self._pixels
        return pixels

    # Strokes of the reader

    def _on_painted(self, frames: set[int] | None) -> None:
        layer = self._layer
        if self._is_busy or layer is None:
            return
        self._is_busy = True
        try:
            is_replaced = layer.data is not self._pixels
            if is_replaced:
                self._take_array(layer)
            count = (self._placement.lead() or (1,))[0]
            frame_numbers = range(count) if frames is None or is_replaced else sorted(frames | {self._frame})
            painted = [frame for frame in frame_numbers if self._pass_on(frame)]
            if painted or is_replaced:
                forget_strokes(layer)
                layer.refresh(extent=False)
        finally:
            self._is_busy = False

    def _take_array(self, layer: Labels) -> None:
        """Treat an array that was assigned to the layer's data as painted by the reader."""
        labels = np.asarray(layer.data)
        if labels.shape == self._pixels.shape:
            self._pixels[...] = labels
        else:  # it does not fit the image: it becomes a layer of its own
            self._viewer.add_labels(labels, name=f"{layer.name} given", scale=layer.scale[-labels.ndim :])
        layer.data = self._pixels

    def _pass_on(self, frame: int) -> bool:
        """Pass on what is painted in a frame, and show the predicted mask again; False if nothing is painted."""
        pixels, written = self._frame_of(frame), self._written.get(frame, _BLANK)
        if written.is_in(pixels):
            return False
        mask = np.zeros_like(pixels)
        written.paint(mask)
        is_painted, labels = pixels != mask, pixels.copy()
        pixels[...] = mask
        self._take_stroke(frame, self._predicted.get(frame, _BLANK), is_painted, labels[is_painted])
        return True
