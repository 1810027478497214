"""Selection: which frames a rater has settled, and where the mask of each comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from napari_segcam.review.export.options import ExportOptions
from napari_segcam.review.log.events import Correction, Input, Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project_file import Case
from napari_segcam.review.readings import Reading
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.masks import threshold_shown
from napari_segcam.review.report.ratings import frame_count

NOT_PAINTED = "the mask is to be corrected, but no correction was painted"
NOT_REVIEWED = "not reviewed"
ONLY_FINDINGS = "only findings were judged, not the mask"


@dataclass(frozen=True, eq=False)
class ReviewedFrame:
    """A frame whose mask a rater has settled.

    Attributes:
        case: of the frame.
        reading: in which it was settled.
        frame: its number.
        verdict: ``accept``, ``correct`` or ``reject``.
        corrections: by class, empty for a mask of all classes; without any, the mask is the prediction.
        events: numbers of the verdict and the corrections in the rater's log.
        threshold: of the prediction that the rater saw; None if the log does not say.
        seen: what the network saw of the case then; None for all of it.
    """

    case: Case
    reading: Reading
    frame: int
    verdict: str
    corrections: dict[str, Correction] = field(default_factory=dict)
    events: tuple[int, ...] = ()
    threshold: float | None = None
    seen: Input | None = None

    def needs_prediction(self, classes: Collection[str]) -> bool:
        """Return whether the network is needed: for the mask, or for another class than the corrected ones.

        Args:
            classes: that are exported; empty for all.
        """
        if "" in self.corrections:
            return False
        return not (classes and set(classes) <= self.corrections.keys())


def select(review: Review, work: RaterWork, options: ExportOptions) -> tuple[list[ReviewedFrame], Counter[str]]:
    """Return the frames to export, and how many frames are left out for which reason.

    A correction counts as the verdict "correct", also without one, unless the frame was rejected later.

    Args:
        review: that is exported.
        work: of the rater.
        options: which verdicts, checkpoint and readings.
    """
    frames: list[ReviewedFrame] = []
    left_out: Counter[str] = Counter()
    for reading in work.readings:
        if reading.repeat > 1 and not options.repeats:
            continue
        state, case = work.state.of(reading), review.cases[reading.case]
        for number in range(_count(state, case)):
            found = _settled(state, case, reading, number, options.checkpoint)
            if isinstance(found, str):
                left_out[found] += 1
            elif found.verdict not in options.verdicts:
                left_out[f"verdict “{found.verdict}”, which is not exported"] += 1
            elif found.verdict == "correct" and not found.corrections:
                left_out[NOT_PAINTED] += 1
            else:
                frames.append(found)
    return frames, left_out


def _settled(state: ReadingState, case: Case, reading: Reading, frame: int, checkpoint: str) -> ReviewedFrame | str:
    """Return what a reader made of a frame, or why nothing is settled."""
    verdict = state.verdict_at(frame, checkpoint=checkpoint)
    corrections = {
        of_class: event
        for (number, of_class), event in state.corrections.items()
        if number == frame and event.checkpoint == checkpoint
    }
    if verdict is None and not corrections:
        return ONLY_FINDINGS if _has_findings(state, frame, checkpoint) else NOT_REVIEWED
    newest = max((event.n for event in corrections.values()), default=0)
    is_rejected = verdict is not None and verdict.value == "reject" and verdict.n > newest
    value = "reject" if is_rejected else "correct" if corrections else str(verdict.value if verdict else "")
    used = {} if is_rejected else corrections
    thresholds = [event.threshold for event in used.values() if event.threshold is not None]
    return ReviewedFrame(
        case,
        reading,
        frame,
        value,
        used,
        tuple(sorted({*([verdict.n] if verdict else []), *(event.n for event in used.values())})),
        thresholds[0] if thresholds else threshold_shown(state, frame, checkpoint),
        state.input_at(verdict.n if verdict is not None and not used else newest or None),
    )


def _has_findings(state: ReadingState, frame: int, checkpoint: str) -> bool:
    def covers(verdict: Verdict) -> bool:
        return verdict.first is None or verdict.first <= frame <= (verdict.last or 0)

    return any(
        verdict.about == "mask" and verdict.finding is not None and verdict.checkpoint == checkpoint and covers(verdict)
        for verdict in state.verdicts
    )


def _count(state: ReadingState, case: Case) -> int:
    corrected = max((frame for frame, _ in state.corrections), default=-1) + 1
    return max(frame_count(state, case), corrected)
