"""Sending DICOM objects: which files, whose they are, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_segcam.viewer.pacs.pacs_controller import PacsController
from napari_segcam.viewer.pacs.sendable import Sendable
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.question import Answer, Question, ask
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.fitting.wrapping_buttons import WrappingCheckBox
from napari_segcam.viewer.widgets.layout import panel, row

_STORED = "stored"
_LISTED = 8  # objects in a question


class _Text:
    """Every text of the panel."""

    HINT = "Send the DICOM objects of an export, such as segmentation.dcm and report.dcm, to the server."
    LAST = "Last export"
    LAST_TIP = "The DICOM objects that were exported last in this window: {folder}"
    BUSY = "Objects are still being read or sent: wait, or stop it below."
    CHOOSE_FIRST = "Choose the objects first, and check those to send."
    NO_SERVER = "Choose a server first."
    SEND_TIP = "Asks first: what is sent, whose it is, and where to"
    NO_LAST = "Nothing was exported as DICOM in this window yet: the Export tab does that."
    FILES = "Files …"
    FILES_TIP = "Choose DICOM files"
    FOLDER = "Folder …"
    FOLDER_TIP = "All DICOM files (*.dcm) of a folder and its folders"
    FILES_TITLE = "DICOM objects to send"
    FOLDER_TITLE = "Folder with DICOM objects to send"
    FILTER = "DICOM (*.dcm);;All files (*)"
    COLUMNS = ("File", "What", "Whose / result")
    SAME = "the open image's patient"
    OTHER = "ANOTHER patient than the open image"
    PATIENT = "patient {id}"
    NO_PATIENT = "no patient ID"
    ALLOW_OTHER = "Send objects of other patients, too"
    ALLOW_OTHER_TIP = (
        "Some objects do not belong to the patient of the open image. They are sent only if you check this."
    )
    SEND = "Send {count} …"
    STOP = "Stop"
    QUESTION = "Send {count} object{s} to {server} ({url})?"
    MORE = "and {count} more; all together of {studies} studies"
    NO = "Do not send"
    YES = "Send"


class SendPanel(QWidget):
    """Choose objects, see whose they are, confirm, and see what became of each.

    Attributes:
        question: the last one before sending.
    """

    def __init__(self, controller: PacsController) -> None:
        super().__init__()
        self.controller = controller
        self._listed: tuple[list[Sendable], Sendable | None] = ([], None)
        self.question: Question | None = None
        hint = QLabel(_Text.HINT)
        hint.setWordWrap(True)
        self.last = QPushButton(_Text.LAST)
        self.files, self.folder = QPushButton(_Text.FILES), QPushButton(_Text.FOLDER)
        self.files.setToolTip(_Text.FILES_TIP)
        self.folder.setToolTip(_Text.FOLDER_TIP)
        self.table = QTableWidget(0, len(_Text.COLUMNS))
        self.table.setHorizontalHeaderLabels(_Text.COLUMNS)
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setWordWrap(True)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # heatmap_STAGE.dcm differ at their end
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.allow_other = WrappingCheckBox(_Text.ALLOW_OTHER)
        self.allow_other.setToolTip(_Text.ALLOW_OTHER_TIP)
        self.words = Words()
        self.send, self.stop = QPushButton(), QPushButton(_Text.STOP)
        panel(
            self,
            hint,
            row(self.last, self.files, self.folder),
            self.table,
            self.allow_other,
            self.words,
            row(self.send, self.stop),
        )
        self.last.clicked.connect(self._choose_last)
        self.files.clicked.connect(self._choose_files)
        self.folder.clicked.connect(self._choose_folder)
        self.table.itemChanged.connect(lambda _item: self._refresh_send())
        self.allow_other.toggled.connect(lambda _on: self._check_others())
        self.send.clicked.connect(self._ask)
        self.stop.clicked.connect(controller.sending.cancel)
        controller.sending.changed.connect(self.refresh)
        controller.servers.changed.connect(self._refresh_send)
        controller.session.background.changed.connect(Throttle(self._refresh_last, self).ask)
        self.refresh()

    def choose(self, paths: Sequence[Path]) -> None:
        """Show what these files, or the DICOM files of these folders, are."""
        if paths:
            self.allow_other.setChecked(False)
            self.controller.sending.choose(paths)

    # Choosing

    def _choose_last(self) -> None:
        folder = self.controller.last_export
        self.choose([] if folder is None else [folder])

    def _choose_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, _Text.FILES_TITLE, "", _Text.FILTER)
        self.choose([Path(path) for path in paths])

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, _Text.FOLDER_TITLE)
        self.choose([Path(folder)] if folder else [])

    def checked(self) -> list[Sendable]:
        """Return the objects that are checked."""
        objects = self.controller.sending.objects
        states = (self.table.item(row, 0).checkState() for row in range(self.table.rowCount()))
        return [each for each, state in zip(objects, states, strict=False) if state == Qt.CheckState.Checked]

    # Sending

    def _ask(self) -> None:
        """Ask before anything is sent: what, whose, and where to."""
        server, objects = self.controller.servers.chosen, self.checked()
        connect = self.controller.connect_chosen()
        if server is None or connect is None or not objects:
            return
        count = len(objects)
        text = _Text.QUESTION.format(count=count, s="s" * (count != 1), server=server.name, url=server.url)
        send: Callable[[], None] = partial(
            self.controller.sending.send, connect, [each.path for each in objects], server.name
        )
        words = [_in_words(each, self.controller.sending.is_of_open_image(each)) for each in objects[:_LISTED]]
        if count > _LISTED:
            words.append(_Text.MORE.format(count=count - _LISTED, studies=len({each.study for each in objects})))
        self.question = ask(
            self.controller.session.viewer,
            text,
            words,
            [Answer(_Text.NO, lambda: None), Answer(_Text.YES, send)],
        )

    # Showing

    def refresh(self) -> None:
        """Show the objects, whose they are, and what became of them."""
        sending = self.controller.sending
        self._refresh_last()
        for button in (self.files, self.folder):
            set_usable(button, _Text.BUSY if sending.is_busy else None)
        if (sending.objects, sending.of_image) != self._listed:
            self._listed = (sending.objects, sending.of_image)
            self._list()
        for line, each in enumerate(sending.objects):
            outcome = sending.outcomes.get(each.path, "")
            words, item = outcome or self._whose(each), self.table.item(line, 2)
            if outcome == _STORED and item.text() != words:
                self.table.item(line, 0).setCheckState(Qt.CheckState.Unchecked)  # not sent twice by mistake
            if item.text() != words:
                with QSignalBlocker(self.table):
                    item.setText(words)
                    item.setToolTip(words)
                self.table.resizeRowToContents(line)
        others = [each for each in sending.objects if sending.is_of_open_image(each) is False]
        self.allow_other.setVisible(bool(others))
        self.words.setText(sending.words)
        self.words.setVisible(bool(sending.words))
        self._refresh_send()

    def _refresh_last(self) -> None:
        folder = self.controller.last_export
        busy = _Text.BUSY if self.controller.sending.is_busy else None
        tip = "" if folder is None else _Text.LAST_TIP.format(folder=folder)
        set_usable(self.last, busy or (_Text.NO_LAST if folder is None else None), tip)

    def _list(self) -> None:
        sending = self.controller.sending
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(sending.objects))
            for line, each in enumerate(sending.objects):
                file = QTableWidgetItem(each.path.name)
                file.setToolTip(str(each.path))
                can_send = not each.problem and sending.is_of_open_image(each) is not False
                file.setCheckState(Qt.CheckState.Checked if can_send else Qt.CheckState.Unchecked)
                if not can_send:
                    file.setFlags(file.flags() & ~Qt.ItemFlag.ItemIsEnabled)
                kind = QTableWidgetItem(each.kind)
                kind.setToolTip(f"{each.kind}\nStudy {each.study}")
                for column, item in enumerate((file, kind, QTableWidgetItem())):
                    self.table.setItem(line, column, item)

    def _check_others(self) -> None:
        """Let objects of other patients be chosen, or not."""
        sending, allowed = self.controller.sending, self.allow_other.isChecked()
        for line, each in enumerate(sending.objects):
            if sending.is_of_open_image(each) is False:
                item = self.table.item(line, 0)
                enabled = item.flags() | Qt.ItemFlag.ItemIsEnabled
                item.setFlags(enabled if allowed else enabled & ~Qt.ItemFlag.ItemIsEnabled)
                item.setCheckState(Qt.CheckState.Checked if allowed else Qt.CheckState.Unchecked)
        self._refresh_send()

    def _whose(self, each: Sendable) -> str:
        if each.problem:
            return each.problem
        is_same = self.controller.sending.is_of_open_image(each)
        return _owner(each) if is_same is None else _Text.SAME if is_same else _Text.OTHER

    def _refresh_send(self) -> None:
        sending, count = self.controller.sending, len(self.checked())
        self.send.setText(_Text.SEND.format(count=count))
        busy, none = _Text.BUSY if sending.is_busy else None, None if count else _Text.CHOOSE_FIRST
        no_server = None if self.controller.servers.chosen is not None else _Text.NO_SERVER
        set_usable(self.send, busy or no_server or none, _Text.SEND_TIP)
        self.stop.setVisible(sending.is_busy)


def _owner(each: Sendable) -> str:
    return _Text.PATIENT.format(id=each.patient[0]) if each.patient[0] else _Text.NO_PATIENT


def _in_words(each: Sendable, is_same: bool | None) -> str:
    words = f"{each.path.name}: {each.kind}, {_owner(each)}, study {each.study}"
    return f"{words} – {_Text.OTHER}" if is_same is False else words
