"""The layer that shows where the members of an ensemble disagree, in the frame in view, on request."""

from __future__ import annotations

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_segcam.viewer.drawing.colormaps import heat_colormap
from napari_segcam.viewer.frames.frame_results import StoredDisagreement
from napari_segcam.viewer.layers.frame_stack import FrameStack
from napari_segcam.viewer.layers.placement import OURS, Placement
from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.session import ReviewSession

LARGEST = 0.5
"""The largest standard deviation of probabilities: half of the members are sure of the class, half of its absence."""


class DisagreementPixels(QObject):
    """The layer of the chosen image; one per session, as its child.

    It shows the standard deviation of the members' probabilities of the explained class, which comes with each frame.
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
        session.network_changed.connect(self._on_network)

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
        if (layer := self.layer) is not None:
            layer.visible = True
            return
        if self._known(self._session.current_frame()) is None:
            self._session.viewer.status = "Segment or explain this frame first: the members are compared then."
            return
        self._review = self._session.review
        self._on_change()

    def hide(self) -> None:
        """Remove the layer."""
        layer, self._layer, self._review = self.layer, None, None
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def _known(self, frame: int) -> StoredDisagreement | None:
        review = self._session.review
        stored = None if review is None else review.results.segmentation(frame)
        return None if stored is None else stored.disagreement

    def _on_image(self) -> None:
        if self._review is not None and self._review is not self._session.review:
            self.hide()
            self.changed.emit()

    def _on_network(self) -> None:
        if self._review is not None:
            self.hide()
        self.changed.emit()

    def _on_change(self, _frame: int | None = None) -> None:
        """Draw the frame in view."""
        if self._review is None or self._review is not self._session.review:
            return
        if self._layer is not None and self.layer is None:  # the user has removed it
            self._layer = self._review = None
            self.changed.emit()
            return
        values, layer = self._map(self._session.current_frame()), self.layer
        if layer is None:
            if values is not None:
                self._add(self._review, values)
        elif layer.data.ndim == 2:
            layer.data = values if values is not None else np.full(layer.data.shape, np.nan, np.float32)
        elif layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _map(self, frame: int) -> NDArray[np.float32] | None:
        """Return the standard deviation ``(Y, X)`` of a frame, where it is known."""
        known = self._known(frame)
        return None if known is None else known.deviation * np.float32(1 / 510)

    def _add(self, review: Review, values: NDArray[np.float32]) -> None:
        layers = self._session.viewer.layers
        placement = self._placement = Placement(review.image)
        lead, scale, translate = placement.lead(), (1.0, 1.0), (0.0, 0.0)
        layer = Image(
            FrameStack(self._map, (lead[0], *values.shape)) if lead else values,
            name=f"{review.image.name} disagreement of members",
            rgb=False,
            multiscale=False,
            colormap=heat_colormap("inferno", 0.0),
            contrast_limits=(0, LARGEST),
            opacity=0.8,
            blending="translucent_no_depth",
            interpolation2d="nearest",
            metadata={
                OURS: {"image": review.image.unique_id, "laid": (values.shape, scale, translate)},
                "shows": "standard deviation of the members' probabilities: 0 where all agree, 0.5 at most",
            },
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
