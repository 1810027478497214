"""The watch over the masks: which measurements no longer fit the mask that they were made on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_segcam.measuring.measurement import Measurement
from napari_segcam.viewer.calipers.measured_finding import outdated_words
from napari_segcam.viewer.responsiveness.throttle import Throttle

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

_INTERVAL_MS = 200


class OutdatedWatch(QObject):
    """Compares the measurements of the chosen image with their masks, soon after something has changed.

    Args:
        session: whose masks they are.
        measurements_of: returns the measurements of an image.
        on_change: called with the image if the reason of one has changed.
        parent: with which this ends.
    """

    def __init__(
        self,
        session: ReviewSession,
        measurements_of: Callable[[Image], tuple[Measurement, ...]],
        on_change: Callable[[Image], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._measurements_of, self._on_change = session, measurements_of, on_change
        self._words: dict[str, str] = {}
        self._later = Throttle(self.check, self, _INTERVAL_MS)
        session.reviews.changed.connect(self._later.ask)
        session.image_changed.connect(self._later.ask)

    def ask(self) -> None:
        """Check soon."""
        self._later.ask()

    def words(self, measurement: Measurement) -> str:
        """Return why a measurement is outdated, in words; empty if it is not."""
        return self._words.get(measurement.identity, "")

    def check(self) -> None:
        """Check the measurements of the chosen image now."""
        review, image = self._session.review, self._session.image
        if review is None or image is None:
            return
        measured = [each for each in self._measurements_of(image) if each.source is not None]
        words = {each.identity: outdated_words(self._session, review, each) for each in measured}
        if any(self._words.get(identity, "") != reason for identity, reason in words.items()):
            self._words.update(words)
            self._on_change(image)
