"""Choices: combo boxes of labeled values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_segcam.viewer.review.session import ReviewSession

_IMAGE_TIP = "The image layer to segment and explain"


class Choice(QComboBox):
    """A combo box of labeled values that keeps the chosen value when the list changes."""

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
        """The chosen value; None if nothing is offered."""
        return self.currentData()

    def offer(self, choices: Sequence[tuple[str, Any]], value: Any = None) -> None:
        """Offer these (label, value) pairs, and choose a value; by default, the value chosen so far."""
        value = self.value if value is None else value
        with QSignalBlocker(self):
            self.clear()
            for label, offered in choices:
                self.addItem(label, offered)
        self.choose(value)

    def choose(self, value: Any) -> None:
        """Choose this value, or the first one if it is not offered."""
        offered = [self.itemData(index) for index in range(self.count())]
        # By identity first: comparing layers compares their data.
        matches = [index for index, other in enumerate(offered) if other is value]
        if not matches:
            matches = [index for index, other in enumerate(offered) if type(other) is type(value) and other == value]
        self.setCurrentIndex(matches[0] if matches else 0 if offered else -1)


class ImageChoice(Choice):
    """The image layer of the session, the same in every widget."""

    def __init__(self, session: ReviewSession) -> None:
        super().__init__(_IMAGE_TIP)
        self._session = session
        self.chosen.connect(session.choose_image)
        session.layers_changed.connect(self._offer)
        session.image_changed.connect(self._offer)
        self._offer()

    def _offer(self) -> None:
        self.offer([(layer.name, layer) for layer in self._session.choices.images()], self._session.image)
