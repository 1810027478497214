"""napari's font size for what its style leaves out: tool buttons, fields and tables."""

from __future__ import annotations

from napari.settings import get_settings
from qtpy.QtWidgets import QHeaderView, QLineEdit, QPlainTextEdit, QTableView, QToolButton, QTreeView, QWidget

_LARGEST_IN_TABLE = 13  # points: columns side by side need more room than a small screen has in a larger font


def use_napari_font(widget: QWidget) -> None:
    """Give the tool buttons, fields and tables in a widget napari's font size, as far as tables have room for it."""
    size = int(get_settings().appearance.font_size)
    for kind in (QToolButton, QLineEdit, QPlainTextEdit):
        for part in widget.findChildren(kind):
            _set_font_size(part, size)
    for kind in (QTreeView, QTableView, QHeaderView):
        for part in widget.findChildren(kind):
            _set_font_size(part, min(size, _LARGEST_IN_TABLE))


def _set_font_size(widget: QWidget, size: int) -> None:
    font = widget.font()
    if font.pointSize() != size:
        font.setPointSize(size)
        widget.setFont(font)
