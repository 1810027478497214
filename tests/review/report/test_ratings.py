"""The rating of each frame is the one that the log's state gives for it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import RaterState, ReadingState
from napari_segcam.review.project_file import Case
from napari_segcam.review.readings import Reading
from napari_segcam.review.report.ratings import CaseRating, Question, case_rating, frame_ratings

FRAMES = 9
CASE = Case(id="cine", name="cine", path="cine.tif", sha256="0" * 64, frames=FRAMES)


def state_after(*verdicts: Verdict) -> ReadingState:
    state = RaterState()
    for number, verdict in enumerate(verdicts, start=1):
        state.apply(verdict.model_copy(update={"n": number}))
    return state.of(Reading("cine"))


def judged(value: str | None, first: int | None = None, last: int | None = None, **more: object) -> Verdict:
    return Verdict.model_validate({"case": "cine", "value": value, "first": first, "last": last, **more})


@pytest.mark.parametrize("seed", range(30))
def test_frames_are_rated_as_the_state_says(seed: int) -> None:
    generator = np.random.default_rng(seed)
    verdicts = []
    for _ in range(int(generator.integers(1, 9))):
        first, last = sorted(generator.integers(FRAMES, size=2).tolist())
        whole = generator.random() < 0.2
        value = str(generator.choice(["accept", "correct", "reject"])) if generator.random() < 0.9 else None
        finding = 1 if generator.random() < 0.1 else None
        checkpoint = "B" if generator.random() < 0.1 else "A"
        places = {} if whole else {"first": first, "last": last}
        verdicts.append(judged(value, **places, finding=finding, checkpoint=checkpoint))
    state = state_after(*verdicts)
    expected = [state.verdict_at(frame) for frame in range(FRAMES)]
    assert frame_ratings(state, CASE, Question()) == [verdict and verdict.value for verdict in expected]


def test_the_rating_of_a_case() -> None:
    question = Question()
    assert case_rating(state_after(), CASE, question) == CaseRating(None, "not rated")
    assert case_rating(state_after(judged("accept")), CASE, question) == CaseRating("accept")
    everywhere = state_after(judged("accept", 0, 4), judged("accept", 5, 8))
    assert case_rating(everywhere, CASE, question) == CaseRating("accept")
    some = state_after(judged("accept", 0, 4))
    assert case_rating(some, CASE, question) == CaseRating(None, "4 of 9 frames were not rated")
    mixed = state_after(judged("accept", 0, 4), judged("reject", 5, 8))
    assert case_rating(mixed, CASE, question) == CaseRating(None, "its frames were rated differently")
    whole = state_after(judged("accept"), judged("reject", 5, 8))
    assert case_rating(whole, CASE, question) == CaseRating("accept")
