"""A form of magicgui that fits a dock: it scrolls where the dock is low, and its labels follow the font."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QAbstractSpinBox, QBoxLayout, QLabel, QWidget

from napari_segcam.viewer.widgets.fitting.fitted import Fitted
from napari_segcam.viewer.widgets.fitting.vertical_scroll import VerticalScroll
from napari_segcam.viewer.widgets.layout import fill

_WIDEST = 440  # pixels of a row in which the field is beside its label


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
        """Put fields beside labels as wide as the widest, or below them in a large font, and give numbers their width.

        napari's style would let numbers be narrower than their text.
        """
        for number in self._form.findChildren(QAbstractSpinBox):
            number.setMinimumWidth(number.minimumSizeHint().width())
        rows = [label for label in self._form.findChildren(QLabel) if label.parentWidget() is not self._form]
        labels = {label: layout for label in rows if (layout := _layout_of(label)) is not None}
        widest = max((label.sizeHint().width() for label in labels), default=0)
        fields = max((_field_width(label, layout) for label, layout in labels.items()), default=0)
        is_beside = widest + fields <= _WIDEST
        for label, layout in labels.items():
            layout.setDirection(QBoxLayout.Direction.LeftToRight if is_beside else QBoxLayout.Direction.TopToBottom)
            least = widest if is_beside else 0
            if label.minimumWidth() != least:
                label.setMinimumWidth(least)


def _layout_of(label: QLabel) -> QBoxLayout | None:
    """Return the layout of the row that a label and its field are in."""
    row = label.parentWidget()
    layout = None if row is None else row.layout()
    return layout if isinstance(layout, QBoxLayout) else None


def _field_width(label: QLabel, layout: QBoxLayout) -> int:
    """Return the least width of the field in the row of a label."""
    items = [item for index in range(layout.count()) if (item := layout.itemAt(index)) is not None]
    return max((item.minimumSize().width() for item in items if item.widget() is not label), default=0)
