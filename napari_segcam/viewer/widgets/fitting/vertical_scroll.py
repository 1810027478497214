"""An area that scrolls up and down where it is low, and is never narrower than what it holds."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QScrollBar,
    QStyle,
    QWidget,
)

_LEAST_SPACING = 2  # pixels that napari's style has beside the bar
_LEAST_LINES = 6  # of text that are in sight in the lowest window


class VerticalScroll(QScrollArea):
    """Scrolls its content vertically. The mouse wheel changes no value in it, unless the field has the focus.

    Args:
        content: what it holds.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._least = QSize()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields are reached by Tab, and it follows them
        self.setWidgetResizable(True)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        content = self.widget().minimumSizeHint()
        lines = _LEAST_LINES * self.fontMetrics().lineSpacing()
        return QSize(content.width() + self._bar_width(), min(max(content.height(), 1), lines))

    def sizeHint(self) -> QSize:  # noqa: N802
        return self.widget().sizeHint() + QSize(self._bar_width(), 0)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self._quiet_wheels()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() == QEvent.Type.Wheel and watched is not self.widget():
            if isinstance(watched, QWidget) and watched.hasFocus():
                return False
            event.ignore()  # so that it scrolls
            return True
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self._quiet_wheels()
            least = self.minimumSizeHint()
            if least != self._least:
                self._least = least
                self.updateGeometry()
        return super().eventFilter(watched, event)

    def _bar_width(self) -> int:
        spacing = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollView_ScrollBarSpacing, None, self)
        return self.verticalScrollBar().sizeHint().width() + max(spacing, _LEAST_SPACING)

    def _quiet_wheels(self) -> None:
        for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider):
            for field in self.widget().findChildren(kind):
                if field.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                if not isinstance(field, QScrollBar) and not field.property("segcam_quiet"):
                    field.setProperty("segcam_quiet", True)
                    field.installEventFilter(self)
