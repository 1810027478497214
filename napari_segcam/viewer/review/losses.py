"""What the user would lose by closing, loading or removing something, and the questions before that."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.review.outputs import write_corrections
from napari_segcam.viewer.review.question import Answer, Question, ask
from napari_segcam.viewer.review.session import ReviewSession


def running_work(session: ReviewSession) -> list[str]:
    """Return the frames that are being computed, or that a slow method has explained, in words."""
    review = session.review
    if review is None or review.plan is None:
        return []
    done, total = review.progress()
    if review.is_running:
        return [f"{session.title}: {done} of {max(total, done)} done"]
    if review.plan.is_slow and done:
        return [f"{done} of {len(review.record)} {frame_word(review.image)}s explained by a slow method"]
    return []


def background_work(session: ReviewSession) -> list[str]:
    """Return the export or the run over a folder that is in progress, in words."""
    job, progress = session.background.job, session.background.progress
    if job is None or progress is None:
        return []
    return [f"{job.title}: {progress.done} of {progress.total} done" if progress.total else job.title]


def unsaved_corrections(session: ReviewSession) -> list[str]:
    """Return the corrections that are not saved, in words, one item for each image."""
    return [corrections_in_words(layer) for layer in session.reviews.corrections() if layer.unsaved]


def corrections_in_words(corrections: CorrectionLayer) -> str:
    """Return how many frames of an image are corrected, in words."""
    frames = corrections.unsaved or corrections.frames
    words = f"your correction of {corrections.title}"
    if corrections.is_cine:
        word = corrections.frame_word + "s" * (len(frames) > 1)
        words = f"your corrections of {len(frames)} {word} of {corrections.title}"
    return f"{words}, not saved" if corrections.unsaved else words


def ask_before_loading(session: ReviewSession, load: Callable[[], None]) -> Question | None:
    """Load another network; if that ends a run, ask first. Corrections are kept in any case."""
    losses = running_work(session)
    question = None
    if losses:
        text = "Loading another network stops the run and deletes its results."
        answers = [Answer("Keep this network", lambda: None), Answer("Load the other", load, loses=True)]
        question = ask(session.viewer, text, losses, answers)
    if question is None:
        load()
    return question


def offer_back(session: ReviewSession, corrections: CorrectionLayer) -> Question | None:
    """Ask about a removed layer of corrections; they are kept until there is an answer."""
    if not corrections.is_taken_out:
        return None
    answers = [
        Answer("Bring them back", corrections.bring_back),
        Answer("Save and remove …", lambda: save_corrections(session, [corrections], corrections.drop)),
        Answer("Remove", corrections.drop, loses=True),
    ]
    return ask(
        session.viewer, "You removed the layer of your corrections.", [corrections_in_words(corrections)], answers
    )


def save_corrections(session: ReviewSession, layers: list[CorrectionLayer], then: Callable[[], object]) -> None:
    """Ask for a folder and write corrections to it.

    Args:
        session: whose images they correct.
        layers: of corrections.
        then: called when they are on disk; not called if the user cancels.
    """
    folder = QFileDialog.getExistingDirectory(canvas_of(session.viewer), "Save the corrections to this folder")
    if folder:
        write_corrections(session, Path(folder), layers, then)


@dataclass(frozen=True)
class OtherWork:
    """Work of the reader besides corrections.

    Attributes:
        unsaved: returns in words what is not saved, one item for each image.
        save: writes it to a folder, and calls a function once it is on disk.
    """

    unsaved: Callable[[], list[str]]
    save: Callable[[Path, Callable[[], object]], None]


class LossGuard(QObject):
    """Asks before the window is closed or a layer of corrections is removed, if something would be lost.

    A script that closes the window is not asked.

    Attributes:
        question: the last one.
        close: closes the window.
        other_work: of the reader, besides corrections.
        other_running: functions that return what else is in progress, in words.
    """

    def __init__(self, session: ReviewSession, window: QWidget | None) -> None:
        super().__init__(session)
        self._session = session
        self._window = (lambda: None) if window is None else weakref.ref(window)
        self._is_confirmed = False
        self.question: Question | None = None
        self.close: Callable[[], object] = self._close
        self.other_work: list[OtherWork] = []
        self.other_running: list[Callable[[], list[str]]] = []
        if window is not None:
            window.installEventFilter(self)
        session.corrections_removed.connect(self._offer_back)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if watched is not self._window() or event.type() != QEvent.Type.Close or self._is_confirmed:
            return False
        session = self._session
        canvas = canvas_of(session.viewer)
        if canvas is None or not canvas.isVisible():  # a script closes the viewer
            return False
        corrections, work = unsaved_corrections(session), [*running_work(session), *background_work(session)]
        work += [words for running in self.other_running for words in running()]
        others = [other for other in self.other_work if other.unsaved()]
        unsaved_work = [*corrections, *(words for other in others for words in other.unsaved())]
        if not unsaved_work and not work:
            return False
        answers = [Answer("Stay", lambda: None)]
        if unsaved_work:
            layers = [layer for layer in session.reviews.corrections() if layer.unsaved]
            answers.append(Answer("Save and close …", lambda: self._save_and_close(layers, others)))
        answers.append(Answer("Close and lose it", self._confirm, loses=True))
        self.question = ask(session.viewer, "Closing the window loses this:", [*unsaved_work, *work], answers)
        if self.question is not None:
            event.ignore()
        return self.question is not None

    def _save_and_close(self, layers: list[CorrectionLayer], others: list[OtherWork]) -> None:
        """Ask for a folder, write everything to it one by one, and close the window once all is on disk."""
        then: Callable[[], object] = self._confirm
        if layers and not others:
            save_corrections(self._session, layers, then)
            return
        folder = QFileDialog.getExistingDirectory(canvas_of(self._session.viewer), "Save your work to this folder")
        if not folder:
            return
        for other in others:
            then = partial(other.save, Path(folder), then)
        if layers:
            write_corrections(self._session, Path(folder), layers, then)
        else:
            then()

    def _offer_back(self, corrections: CorrectionLayer) -> None:
        """Ask about a removed layer of corrections, after napari has removed it."""

        def offer() -> None:
            self._session.question = offer_back(self._session, corrections) or self._session.question

        QTimer.singleShot(0, offer)

    def _confirm(self) -> None:
        self._is_confirmed = True
        QTimer.singleShot(0, self.close)

    def _close(self) -> None:
        window = self._window()
        if window is not None:
            window.close()
