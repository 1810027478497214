"""The verdicts of a reading as DICOM reports hold them."""

from __future__ import annotations

from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts, ReaderVerdict
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import ReadingState


def reported_verdicts(state: ReadingState, frame: int, checkpoint: str = "A") -> FrameVerdicts:
    """Return what a rater says about the mask of a frame and about single findings in it.

    Args:
        state: of the reading.
        frame: its number.
        checkpoint: whose mask it is.
    """
    on_mask = state.verdict_at(frame, checkpoint=checkpoint)
    on_findings = [
        ((int(verdict.point[0]), int(verdict.point[1])), _reported(verdict, "finding"))
        for verdict in state.verdicts
        if verdict.finding is not None and verdict.point is not None and _is_about(verdict, frame, checkpoint)
    ]
    return FrameVerdicts(None if on_mask is None else _reported(on_mask, "mask"), tuple(on_findings))


def _is_about(verdict: Verdict, frame: int, checkpoint: str) -> bool:
    is_in = verdict.first is None or verdict.first <= frame <= (verdict.last or 0)
    return verdict.about == "mask" and verdict.value is not None and verdict.checkpoint == checkpoint and is_in


def _reported(verdict: Verdict, about: str) -> ReaderVerdict:
    return ReaderVerdict(verdict.value, verdict.reasons, about)  # type: ignore[arg-type]
