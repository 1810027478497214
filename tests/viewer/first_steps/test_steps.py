"""The steps: each situation has one short line and the buttons that can work in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from napari_segcam.viewer.first_steps.situation import Situation
from napari_segcam.viewer.first_steps.steps import Action, Words, step_of

READY = Situation(has_image=True, has_network=True, frames=60)
RUNNING = replace(READY, is_running=True, total=60, job="Explaining 60 frames")
EXPLAINED = replace(READY, done=60, total=60)

TABLE = {
    "nothing is open": (Situation(), Words.EMPTY, [Action.SAMPLE, Action.OPEN, Action.LOAD]),
    "a cine": (Situation(has_image=True, frames=60), Words.LOAD, [Action.LOAD, Action.SAMPLE]),
    "a network": (Situation(has_network=True), Words.OPEN_IMAGE, [Action.OPEN]),
    "a network is loading": (Situation(is_loading=True, job="Loading a.pth"), "Loading a.pth …", [Action.STOP]),
    "a choice is asked for": (Situation(has_image=True, has_offer=True), Words.OFFER, [Action.CHECKPOINT]),
    "the image does not fit": (
        replace(READY, problem="stack has 5 dimensions."),
        "stack has 5 dimensions.",
        [Action.OPEN],
    ),
    "both": (READY, Words.EXPLAIN, [Action.EXPLAIN]),
    "both, a still": (replace(READY, frames=1), Words.EXPLAIN, [Action.EXPLAIN_STILL]),
    "open questions": (replace(READY, open_questions=2), Words.CONFIRM, [Action.CHECKPOINT, Action.EXPLAIN]),
    "masks are computed": (
        replace(RUNNING, total=0, job="Segmenting 60 frames"),
        "Segmenting 60 frames …",
        [Action.STOP],
    ),
    "no heat yet": (RUNNING, Words.FIRST_HEAT, [Action.STOP]),
    "some heat": (replace(RUNNING, done=3), Words.STEP, [Action.STOP]),
    "heat in all frames": (EXPLAINED, f"{Words.STEP} {Words.CHECK}", [Action.CHECK]),
    "heat in a still": (replace(EXPLAINED, frames=1, done=1), f"{Words.STAGES} {Words.CHECK}", [Action.CHECK]),
    "the heat is checked": (replace(EXPLAINED, is_checking=True), f"{Words.STEP} {Words.CHECKING}", [Action.STOP]),
    "all is done": (replace(EXPLAINED, is_checked=True), Words.DONE, []),
    "a review project": (replace(READY, in_project=True), Words.IN_PROJECT, []),
}


@pytest.mark.parametrize("case", TABLE)
def test_each_situation_says_what_comes_next(case: str) -> None:
    situation, words, actions = TABLE[case]
    step = step_of(situation)
    assert (step.words, list(step.actions)) == (words, actions)
    assert step.is_last == (not actions)


def test_progress_is_known_where_frames_are_counted() -> None:
    assert step_of(replace(RUNNING, done=3)).progress == (3, 60)
    assert step_of(replace(RUNNING, frames=1, total=1)).progress == (0, 0)
    assert step_of(Situation(is_loading=True)).progress == (0, 0)
    assert step_of(EXPLAINED).progress is None


def test_no_button_is_offered_that_cannot_work() -> None:
    flags = ("has_image", "has_network", "is_loading", "has_offer", "is_running", "is_checking", "is_checked")
    for values in product((False, True), repeat=len(flags)):
        for done, questions in product((0, 5), (0, 1)):
            now = Situation(**dict(zip(flags, values, strict=True)), done=done, open_questions=questions, total=done)
            step = step_of(now)
            assert step.words
            if Action.EXPLAIN_STILL in step.actions or Action.EXPLAIN in step.actions:
                assert now.has_image
                assert now.has_network
                assert not now.is_running
            if Action.SAMPLE in step.actions:
                assert not now.has_network
            if Action.CHECK in step.actions:
                assert now.has_network
                assert now.done
            if Action.STOP in step.actions:
                assert now.is_loading or now.is_running or now.is_checking
