"""Events: what a rater does, one JSON object a line in the rater's log, which is the truth of a review."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from napari_segcam.errors import is_unprintable
from napari_segcam.files import json_bytes
from napari_segcam.review.readings import Reading

VERSION = 1
"""Of the log's format. A program reads logs of its own and earlier versions, and refuses later ones."""


def _printable(text: str) -> str:
    if any(is_unprintable(letter) and letter not in "\n\t" for letter in text):
        raise ValueError("it holds characters that cannot be printed")
    return text


Text = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_printable)]
Word = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FrameNumber = Annotated[int, Field(ge=0)]
Point = tuple[float, float]


class Event(BaseModel):
    """What all events have.

    Attributes:
        v: version of the format.
        n: number of the event in its log, from 1, without gaps.
        at: when it happened, UTC.
        session: which start of the program it belongs to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    v: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    n: Annotated[int, Field(ge=0)] = 0  # 0 until it is appended
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    session: Word = ""


class Started(Event):
    """The rater has opened the project; ``program`` is this program's version."""

    kind: Literal["started"] = "started"
    program: Word


class ReadingEvent(Event):
    """An event within one reading of a case.

    Attributes:
        case: its identifier in the project.
        repeat: 1 for the first reading; 2 and more where the project mixes in a case again.
    """

    case: Word
    repeat: Annotated[int, Field(ge=1)] = 1

    @property
    def reading(self) -> Reading:
        """The reading that it belongs to."""
        return Reading(self.case, self.repeat)


class CaseOpened(ReadingEvent):
    """The case came into view."""

    kind: Literal["case_opened"] = "case_opened"


class CaseLeft(ReadingEvent):
    """The case left the view; ``active_seconds`` is how long it was in view and the rater did something."""

    kind: Literal["case_left"] = "case_left"
    active_seconds: Annotated[float, Field(ge=0)]


class CaseProblem(ReadingEvent):
    """The case could not be opened or computed; ``message`` is empty once it could."""

    kind: Literal["case_problem"] = "case_problem"
    message: Text = ""


class CaseDone(ReadingEvent):
    """The rater has finished the case, or takes it up again."""

    kind: Literal["case_done"] = "case_done"
    done: bool = True


class Input(ReadingEvent):
    """What the network sees of the case from now on, where that is not all of it as the file says.

    Attributes:
        crop: first row, row after the last, first column, column after the last; None for the whole frame.
        is_drawn: whether the rater drew the crop; otherwise it is the detected scan.
        value_range: the pixel values that are black and white, as the rater set them; None for those of the file.
    """

    kind: Literal["input"] = "input"
    crop: tuple[FrameNumber, FrameNumber, FrameNumber, FrameNumber] | None = None
    is_drawn: bool = False
    value_range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _check_crop(self) -> Input:
        if self.crop is not None and not (self.crop[0] < self.crop[1] and self.crop[2] < self.crop[3]):
            raise ValueError("the crop is empty")
        if self.value_range is not None and self.value_range[0] == self.value_range[1]:
            raise ValueError("black and white are the same value")
        return self


class Shown(ReadingEvent):
    """What is visible has changed: the prediction and the heatmaps of these stages, by which checkpoint."""

    kind: Literal["shown"] = "shown"
    frame: FrameNumber
    prediction: bool
    heatmaps: tuple[Word, ...] = ()
    checkpoint: Word = "A"
    threshold: float | None = None


class Frames(ReadingEvent):
    """An event about the frames ``first`` to ``last``, both included; about the whole case where both are None."""

    first: FrameNumber | None = None
    last: FrameNumber | None = None

    @model_validator(mode="after")
    def _check_frames(self) -> Frames:
        if (self.first is None) != (self.last is None) or (self.first or 0) > (self.last or 0):
            raise ValueError("first and last are both set, in this order, or both absent")
        return self


class Verdict(Frames):
    """A verdict on the mask or on the heatmap.

    Attributes:
        about: ``mask`` or ``heatmap``.
        value: for a mask ``accept``, ``correct`` or ``reject``; for a heatmap ``plausible``, ``implausible`` or
            ``cannot tell``; None takes an earlier verdict on the same frames and finding back.
        reasons: of a rejection, among those of the project.
        finding: number of the finding from 1, in the order of ``measuring``'s components; None for all of the mask.
        point: a pixel ``(row, column)`` inside that finding, which tells which one it is.
        checkpoint: whose mask or heatmap this is.
        stage: of the heatmap.
        saw_prediction, saw_heatmap: whether they were visible in this reading before the verdict was given.
    """

    kind: Literal["verdict"] = "verdict"
    about: Literal["mask", "heatmap"] = "mask"
    value: Literal["accept", "correct", "reject", "plausible", "implausible", "cannot tell"] | None
    reasons: tuple[Word, ...] = ()
    finding: Annotated[int, Field(ge=1)] | None = None
    point: Point | None = None
    checkpoint: Word = "A"
    stage: Word | None = None
    saw_prediction: bool = True
    saw_heatmap: bool = True

    @model_validator(mode="after")
    def _check_value(self) -> Verdict:
        allowed = MASK_VALUES if self.about == "mask" else HEATMAP_VALUES
        if self.value is not None and self.value not in allowed:
            raise ValueError(f"a verdict about the {self.about} is one of: {', '.join(allowed)}")
        if self.reasons and self.value != "reject":
            raise ValueError("reasons belong to a rejection")
        return self


MASK_VALUES = ("accept", "correct", "reject")
HEATMAP_VALUES = ("plausible", "implausible", "cannot tell")


class Grade(Frames):
    """The quality of the mask from 1 (poor) to 5 (excellent); None takes it back."""

    kind: Literal["grade"] = "grade"
    value: Annotated[int, Field(ge=1, le=5)] | None
    checkpoint: Word = "A"


class Note(Frames):
    """A free note; it replaces the one on the same frames, and an empty one removes it."""

    kind: Literal["note"] = "note"
    text: Text


class Answer(ReadingEvent):
    """A blinded reading: the rater has committed a first answer, after which the prediction is shown.

    ``found`` says whether there is a finding; None where the rater has drawn instead.
    """

    kind: Literal["answer"] = "answer"
    found: bool | None = None


class Correction(ReadingEvent):
    """The mask of one frame as the rater has painted it.

    Attributes:
        frame: its number.
        of_class: the class, if classes may overlap; empty for a mask of all classes.
        mask: checksum of the file in ``masks/``; None if the correction was discarded.
        started_from: checksum of the predicted mask that it began with; None if the rater drew without one.
        names: of the labels.
        checkpoint: whose prediction it corrects.
        threshold: of that prediction.
    """

    kind: Literal["correction"] = "correction"
    frame: FrameNumber
    of_class: Word = ""
    mask: Sha256 | None
    started_from: Sha256 | None = None
    names: dict[int, Word] = Field(default_factory=dict)
    checkpoint: Word = "A"
    threshold: float | None = None


class Measured(ReadingEvent):
    """A measurement on the image; None removes it.

    Attributes:
        frame: its number.
        measurement: identifier of the measurement, unique within the reading.
        content: what ``viewer/calipers`` keeps of it, as plain values: kind, name, points, values, units, source.
    """

    kind: Literal["measured"] = "measured"
    frame: FrameNumber
    measurement: Word
    content: dict[str, Any] | None


class Setting(Event):
    """A setting of the window that holds for all cases: threshold, methods, stage, opacity, colormap, scale, …"""

    kind: Literal["setting"] = "setting"
    name: Word
    value: Any


class View(ReadingEvent):
    """Where the rater was: frame, camera and layers, as ``viewer/project`` writes and reads them."""

    kind: Literal["view"] = "view"
    content: dict[str, Any]


class Undo(Event):
    """The event with the number ``undone`` no longer counts."""

    kind: Literal["undo"] = "undo"
    undone: Annotated[int, Field(ge=1)]


class Redo(Event):
    """The event with the number ``redone`` counts again."""

    kind: Literal["redo"] = "redo"
    redone: Annotated[int, Field(ge=1)]


AnyEvent = (
    Started
    | CaseOpened
    | CaseLeft
    | CaseProblem
    | CaseDone
    | Input
    | Shown
    | Verdict
    | Grade
    | Note
    | Answer
    | Correction
    | Measured
    | Setting
    | View
    | Undo
    | Redo
)

UNDOABLE = (Verdict, Grade, Note, Correction, Measured, CaseDone)
"""What undo takes back, newest first."""

EVENT: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="kind")])
"""Reads an event from JSON and checks it."""


def to_line(event: AnyEvent) -> bytes:
    """Return an event as one line of JSON, without its end; values that are the default are left out.

    Raises:
        ValueError: if it is not valid.
    """
    first = ("v", "n", "at", "session", "kind")
    always = event.model_dump(mode="json", include=set(first))
    rest = event.model_dump(mode="json", exclude=set(first), exclude_defaults=True)
    line = json_bytes({name: always[name] for name in first} | rest)
    EVENT.validate_json(line)  # what the log holds can be read again
    return line
