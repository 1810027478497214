"""Tables: what raters did, one row a verdict or a reading."""

from __future__ import annotations

from collections.abc import Iterator

from napari_segcam.review.log.events import Frames, Grade, Note, Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.project_file import Case
from napari_segcam.review.readings import Reading
from napari_segcam.review.report.collecting import RaterWork, Review
from napari_segcam.review.report.ratings import Question, case_rating, frame_ratings
from napari_segcam.review.report.rows import Row

VERDICT_COLUMNS = (
    *("rater", "case", "name", "repeat", "scope", "first", "last", "finding", "about", "checkpoint", "stage"),
    *("verdict", "reasons", "grade", "note", "saw_prediction", "saw_heatmap", "at", "event"),
)
CASE_COLUMNS = (
    *("rater", "case", "name", "repeat", "status", "problem", "frames", "checkpoint", "verdict", "verdict_undefined"),
    *("accepted_frames", "corrected_frames", "rejected_frames", "unjudged_frames", "reasons", "grade", "heatmap"),
    *("corrections", "measurements", "answer", "notes", "active_seconds"),
)


def verdict_rows(review: Review) -> Iterator[Row]:
    """Yield what holds: one row for each verdict, grade and note, with the columns of ``VERDICT_COLUMNS``."""
    for work in review.raters:
        for reading in work.readings:
            state, case = work.state.of(reading), review.cases[reading.case]
            events: list[Verdict | Grade | Note] = [*state.verdicts, *state.grades, *state.notes]
            for event in sorted(events, key=lambda event: event.n):
                yield {
                    **dict.fromkeys(VERDICT_COLUMNS),
                    "rater": work.rater,
                    "case": case.id,
                    "name": case.name,
                    "repeat": reading.repeat,
                    "scope": _scope(event),
                    "first": event.first,
                    "last": event.last,
                    **_content(event),
                    "at": event.at.isoformat(),
                    "event": event.n,
                }


def case_rows(review: Review) -> Iterator[Row]:
    """Yield one row for each reading and checkpoint, also of cases not begun; the columns are ``CASE_COLUMNS``."""
    for work in review.raters:
        for reading in work.readings:
            for checkpoint in review.checkpoints:
                yield _case_row(work, reading, review.cases[reading.case], checkpoint)


def _case_row(work: RaterWork, reading: Reading, case: Case, checkpoint: str) -> Row:
    state = work.state.of(reading)
    verdict = case_rating(state, case, Question("mask", checkpoint))
    frames = frame_ratings(state, case, Question("mask", checkpoint))
    return {
        "rater": work.rater,
        "case": case.id,
        "name": case.name,
        "repeat": reading.repeat,
        "status": state.status,
        "problem": state.problem or case.problem or "",
        "frames": case.frames,
        "checkpoint": checkpoint,
        "verdict": verdict.value,
        "verdict_undefined": verdict.reason,
        "accepted_frames": frames.count("accept"),
        "corrected_frames": frames.count("correct"),
        "rejected_frames": frames.count("reject"),
        "unjudged_frames": frames.count(None),
        "reasons": "; ".join(_reasons(state, checkpoint)),
        "grade": case_rating(state, case, Question("quality", checkpoint)).value,
        "heatmap": _heatmaps(state, checkpoint),
        "corrections": len({frame for frame, _ in state.corrections}),
        "measurements": len(state.measurements),
        "answer": _answer(state),
        "notes": " / ".join(note.text for note in state.notes),
        "active_seconds": state.seconds if state.is_opened else None,
    }


def _scope(event: Frames) -> str:
    if getattr(event, "finding", None) is not None:
        return "finding"
    return "case" if event.first is None else "frames"


def _content(event: Verdict | Grade | Note) -> Row:
    if isinstance(event, Grade):
        return {"about": "quality", "checkpoint": event.checkpoint, "grade": event.value}
    if isinstance(event, Note):
        return {"about": "note", "note": event.text}
    return {
        "about": event.about,
        "checkpoint": event.checkpoint,
        "stage": event.stage,
        "finding": event.finding,
        "verdict": event.value,
        "reasons": "; ".join(event.reasons),
        "saw_prediction": event.saw_prediction,
        "saw_heatmap": event.saw_heatmap,
    }


def _reasons(state: ReadingState, checkpoint: str) -> list[str]:
    verdicts = [verdict for verdict in state.verdicts if verdict.checkpoint == checkpoint]
    return list(dict.fromkeys(reason for verdict in verdicts for reason in verdict.reasons))


def _heatmaps(state: ReadingState, checkpoint: str) -> str:
    """Return the verdicts on heatmaps, each with its stage if it has one."""
    verdicts = [
        verdict for verdict in state.verdicts if verdict.about == "heatmap" and verdict.checkpoint == checkpoint
    ]
    return "; ".join(
        f"{verdict.stage}: {verdict.value}" if verdict.stage else str(verdict.value) for verdict in verdicts
    )


def _answer(state: ReadingState) -> str:
    if state.answer is None:
        return ""
    return {True: "finding", False: "no finding", None: "drawn"}[state.answer.found]
