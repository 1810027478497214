"""Choices: combo boxes of labeled values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QStyle, QStyleOptionComboBox

from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.fitting.fitted import Fitted

_FEWEST_LETTERS = 6
_IMAGE_TIP = "The image layer to segment and explain"


class Choice(Fitted, QComboBox):
    """A combo box of labeled values that keeps the chosen value when the list changes."""

    chosen = Signal(object)
    most_letters = 14  # for which room is always kept

    def __init__(self, tooltip: str = "") -> None:
        super().__init__()
        self._tip = ""
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_FEWEST_LETTERS)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda _index: self.chosen.emit(self.value))
        self.currentTextChanged.connect(lambda _text: self.fit())

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
        longest = max((len(label) for label, _ in choices), default=0)
        self.setMinimumContentsLength(min(max(longest, _FEWEST_LETTERS), self.most_letters))
        self.choose(value)
        self.fit()

    def choose(self, value: Any) -> None:
        """Choose this value, or the first one if it is not offered."""
        offered = [self.itemData(index) for index in range(self.count())]
        # By identity first: comparing layers compares their data.
        matches = [index for index, other in enumerate(offered) if other is value]
        if not matches:
            matches = [index for index, other in enumerate(offered) if type(other) is type(value) and other == value]
        self.setCurrentIndex(matches[0] if matches else 0 if offered else -1)

    def setToolTip(self, tip: str) -> None:  # noqa: N802
        """Set the tooltip; it also has the chosen label where that does not fit."""
        self._tip = tip
        self.fit()

    def showPopup(self) -> None:  # noqa: N802
        """Open a list that is as wide as its labels, on the screen."""
        view, screen = self.view(), self.screen()
        widest = view.sizeHintForColumn(0) + 2 * view.verticalScrollBar().sizeHint().width()
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        view.setMinimumWidth(min(widest, screen.availableGeometry().width()))
        super().showPopup()

    def fit(self) -> None:
        """Let the tooltip have the chosen label where it does not fit."""
        option = QStyleOptionComboBox()
        option.initFrom(self)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        label = self.currentText()
        fits = self.fontMetrics().horizontalAdvance(label) <= field.width()
        tip = self._tip if fits else "\n".join(filter(None, (label, self._tip)))
        if tip != self.toolTip():
            super().setToolTip(tip)


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
