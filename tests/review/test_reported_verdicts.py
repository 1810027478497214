"""Verdicts of a reading, as reports hold them."""

from __future__ import annotations

from napari_segcam.dicom_objects.findings.reported_finding import FrameVerdicts, ReaderVerdict
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.review.reported_verdicts import reported_verdicts


def verdict(value: str | None, n: int, **more: object) -> Verdict:
    return Verdict.model_validate({"case": "c", "n": n, "value": value, **more})


def test_a_frame_has_the_verdict_on_its_mask_and_those_on_its_findings() -> None:
    state = ReadingState(
        verdicts=[
            verdict("accept", 1),
            verdict("reject", 2, first=3, last=5, reasons=("missed",)),
            verdict("correct", 3, first=4, last=4, finding=2, point=(7.0, 9.0)),
            verdict("accept", 4, first=4, last=4, finding=1, point=(1.0, 2.0), checkpoint="B"),
            verdict("plausible", 5, first=4, last=4, about="heatmap", stage="encoder_5"),
        ]
    )
    on_finding = ((7, 9), ReaderVerdict("correct", (), "finding"))
    assert reported_verdicts(state, 4) == FrameVerdicts(ReaderVerdict("reject", ("missed",)), (on_finding,))
    assert reported_verdicts(state, 2) == FrameVerdicts(ReaderVerdict("accept"))
    assert reported_verdicts(state, 4, "B").mask is None
    assert [one.value for _, one in reported_verdicts(state, 4, "B").findings] == ["accept"]
    assert reported_verdicts(ReadingState(), 0) == FrameVerdicts()
