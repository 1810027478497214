"""The schedule: which frame is computed next."""

from __future__ import annotations

from napari_segcam.viewer.frames.schedule import Schedule


def order(schedule: Schedule) -> list[int]:
    """Take all frames; return them in the order in which they were taken."""
    frames: list[int] = []
    while (frame := schedule.take_next()) is not None:
        frames.append(frame)
        schedule.finish(frame)
    return frames


def test_the_frame_in_view_is_first_and_frames_ahead_are_before_those_behind() -> None:
    schedule = Schedule(9)
    schedule.set_current_frame(3)
    schedule.set_current_frame(4)
    schedule.start("all", range(9))
    assert order(schedule) == [4, 5, 6, 3, 7, 8, 2, 1, 0]


def test_going_back_reverses_the_order() -> None:
    schedule = Schedule(6)
    schedule.set_current_frame(5)
    schedule.set_current_frame(3)
    schedule.start("all", range(6))
    assert order(schedule)[:4] == [3, 2, 1, 4]


def test_playing_in_a_loop_continues_forward() -> None:
    schedule = Schedule(10)
    for frame in (8, 9, 0):
        schedule.set_current_frame(frame)
    schedule.start("all", range(10))
    assert order(schedule)[:3] == [0, 1, 2]


def test_the_newest_frame_comes_before_all_that_was_requested_earlier() -> None:
    schedule = Schedule(100)
    schedule.start("all", range(100))
    schedule.take_next()
    schedule.set_current_frame(70)
    assert [schedule.take_next() for _ in range(3)] == [70, 71, 72]


def test_the_current_frame_is_the_one_in_view_at_the_start() -> None:
    schedule = Schedule(5)
    schedule.set_current_frame(2)
    schedule.start("current", range(5))
    schedule.set_current_frame(4)
    assert order(schedule) == [2]


def test_visited_frames_are_the_one_in_view_and_those_ahead() -> None:
    schedule = Schedule(100)
    schedule.start("visited", range(100))
    schedule.set_current_frame(50)
    assert order(schedule) == list(range(50, 59))
    schedule.set_current_frame(20)
    assert order(schedule) == list(range(20, 11, -1))


def test_only_the_nearest_frames_are_computed_if_there_is_no_room_for_more() -> None:
    schedule = Schedule(50)
    schedule.set_capacity(6)
    schedule.set_current_frame(10)
    schedule.start("all", range(50))
    assert sorted(order(schedule)) == [9, 10, 11, 12, 13, 14]
    schedule.set_current_frame(30)
    assert schedule.take_next() == 30


def test_a_frame_is_taken_once_until_it_is_missing_again() -> None:
    schedule = Schedule(5)
    schedule.start("all", [1, 3])
    assert schedule.pending_count() == 2
    assert sorted(order(schedule)) == [1, 3]
    assert schedule.pending_count() == 0
    schedule.mark_missing(3)
    assert order(schedule) == [3]


def test_a_frame_that_is_being_computed_is_still_pending() -> None:
    schedule = Schedule(3)
    schedule.start("all", range(3))
    frame = schedule.take_next()
    assert frame is not None
    assert schedule.pending_count() == 3
    schedule.finish(frame)
    assert schedule.pending_count() == 2


def test_nothing_comes_after_a_stop() -> None:
    schedule = Schedule(5)
    assert schedule.take_next() is None
    schedule.start("all", range(5))
    schedule.stop()
    assert schedule.take_next() is None
    assert schedule.pending_count() == 0


def test_only_frames_within_the_scope_are_pending() -> None:
    schedule = Schedule(6)
    schedule.set_current_frame(2)
    schedule.start("current", range(6))
    schedule.set_current_frame(3)
    assert [schedule.is_pending(frame) for frame in (2, 3)] == [True, False]
    assert schedule.take_next() == 2
    assert schedule.is_pending(2)
    schedule.finish(2)
    assert not schedule.is_pending(2)
