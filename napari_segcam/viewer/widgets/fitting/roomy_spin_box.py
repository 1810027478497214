"""A number field that is never narrower than its largest number."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSpinBox

_BUTTONS = 70  # pixels of napari's two buttons and their margins


class RoomySpinBox(QSpinBox):
    """A whole number, which can always be read."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        hint = super().minimumSizeHint()
        texts = (f"{self.prefix()}{self.maximum()}{self.suffix()}", self.specialValueText())
        needed = max(map(self.fontMetrics().horizontalAdvance, texts)) + _BUTTONS
        return QSize(max(hint.width(), needed), hint.height())
