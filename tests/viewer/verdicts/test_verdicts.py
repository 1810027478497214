"""Verdicts: given, changed, taken back, carried over a range; each says what was seen before it."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from tests.viewer.verdicts.one_case import Review


def test_a_verdict_is_on_the_frame_in_view(read: Review) -> None:
    read.session.go_to(2)
    read.verdicts.give("accept")
    assert read.given() == [(2, 2, "accept")]
    assert read.verdicts.given.row().tolist() == [0, 0, 1, 0]


def test_a_verdict_can_be_changed_and_is_not_given_twice(read: Review) -> None:
    for value in ("accept", "reject", "reject"):
        read.verdicts.give(value)
    assert read.given() == [(0, 0, "reject")]
    assert [event.value for event in read.events("verdict")] == ["accept", "reject"]


def test_reasons_are_those_of_the_project_and_several_may_be_given(read: Review) -> None:
    read.verdicts.toggle_reason_number(2)
    read.verdicts.toggle_reason("false positive")
    read.verdicts.toggle_reason("no reason of this project")
    read.verdicts.toggle_reason_number(9)
    (verdict,) = read.project.state.verdicts
    assert (verdict.value, verdict.reasons) == ("reject", ("false positive", "missed"))
    read.verdicts.toggle_reason_number(2)
    assert read.project.state.verdicts[0].reasons == ("false positive",)


def test_a_range_is_from_its_mark_to_the_frame_in_view_and_ends_with_the_next_step(read: Review) -> None:
    read.session.go_to(3)
    read.verdicts.choice.mark_start()
    read.session.go_to(1)
    read.verdicts.give("reject")
    read.verdicts.toggle_reason("missed")  # of the same range
    assert read.given() == [(1, 3, "reject")]
    assert read.project.state.verdicts[0].reasons == ("missed",)
    read.session.go_to(0)
    read.verdicts.give("accept")
    assert read.given() == [(1, 3, "reject"), (0, 0, "accept")]
    assert read.verdicts.given.row().tolist() == [1, 3, 3, 3]


def test_a_range_with_both_marks_stays_while_the_reader_looks_around(read: Review) -> None:
    read.verdicts.choice.mark_start()
    read.session.go_to(2)
    read.verdicts.choice.mark_end()
    read.session.go_to(3)
    read.verdicts.give("accept")
    assert read.given() == [(0, 2, "accept")]


def test_the_verdict_of_a_frame_is_carried_over_a_range(read: Review) -> None:
    read.verdicts.give("accept")
    read.verdicts.choice.mark_start()
    read.session.go_to(3)
    read.verdicts.give("accept")
    assert read.verdicts.given.row().tolist() == [1, 1, 1, 1]


def test_taking_back_removes_the_verdict_that_holds_here(read: Review) -> None:
    read.verdicts.choice.choose("case")
    read.verdicts.give("accept")
    read.verdicts.choice.choose("frame")
    read.session.go_to(1)
    read.verdicts.give("reject")
    read.verdicts.take_back()
    assert read.given() == [(None, None, "accept")]
    read.verdicts.take_back()
    assert read.given() == []
    assert "accepted" in read.session.viewer.status
    read.verdicts.take_back()
    assert "no verdict here" in read.session.viewer.status
    assert len(read.events("verdict")) == 4  # nothing is removed from the log


def test_undo_and_redo(read: Review) -> None:
    read.verdicts.give("accept")
    read.verdicts.give("reject")
    read.project.undo()
    assert read.given() == [(0, 0, "accept")]
    read.project.undo()
    assert read.given() == []
    read.project.redo()
    assert read.given() == [(0, 0, "accept")]


def test_a_verdict_on_a_finding_names_it_and_a_pixel_in_it(read: Review) -> None:
    read.paint(1, slice(5, 20), slice(5, 20))
    read.session.go_to(1)
    layers = read.session.layers()
    assert layers is not None
    pixels = layers.corrections.pixels(1)
    assert pixels is not None
    pixels[:] = 0
    pixels[5:10, 5:10] = 1
    pixels[40:60, 30:50] = 1
    read.verdicts.choice.choose("finding")
    read.session.viewer.cursor.position = (1, 7, 8)
    read.verdicts.give("reject")
    read.session.viewer.cursor.position = (1, 90, 2)  # beside both: the largest
    read.verdicts.give("accept")
    small, large = [one for one in read.project.state.verdicts if one.finding is not None]
    assert (small.first, small.last, small.finding, small.point, small.value) == (1, 1, 1, (7.0, 8.0), "reject")
    assert (large.finding, large.value) == (2, "accept")
    assert pixels[int(large.point[0]), int(large.point[1])] == 1
    assert large.point[0] >= 40


def test_no_finding_is_said(read: Review) -> None:
    read.paint(0)
    layers = read.session.layers()
    assert layers is not None
    pixels = layers.corrections.pixels(0)
    assert pixels is not None
    pixels[:] = 0
    read.verdicts.choice.choose("finding")
    read.verdicts.give("reject")
    assert read.given() == [(0, 0, "correct")]  # of the stroke
    assert "no finding in this frame" in read.session.viewer.status


def test_grades_and_the_heatmap_in_view(read: Review) -> None:
    read.verdicts.grade(4)
    read.verdicts.give_on_heatmap("implausible")
    assert read.verdicts.given.grade() == 4
    heat = [one for one in read.project.state.verdicts if one.about == "heatmap"]
    assert [(one.stage, one.value, one.first) for one in heat] == [("encoder_5", "implausible", 0)]
    assert read.verdicts.given.frame_words(0) == "heatmap of encoder_5: implausible, grade 4"
    read.verdicts.give_on_heatmap(None)
    read.verdicts.grade(None)
    assert read.verdicts.given.frame_words(0) == ""


def test_there_is_no_verdict_on_a_heatmap_that_is_not_visible(read: Review) -> None:
    layers = read.session.layers()
    assert layers is not None
    layers.heatmaps["encoder_5"].visible = False
    read.verdicts.give_on_heatmap("plausible")
    assert not read.events("verdict")
    assert "No heatmap is visible" in read.session.viewer.status


def test_the_verdict_is_on_the_canvas_at_once(read: Review) -> None:
    read.verdicts.toggle_reason("missed")
    assert "verdict: rejected (missed)" in read.session.view.of_frame
    read.session.go_to(1)
    assert "verdict" not in read.session.view.of_frame


def test_a_still_is_judged_as_a_whole(opened: Review, frames: np.ndarray) -> None:
    opened.project.open()
    opened.session.viewer.add_image(frames[0], name="still")
    opened.project.read("s1")
    opened.run(stages=None)
    assert opened.verdicts.choice.scopes == ("case", "finding")
    opened.verdicts.give("accept")
    assert opened.given() == [(None, None, "accept")]
    opened.verdicts.choice.mark_start()
    assert opened.verdicts.choice.scope == "case"


def test_without_a_project_it_is_said_how_to_keep_verdicts(opened: Review, frames: np.ndarray) -> None:
    opened.session.viewer.add_image(frames, name="sweep")
    opened.verdicts.give("accept")
    assert "review project" in opened.session.viewer.status
    opened.verdicts.done_and_next()
    assert opened.project.finished == 0


def test_done_marks_the_case_and_goes_on(read: Review) -> None:
    read.verdicts.done_and_next()
    assert read.project.state.is_done
    assert read.project.finished == 1


def test_it_goes_on_by_itself_after_the_last_verdict_if_asked_to(read: Review) -> None:
    read.verdicts.goes_on = True
    read.verdicts.choice.mark_start()
    read.session.go_to(2)
    read.verdicts.give("accept")
    assert read.project.finished == 0
    read.session.go_to(3)
    read.verdicts.give("reject")
    assert read.project.finished == 1
    read.session.go_to(0)
    read.verdicts.give("reject")  # a change of mind in a complete case
    assert read.project.finished == 1


# What was seen


def test_a_verdict_says_what_was_seen_before_it(opened: Review, frames: np.ndarray) -> None:
    opened.project.open()
    opened.session.viewer.add_image(frames, name="sweep")
    opened.project.read("c1")
    opened.session.go_to(0)
    opened.run(stages=None)
    opened.verdicts.give("reject")
    opened.run()
    opened.verdicts.give("accept")
    seen = [(one.saw_prediction, one.saw_heatmap) for one in opened.events("verdict")]
    assert seen == [(True, False), (True, True)]
    for verdict in opened.events("verdict"):
        before = [one for one in opened.events("shown") if one.n < verdict.n]
        assert any(one.prediction for one in before) == verdict.saw_prediction


def test_what_is_visible_is_kept_when_it_settles(read: Review, qtbot: QtBot) -> None:
    qtbot.wait(800)
    count = len(read.events("shown"))
    read.session.go_to(2)
    read.session.go_to(3)
    qtbot.waitUntil(lambda: len(read.events("shown")) > count, timeout=3000)
    assert [(one.frame, one.prediction, one.heatmaps, one.threshold) for one in read.events("shown")[count:]] == [
        (3, True, ("encoder_5",), 0.5)
    ]
    layers = read.session.layers()
    assert layers is not None
    assert layers.mask is not None
    layers.mask.visible = False
    layers.heatmaps["encoder_5"].visible = False
    qtbot.waitUntil(lambda: not read.events("shown")[-1].prediction, timeout=3000)
    assert read.events("shown")[-1].heatmaps == ()


# Painting


def test_painting_is_a_verdict_and_is_undone_with_it(read: Review, qtbot: QtBot) -> None:
    read.session.go_to(1)
    read.paint(1)
    assert read.given() == [(1, 1, "correct")]
    read.paint(1, slice(30, 40))  # a second stroke is no second verdict
    assert len(read.events("verdict")) == 1
    read.project.undo()
    qtbot.wait(50)
    assert read.given() == [(1, 1, "correct")]
    read.project.undo()
    qtbot.waitUntil(lambda: not read.project.state.corrections, timeout=1000)
    assert read.given() == []
    read.project.redo()
    qtbot.waitUntil(lambda: bool(read.given()), timeout=1000)
    assert len(read.project.state.corrections) == 1


def test_a_discarded_correction_takes_its_verdict_back(read: Review, qtbot: QtBot) -> None:
    read.paint(0)
    read.project.log.correct(read.project.reading, 0, None)
    read.project.state_changed.emit()
    assert read.given() == []
    read.project.undo()
    qtbot.waitUntil(lambda: bool(read.project.state.corrections), timeout=1000)
    assert read.given() == [(0, 0, "correct")]


@pytest.mark.parametrize("frame", [0, 2])
def test_words_and_row_agree_with_the_state(read: Review, frame: int) -> None:
    """The row is what ``verdict_at`` says, frame by frame."""
    read.verdicts.choice.choose("case")
    read.verdicts.give("accept")
    read.verdicts.choice.choose("frame")
    read.session.go_to(frame)
    read.verdicts.choice.mark_start()
    read.session.go_to(1)
    read.verdicts.give("reject")
    codes = {"accept": 1, "correct": 2, "reject": 3}
    expected = [codes[read.project.state.verdict_at(number).value] for number in range(4)]
    assert read.verdicts.given.row().tolist() == expected
    assert set(expected) == {1, 3}
