"""A field that is never narrower than its hint."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QLineEdit

_MARGINS = 14  # pixels left and right of the text, with the style's padding


class HintedField(QLineEdit):
    """A line to type in, whose placeholder can always be read."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        hint = super().minimumSizeHint()
        needed = self.fontMetrics().horizontalAdvance(self.placeholderText()) + _MARGINS
        return QSize(max(hint.width(), needed if self.placeholderText() else 0), hint.height())
