"""The explained region: a dashed outline of the region that the heat explains, if no other outline shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image
from napari.utils import Colormap
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause

_THICKNESS = 1 / 400  # of the shorter side of a frame
_DASH = 1 / 80
_DARK, _BRIGHT = 1, 2
_COLORS = Colormap([[0, 0, 0, 0], [0, 0, 0, 1], [1, 0.69, 0, 1]], name="segcam explained region")
_REMOVAL_MS = 2000  # first hidden, then removed: adding a layer takes many times as long as showing one


class ExplainedRegion:
    """The layer of one image that outlines the region its heat explains: an Image layer, which cannot be painted in.

    It exists while there is a region to outline, and is hidden for a moment before it is removed. All frames share the
    pixels of the frame in view.

    Args:
        viewer: that shows the image.
        placement: of the image.

    Attributes:
        on_shown: called when the user shows, hides or removes the layer, or changes its opacity.
    """

    def __init__(self, viewer: ViewerModel, placement: Placement) -> None:
        self._viewer = viewer
        self._placement = placement
        self._layer: Image | None = None
        image = placement.image
        self._pixels = np.zeros(image.data.shape[image.ndim - 2 : image.ndim], np.uint8)
        self._region: SparseMask | None = None
        self._box = (slice(0, 0), slice(0, 0))
        self._is_enabled = True  # by the user
        self._is_busy = False
        self._removal = QTimer()
        self._removal.setSingleShot(True)
        self._removal.setInterval(_REMOVAL_MS)
        self._removal.timeout.connect(self._remove)
        self.on_shown: Callable[[], None] = lambda: None
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def layer(self) -> Image | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._viewer.layers else None

    @property
    def can_be_seen(self) -> bool:
        """Whether an outline would be visible: the user has not hidden or removed the layer."""
        return self._is_enabled and (self._layer is None or self._layer.opacity > 0)

    def begin(self) -> None:
        """Start a new run: a layer that the user has removed may come back."""
        self._is_enabled = True

    def show(self, region: SparseMask | None) -> None:
        """Outline this region in the frame in view; None outlines nothing."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            self._show(region)
        finally:
            self._is_busy = False

    def let_go(self) -> None:
        """Remove the layer, after its image was removed."""
        self.show(None)
        QTimer.singleShot(0, lambda: self._remove())  # napari is in the middle of removing layers

    def _remove(self) -> None:
        layer, self._layer = self.layer, None
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _show(self, region: SparseMask | None) -> None:
        if region is not self._region:
            self._draw(region)
        layer = self.layer
        if region is None or not self._is_enabled:
            if layer is not None and (layer.visible or not self._removal.isActive()):
                layer.visible = False
                self._removal.start()
            return
        self._removal.stop()
        if layer is None:
            QTimer.singleShot(0, lambda: self._make())  # napari may be in the middle of removing layers
        elif not layer.visible:
            layer.visible = True

    def _draw(self, region: SparseMask | None) -> None:
        self._pixels[self._box] = 0
        self._region, self._box = region, (slice(0, 0), slice(0, 0))
        if region is not None:
            self._box = (region.rows, region.columns)
            side = min(self._pixels.shape)
            self._pixels[self._box] = dashed(region, max(1, round(side * _THICKNESS)), max(3, round(side * _DASH)))
        layer = self.layer
        if layer is not None and layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _make(self) -> None:
        is_needed = self._region is not None and self._is_enabled
        if is_needed and self.layer is None and self._placement.image in self._viewer.layers:
            with without_gc_pause():
                self._layer = self._add_layer()

    def _add_layer(self) -> Image:
        image = self._placement.image
        layer = Image(
            np.broadcast_to(self._pixels, (*self._placement.lead(), *self._pixels.shape)),
            name=f"{image.name} explained region",
            rgb=False,
            multiscale=False,
            colormap=_COLORS,
            contrast_limits=(0, _BRIGHT),
            interpolation2d="nearest",
            blending="translucent_no_depth",
            metadata={OURS: {"image": image.unique_id}},
            **self._placement.transform((1, 1), (0, 0)),
            **self._placement.names(),
        )
        self._placement.lay(layer, (1, 1), (0, 0))
        defer_slicing(layer)
        layer.events.visible.connect(self._on_visible)
        layer.events.opacity.connect(lambda _event: self.on_shown())
        with keep_selection(self._viewer.layers):
            self._viewer.add_layer(layer)
        return layer

    def _on_visible(self, _event: Any) -> None:
        if not self._is_busy and self._layer is not None:
            self._is_enabled = bool(self._layer.visible)
            self.on_shown()

    def _on_removed(self, event: Any) -> None:
        if event.value is self._layer and self._layer is not None:  # not by us
            self._layer, self._is_enabled = None, False
            self.on_shown()


def dashed(region: SparseMask, thickness: int, dash: int) -> NDArray[np.uint8]:
    """Return the outline of a region within its bounding box: 0 off the outline, and two values in turn along it.

    Args:
        region: to outline, also along the edge of the frame.
        thickness: in pixels, within the region.
        dash: the length of a dash in pixels.
    """
    inside = (region.labels != 0).astype(np.uint8)
    edge = outline(np.pad(inside, thickness), thickness)[thickness:-thickness, thickness:-thickness]
    rows, columns = np.ogrid[region.rows, region.columns]
    is_bright = (rows // dash + columns // dash) % 2 == 0
    return np.where(edge, np.where(is_bright, _BRIGHT, _DARK), 0).astype(np.uint8)
