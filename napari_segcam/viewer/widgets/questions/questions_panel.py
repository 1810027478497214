"""The panel "To confirm": the questions about the loaded network, and the answers to one of them as pictures."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent, QResizeEvent, QShowEvent
from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_segcam.network.questions.questions import Question
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.widgets.fitting.tab_order import tab_through
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.questions.answer_grid import AnswerGrid
from napari_segcam.viewer.widgets.questions.answer_tile import AnswerTile

_COLUMNS = 3
_ROW_PADDING = 12  # pixels left and right of a row's text


class _Text:
    """Every text of the panel."""

    OPEN = "● {title}, assumed: {used}"
    ANSWERED = "✓ {title}: {used}"
    ROW_TIP = "Show what each answer gives on the frame in view"
    TYPE = "Set it below …"


class QuestionRow(QPushButton):
    """A flat button whose text is cut where the dock is narrow; the tip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setCheckable(True)
        self.setFlat(True)
        self.setStyleSheet("text-align: left; padding: 2px 4px;")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def full_text(self) -> str:
        """The text, not cut."""
        return self._text

    def show_text(self, text: str) -> None:
        """Show a text in place of an earlier one."""
        if text != self._text:
            self._text = text
            self.setToolTip(f"{text}\n{_Text.ROW_TIP}")
            self.setAccessibleName(text)
            self._cut()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        width = max(self.width() - _ROW_PADDING, 0)
        self.setText(self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, width))


class QuestionsPanel(QWidget):
    """A row for each question; the answers of one question are shown below its row.

    ``typed`` carries the name of a question whose answer is typed, not chosen.
    """

    typed = Signal(str)
    counted = Signal(int)

    def __init__(self, controller: QuestionsController) -> None:
        super().__init__()
        self._controller = controller
        self._questions: tuple[Question, ...] = ()
        self._opened: Question | None = None
        self.rows: dict[str, QuestionRow] = {}
        self.words = Words()
        self.note = Words()
        for label in (self.words, self.note):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.type_button = QPushButton(_Text.TYPE)
        self.type_button.clicked.connect(self._type)
        self._answers = QWidget()
        below = QVBoxLayout(self._answers)
        below.setContentsMargins(8, 0, 0, 4)
        below.setSpacing(4)
        self._grid = AnswerGrid(controller.maker, self._answer)
        below.addWidget(self.words)
        below.addWidget(self._grid)
        below.addWidget(self.type_button, alignment=Qt.AlignmentFlag.AlignLeft)
        below.addWidget(self.note)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)
        self._layout.addWidget(self._answers)
        self._answers.hide()
        controller.changed.connect(self._refresh)
        self._refresh()

    @property
    def tiles(self) -> list[AnswerTile]:
        """One for each answer to the opened question."""
        return self._grid.tiles

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        super().hideEvent(event)
        self._controller.maker.watch(False)

    def _refresh(self) -> None:
        controller, opened = self._controller, self._controller.opened
        if controller.questions != self._questions:
            self._offer_rows(controller.questions)
        if opened != self._opened:
            self._offer_answers(opened)
        for name, row in self.rows.items():
            row.setChecked(opened is not None and name == opened.name)
        self._grid.refresh(None if opened is None else opened.current)
        words = controller.words()
        if self.note.text() != words:
            self.note.setText(words)
        self.note.setVisible(bool(words))

    def _offer_rows(self, questions: Sequence[Question]) -> None:
        self._questions = tuple(questions)
        if [*self.rows] != [question.name for question in questions]:
            for row in self.rows.values():
                self._layout.removeWidget(row)
                row.deleteLater()
            self.rows = {question.name: self._row(question.name) for question in questions}
            self._opened = None
        for question in questions:
            text = _Text.OPEN if question.is_open else _Text.ANSWERED
            self.rows[question.name].show_text(text.format(title=question.title, used=question.used))
        self._place()
        self.counted.emit(sum(question.is_open for question in questions))

    def _row(self, name: str) -> QuestionRow:
        row = QuestionRow()
        row.clicked.connect(lambda checked: self._controller.open(name if checked else ""))
        return row

    def _offer_answers(self, question: Question | None) -> None:
        """Show the answers of a question below its row."""
        is_same = question is not None and self._opened is not None and question.name == self._opened.name
        labels = [] if question is None else [option.label for option in question.options]
        self._opened = question
        if not is_same or labels != [tile.label for tile in self.tiles]:
            self._grid.offer(labels, 2 if len(labels) in (2, 4) else _COLUMNS)
        self._answers.setVisible(question is not None)
        if question is not None:
            self.words.setText(question.words)
            self.type_button.setVisible(not question.options)
        self._place()

    def _answer(self, index: int) -> None:
        if self._opened is not None:
            self._controller.answer(self._opened.options[index])

    def _place(self) -> None:
        """Put the rows in order, with the answers below the row of their question."""
        position = 0
        for name, row in self.rows.items():
            self._layout.insertWidget(position, row)
            position += 1
            if self._opened is not None and name == self._opened.name:
                self._layout.insertWidget(position, self._answers)
                position += 1
        tab_through(self, [widget for name, row in self.rows.items() for widget in self._tab_order(name, row)])

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        super().showEvent(event)
        self._place()  # now that it is in its window
        self._controller.maker.watch(True)

    def _tab_order(self, name: str, row: QuestionRow) -> list[QWidget]:
        is_opened = self._opened is not None and name == self._opened.name
        return [row, *(self.tiles if is_opened else ()), *((self.type_button,) if is_opened else ())]

    def _type(self) -> None:
        if self._opened is not None:
            self.typed.emit(self._opened.name)
