"""A stroke and the verdict that it gives are undone and redone as one action."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_segcam.review.actions import redo_action, undo_action
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.rater_log import RaterLog
from napari_segcam.review.readings import Reading

READING = Reading("c1")
MASK = np.ones((4, 5), np.uint8)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RaterLog]:
    log = RaterLog(tmp_path, "ann")
    yield log
    log.close()


def verdict(log: RaterLog, value: str | None, frame: int | None) -> None:
    log.append(Verdict(case="c1", value=value, first=frame, last=frame))  # type: ignore[arg-type]


def counts(log: RaterLog) -> tuple[int, int]:
    """Return how many corrections and verdicts count."""
    state = log.state.of(READING)
    return len(state.corrections), len(state.verdicts)


@pytest.mark.parametrize(("frame", "judged"), [(3, 3), (0, None)])  # of a cine, and of a still
def test_a_stroke_and_its_verdict_are_one_action(log: RaterLog, frame: int, judged: int | None) -> None:
    log.correct(READING, frame, MASK)
    verdict(log, "correct", judged)
    log.correct(READING, frame, MASK + 1)
    assert undo_action(log).kind == "correction"
    assert counts(log) == (1, 1)
    assert undo_action(log).kind == "correction"
    assert counts(log) == (0, 0)
    assert undo_action(log) is None
    assert redo_action(log).kind == "correction"
    assert counts(log) == (1, 1)


@pytest.mark.parametrize(("value", "frame"), [("reject", 3), ("correct", 2), (None, 3)])
def test_another_verdict_after_a_stroke_is_an_action_of_its_own(log: RaterLog, value: str | None, frame: int) -> None:
    log.correct(READING, 3, MASK)
    verdict(log, value, frame)
    assert undo_action(log).kind == "verdict"
    assert len(log.state.of(READING).corrections) == 1


def test_a_discarded_correction_comes_back_with_its_verdict(log: RaterLog) -> None:
    log.correct(READING, 3, MASK)
    verdict(log, "correct", 3)
    log.correct(READING, 3, None)
    verdict(log, None, 3)
    undo_action(log)
    state = log.state.of(READING)
    assert (len(state.corrections), [one.value for one in state.verdicts]) == (1, ["correct"])
