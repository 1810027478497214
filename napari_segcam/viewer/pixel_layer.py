"""A layer that shows a value for each pixel of the frame in view, on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.drawing.colormaps import heat_colormap
from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Pair, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.review.review import Review

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


class PixelLayer(QObject):
    """A layer of the chosen image; one per session, as its child. ``changed``: it is wanted, or no longer.

    Subclasses say when it is added and with which values.
    """

    changed = Signal()

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        self._session = session
        self._layer: Image | None = None
        self._review: Review | None = None
        self._placement: Placement | None = None
        session.frame_changed.connect(self._on_change)
        session.record_changed.connect(self._on_change)
        session.image_changed.connect(self._on_image)

    @property
    def layer(self) -> Image | None:
        """The layer, while it is in the viewer."""
        return self._layer if self._layer in self._session.viewer.layers else None

    @property
    def is_wanted(self) -> bool:
        """Whether the user has asked for the layer of the chosen image, and not removed it."""
        return self._review is not None and self._review is self._session.review

    def show(self) -> None:
        """Add the layer, or bring it back into sight."""
        raise NotImplementedError

    def hide(self) -> None:
        """Remove the layer."""
        layer, self._layer, self._review = self.layer, None, None
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def _update(self) -> None:
        """Show the frame in view; called while the layer is wanted."""
        raise NotImplementedError

    def _on_image(self) -> None:
        if self._review is not None and not self.is_wanted:
            self.hide()
            self.changed.emit()

    def _on_change(self, _frame: int | None = None) -> None:
        if not self.is_wanted:
            return
        if self._layer is not None and self.layer is None:  # the user has removed it
            self._layer = self._review = None
            self.changed.emit()
        else:
            self._update()

    def _add(
        self,
        review: Review,
        values: NDArray[np.float32],
        values_of: Callable[[int], NDArray[np.float32] | None],
        scale: Pair,
        translate: Pair,
        *,
        name: str,
        colormap: str,
        metadata: dict[str, Any] | None = None,
        **style: Any,
    ) -> None:
        """Add the layer.

        Args:
            review: of the image.
            values: ``(h, w)``, of the frame in view.
            values_of: returns those of any frame of a cine.
            scale: of the values' grid in pixels of the frame.
            translate: of its first pixel.
            name: what the layer shows, for its name.
            colormap: of napari.
            metadata: of the layer, besides our own.
            style: further arguments of the layer.
        """
        layers = self._session.viewer.layers
        placement = self._placement = Placement(review.image)
        lead = placement.lead()
        layer = Image(
            FrameStack(values_of, (lead[0], *values.shape)) if lead else values,
            name=f"{review.image.name} {name}",
            rgb=False,
            multiscale=False,
            colormap=heat_colormap(colormap, 0.0),
            opacity=0.8,
            blending="translucent_no_depth",
            metadata={
                OURS: {"image": review.image.unique_id, "laid": (values.shape, scale, translate)},
                **(metadata or {}),
            },
            **style,
            **placement.transform(scale, translate),
            **placement.names(),
        )
        placement.lay(layer, scale, translate)
        defer_slicing(layer)
        skip_blank_frames(layer, lambda drawn: bool(np.isnan(drawn).all()))
        layer.events.visible.connect(lambda _event: self._on_change())
        self._layer = layer
        with keep_selection(layers):
            layers.append(layer)
        self.changed.emit()
