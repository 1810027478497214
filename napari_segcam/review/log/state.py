"""The state of a review: what follows from a rater's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_segcam.review.log.events import (
    UNDOABLE,
    Answer,
    AnyEvent,
    CaseDone,
    CaseLeft,
    CaseOpened,
    CaseProblem,
    Correction,
    Frames,
    Grade,
    Input,
    Measured,
    Note,
    ReadingEvent,
    Redo,
    Setting,
    Shown,
    Undo,
    Verdict,
    View,
)
from napari_segcam.review.readings import Reading

Status = Literal["new", "begun", "done", "problem"]


@dataclass
class ReadingState:
    """What a rater has done with a case in one reading.

    Attributes:
        is_opened: whether the case has been in view.
        is_done: whether the rater has finished it.
        problem: why it could not be shown; empty if it could.
        seconds: how long the rater was at work on it.
        corrections: by frame and class.
        verdicts, grades, notes: that count, in the order in which they were given.
        answer: the first answer of a blinded reading.
        measurements: by their identifiers.
        inputs: what the network saw, in order.
        view: where the rater was.
        shown: what was visible, in order.
        given: the events of all verdicts that were not undone, those that a later one replaced included.
    """

    is_opened: bool = False
    is_done: bool = False
    problem: str = ""
    seconds: float = 0.0
    corrections: dict[tuple[int, str], Correction] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    grades: list[Grade] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    answer: Answer | None = None
    measurements: dict[str, Measured] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    view: View | None = None
    shown: list[Shown] = field(default_factory=list)
    given: list[Verdict] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """``done`` and ``problem`` come before ``begun`` and ``new``."""
        if self.is_done:
            return "done"
        if self.problem:
            return "problem"
        return "begun" if self.is_opened or self.has_work else "new"

    @property
    def has_work(self) -> bool:
        """Whether there is anything that the rater would miss."""
        return bool(self.corrections or self.verdicts or self.grades or self.notes or self.measurements or self.answer)

    def input_at(self, number: int | None = None) -> Input | None:
        """Return what the network saw when the event of this number was appended, or now; None for all of the case."""
        return next((one for one in reversed(self.inputs) if number is None or one.n < number), None)

    def verdict_at(
        self,
        frame: int | None,
        about: str = "mask",
        *,
        finding: int | None = None,
        stage: str | None = None,
        checkpoint: str = "A",
    ) -> Verdict | None:
        """Return the verdict that holds for a frame; None if there is none.

        The latest verdict on frames that include it counts, else the latest on the whole case.

        Args:
            frame: its number; None for the whole case alone.
            about: ``mask`` or ``heatmap``.
            finding: number of the finding; None for verdicts on all of the mask.
            stage: of the heatmap; None for any stage.
            checkpoint: whose mask or heatmap it is.
        """
        fitting = [
            verdict
            for verdict in reversed(self.verdicts)
            if verdict.about == about
            and verdict.finding == finding
            and verdict.checkpoint == checkpoint
            and (stage is None or verdict.stage in (stage, None))
        ]
        on_frame = (verdict for verdict in fitting if frame is not None and _covers(verdict, frame))
        return next(on_frame, None) or next((verdict for verdict in fitting if verdict.first is None), None)

    def grade_at(self, frame: int | None, checkpoint: str = "A") -> Grade | None:
        """Return the grade that holds for a frame, as ``verdict_at`` does for verdicts."""
        fitting = [grade for grade in reversed(self.grades) if grade.checkpoint == checkpoint]
        on_frame = (grade for grade in fitting if frame is not None and _covers(grade, frame))
        return next(on_frame, None) or next((grade for grade in fitting if grade.first is None), None)


@dataclass
class RaterState:
    """What a rater has done in a project.

    Attributes:
        readings: by their keys; those that were never opened are absent.
        settings: of the window, by name.
        last_reading: the one that was opened last.
    """

    readings: dict[Reading, ReadingState] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    last_reading: Reading | None = None

    def of(self, reading: Reading) -> ReadingState:
        """Return the state of a reading, a blank one if it was never opened."""
        return self.readings.get(reading) or ReadingState()

    def apply(self, event: AnyEvent) -> None:
        """Take in an event that counts. ``Undo`` and ``Redo`` have no effect here: use ``state_of``."""
        if isinstance(event, Setting):
            self.settings[event.name] = event.value
            return
        if not isinstance(event, ReadingEvent):
            return
        reading = self.readings.setdefault(event.reading, ReadingState())
        match event:
            case CaseOpened():
                reading.is_opened = True
                self.last_reading = event.reading
            case CaseLeft():
                reading.seconds += event.active_seconds
            case CaseProblem():
                reading.problem = event.message
            case CaseDone():
                reading.is_done = event.done
            case Input():
                reading.inputs.append(event)
            case Shown():
                reading.shown.append(event)
            case Verdict():
                reading.given.append(event)
                key = _verdict_key(event)
                reading.verdicts = [verdict for verdict in reading.verdicts if _verdict_key(verdict) != key]
                reading.verdicts += [event] if event.value is not None else []
            case Grade():
                key = (event.first, event.last, event.checkpoint)
                reading.grades = [
                    grade for grade in reading.grades if (grade.first, grade.last, grade.checkpoint) != key
                ]
                reading.grades += [event] if event.value is not None else []
            case Note():
                reading.notes = [note for note in reading.notes if (note.first, note.last) != (event.first, event.last)]
                reading.notes += [event] if event.text.strip() else []
            case Answer():
                reading.answer = event
            case Correction():
                if event.mask is None:
                    reading.corrections.pop((event.frame, event.of_class), None)
                else:
                    reading.corrections[event.frame, event.of_class] = event
            case Measured():
                if event.content is None:
                    reading.measurements.pop(event.measurement, None)
                else:
                    reading.measurements[event.measurement] = event
            case View():
                reading.view = event


@dataclass
class History:
    """What undo and redo act on: the events that count, newest last, and those that were undone since."""

    done: list[AnyEvent] = field(default_factory=list)
    undone: list[AnyEvent] = field(default_factory=list)

    def apply(self, event: AnyEvent) -> None:
        """Take in the next event of the log."""
        if isinstance(event, Undo):
            _move(event.undone, self.done, self.undone)
        elif isinstance(event, Redo):
            _move(event.redone, self.undone, self.done)
        elif isinstance(event, UNDOABLE):
            self.done.append(event)
            self.undone.clear()


def counting(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """Return the events that count: without those that were undone, and without ``Undo`` and ``Redo``."""
    listed = list(events)
    counts = [True] * len(listed)
    places: dict[int, int] = {}  # of the latest event with a number: two programs may have used the same one
    for place, event in enumerate(listed):
        if isinstance(event, Undo | Redo):
            counts[place] = False
            target = places.get(event.undone if isinstance(event, Undo) else event.redone)
            if target is not None and isinstance(listed[target], UNDOABLE):
                counts[target] = isinstance(event, Redo)
        else:
            places[event.n] = place
    return [event for event, does_count in zip(listed, counts, strict=True) if does_count]


def state_of(events: Iterable[AnyEvent]) -> RaterState:
    """Return the state that follows from a log's events."""
    state = RaterState()
    for event in counting(events):
        state.apply(event)
    return state


def _covers(event: Frames, frame: int) -> bool:
    return event.first is not None and event.last is not None and event.first <= frame <= event.last


def _verdict_key(verdict: Verdict) -> tuple[object, ...]:
    return (verdict.about, verdict.checkpoint, verdict.stage, verdict.finding, verdict.first, verdict.last)


def _move(number: int, source: list[AnyEvent], target: list[AnyEvent]) -> None:
    for place in range(len(source) - 1, -1, -1):
        if source[place].n == number:
            target.append(source.pop(place))
            return
