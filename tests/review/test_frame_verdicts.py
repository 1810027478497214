"""Verdicts frame by frame and in words."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from napari_segcam.review.frame_verdicts import FrameVerdict, frame_verdicts, verdict_words
from napari_segcam.review.hidden import hides_heatmaps, hides_prediction
from napari_segcam.review.log.events import Answer, AnyEvent, Correction, Grade, Shown, Verdict
from napari_segcam.review.log.state import ReadingState, state_of
from napari_segcam.review.readings import Reading

CASE = {"case": "c1", "repeat": 1}


def verdict(value: str | None, first: int | None = None, last: int | None = None, **details: object) -> Verdict:
    return Verdict(value=value, first=first, last=last, **CASE, **details)  # type: ignore[arg-type]


def state(*events: AnyEvent) -> ReadingState:
    numbered = [event.model_copy(update={"n": number}) for number, event in enumerate(events, start=1)]
    return state_of(numbered).of(Reading("c1"))


def test_frames_come_before_the_case_and_the_case_before_findings() -> None:
    found = state(
        verdict("reject", 4, 4, finding=1, point=(2.0, 3.0)),
        verdict("accept", 0, 2),
        verdict("reject", 2, 3),
    )
    assert frame_verdicts(found, 6).tolist() == [1, 1, 3, 3, 3, 0]
    found = state(verdict("correct"), verdict("reject", 4, 4, finding=1), verdict("accept", 1, 1))
    assert frame_verdicts(found, 6).tolist() == [2, 1, 2, 2, 2, 2]
    assert frame_verdicts(found, 6, "B").tolist() == [0] * 6


def test_the_row_is_what_the_state_says_of_each_frame() -> None:
    """On random logs, without findings, it is ``verdict_at`` frame by frame."""
    random = np.random.default_rng(3)
    values = ("accept", "correct", "reject", None)
    for _ in range(50):
        events = []
        for _ in range(12):
            first, last = sorted(int(frame) for frame in random.integers(0, 9, 2))
            value = values[random.integers(4)]
            events.append(verdict(value) if random.random() < 0.2 else verdict(value, first, last))
        found = state(*events)
        expected = [found.verdict_at(frame) for frame in range(9)]
        codes = [0 if one is None else FrameVerdict[str(one.value).upper()] for one in expected]
        assert frame_verdicts(found, 9).tolist() == codes


def test_a_mask_that_was_painted_in_is_corrected() -> None:
    painted = Correction(frame=4, mask="0" * 64, **CASE)
    assert verdict_words(state(verdict("correct", 4, 4), painted)) == "frame 4: corrected"
    assert verdict_words(state(verdict("correct", 5, 9), painted)) == "frames 5–9: needs correction"
    assert verdict_words(state(verdict("correct"), painted)) == "corrected"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), ""),
        ((verdict("accept"), Grade(value=4, **CASE)), "accepted, grade 4"),
        ((verdict("reject", 3, 9, reasons=("missed", "artifact")),), "frames 3–9: rejected (missed, artifact)"),
        ((verdict("correct", 3, 3), verdict("accept", 5, 6)), "frame 3: needs correction, frames 5–6: accepted"),
        ((verdict("reject", 2, 2, finding=2),), "frame 2: finding 2 rejected"),
        (
            tuple(verdict("accept" if frame % 2 else "reject", frame, frame) for frame in range(5)),
            "2 accepted, 3 rejected",
        ),
        ((verdict("implausible", about="heatmap", stage="encoder_5"),), ""),
    ],
)
def test_words(events: tuple[AnyEvent, ...], words: str) -> None:
    assert verdict_words(state(*events)) == words


def test_the_prediction_is_hidden_until_the_first_answer() -> None:
    blank, answered = state(), state(Answer(found=None, **CASE))
    assert hides_prediction(blank, True)
    assert not hides_prediction(blank, False)
    assert not hides_prediction(answered, True)
    assert not hides_prediction(state(Shown(frame=0, prediction=True, **CASE)), True)
    assert hides_prediction(state(Shown(frame=0, prediction=False, **CASE)), True)


def test_heatmaps_are_hidden_until_a_verdict_on_the_mask() -> None:
    judged = state(verdict("accept"))
    taken_back = state(verdict("accept"), verdict(None))
    for found, setting in product((state(), judged), ("never", "always")):
        assert hides_heatmaps(found, setting) == (setting == "always")  # type: ignore[arg-type]
    assert hides_heatmaps(state(), "until verdict")
    assert not hides_heatmaps(judged, "until verdict")
    assert not hides_heatmaps(taken_back, "until verdict")  # they were seen
    assert hides_heatmaps(state(verdict(None)), "until verdict")
