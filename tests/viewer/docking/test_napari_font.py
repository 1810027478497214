"""napari's font size in what its style leaves out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from napari.settings import get_settings
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QStringListModel
from qtpy.QtWidgets import QLineEdit, QTableView, QTreeWidget, QVBoxLayout, QWidget

from napari_segcam.viewer.docking.napari_font import use_napari_font
from napari_segcam.viewer.widgets.fitting.text_table import TextTable


class Numbered(TextTable, QTableView):
    digits = {0: 6}  # noqa: RUF012 - a test's


@pytest.fixture
def use_size(monkeypatch: pytest.MonkeyPatch) -> Callable[[QWidget, int], None]:
    def use(widget: QWidget, size: int) -> None:
        monkeypatch.setattr(get_settings().appearance, "font_size", size)
        use_napari_font(widget)

    return use


def test_fields_and_tables_follow_the_font_size(qtbot: QtBot, use_size: Callable[[QWidget, int], None]) -> None:
    holder, field, tree, table = QWidget(), QLineEdit("name"), QTreeWidget(), Numbered()
    table.setModel(QStringListModel(["1", "2"], table))
    layout = QVBoxLayout(holder)
    for part in (field, tree, table):
        layout.addWidget(part)
    qtbot.addWidget(holder)
    holder.show()
    sizes = {}
    for size in (8, 12, 18, 8):
        use_size(holder, size)
        fonts = [part.font().pointSize() for part in (field, tree, tree.header(), table, table.horizontalHeader())]
        assert fonts == [size, *[min(size, 13)] * 4]  # columns side by side have no room for larger ones
        assert table.rowHeight(0) > table.fontMetrics().height()
        assert table.columnWidth(0) > table.fontMetrics().horizontalAdvance("000000")
        sizes.setdefault(size, []).append((table.rowHeight(0), table.columnWidth(0)))
    assert sizes[8][0] == sizes[8][1], "it shrinks with the font, too"
    assert sizes[12][0] > sizes[8][0]


def test_columns_that_the_user_has_changed_stay_until_the_font_changes(
    qtbot: QtBot, use_size: Callable[[QWidget, int], None]
) -> None:
    holder, table = QWidget(), Numbered()
    table.setModel(QStringListModel(["1"], table))
    QVBoxLayout(holder).addWidget(table)
    qtbot.addWidget(holder)
    holder.show()
    use_size(holder, 12)
    table.setColumnWidth(0, 200)
    holder.hide()
    holder.show()
    assert table.columnWidth(0) == 200
    use_size(holder, 9)
    assert table.columnWidth(0) < 200
