"""The panel of a blinded reading: what is hidden until when, and the first answer."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.verdicts.blinding_controller import BlindingController
from napari_segcam.viewer.verdicts.verdict_keys import DRAW_KEY, DRAWN_KEY, FOUND_KEY, NOT_FOUND_KEY
from napari_segcam.viewer.widgets.fitting.usable import set_usable
from napari_segcam.viewer.widgets.fitting.words import Words
from napari_segcam.viewer.widgets.layout import row


class _Text:
    """Every text of the panel."""

    QUESTION = "Is there a finding?"
    FOUND = "Yes"
    FOUND_TIP = f"There is a finding ({FOUND_KEY}). Then the prediction appears."
    NOT_FOUND = "No"
    NOT_FOUND_TIP = f"There is no finding ({NOT_FOUND_KEY}). Then the prediction appears."
    DRAW = "Draw it"
    DRAW_TIP = f"Draw the finding before you see the prediction ({DRAW_KEY})"
    DRAWN = "Drawing done"
    DRAW_FIRST = f"Draw the finding first ({DRAW_KEY})."
    DRAWN_TIP = f"What you have drawn is your answer ({DRAWN_KEY}). Then the prediction appears."


class BlindingPanel(QWidget):
    """Shown while something is hidden, and after the first answer, which it then shows."""

    def __init__(self, session: ReviewSession, controller: BlindingController) -> None:
        super().__init__()
        self._session = session
        self._controller = controller
        self.words = Words()
        self.found, self.not_found, self.draw, self.drawn = (
            _button(text, tip)
            for text, tip in (
                (_Text.FOUND, _Text.FOUND_TIP),
                (_Text.NOT_FOUND, _Text.NOT_FOUND_TIP),
                (_Text.DRAW, _Text.DRAW_TIP),
                (_Text.DRAWN, _Text.DRAWN_TIP),
            )
        )
        self.question = row(QLabel(_Text.QUESTION), self.found, self.not_found)
        self.drawing = row(self.draw, self.drawn)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for widget in (self.words, self.question, self.drawing):
            layout.addWidget(widget)
        self.found.clicked.connect(lambda: controller.answer(True))
        self.not_found.clicked.connect(lambda: controller.answer(False))
        self.draw.clicked.connect(controller.draw)
        self.drawn.clicked.connect(lambda: controller.answer(None))
        self.refresh()

    def refresh(self) -> None:
        """Show what is hidden, and what was answered."""
        controller = self._controller
        words = " ".join(part for part in (controller.answer_words(), controller.hidden.words) if part)
        if self.words.text() != words:
            self.words.setText(words)
        waits = controller.waits_for_answer
        self.question.setVisible(waits)
        self.drawing.setVisible(waits)
        set_usable(self.drawn, None if controller.has_drawn else _Text.DRAW_FIRST)
        self.setVisible(bool(words))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the image
    return button
