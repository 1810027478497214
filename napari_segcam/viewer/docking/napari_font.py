"""napari's font size for what its style leaves out: tool buttons, fields and tables."""

from __future__ import annotations

from napari.settings import get_settings
from qtpy.QtWidgets import QWidget

_LARGEST_IN_TABLE = 13  # points: columns side by side need more room than a small screen has in a larger font
_STYLE = (
    "QToolButton, QLineEdit, QPlainTextEdit {{ font-size: {size}pt; }}"
    "QTreeView, QTableView, QHeaderView {{ font-size: {in_table}pt; }}"
)


def use_napari_font(widget: QWidget) -> None:
    """Give the tool buttons, fields and tables in a widget napari's font size, as far as tables have room for it.

    One style for all of them: below napari's long style sheet, each font that is set takes a fiftieth of a second.

    Args:
        widget: with no style sheet of its own.
    """
    size = int(get_settings().appearance.font_size)
    style = _STYLE.format(size=size, in_table=min(size, _LARGEST_IN_TABLE))
    if widget.styleSheet() != style:
        widget.setStyleSheet(style)
