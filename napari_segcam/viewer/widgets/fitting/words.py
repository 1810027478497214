"""Wrapped text whose long words, such as file names, are shortened where they do not fit."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_segcam.viewer.widgets.fitting.fitted import Fitted

_PARTS = re.compile(r"(<[^>]*>|\s+|&\w+;)")
_SHARE_OF_CELL = 0.55  # of the width, for the values of a table beside their labels
_LEAST_WIDTH = 40  # pixels


class Words(Fitted, QLabel):
    """A label that wraps, and never makes a dock wider.

    A word that is wider than the label gets an ellipsis in its middle; the tooltip then has the whole text.

    Args:
        text: shown at first; rich text is recognized.
        selectable: whether the text can be selected with the mouse.
    """

    def __init__(self, text: str = "", *, selectable: bool = False) -> None:
        super().__init__()
        self._whole = self._tip = ""
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        if selectable:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setText(text)

    def text(self) -> str:
        """Return the whole text."""
        return self._whole

    def setText(self, text: str) -> None:  # noqa: N802
        """Show a text in place of an earlier one."""
        self._whole = text
        self.fit()

    def setToolTip(self, tip: str) -> None:  # noqa: N802
        """Set the tooltip; it also has the whole text where words are shortened."""
        self._tip = tip
        self.fit()

    def fit(self) -> None:
        """Shorten the words that are wider than the label."""
        whole, width = self._whole, self.contentsRect().width()
        limit = width * _SHARE_OF_CELL if "<td" in whole else width
        shown = whole if width < _LEAST_WIDTH else shortened(whole, self.fontMetrics(), int(limit))
        if shown != super().text():
            super().setText(shown)
        tip = self._tip if shown == whole else "\n".join(filter(None, (whole, self._tip)))
        if tip != self.toolTip():
            super().setToolTip(tip)


def shortened(text: str, metrics: QFontMetrics, width: int) -> str:
    """Return a text whose words are at most so many pixels wide; tags of rich text stay."""
    if metrics.horizontalAdvance(text) <= width:
        return text
    parts = _PARTS.split(text)
    for index in range(0, len(parts), 2):  # words; what is between them has odd numbers
        if metrics.horizontalAdvance(parts[index]) > width:
            parts[index] = metrics.elidedText(parts[index], Qt.TextElideMode.ElideMiddle, width)
    return "".join(parts)
