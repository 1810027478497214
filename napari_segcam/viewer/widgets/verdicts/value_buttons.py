"""A row of buttons of which one at most is pressed, each with its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_segcam.viewer.widgets.fitting.usable import set_usable


class ValueButtons(QWidget):
    """Buttons for values; a click on the pressed one takes the value back.

    Args:
        labels: the label of each value.
        tips: what each value means, with its key.
    """

    chosen = Signal(object)

    def __init__(self, labels: Mapping[Any, str], tips: Sequence[str]) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        self.buttons: dict[object, QPushButton] = {}
        for (value, label), tip in zip(labels.items(), tips, strict=True):
            button = self.buttons[value] = QPushButton(label)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the canvas
            button.setMinimumWidth(0)
            button.clicked.connect(lambda checked, value=value: self.chosen.emit(value if checked else None))
            layout.addWidget(button, 1)

    def set_usable(self, missing: str | None) -> None:
        """Let the buttons be used, or say in their tooltips what is missing."""
        self.setEnabled(not missing)
        for button in self.buttons.values():
            set_usable(button, missing)

    def show_value(self, value: object) -> None:
        """Press the button of a value, and no other."""
        for own, button in self.buttons.items():
            button.setChecked(own == value)
