"""Questions before something is lost. The user can keep working while a question waits for an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_segcam.viewer.napari_internals.canvas import canvas_of


@dataclass(frozen=True)
class Answer:
    """A button of a question.

    Attributes:
        words: on the button.
        act: what the button does.
        loses: whether something is lost by it.
    """

    words: str
    act: Callable[[], object]
    loses: bool = False


class Question(QMessageBox):
    """A dialog that says what would be lost. Closing it counts as the first answer, which must lose nothing.

    Args:
        parent: the window.
        text: of the question.
        losses: what would be lost, one item a line.
        answers: the first is the safe one.
    """

    def __init__(self, parent: QWidget, text: str, losses: Sequence[str], answers: Sequence[Answer]) -> None:
        super().__init__(QMessageBox.Icon.Warning, "SegCAM", text, parent=parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setInformativeText("\n".join(f"• {loss}" for loss in losses))
        self._answers = {}
        for answer in answers:
            role = QMessageBox.ButtonRole.DestructiveRole if answer.loses else QMessageBox.ButtonRole.AcceptRole
            self._answers[self.addButton(answer.words, role)] = answer
        safe = next(iter(self._answers))
        self.setDefaultButton(safe)
        self.setEscapeButton(safe)
        self.buttonClicked.connect(lambda button: self._answers[button].act())


def ask(viewer: ViewerModel, text: str, losses: Sequence[str], answers: Sequence[Answer]) -> Question | None:
    """Ask in the viewer's window and return the dialog; ask nothing and return None if the window is not visible.

    Args:
        viewer: whose window it is.
        text: of the question.
        losses: what would be lost, one item a line.
        answers: the first is the safe one.
    """
    try:
        canvas = canvas_of(viewer)
        if canvas is None or not canvas.window().isVisible():
            return None
    except (AttributeError, RuntimeError):  # the window is closed
        return None
    question = Question(canvas.window(), text, losses, answers)
    question.open()
    return question
