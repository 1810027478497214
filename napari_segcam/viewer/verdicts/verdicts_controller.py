"""The verdicts of the reader on what is in view: given, changed and taken back, each of them an event of the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_segcam.review.frame_verdicts import frames_in_words, verdict_in_words
from napari_segcam.review.log.events import Grade, Note, Verdict
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.layers.frame_names import frame_word
from napari_segcam.viewer.verdicts.given_verdicts import GivenVerdicts
from napari_segcam.viewer.verdicts.open_review import OpenReview, reading_in_view
from napari_segcam.viewer.verdicts.painted_verdicts import PaintedVerdicts
from napari_segcam.viewer.verdicts.shown_log import ShownLog
from napari_segcam.viewer.verdicts.target import Target
from napari_segcam.viewer.verdicts.target_choice import TargetChoice
from napari_segcam.viewer.verdicts.unseen import why_no_heat, why_unseen

if TYPE_CHECKING:
    from napari_segcam.viewer.review.review import Review
    from napari_segcam.viewer.review.session import ReviewSession


class _Text:
    """What the controller says in the status bar."""

    NO_PROJECT = "Verdicts are kept in a review project: open one, or make one, in the Cases dock."
    NO_READING = "This image is no case of the open review."
    OTHER_NETWORK = (
        "The network that is loaded is not the one of this review, so its masks cannot be judged here. Open the review "
        "again in the Cases dock to load the right one."
    )
    HIDDEN = "Answer first: the prediction is hidden until then."
    NO_FINDING = "There is no finding in this {word}: the verdict can be on the {word} or on the whole case."
    NO_HEAT = "No heatmap is visible: show a stage first."
    NOTHING = "There is no verdict here to take back."
    TAKEN_BACK = "Taken back: {what}"


class VerdictsController(QObject):
    """One per session, as its child; found by ``controller_of``.

    Attributes:
        choice: what the next verdict is about.
        given: the verdicts so far.
        shown: what was visible when.
        goes_on: whether to go to the next case after the last open frame has its verdict.
    """

    changed = Signal()
    note_wanted = Signal()

    def __init__(self, session: ReviewSession, project: OpenReview) -> None:
        super().__init__(session)
        self._session = session
        self._project = project
        self.choice = TargetChoice(session, self)
        self.choice.changed.connect(self.changed)
        self.given = GivenVerdicts(session, project, self.choice)
        self.shown = ShownLog(session, project, self)
        PaintedVerdicts(session, project, self.shown, self)
        self.goes_on = False
        session.reviews.notes.append(self._notes)
        session.view_changed.connect(self.changed)  # another heatmap is shown
        for signal in (project.reading_changed, session.image_changed):
            signal.connect(self._on_reading)
        project.state_changed.connect(self._on_state)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons of a rejection, which the project defines."""
        project = self._project.project
        return () if project is None else tuple(project.settings.reasons)

    @property
    def reading(self) -> Reading | None:
        """The reading in view; None without one."""
        return reading_in_view(self._project)

    def missing(self) -> str:
        """Return why no verdict can be given now, in words; empty if one can."""
        if self._project.project is None:
            return _Text.NO_PROJECT
        if reading_in_view(self._project) is None or self._session.review is None:
            return _Text.NO_READING
        if self._project.has_other_network:
            return _Text.OTHER_NETWORK
        if self._session.reviews.hiding.of(self._session.image).prediction:
            return _Text.HIDDEN
        return ""

    def unseen(self) -> str:
        """Return why the mask in question cannot be judged yet, in words; empty if it can, or nothing can be judged."""
        return "" if self.missing() else why_unseen(self._session, self.given.state, self.choice.target())

    # What the reader gives

    def give(self, value: str, reasons: Sequence[str] = ()) -> None:
        """Give a verdict on the mask: ``accept``, ``correct`` or ``reject``."""
        if (target := self._checked_target()) is None:
            return
        ordered = tuple(reason for reason in self.reasons if reason in reasons)
        earlier = self.given.exact(target)
        if earlier is None or (earlier.value, earlier.reasons) != (value, ordered):
            self._append_verdict(value, target, reasons=ordered)

    def toggle_reason(self, reason: str) -> None:
        """Give or take a reason of the rejection; the first one rejects."""
        if reason not in self.reasons or (target := self._checked_target()) is None:
            return
        verdict = self.given.exact(target)
        given = set(verdict.reasons) if verdict is not None and verdict.value == "reject" else set()
        self.give("reject", tuple(given ^ {reason}))

    def toggle_reason_number(self, number: int) -> None:
        """Give or take the reason with this number, from 1."""
        if 1 <= number <= len(self.reasons):
            self.toggle_reason(self.reasons[number - 1])

    def give_on_heatmap(self, value: str | None) -> None:
        """Give a verdict on the heatmap that is shown: ``plausible``, ``implausible`` or ``cannot tell``."""
        stage = self.given.stage()
        if (target := self._checked_target(is_on_mask=False)) is None:
            return
        if stage is None:
            self._say(self._session.reviews.hiding.reason_of_heat(self._session.image) or _Text.NO_HEAT)
            return
        review = self._session.review
        if value is not None and review is not None and (words := why_no_heat(review, target, stage)):
            self._say(words)
            return
        earlier = self.given.on_heatmap()
        if value is not None or earlier is not None:
            self._append_verdict(value, Target(target.first, target.last), about="heatmap", stage=stage)

    def grade(self, value: int | None) -> None:
        """Grade the quality of the mask from 1 to 5; None takes the grade back."""
        target = self._checked_target(needs_finding=False, is_on_mask=value is not None)
        if target is not None:
            self._append(Grade(first=target.first, last=target.last, value=value, **self._reading()))

    def write_note(self, text: str, reading: Reading, target: Target) -> None:
        """Keep a note; an empty one removes it.

        Args:
            text: of the note.
            reading: in which it was written, which may have left the view since.
            target: what it is about.
        """
        self._append(
            Note(case=reading.case, repeat=reading.repeat, first=target.first, last=target.last, text=text.strip())
        )

    def take_back(self) -> None:
        """Take back the verdict on the mask that holds for what is in view."""
        if (target := self._checked_target(is_on_mask=False)) is None:
            return
        verdict = self.given.exact(target) or self.given.on_mask()
        if verdict is None:
            self._say(_Text.NOTHING)
            return
        what = f"{frames_in_words(verdict)} {verdict_in_words(verdict, self.given.state)}".strip()
        kept = {name: getattr(verdict, name) for name in ("first", "last", "finding", "point")}
        self._append(Verdict(value=None, **kept, **self._reading(), **self._saw()))
        self._say(_Text.TAKEN_BACK.format(what=what))

    def done_and_next(self) -> None:
        """Mark the case as done, and go to the next."""
        if reading_in_view(self._project) is None:
            self._say(self.missing())
            return
        self.shown.keep()
        self._project.finish()

    # How

    def _reading(self) -> dict[str, Any]:
        reading = reading_in_view(self._project)
        assert reading is not None
        return {"case": reading.case, "repeat": reading.repeat}

    def _saw(self) -> dict[str, Any]:
        return {"saw_prediction": self.shown.saw_prediction, "saw_heatmap": self.shown.saw_heatmap}

    def _checked_target(self, *, needs_finding: bool = True, is_on_mask: bool = True) -> Target | None:
        """Return what the verdict is about, or None after saying why there is nothing."""
        missing, target = self.missing(), self.choice.target()
        if not missing and is_on_mask:
            missing = self.unseen()
        if not missing and is_on_mask and needs_finding and self.choice.scope == "finding" and target.finding is None:
            missing = _Text.NO_FINDING.format(word=frame_word(self._session.image))
        if missing:
            self._say(missing)
        return None if missing else target

    def _append_verdict(self, value: str | None, target: Target, **details: Any) -> None:
        self.shown.keep()  # what was seen comes before the verdict
        point = None if target.finding is None else tuple(float(place) for place in target.finding.point)
        details |= {"first": target.first, "last": target.last, "finding": target.number, "point": point}
        verdict = Verdict(value=value, **details, **self._reading(), **self._saw())  # type: ignore[arg-type]
        was_complete = self.given.is_complete
        self._append(verdict)
        self.choice.note_verdict()
        if self.goes_on and verdict.about == "mask" and self.given.is_complete and not was_complete:
            self.done_and_next()

    def _append(self, event: Verdict | Grade | Note) -> None:
        self._project.append(event)

    def _say(self, words: str) -> None:
        self._session.viewer.status = words

    def _notes(self, _review: Review, frame: int, _heated: tuple[str, ...]) -> list[str]:
        words = self.given.frame_words(frame) if reading_in_view(self._project) is not None else ""
        return [f"verdict: {words}"] if words else []

    def _on_reading(self) -> None:
        self.choice.reset()

    def _on_state(self) -> None:
        self.changed.emit()
        self._session.reviews.changed.emit()
