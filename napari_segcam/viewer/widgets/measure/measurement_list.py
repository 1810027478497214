"""The list of an image's measurements: names can be changed, and a click goes to the frame."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTreeWidget, QTreeWidgetItem

from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.words import UNCALIBRATED, value_words
from napari_segcam.viewer.calipers.calipers_controller import CalipersController

_KINDS = {
    "distance": "line",
    "cross": "two lines",
    "ellipse": "ellipse",
    "outline": "outline",
    "finding": "finding",
    "volume": "volume",
}
_ID = Qt.ItemDataRole.UserRole
_NAME, _VALUE, _FRAME = 0, 1, 2
_NAME_TIP = "Double-click to change the name"


class MeasurementList(QTreeWidget):
    """One row for each measurement.

    Args:
        controller: of the calipers.
    """

    picked = Signal(str)
    renamed = Signal(str, str)
    delete_asked = Signal()

    def __init__(self, controller: CalipersController) -> None:
        super().__init__()
        self._controller = controller
        self._shown: tuple[object, ...] = ()
        self.setColumnCount(3)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(90)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_VALUE, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_FRAME, QHeaderView.ResizeMode.ResizeToContents)
        self.itemClicked.connect(lambda item, _column: self.picked.emit(item.data(_NAME, _ID)))
        self.currentItemChanged.connect(self._on_current)
        self.itemDoubleClicked.connect(self._edit)
        self.itemChanged.connect(lambda item, _column: self.renamed.emit(item.data(_NAME, _ID), item.text(_NAME)))

    def show_measurements(
        self, measurements: tuple[Measurement, ...], frame_names: list[str], frame_word: str, chosen: str | None
    ) -> None:
        """Show these measurements, with a name for the frame of each; frames are not named where the list is empty."""
        outdated = tuple(self._controller.outdated(each) for each in measurements)
        shown = (measurements, tuple(frame_names), outdated, frame_word)
        with QSignalBlocker(self):
            if shown != self._shown:
                self._shown = shown
                self.setHeaderLabels(["Name", "Value", frame_word.capitalize()])
                self.setColumnHidden(_FRAME, not any(frame_names))
                self.clear()
                for each, frame, reason in zip(measurements, frame_names, outdated, strict=True):
                    self.addTopLevelItem(_item(each, frame, reason))
            for index, each in enumerate(measurements):
                if each.identity == chosen and self.currentItem() is not self.topLevelItem(index):
                    self.setCurrentItem(self.topLevelItem(index))
            if chosen not in [each.identity for each in measurements]:
                self.setCurrentItem(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Delete the chosen measurement with the keys Delete and Backspace."""
        key = event.key()
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit()
        elif key == Qt.Key.Key_F2 and self.currentItem() is not None:
            self.editItem(self.currentItem(), _NAME)
        else:
            super().keyPressEvent(event)

    def _edit(self, item: QTreeWidgetItem, _column: int) -> None:
        self.editItem(item, _NAME)

    def _on_current(self, item: QTreeWidgetItem | None, _previous: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.picked.emit(item.data(_NAME, _ID))


def _item(measurement: Measurement, frame: str, outdated: str) -> QTreeWidgetItem:
    values = value_words(measurement).replace(f" ({UNCALIBRATED})", "")
    item = QTreeWidgetItem([measurement.name, f"{values}{', outdated' if outdated else ''}", frame])
    item.setData(_NAME, _ID, measurement.identity)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
    item.setToolTip(_NAME, _NAME_TIP)
    source = "" if measurement.source is None else f", {measurement.source.words}"
    item.setToolTip(_VALUE, f"{_KINDS[measurement.kind]}{source}{f': outdated, {outdated}' if outdated else ''}")
    return item
