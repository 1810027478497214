"""The summary of a case in the list: what the network found, how doubtful it is, and what the rater decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_segcam.review.frame_verdicts import verdict_words
from napari_segcam.review.hidden import hides_prediction
from napari_segcam.review.log.state import ReadingState, Status
from napari_segcam.review.project_file import Case, Settings
from napari_segcam.review.readings import Reading, shown_name
from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.review.review import Review

NOT_COMPUTED = "–"
HIDDEN = "hidden"


@dataclass(frozen=True)
class CaseSummary:
    """A row of the list.

    Attributes:
        reading: of the case.
        number: its place in the rater's order, from 1.
        name: of the case; its number where cases are read again.
        status: as in ``ReadingState``.
        problem: why it cannot be shown; empty if it can.
        finding: what the network found, in words; a dash while it is not computed, and "hidden" before the first answer
            of a blinded reading.
        finding_share: of the frames that have a finding; -1 while that is not known.
        doubt: the largest of all frames; None while it is not known.
        is_doubtful: whether that is above the limit of the measure.
        verdict: of the rater about the mask, in words; empty without one.
        note: all notes of the rater.
    """

    reading: Reading
    number: int
    name: str
    status: Status
    problem: str
    finding: str
    finding_share: float
    doubt: float | None
    is_doubtful: bool
    verdict: str
    note: str


def summary_row(number: int, case: Case, reading: Reading, state: ReadingState, settings: Settings) -> CaseSummary:
    """Return the row of a reading.

    Args:
        number: its place in the rater's order, from 1.
        case: that is read.
        reading: as above.
        state: of the reading.
        settings: of the project.
    """
    content = {} if state.view is None else state.view.content
    summary = content.get("summary")
    if hides_prediction(state, settings.hide_prediction):
        finding, share, doubt, is_doubtful = HIDDEN, -1.0, None, False
    else:
        finding, share, doubt, is_doubtful = _computed(summary if isinstance(summary, Mapping) else {})
    return CaseSummary(
        reading=reading,
        number=number,
        name=shown_name(case.name, number, settings.repeats),
        status=state.status if state.status != "new" or not case.problem else "problem",
        problem=state.problem or case.problem,
        finding=finding,
        finding_share=share,
        doubt=doubt,
        is_doubtful=is_doubtful,
        verdict=verdict_words(state),
        note="\n".join(note.text for note in state.notes),
    )


def summary_of(review: Review, earlier: object = None) -> dict[str, Any] | None:
    """Return what the network found in an image, in plain values; the earlier summary while it is not computed.

    Args:
        review: of the image.
        earlier: the summary when it was in view before, whose doubt counts until it is measured again.
    """
    before = dict(earlier) if isinstance(earlier, Mapping) else None
    record = review.record
    done = int(np.count_nonzero(record.states == FrameState.DONE))
    if review.is_running or not done:
        return before
    doubts = record.curves.get(CineRecord.DOUBT, np.empty(0))
    known = doubts[np.isfinite(doubts)]
    summary = {
        "frames": len(record),
        "computed": done,
        "with_finding": int(np.count_nonzero(record.findings())),
        "doubt": round(float(known.max()), 4) if len(known) else None,
        "doubtful": int(np.count_nonzero(record.doubtful())),
    }
    if summary["doubt"] is None and before is not None and before.get("with_finding") == summary["with_finding"]:
        summary |= {name: before.get(name) for name in ("doubt", "doubtful")}
    return summary


def _computed(summary: Mapping[str, Any]) -> tuple[str, float, float | None, bool]:
    """Return the finding in words and as a share of the frames, the doubt, and whether it is high."""
    frames, computed, found, doubt, doubtful = (
        summary.get(name) for name in ("frames", "computed", "with_finding", "doubt", "doubtful")
    )
    if not (isinstance(frames, int) and isinstance(computed, int) and isinstance(found, int) and computed > 0):
        return NOT_COMPUTED, -1.0, None, False
    words = "none" if not found else "yes" if frames == 1 else f"{found} of {computed}"
    value = float(doubt) if isinstance(doubt, int | float) else None
    return words, found / computed, value, isinstance(doubtful, int) and doubtful > 0
