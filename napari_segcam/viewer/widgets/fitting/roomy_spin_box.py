"""A number field that is never narrower than its largest number."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QSpinBox

from napari_segcam.viewer.widgets.fitting.fitted import Fitted

_BUTTONS = 70  # pixels of napari's two buttons and their margins


class RoomySpinBox(Fitted, QSpinBox):
    """A whole number, which can always be read."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        hint = super().minimumSizeHint()
        texts = (f"{self.prefix()}{self.maximum()}{self.suffix()}", self.specialValueText())
        needed = max(map(self.fontMetrics().horizontalAdvance, texts)) + _BUTTONS
        return QSize(max(hint.width(), needed), hint.height())

    def fit(self) -> None:
        """Keep the room for the number; napari's style would let it be narrower."""
        self.setMinimumWidth(self.minimumSizeHint().width())
