"""Widgets that fit their content again where their width or font changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent
from qtpy.QtGui import QResizeEvent, QShowEvent

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget as _Base
else:
    _Base = object  # PyQt allows one Qt class in each class


class Fitted(_Base):
    """Calls ``fit`` in every new size, font and style; a class names it before its Qt class.

    A style sets the font when a widget is first shown, which is one of these.
    """

    def fit(self) -> None:
        """Fit what is shown into the present size, in the present font."""
        raise NotImplementedError

    def fit_font(self) -> None:
        """Follow another font or style; ``fit`` unless more depends on the font than on the size."""
        self.fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self.fit()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self.fit_font()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit_font()
