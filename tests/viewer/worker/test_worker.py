from __future__ import annotations

import threading
from collections.abc import Iterator

from pytestqt.qtbot import QtBot

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.worker.worker import Job, Worker


def now(call) -> None:  # type: ignore[no-untyped-def]
    call()


def test_a_job_tells_of_each_result_and_of_its_end() -> None:
    results, ends = [], []
    Job("count", "Counting", lambda: iter(range(3)), 3, results.append, ends.append).run(now)
    assert results == [0, 1, 2]
    assert ends == [None]


def test_cancel_works_between_results() -> None:
    results, ends = [], []

    def take(result: int) -> None:
        results.append(result)
        if result == 1:
            job.cancel()

    job = Job("count", "Counting", lambda: iter(range(10)), 10, take, ends.append)
    job.run(now)
    assert results == [0, 1]
    assert ends == [None]


def test_a_job_that_was_cancelled_first_does_nothing() -> None:
    started = []

    def work() -> Iterator[int]:
        started.append(True)
        yield 1

    job = Job("count", "Counting", work)
    job.cancel()
    job.run(now)
    assert started == []


def test_the_users_faults_come_in_their_words_and_ours_say_so() -> None:
    def users_fault() -> Iterator[int]:
        raise SegcamError("There is no file x.pth.")
        yield

    def our_fault() -> Iterator[int]:
        yield 1 // 0

    ends: list[str | None] = []
    for work in (users_fault, our_fault):
        Job("load", "Loading x.pth", work, on_done=ends.append).run(now)
    assert ends[0] == "There is no file x.pth."
    assert ends[1] is not None
    assert "Loading x.pth failed unexpectedly" in ends[1]
    assert "ZeroDivisionError" in ends[1]


def test_work_runs_in_one_other_thread_and_callbacks_in_this_one(qtbot: QtBot) -> None:
    worked, told, ended = set(), set(), []

    def work() -> Iterator[int]:
        worked.add(threading.get_ident())
        yield 1

    worker = Worker(lambda: worked.add(threading.get_ident()))
    for _ in range(3):
        worker.submit(
            Job("w", "Working", work, 1, lambda _: told.add(threading.get_ident()), lambda _: ended.append(True))
        )
    qtbot.waitUntil(lambda: len(ended) == 3)
    worker.stop()
    assert told == {threading.get_ident()}
    assert len(worked) == 1
    assert worked != told


def test_the_background_waits_for_all_else_between_two_steps(qtbot: QtBot) -> None:
    order: list[str] = []
    under_way = threading.Event()

    def slowly() -> Iterator[int]:
        for step in range(3):
            order.append(f"step {step}")
            under_way.set()
            yield step
            if step == 0:
                submitted.wait(10)

    submitted = threading.Event()
    standing = [Job("frame", "Frame", lambda: iter([order.append("frame")]))]
    worker = Worker()
    ended: list[str | None] = []
    worker.submit(Job("export", "Exporting", slowly, on_done=ended.append, in_background=True))
    assert under_way.wait(10)
    worker.find_job = lambda: standing.pop() if standing else None
    worker.submit(Job("load", "Loading", lambda: iter([order.append("load")])))
    submitted.set()
    qtbot.waitUntil(lambda: len(ended) == 1)
    worker.stop()
    assert ended == [None]
    assert [word for word in order if word.startswith("step")] == ["step 0", "step 1", "step 2"]
    assert order.index("load") < order.index("frame") < order.index("step 2")


def test_a_job_in_the_background_that_is_given_up_tidies_up_in_the_worker(qtbot: QtBot) -> None:
    tidied: list[int] = []
    worked: list[int] = []

    def work() -> Iterator[int]:
        worked.append(threading.get_ident())
        try:
            while True:
                yield 1
        finally:
            tidied.append(threading.get_ident())

    worker = Worker()
    worker.submit(Job("export", "Exporting", work, on_result=lambda _: worker.stop(), in_background=True))
    qtbot.waitUntil(lambda: bool(tidied))
    assert tidied == worked
