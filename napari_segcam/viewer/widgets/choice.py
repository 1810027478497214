"""Choices: combo boxes of labeled values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QSizePolicy,
)

from napari_segcam.viewer.review.session import ReviewSession


class Choice(QComboBox):
    """A combo box of labeled values that keeps its choice when the values change."""

    chosen = Signal(object)

    def __init__(self, tooltip: str = "") -> None:
        super().__init__()
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda _index: self.chosen.emit(self.value))

    @property
    def value(self) -> Any:
        return self.currentData()

    def offer(self, choices: Sequence[tuple[str, Any]], chosen: Any = None) -> None:
        """Offer these (label, value) pairs; what was chosen stays so where it is still there."""
        wanted = self.value if chosen is None else chosen
        with QSignalBlocker(self):
            self.clear()
            for label, value in choices:
                self.addItem(label, value)
        self.choose(wanted)

    def choose(self, wanted: Any) -> None:
        """Show this value as the chosen one; the first where it is not offered."""
        values = [self.itemData(row) for row in range(self.count())]
        # By identity first: comparing layers compares their data.
        at = next((row for row, value in enumerate(values) if value is wanted), -1)
        if at < 0:
            at = next((row for row, v in enumerate(values) if type(v) is type(wanted) and v == wanted), 0)
        self.setCurrentIndex(at if values else -1)


class ImageChoice(Choice):
    """The image layer of the session, the same in every widget."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__("The image layer that is segmented and explained")
        self._session = session
        self.chosen.connect(session.choose_image)
        session.layers_changed.connect(self._offer)
        session.image_changed.connect(self._offer)
        self._offer()

    def _offer(self) -> None:
        self.offer([(layer.name, layer) for layer in self._session.images()], self._session.image)
