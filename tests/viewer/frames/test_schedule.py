"""The schedule: which frame comes next."""

from __future__ import annotations

from napari_segcam.viewer.frames.schedule import Schedule


def order(schedule: Schedule) -> list[int]:
    taken: list[int] = []
    while (frame := schedule.take()) is not None:
        taken.append(frame)
        schedule.end(frame)
    return taken


def test_the_frame_in_view_comes_first_and_those_ahead_before_those_behind() -> None:
    schedule = Schedule(9)
    schedule.look_at(3)
    schedule.look_at(4)
    schedule.start("all", range(9))
    assert order(schedule) == [4, 5, 6, 3, 7, 8, 2, 1, 0]


def test_going_back_turns_the_order() -> None:
    schedule = Schedule(6)
    schedule.look_at(5)
    schedule.look_at(3)
    schedule.start("all", range(6))
    assert order(schedule)[:4] == [3, 2, 1, 4]


def test_playing_in_a_loop_goes_on_forward() -> None:
    schedule = Schedule(10)
    for frame in (8, 9, 0):
        schedule.look_at(frame)
    schedule.start("all", range(10))
    assert order(schedule)[:3] == [0, 1, 2]


def test_whatever_was_asked_before_the_newest_frame_comes_first() -> None:
    schedule = Schedule(100)
    schedule.start("all", range(100))
    schedule.take()
    schedule.look_at(70)
    assert [schedule.take() for _ in range(3)] == [70, 71, 72]


def test_one_frame_is_the_one_that_was_in_view() -> None:
    schedule = Schedule(5)
    schedule.look_at(2)
    schedule.start("this", range(5))
    schedule.look_at(4)
    assert order(schedule) == [2]


def test_following_stays_with_what_is_ahead() -> None:
    schedule = Schedule(100)
    schedule.start("follow", range(100))
    schedule.look_at(50)
    assert order(schedule) == list(range(50, 59))
    schedule.look_at(20)
    assert order(schedule) == list(range(20, 11, -1))


def test_only_the_nearest_are_computed_where_there_is_no_room_for_more() -> None:
    schedule = Schedule(50)
    schedule.limit(6)
    schedule.look_at(10)
    schedule.start("all", range(50))
    assert sorted(order(schedule)) == [9, 10, 11, 12, 13, 14]
    schedule.look_at(30)
    assert schedule.take() == 30


def test_a_frame_is_taken_once_until_it_is_wanted_again() -> None:
    schedule = Schedule(5)
    schedule.start("all", [1, 3])
    assert schedule.remaining() == 2
    assert sorted(order(schedule)) == [1, 3]
    assert schedule.remaining() == 0
    schedule.want(3)
    assert order(schedule) == [3]


def test_a_frame_that_is_being_computed_still_remains() -> None:
    schedule = Schedule(3)
    schedule.start("all", range(3))
    taken = schedule.take()
    assert taken is not None
    assert schedule.remaining() == 3
    schedule.end(taken)
    assert schedule.remaining() == 2


def test_nothing_comes_after_a_stop() -> None:
    schedule = Schedule(5)
    assert schedule.take() is None
    schedule.start("all", range(5))
    schedule.stop()
    assert schedule.take() is None
    assert schedule.remaining() == 0


def test_only_what_the_scope_asks_for_is_awaited() -> None:
    schedule = Schedule(6)
    schedule.look_at(2)
    schedule.start("this", range(6))
    schedule.look_at(3)
    assert [schedule.awaits(frame) for frame in (2, 3)] == [True, False]
    assert schedule.take() == 2
    assert schedule.awaits(2)
    schedule.end(2)
    assert not schedule.awaits(2)
