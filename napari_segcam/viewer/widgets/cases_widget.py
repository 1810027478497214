"""The Cases widget: the list of a review project, and the way from one case to the next."""

from __future__ import annotations

from html import escape
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QModelIndex, QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_segcam.batch.images import is_review_project
from napari_segcam.review.project_file import SUFFIX
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.project.case_summary import summary_row
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.responsiveness.throttle import Throttle
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.cases.case_list import CaseList
from napari_segcam.viewer.widgets.cases.case_table import NO_VERDICT, STATUS_WORDS, CaseFilter, CaseTable, Column
from napari_segcam.viewer.widgets.cases.new_project import NewProject
from napari_segcam.viewer.widgets.cases.rater import ask_rater
from napari_segcam.viewer.widgets.choice import Choice
from napari_segcam.viewer.widgets.fitting.hinted_field import HintedField
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import Line, panel, row, scrolled_panel

_DELAY_MS = 80


class _Text:
    """Every text of the widget."""

    NO_PROJECT = (
        "A review project keeps your cases, verdicts and corrections in a folder. Everything is saved as you work."
    )
    NEW = "New project …"
    NEW_TIP = "Make a review of a folder of images, or of the images that are open"
    OPEN = "Open project …"
    OPEN_TIP = "Go on with a review: choose its folder"
    OPEN_TITLE = "Open a review project"
    NO_REVIEW = "{name} is no review project: the folder of one ends in {suffix} and holds a project.json."
    CLOSE = "Close"
    CLOSE_TIP = "Close the review; everything in it is saved"
    TITLE = "<b>{title}</b>, reader {rater}"
    FAILING = "<br><b>Not saved:</b> {reason}"
    SEARCH = "Search names and notes"
    STATUS_TIP = "List the cases in this state"
    ALL_STATES = "All states"
    VERDICT_TIP = "List the cases with this verdict"
    ALL_VERDICTS = "All verdicts"
    WITHOUT = "no verdict"
    COUNTS = "{done} of {total} done"
    LISTED = ", {listed} listed"
    PROBLEMS = ", {problems} with a problem"
    PREVIOUS = "◀ Previous"
    PREVIOUS_TIP = "The case before in this list (Page Up)"
    NEXT = "Next ▶"
    NEXT_TIP = "The next case in this list (Page Down)"
    NEXT_OPEN = "Next not done"
    NEXT_OPEN_TIP = "The next case in this list that is not done (Shift+Page Down)"
    DONE = "Done"
    NO_CASE = "Open a case first: click it in the list."
    DONE_TIP = "You have finished this case (Ctrl+Enter marks it and goes to the next)"
    MOVED = "Where are the images?"
    LOCATE = "Images were moved …"
    LOCATE_TIP = "Choose the folder in which the images of this review are now"
    STOP = "Stop"


class CasesWidget(QWidget):
    """Make or open a review project; see its cases, sort and filter them, and go from one to the next."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.controller = controller_of(self.session, ProjectController)
        self.new = _button(_Text.NEW, _Text.NEW_TIP)
        self.open = _button(_Text.OPEN, _Text.OPEN_TIP)
        self.close_project = _button(_Text.CLOSE, _Text.CLOSE_TIP)
        self.title = Words(_Text.NO_PROJECT)
        self.progress = Line()
        self.stop = _button(_Text.STOP, "")
        self.status = Choice(_Text.STATUS_TIP)
        self.status.offer([(_Text.ALL_STATES, ""), *((words, name) for name, words in STATUS_WORDS.items())])
        self.verdict = Choice(_Text.VERDICT_TIP)
        verdicts = [(name, name) for name in ("accept", "correct", "reject")]
        self.verdict.offer([(_Text.ALL_VERDICTS, ""), *verdicts, (_Text.WITHOUT, NO_VERDICT)])
        self.search = HintedField()
        self.search.setPlaceholderText(_Text.SEARCH)
        self.search.setClearButtonEnabled(True)
        self.table = CaseTable(self)
        self.filter = CaseFilter(self.table, self)
        self.list = CaseList(self.filter)
        self.counts = Line()
        self.locate = _button(_Text.LOCATE, _Text.LOCATE_TIP)
        self.previous = _button(_Text.PREVIOUS, _Text.PREVIOUS_TIP)
        self.next = _button(_Text.NEXT, _Text.NEXT_TIP)
        self.next_open = _button(_Text.NEXT_OPEN, _Text.NEXT_OPEN_TIP)
        self.done = QCheckBox(_Text.DONE)
        self.done.setToolTip(_Text.DONE_TIP)
        self._project_parts = QWidget()
        panel(
            self._project_parts,
            row(self.status, self.verdict),
            self.search,
            self.list,
            self.counts,
            self.locate,
            row(self.previous, self.next, self.next_open, self.done),
        )
        self._project_parts.layout().setContentsMargins(0, 0, 0, 0)
        self._project_parts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._busy_parts = row(self.progress, self.stop)
        contents = scrolled_panel(
            self, row(self.new, self.open, self.close_project), self.title, self._busy_parts, self._project_parts
        )
        self._filler = QWidget()
        contents.addWidget(self._filler, 1)
        self.new_project = NewProject(self.session, self.controller, self)

        self.new.clicked.connect(self.new_project.ask)
        self.open.clicked.connect(self._browse)
        self.close_project.clicked.connect(self.controller.close)
        self.stop.clicked.connect(self.controller.reader.cancel)
        self.locate.clicked.connect(self._locate)
        for choice in (self.status, self.verdict):
            choice.chosen.connect(self._filter)
        self.search.textChanged.connect(self._filter)
        self.previous.clicked.connect(lambda: self.controller.step(-1))
        self.next.clicked.connect(lambda: self.controller.step(1))
        self.next_open.clicked.connect(lambda: self.controller.step(1, not_done=True))
        self.done.clicked.connect(self.controller.mark_done)
        self.list.clicked.connect(self._go_to)
        self.list.activated.connect(self._go_to)
        self.list.horizontalHeader().sortIndicatorChanged.connect(lambda *_: self._on_listed())
        show_rows = Throttle(self._show_rows, self, _DELAY_MS).ask
        self.controller.state_changed.connect(show_rows)
        self.controller.opened.connect(self._on_project)
        self.controller.closed.connect(self._on_project)
        self.controller.reader.changed.connect(self._show_opening)
        self.controller.reading_changed.connect(self._on_reading)
        self._on_project()

    def open_folder(self, folder: Path, images: Path | None = None) -> None:
        """Open a project, after asking who reads if that is not known."""
        rater = ask_rater(self)
        if rater:
            self.controller.open(folder, rater, images)

    # Opening

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, _Text.OPEN_TITLE)
        if not folder:
            return
        path = Path(folder)
        if not is_review_project(path):
            self.title.setText(_Text.NO_REVIEW.format(name=escape(path.name), suffix=SUFFIX))
            return
        self.open_folder(path)

    def _locate(self) -> None:
        """Open the project again with its images in another folder."""
        project = self.controller.project
        if project is None:
            return
        if images := QFileDialog.getExistingDirectory(self, _Text.MOVED):
            self.controller.open(project.folder, self.controller.rater, Path(images))

    # Showing

    def _on_project(self) -> None:
        controller = self.controller
        project = controller.project
        self._project_parts.setVisible(project is not None)
        self._filler.setVisible(project is None)
        self.close_project.setVisible(project is not None)
        self._show_title()
        self._show_opening()
        self._show_rows()
        self._on_listed()
        self._on_reading()
        if project is not None:
            QTimer.singleShot(0, self._dock_verdicts)  # after the layout of this dock

    def _dock_verdicts(self) -> None:
        """Open the dock in which the reader judges the cases, behind this one."""
        if canvas_of(self.session.viewer) is not None:
            own_dock, is_in_front = self.parentWidget(), self.isVisible()
            dock(self.session.viewer, "Verdict", tabify=True)
            if own_dock is not None and is_in_front:
                own_dock.raise_()

    def _show_title(self) -> None:
        controller = self.controller
        if controller.project is None:
            self.title.setText(_Text.NO_PROJECT)
            return
        words = _Text.TITLE.format(title=escape(controller.project.title), rater=escape(controller.rater))
        if controller.failure:
            words += _Text.FAILING.format(reason=escape(controller.failure))
        if self.title.text() != words:
            self.title.setText(words)

    def _show_opening(self) -> None:
        words = self.controller.reader.words
        self.progress.set_text(f"{words} …" if words else "")
        self._busy_parts.setVisible(bool(words))

    def _show_rows(self) -> None:
        controller = self.controller
        project = controller.project
        if project is None:
            self.table.show([])
            return
        self.table.show(
            [
                summary_row(
                    number,
                    project.case(reading.case),
                    reading,
                    controller.state_of(reading),
                    project.settings,
                )
                for number, reading in enumerate(controller.readings, start=1)
            ]
        )
        self._show_counts()
        self._show_title()
        self._show_done()

    def _show_counts(self) -> None:
        rows = self.table.rows
        words = _Text.COUNTS.format(done=sum(case.status == "done" for case in rows), total=len(rows))
        if (listed := self.filter.rowCount()) != len(rows):
            words += _Text.LISTED.format(listed=listed)
        problems = sum(case.status == "problem" for case in rows)
        self.counts.set_text(words + (_Text.PROBLEMS.format(problems=problems) if problems else ""))
        self.locate.setVisible(any(case.status == "problem" and "missing" in case.problem for case in rows))

    def _show_done(self) -> None:
        state = self.controller.state
        set_usable(self.done, _Text.NO_CASE if state is None else None)
        self.done.setChecked(state is not None and state.is_done)

    def _on_reading(self) -> None:
        """Mark the reading in view, and keep its row in sight."""
        reading = self.controller.reading
        self.table.mark(reading)
        source = self.table.row_of(reading)
        if source is not None:
            index = self.filter.mapFromSource(self.table.index(source, Column.NAME))
            with QSignalBlocker(self.list.selectionModel()):
                self.list.setCurrentIndex(index)
            self.list.viewport().update()
        self._show_done()

    def _filter(self) -> None:
        self.filter.choose(self.status.value, self.verdict.value, self.search.text())
        self._on_listed()
        self._show_counts()

    def _on_listed(self) -> None:
        """Step through the cases as they are listed."""
        self.controller.listed = self.filter.readings()

    def _go_to(self, index: QModelIndex) -> None:
        row = self.filter.mapToSource(index).row()
        self.controller.go_to(self.table.rows[row].reading)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the image
    return button
