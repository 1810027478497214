"""A form of magicgui that fits a dock: it scrolls where the dock is low, and its labels follow the font."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QAbstractSpinBox, QLabel, QWidget

from napari_segcam.viewer.widgets.fitting.fitted import Fitted
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.layout import fill


class FormPage(Fitted, QWidget):
    """Holds a form; magicgui itself would keep the width that its labels have in another font.

    Args:
        form: rows of a label and a field, below each other.
    """

    def __init__(self, form: QWidget) -> None:
        super().__init__()
        self._form = form
        fill(self, VerticalScroll(form))
        form.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is self._form and event.type() == QEvent.Type.LayoutRequest:  # after a change of the font, too
            self.fit_font()
        return bool(super().eventFilter(watched, event))

    def fit(self) -> None:
        """Leave the size to the form."""

    def fit_font(self) -> None:
        """Give all labels the width of the widest, and numbers theirs: napari's style would let them be narrower."""
        for number in self._form.findChildren(QAbstractSpinBox):
            number.setMinimumWidth(number.minimumSizeHint().width())
        labels = [label for label in self._form.findChildren(QLabel) if label.parentWidget() is not self._form]
        widest = max((label.sizeHint().width() for label in labels), default=0)
        for label in labels:
            if label.minimumWidth() != widest:
                label.setMinimumWidth(widest)
