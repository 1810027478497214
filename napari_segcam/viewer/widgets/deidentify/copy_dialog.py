"""The dialog for a de-identified copy: what would be in it, before and after, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_segcam.viewer.jobs.deidentify_job import CopyRequest, preview_job
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.deidentify.picture_pair import PicturePair
from napari_segcam.viewer.widgets.fitting.fitted_dialog import FittedDialog
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.fitting.text_table import TextTable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import form, row
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.deidentifying.preview import Preview

_TYPING = 400  # ms without a key, after which a region is read


class _Text:
    """Every text of the dialog."""

    TITLE = "De-identified copy"
    SOURCE = "Copy of"
    FILE = "File …"
    FOLDER = "Folder …"
    REGION = "Pixels that stay"
    REGION_TIP = "Everything else becomes black. Writing inside stays, and is reported."
    SCAN = "The scan, as found"
    ALL = "All, with what is written beside the scan"
    BOX = "Left, top, right, bottom:"
    NO_SOURCE = "Choose a file or a folder."
    NO_BOX = "Give four numbers of pixels: left, top, right, bottom."
    BOX_TIP = "In pixels, without the last column and row"
    DATES = "Dates"
    DATES_TIP = "The birth date is removed either way."
    REMOVED = "Removed"
    MOVED = "Moved into the past, all by the same days"
    COLUMNS = ("Tag", "Element", "Now", "In the copy")
    WORKING = "Looking at the file …"
    KEPT = "Stays: {region}. Pixels: {pixels}."
    KEPT_SHORT = "Stays: {region}."
    FIRST = "{name}: "
    CHECK = "Look at the pictures: writing inside the scan stays."
    SAVE = "Save copy …"
    SAVE_TITLE = "Save the de-identified copy"
    SAVE_FOLDER_TITLE = "A new or empty folder for the copies"
    FILE_TITLE = "A DICOM file, a still or a video"
    FOLDER_TITLE = "A folder of images"


class CopyDialog(FittedDialog):
    """Shows what a copy would hold, and asks where to write it.

    Args:
        source: file or folder of the image in view; None if it is not kept on disk.
        drawn: the region that the user has drawn, as ``LEFT,TOP,RIGHT,BOTTOM``; empty if there is none.
        submit: gives a job to the worker.
        write: starts to write the copies of a request to a path.
        parent: the window.
    """

    def __init__(
        self,
        source: Path | None,
        drawn: str,
        submit: Callable[[Job], None],
        write: Callable[[CopyRequest, Path], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(_Text.TITLE)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(860, 620)
        self._submit, self._write = submit, write
        self._job: Job | None = None
        self.source = QLineEdit(str(source) if source else "")
        self.file, self.folder = QPushButton(_Text.FILE), QPushButton(_Text.FOLDER)
        self.region = Choice(_Text.REGION_TIP)
        self.region.offer([(_Text.SCAN, "auto"), (_Text.BOX, "box"), (_Text.ALL, "none")])
        self.box = HintedField(drawn)
        self.box.setPlaceholderText("80,40,640,460")
        self.box.setToolTip(_Text.BOX_TIP)
        self.dates = Choice(_Text.DATES_TIP)
        self.dates.offer([(_Text.REMOVED, "remove"), (_Text.MOVED, "shift")])
        if drawn:
            self.region.setCurrentIndex(1)
        self.pictures = PicturePair()
        self.table = _Table()
        self.message = Words(_Text.WORKING)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)  # ``fit`` gives it room
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.save = self.buttons.addButton(_Text.SAVE, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addLayout(
            form(
                (_Text.SOURCE, row(self.source, self.file, self.folder)),
                (_Text.REGION, row(self.region, self.box)),
                (_Text.DATES, self.dates),
            )
        )
        layout.addWidget(self.pictures, 3)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 2)
        layout.addWidget(self.buttons)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING)
        self._typing.timeout.connect(self._look)
        self.file.clicked.connect(self._browse_file)
        self.folder.clicked.connect(self._browse_folder)
        for edit in (self.source, self.box):
            edit.textChanged.connect(lambda _text: self._wait())
        for choice in (self.region, self.dates):
            choice.currentIndexChanged.connect(lambda _index: self._look())
        self.buttons.rejected.connect(self.reject)
        self.save.clicked.connect(self._save)
        self._look()

    def request(self) -> CopyRequest:
        """Return which copies are wanted now."""
        region = self.box.text().strip() if self.region.value == "box" else str(self.region.value)
        dates: Literal["remove", "shift"] = "shift" if self.dates.value == "shift" else "remove"
        return CopyRequest(Path(self.source.text().strip()).expanduser(), region, dates)

    def done(self, result: int) -> None:
        """Close; a preview that is not ready is given up."""
        self._typing.stop()
        if self._job is not None:
            self._job.cancel()
            self._job = None
        super().done(result)

    def _wait(self) -> None:
        self.save.setEnabled(False)
        self._typing.start()

    def _look(self) -> None:
        """Ask for a new preview; an earlier one no longer counts."""
        self.box.setVisible(self.region.value == "box")
        self.save.setEnabled(False)
        if self._job is not None:
            self._job.cancel()
        self._job = None
        problem = "" if self.source.text().strip() else _Text.NO_SOURCE
        if self.region.value == "box" and not self.box.text().strip():
            problem = _Text.NO_BOX
        if problem:
            self._show_problem(problem)
            return
        self.message.setText(_Text.WORKING)
        job = preview_job(
            self.request(),
            lambda preview: self._show(preview) if self._job is job else None,
            lambda error: self._show_problem(error) if error is not None and self._job is job else None,
        )
        self._job = job
        self._submit(job)

    def _show(self, preview: Preview) -> None:
        self.pictures.show_pictures(preview.before, preview.after)
        self.table.setRowCount(len(preview.rows))
        for number, line in enumerate(preview.rows):
            for column, text in enumerate((line.tag, line.name, line.before, line.after)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(number, column, item)
        kept = _Text.KEPT if preview.pixels else _Text.KEPT_SHORT
        words = kept.format(region=preview.region, pixels=preview.pixels)
        if self.request().source.is_dir():
            words = _Text.FIRST.format(name=preview.name) + words
        self.message.setText(f"{words} {_Text.CHECK}" if preview.before is not None else words)
        self.fit()
        self.save.setEnabled(True)

    def _show_problem(self, words: str) -> None:
        self.pictures.show_pictures(None, None)
        self.table.setRowCount(0)
        self.message.setText(words)
        self.save.setEnabled(False)

    def _browse_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, _Text.FILE_TITLE, self.source.text())
        if path:
            self.source.setText(path)

    def _browse_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, _Text.FOLDER_TITLE, self.source.text())
        if path:
            self.source.setText(path)

    def _save(self) -> None:
        request = self.request()
        if request.source.is_dir():
            path = QFileDialog.getExistingDirectory(self, _Text.SAVE_FOLDER_TITLE)
        else:
            path, _ = QFileDialog.getSaveFileName(self, _Text.SAVE_TITLE, str(self._suggested(request.source)))
        if path:
            self._write(request, Path(path))
            self.accept()

    def _suggested(self, source: Path) -> Path:
        """Return a name that says nothing about the patient."""
        kinds = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".bmp": ".png", ".tif": ".png", ".tiff": ".png"}
        videos = dict.fromkeys((".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".wmv", ".mpg"), ".mkv")
        return source.parent / f"copy{(kinds | videos).get(source.suffix.lower(), '.dcm')}"


class _Table(TextTable, QTableWidget):
    """The elements of the file that change."""

    digits: ClassVar = {1: 20, 2: 24}

    def __init__(self) -> None:
        super().__init__(0, len(_Text.COLUMNS))
        self.setHorizontalHeaderLabels(_Text.COLUMNS)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.verticalHeader().hide()
        self.setWordWrap(False)
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
