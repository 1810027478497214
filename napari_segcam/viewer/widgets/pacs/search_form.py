"""The fields of a search in the PACS."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_segcam.viewer.pacs.searching import Criteria
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.layout import fill, form, row


class _Text:
    """Every text of the form."""

    PATIENT_ID = "Patient ID"
    NAME = "Name"
    NAME_TIP = "Part of the name; * and ? stand for any letters"
    DATE = "Date"
    DATE_HINT = "today, 7d, 2026-01-31"
    DATE_TIP = "A day (2026-01-31), a range (2026-01-01..2026-01-31), today, yesterday, or the last days (7d)"
    DESCRIPTION = "Description"
    DESCRIPTION_TIP = "Part of the description of the study or series"
    MODALITY = "Modality"
    MODALITY_TIP = "US for ultrasound, SEG for segmentations, SR for reports; empty for all"
    SEARCH = "Search"
    STOP = "Stop"


class SearchForm(QWidget):
    """What to search for; Enter in any field searches, too."""

    searched = Signal(object)
    stopped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.patient_id, self.name, self.date, self.description, self.modality = (HintedField() for _ in range(5))
        self.modality.setText("US")
        self.date.setPlaceholderText(_Text.DATE_HINT)
        self.search, self.stop = QPushButton(_Text.SEARCH), QPushButton(_Text.STOP)
        for field, tip in (
            (self.patient_id, ""),
            (self.name, _Text.NAME_TIP),
            (self.date, _Text.DATE_TIP),
            (self.modality, _Text.MODALITY_TIP),
            (self.description, _Text.DESCRIPTION_TIP),
        ):
            field.setToolTip(tip)
            field.returnPressed.connect(self._search)
        first, second = QWidget(), QWidget()
        first.setLayout(
            form((_Text.PATIENT_ID, self.patient_id), (_Text.DATE, self.date), (_Text.DESCRIPTION, self.description))
        )
        fields = form((_Text.NAME, self.name), (_Text.MODALITY, self.modality))
        fields.addRow(self.search)
        fields.addRow(self.stop)
        second.setLayout(fields)
        fill(self, row(first, second))  # below each other where it is narrow
        self.show_busy(is_busy=False)
        self.search.clicked.connect(self._search)
        self.stop.clicked.connect(self.stopped)

    def criteria(self) -> Criteria:
        """Return what is entered."""
        return Criteria(
            patient_id=self.patient_id.text().strip(),
            patient_name=self.name.text().strip(),
            date=self.date.text().strip(),
            description=self.description.text().strip(),
            modality=self.modality.text().strip().upper(),
        )

    def show_busy(self, *, is_busy: bool) -> None:
        """Offer to stop the search that runs, or to begin one."""
        self.search.setVisible(not is_busy)
        self.stop.setVisible(is_busy)

    def _search(self) -> None:
        self.searched.emit(self.criteria())
