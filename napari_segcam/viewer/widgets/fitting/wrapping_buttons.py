"""Buttons and check boxes whose long text goes on in the next line where they are narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QCheckBox, QPushButton, QSizePolicy

from napari_segcam.viewer.widgets.fitting.fitted import Fitted

if TYPE_CHECKING:
    from qtpy.QtWidgets import QAbstractButton as _Base
else:
    _Base = object  # PyQt allows one Qt class in each class


class _Wrapping(Fitted, _Base):
    """Breaks the text of a button into lines; ``text`` has it in one."""

    _whole = ""

    def _begin(self, text: str) -> None:
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setText(text)

    def text(self) -> str:
        """Return the whole text, in one line."""
        return self._whole

    def setText(self, text: str) -> None:  # noqa: N802
        """Show a text in place of an earlier one."""
        if text != self._whole:
            self._whole = text
            self.fit()
            self.setAccessibleName(text)
            self.updateGeometry()

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        frame = self._frame()
        lines = self._broken(width - frame.width()).count("\n") + 1
        return frame.height() + lines * self.fontMetrics().lineSpacing()

    def sizeHint(self) -> QSize:  # noqa: N802
        return self._size(self.fontMetrics().horizontalAdvance(self._whole))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        return self._size(max(map(self.fontMetrics().horizontalAdvance, self._whole.split() or [""])))

    def fit_font(self) -> None:
        """Break the text again, and ask for the room that it needs in this font."""
        self.fit()
        self.updateGeometry()

    def _size(self, width: int) -> QSize:
        frame = self._frame()
        return QSize(frame.width() + width + 2, frame.height() + self.fontMetrics().lineSpacing())

    def _frame(self) -> QSize:
        """Return what the style needs around the text."""
        shown, metrics = super().text(), self.fontMetrics()
        hint = super().sizeHint()
        lines = shown.split("\n")
        width = max(map(metrics.horizontalAdvance, lines))
        return QSize(max(0, hint.width() - width), max(0, hint.height() - len(lines) * metrics.lineSpacing()))

    def fit(self) -> None:
        """Break the text into lines as wide as the button."""
        shown = self._broken(self.width() - self._frame().width())
        if shown != super().text():
            super().setText(shown)

    def _broken(self, width: int) -> str:
        """Return the text in lines of at most so many pixels, if its words are not wider."""
        metrics = self.fontMetrics()
        lines: list[str] = []
        for word in self._whole.split(" "):
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and metrics.horizontalAdvance(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return "\n".join(lines)


class WrappingButton(_Wrapping, QPushButton):
    """A push button of several lines where it is narrow."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._begin(text)


class WrappingCheckBox(_Wrapping, QCheckBox):
    """A check box of several lines where it is narrow."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._begin(text)
