"""The layer that shows where the members of an ensemble disagree, in the frame in view, on request."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.frame_results import StoredDisagreement
from napari_segcam.viewer.pixel_layer import PixelLayer
from napari_segcam.viewer.review.session import ReviewSession

LARGEST = 0.5
"""The largest standard deviation of probabilities: half of the members are sure of the class, half of its absence."""


class DisagreementPixels(PixelLayer):
    """The standard deviation of the members' probabilities of the explained class, which comes with each frame."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(session)
        session.network_changed.connect(self._on_network)

    def show(self) -> None:
        if (layer := self.layer) is not None:
            layer.visible = True
            return
        if self._known(self._session.current_frame()) is None:
            self._session.viewer.status = "Segment or explain this frame first: the members are compared then."
            return
        self._review = self._session.review
        self._on_change()

    def _known(self, frame: int) -> StoredDisagreement | None:
        review = self._session.review
        stored = None if review is None else review.results.segmentation(frame)
        return None if stored is None else stored.disagreement

    def _on_network(self) -> None:
        if self._review is not None:
            self.hide()
        self.changed.emit()

    def _update(self) -> None:
        assert self._review is not None
        values, layer = self._map(self._session.current_frame()), self.layer
        if layer is None:
            if values is not None:
                self._add(
                    self._review,
                    values,
                    self._map,
                    (1.0, 1.0),
                    (0.0, 0.0),
                    name="disagreement of members",
                    colormap="inferno",
                    metadata={
                        "shows": "standard deviation of the members' probabilities: 0 where all agree, 0.5 at most"
                    },
                    contrast_limits=(0, LARGEST),
                    interpolation2d="nearest",
                )
        elif layer.data.ndim == 2:
            layer.data = values if values is not None else np.full(layer.data.shape, np.nan, np.float32)
        elif layer.visible:
            layer.refresh(extent=False, thumbnail=False)

    def _map(self, frame: int) -> NDArray[np.float32] | None:
        """Return the standard deviation ``(Y, X)`` of a frame, where it is known."""
        known = self._known(frame)
        return None if known is None else known.deviation * np.float32(1 / 510)
