"""A table whose rows and columns have room for their text in every font."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from napari_segcam.viewer.widgets.fitting.fitted import Fitted

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableView as _Base
else:
    _Base = object  # PyQt allows one Qt class in each class

_AROUND_ROW, _AROUND_COLUMN = 8, 10  # pixels around the text of a cell, with the style's padding


class TextTable(Fitted, _Base):
    """Follows the font with the height of its rows and the width of its columns; a class names it before its Qt class.

    Attributes:
        digits: how many each column has room for, by its index; the others keep their width.
        least_row: height in pixels that a row has at least.
    """

    digits: ClassVar[Mapping[int, int]] = {}
    least_row = 0
    _fitted_digit = 0  # pixels

    def fit(self) -> None:
        """Nothing depends on the width: one column is stretched."""

    def fit_font(self) -> None:
        """Give rows and columns the room that they need in the present font."""
        metrics = self.fontMetrics()
        digit = metrics.horizontalAdvance("0")
        if digit == self._fitted_digit:  # the user may have changed the columns since
            return
        self._fitted_digit = digit
        self.verticalHeader().setDefaultSectionSize(max(self.least_row, metrics.height() + _AROUND_ROW))
        for column, digits in self.digits.items():
            self.setColumnWidth(column, digits * digit + _AROUND_COLUMN)
