"""Losses: what of the reader's would be lost, and the questions that are asked before it is."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.question import Answer, Question, ask

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession


def running_work(session: ReviewSession) -> list[str]:
    """The computing of frames that is going on, or has taken so long that nobody wants it done again."""
    review = session.review
    if review is None or review.plan is None:
        return []
    done, total = review.progress()
    if review.running:
        return [f"{session.title}: {done} of {max(total, done)} done"]
    if review.plan.is_slow and done:
        return [f"{done} of {len(review.record)} frames explained by a slow method"]
    return []


def background_work(session: ReviewSession) -> list[str]:
    """The export or the run over a folder that is going on."""
    job, told = session.background.job, session.background.told
    if job is None or told is None:
        return []
    return [f"{job.title}: {told.done} of {told.total} done" if told.total else job.title]


def unsaved_corrections(session: ReviewSession) -> list[str]:
    """The corrections that are in no file, by image."""
    return [corrections_in_words(one) for one in session.all_corrections() if one.unsaved]


def corrections_in_words(corrections: CorrectionLayer) -> str:
    """How many frames of an image are corrected, in words."""
    frames = corrections.unsaved or corrections.frames
    count = f"your correction of {corrections.title}"
    if corrections.is_cine:
        count = f"your corrections of {len(frames)} frame{'s' * (len(frames) > 1)} of {corrections.title}"
    return f"{count}, not saved" if corrections.unsaved else count


def ask_before_loading(session: ReviewSession, load: Callable[[], None]) -> Question | None:
    """Load another network; where that ends what is running, ask first. Corrections stay in any case."""
    losses = running_work(session)
    question = None
    if losses:
        text = "Loading another network ends what is running, and what it has computed is forgotten."
        answers = [Answer("Go on with this one", lambda: None), Answer("Load the other", load, loses=True)]
        question = ask(session.viewer, text, losses, answers)
    if question is None:
        load()
    return question


def offer_back(session: ReviewSession, corrections: CorrectionLayer) -> Question | None:
    """The layer of corrections was removed: ask whether that was meant; until there is an answer they are kept."""
    if not corrections.is_taken_out:
        return None
    answers = [
        Answer("Bring them back", corrections.bring_back),
        Answer("Save and remove …", lambda: save_corrections(session, [corrections], corrections.drop)),
        Answer("Remove", corrections.drop, loses=True),
    ]
    return ask(
        session.viewer, "You have removed the layer of your corrections.", [corrections_in_words(corrections)], answers
    )


def save_corrections(session: ReviewSession, of: list[CorrectionLayer], then: Callable[[], object]) -> None:
    """Ask for a folder, write corrections to it, and go on once they are there; without a folder nothing is done."""
    chosen = QFileDialog.getExistingDirectory(canvas_of(session.viewer), "Save the corrections to this folder")
    if chosen:
        session.save_corrections(Path(chosen), of, then)


class LossGuard(QObject):
    """Asks before the window is closed, or a layer of corrections removed, if something would be lost.

    A script that closes the window is not asked.

    Attributes:
        question: that was asked last.
        shut: closes the window.
    """

    def __init__(self, session: ReviewSession, window: QWidget | None) -> None:
        super().__init__(session)
        self._session = session
        self._window = (lambda: None) if window is None else weakref.ref(window)
        self._is_agreed = False
        self.question: Question | None = None
        self.shut: Callable[[], object] = self._shut
        if window is not None:
            window.installEventFilter(self)
        session.corrections_removed.connect(self._offer_back)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is not self._window() or event.type() != QEvent.Type.Close or self._is_agreed:
            return False
        session = self._session
        canvas = canvas_of(session.viewer)
        if canvas is None or not canvas.isVisible():  # the viewer is being closed by a script
            return False
        corrections, work = unsaved_corrections(session), [*running_work(session), *background_work(session)]
        if not corrections and not work:
            return False
        answers = [Answer("Stay", lambda: None)]
        if corrections:
            unsaved = [one for one in session.all_corrections() if one.unsaved]
            answers.append(Answer("Save and close …", lambda: save_corrections(session, unsaved, self._close)))
        answers.append(Answer("Close and lose it", self._close, loses=True))
        self.question = ask(session.viewer, "Closing the window loses this:", [*corrections, *work], answers)
        if self.question is not None:
            event.ignore()
        return self.question is not None

    def _offer_back(self, corrections: CorrectionLayer) -> None:
        """Ask, when napari has removed the layer, whether that was meant."""

        def offer() -> None:
            self._session.question = offer_back(self._session, corrections) or self._session.question

        QTimer.singleShot(0, offer)

    def _close(self) -> None:
        self._is_agreed = True
        QTimer.singleShot(0, self.shut)

    def _shut(self) -> None:
        window = self._window()
        if window is not None:
            window.close()
