"""The list of cases, as the Cases widget shows it."""

from __future__ import annotations

from typing import ClassVar

from qtpy.QtCore import QAbstractItemModel, Qt
from qtpy.QtWidgets import QHeaderView, QTableView

from napari_segcam.viewer.widgets.cases.case_table import Column
from napari_segcam.viewer.widgets.fitting.text_table import TextTable


class CaseList(TextTable, QTableView):
    """One row a case, one of them selected; the names of cases take the width that is left.

    Args:
        cases: what is shown, sorted by the list's header.
    """

    digits: ClassVar = {Column.STATUS: 2, Column.FINDING: 6, Column.DOUBT: 6, Column.VERDICT: 8, Column.NOTE: 2}

    def __init__(self, cases: QAbstractItemModel) -> None:
        super().__init__()
        self.setModel(cases)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often differ at their end
        self.setSortingEnabled(True)
        self.setMinimumHeight(120)
        self.verticalHeader().setVisible(False)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(20)
        header.setSortIndicator(Column.NAME, Qt.SortOrder.AscendingOrder)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
