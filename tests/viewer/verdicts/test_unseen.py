"""A mask that was not seen takes no verdict: the window says why, and the log holds none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.review.frame_verdicts import verdict_in_words
from napari_segcam.review.log.events import Verdict
from napari_segcam.review.log.state import ReadingState
from napari_segcam.viewer.frames.cine_record import CineRecord, FrameState
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.widgets.verdicts.verdict_widget import VerdictWidget
from tests.viewer.verdicts.one_case import Review

Give = Callable[[Review], object]

ON_MASK: tuple[Give, ...] = (
    lambda review: review.verdicts.give("accept"),
    lambda review: review.verdicts.give("correct"),
    lambda review: review.verdicts.toggle_reason("missed"),
    lambda review: review.verdicts.grade(5),
)


@pytest.fixture
def uncomputed(opened: Review, frames: np.ndarray) -> Review:
    """A reading of a cine of four frames, none of which is computed."""
    opened.project.open()
    opened.session.viewer.add_image(frames, name="sweep")
    opened.project.read("c1")
    opened.session.go_to(0)
    return opened


def run_frame(review: Review, frame: int) -> None:
    review.session.go_to(frame)
    review.session.run(RunRequest(stages=None), "current")
    review.finish(review.session)


@pytest.mark.parametrize("give", ON_MASK)
@pytest.mark.parametrize("scope", ["frame", "range", "finding", "case"])
def test_a_mask_that_is_not_computed_is_not_judged(uncomputed: Review, give: Give, scope: str) -> None:
    uncomputed.verdicts.choice.choose(scope)  # type: ignore[arg-type]
    give(uncomputed)
    assert not uncomputed.events("verdict", "grade")
    assert "Frame 0 is not computed" in uncomputed.session.viewer.status or scope == "case"
    assert "not computed" in uncomputed.session.viewer.status


def test_a_frame_is_judged_once_it_is_computed(uncomputed: Review) -> None:
    run_frame(uncomputed, 2)
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == [(2, 2, "accept")]
    uncomputed.session.go_to(1)
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == [(2, 2, "accept")]
    assert uncomputed.session.viewer.status == (
        "Frame 1 is not computed, so it has no mask to judge. Run Segmentation first."
    )


def test_a_range_and_a_case_need_every_frame(uncomputed: Review) -> None:
    run_frame(uncomputed, 1)
    run_frame(uncomputed, 2)
    choice, status = uncomputed.verdicts.choice, uncomputed.session.viewer
    choice.mark_start()
    uncomputed.session.go_to(1)
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == [(1, 2, "accept")]
    choice.choose("case")
    uncomputed.verdicts.give("reject")
    assert uncomputed.given() == [(1, 2, "accept")]
    assert status.status.startswith("2 of these 4 frames are not computed.")
    uncomputed.run(stages=None)
    uncomputed.verdicts.give("reject")
    assert uncomputed.given() == [(1, 2, "accept"), (None, None, "reject")]


def test_a_frame_that_failed_has_no_mask_but_its_case_can_be_judged(read: Review) -> None:
    assert read.session.record is not None
    read.session.record.curves[CineRecord.AREA][3] = np.nan
    read.session.record.set_state(3, FrameState.FAILED, "out of memory")
    choice = read.verdicts.choice
    read.session.go_to(3)
    read.verdicts.give("accept")
    assert "Frame 3 could not be computed" in read.session.viewer.status
    read.session.go_to(1)
    choice.mark_start()
    read.session.go_to(3)
    read.verdicts.give("accept")
    assert "Leave it out of the range" in read.session.viewer.status
    assert read.given() == []
    choice.choose("case")
    read.verdicts.give("accept")
    assert read.given() == [(None, None, "accept")]


def test_a_hidden_mask_is_shown_before_it_is_judged(uncomputed: Review) -> None:
    uncomputed.session.viewer.layers.events.inserted.connect(lambda event: setattr(event.value, "visible", False))
    uncomputed.run(stages=None)
    layers = uncomputed.session.layers()
    assert layers is not None
    assert layers.mask is not None
    layers.mask.visible = False
    found = [frame for frame in range(4) if uncomputed.session.record.findings()[frame]]  # type: ignore[union-attr]
    uncomputed.session.go_to(found[0])
    assert not any(shown.prediction and shown.frame == found[0] for shown in uncomputed.project.state.shown)  # type: ignore[union-attr]
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == []
    assert (
        uncomputed.session.viewer.status == f"The mask of frame {found[0]} is not visible: show it before you judge it."
    )
    layers.mask.visible = True
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == [(found[0], found[0], "accept")]


def test_without_a_network_there_is_no_mask(uncomputed: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncomputed.session, "network", None)
    uncomputed.verdicts.give("accept")
    assert not uncomputed.events("verdict")
    assert "No network is loaded" in uncomputed.session.viewer.status


def test_what_was_drawn_on_a_frame_that_is_not_computed_is_no_mask_to_accept(uncomputed: Review) -> None:
    run_frame(uncomputed, 0)
    uncomputed.session.go_to(2)
    uncomputed.paint(2)
    uncomputed.verdicts.give("accept")
    assert uncomputed.given() == []
    assert "Frame 2 is not computed" in uncomputed.session.viewer.status


def test_a_heatmap_is_judged_on_a_range_that_has_it(uncomputed: Review) -> None:
    uncomputed.run(stages=None)
    uncomputed.session.run(RunRequest(stages=("encoder_5",)), "current")
    uncomputed.finish(uncomputed.session)
    uncomputed.verdicts.give_on_heatmap("plausible")
    assert len(uncomputed.events("verdict")) == 1
    uncomputed.verdicts.choice.choose("case")
    uncomputed.verdicts.give_on_heatmap("implausible")
    assert len(uncomputed.events("verdict")) == 1
    assert "3 of these 4 frames have no heatmap of encoder_5 yet" in uncomputed.session.viewer.status
    uncomputed.run()
    uncomputed.verdicts.give_on_heatmap("implausible")
    assert len(uncomputed.events("verdict")) == 2


def test_a_verdict_can_be_taken_back_before_its_frame_is_computed_again(read: Review) -> None:
    read.verdicts.give("accept")
    assert read.session.review is not None
    read.session.review.clear()
    read.verdicts.give("reject")
    assert read.given() == [(0, 0, "accept")]
    read.verdicts.take_back()
    assert read.given() == []


def test_the_widget_says_so_and_takes_no_verdict(
    uncomputed: Review, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_segcam.viewer.widgets.verdicts.verdict_widget.session_of", lambda _viewer: uncomputed.session
    )
    widget = VerdictWidget(uncomputed.session.viewer)
    qtbot.addWidget(widget)
    widget.controller = uncomputed.verdicts
    widget.refresh()
    assert widget.given.text() == "Frame 0 is not computed, so it has no mask to judge. Run Segmentation first."
    assert not widget.mask.isEnabled()
    assert not widget.grades.isEnabled()
    box = widget.reasons.boxes["missed"]
    box.click()
    assert not box.isChecked()
    assert not uncomputed.events("verdict")
    widget.controller.choice.choose("finding")
    widget.refresh()
    assert widget.scope.currentText() == "A finding (not computed)"
    uncomputed.run(stages=None)
    widget.controller.choice.choose("frame")
    widget.refresh()
    assert widget.given.text() == "No verdict here yet."
    assert widget.mask.isEnabled()


def test_an_earlier_verdict_on_an_unseen_mask_says_so() -> None:
    verdict = Verdict(case="c1", first=3, last=3, value="accept", saw_prediction=False)
    assert verdict_in_words(verdict, ReadingState()) == "accepted unseen"
    assert verdict_in_words(verdict.model_copy(update={"saw_prediction": True}), ReadingState()) == "accepted"
