"""Reading a case: its image is checked and decoded, and its corrections are read, away from the window's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_segcam.errors import SegcamError
from napari_segcam.review.log.events import Correction
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.readings import Reading, shown_name
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.layers.cine_layer_data import layer_data
from napari_segcam.viewer.layers.correction_layer import KeptCorrection
from napari_segcam.viewer.layers.frame_names import SOURCE
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    pass

HELD_FRAMES = 4  # that are decoded ahead, from the one that comes into view

CorrectionKey = tuple[str, int]  # class and frame


@dataclass
class OpenedCase:
    """A case that was read, and can be shown at once.

    Attributes:
        reading: which it belongs to.
        data, attributes: of its image layer.
        frame: that comes into view.
        corrections: of the reader, by class and frame.
        warnings: what the user should know about how it was read.
        kept: the events of these corrections, by which it is known whether they still count.
        source: of the frames that were computed ahead; None if none were.
    """

    reading: Reading
    data: Any
    attributes: dict[str, Any]
    frame: int
    corrections: dict[CorrectionKey, KeptCorrection]
    warnings: tuple[str, ...] = ()
    kept: tuple[Correction, ...] = ()
    source: LayerSource | None = None
    _image: Image | None = field(default=None, repr=False)

    def image(self) -> Image:
        """Return the image layer, the same each time; for the UI thread."""
        if self._image is None:
            self._image = Image(self.data, **self.attributes)
        return self._image


def case_job(
    project: ReviewProject,
    log: RaterLog,
    reading: Reading,
    then: Callable[[OpenedCase], None],
    fail: Callable[[Reading, str], None],
) -> Job:
    """Return a job that reads a case.

    Args:
        project: that it belongs to.
        log: of the rater.
        reading: of the case.
        then: called with what was read.
        fail: called with the reading and the reason, in words, if it cannot be read.
    """
    state = log.state.of(reading)
    kept = ReadingState(corrections=dict(state.corrections), view=state.view)  # as it is now

    def work() -> Iterator[OpenedCase | str]:
        try:
            yield read_case(project, log, reading, kept)
        except SegcamError as fault:
            yield str(fault)

    def deliver(result: OpenedCase | str) -> None:
        if isinstance(result, str):
            fail(reading, result)
        else:
            then(result)

    return Job("case", f"Opening {name_of(project, log, reading)}", work, on_result=deliver)


def name_of(project: ReviewProject, log: RaterLog, reading: Reading) -> str:
    """Return how a reading is called for its rater."""
    name, repeats = project.case(reading.case).name, project.settings.repeats
    return shown_name(name, project.readings(log.rater).index(reading) + 1, repeats) if repeats else name


def read_case(project: ReviewProject, log: RaterLog, reading: Reading, state: ReadingState) -> OpenedCase:
    """Check and open the image of a case, decode the first frames that will be seen, and read the corrections.

    Raises:
        SegcamError: if the image is missing, was changed, or cannot be read.
    """
    from napari_segcam.imaging.opening import open_cine

    case = project.case(reading.case)
    if problem := project.image_problem(case):
        raise SegcamError(problem)
    cine = open_cine(project.image_path(case))
    frame = min(max(_frame_left_at(state), 0), len(cine) - 1)
    held = {number: cine[number] for number in range(frame, min(frame + HELD_FRAMES, len(cine)))}
    data, attributes, _kind = layer_data(cine, held)
    attributes["metadata"][SOURCE] |= {"value_range_from": cine.black_and_white.reason, "notes": cine.notes}
    corrections, unread = read_corrections(log, state.corrections.values())
    if project.settings.repeats:
        attributes["name"] = name_of(project, log, reading)
    notes = [f"{attributes['name']}: {' '.join(cine.notes)}"] if cine.notes else []
    kept = tuple(state.corrections.values())
    return OpenedCase(reading, data, attributes, frame, corrections, (*notes, *unread), kept)


def read_corrections(log: RaterLog, events: Any) -> tuple[dict[CorrectionKey, KeptCorrection], list[str]]:
    """Return the corrections of these events, by class and frame, and which of them cannot be read, in words."""
    corrections: dict[CorrectionKey, KeptCorrection] = {}
    unread: list[str] = []
    for event in events:
        try:
            corrections[event.of_class, event.frame] = read_correction(log, event)
        except SegcamError as fault:
            unread.append(f"Your correction of frame {event.frame} cannot be shown. {fault}")
    return corrections, unread


def read_correction(log: RaterLog, event: Correction) -> KeptCorrection:
    """Return a correction of the log.

    Raises:
        SegcamError: if its mask is missing or damaged.
    """
    assert event.mask is not None
    labels = log.labels(event.mask)
    started_from = None if event.started_from is None else SparseMask.from_labels(log.labels(event.started_from))
    return KeptCorrection(SparseMask.from_labels(labels), labels.shape, started_from, dict(event.names))


def _frame_left_at(state: ReadingState) -> int:
    frame = 0 if state.view is None else state.view.content.get("frame", 0)
    return frame if isinstance(frame, int) else 0
