"""The worker: one other thread that runs jobs in order, and calls back in the main thread."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.worker.worker import Job, Worker


def call_at_once(callback: Callable[[], object]) -> None:
    callback()


def test_a_job_reports_each_result_and_its_end() -> None:
    results: list[int] = []
    ends: list[str | None] = []
    Job("count", "Counting", lambda: iter(range(3)), 3, results.append, ends.append).run(call_at_once)
    assert results == [0, 1, 2]
    assert ends == [None]


def test_cancel_works_between_results() -> None:
    results: list[int] = []
    ends: list[str | None] = []

    def take(result: int) -> None:
        results.append(result)
        if result == 1:
            job.cancel()

    job = Job("count", "Counting", lambda: iter(range(10)), 10, take, ends.append)
    job.run(call_at_once)
    assert results == [0, 1]
    assert ends == [None]


def test_a_job_that_is_cancelled_before_it_starts_does_nothing() -> None:
    started: list[bool] = []

    def work() -> Iterator[int]:
        started.append(True)
        yield 1

    job = Job("count", "Counting", work)
    job.cancel()
    job.run(call_at_once)
    assert started == []


def test_an_error_of_the_user_keeps_its_message_and_a_bug_is_named_as_one() -> None:
    def error_of_the_user() -> Iterator[int]:
        raise SegcamError("There is no file x.pth.")
        yield

    def bug() -> Iterator[int]:
        yield 1 // 0

    ends: list[str | None] = []
    for work in (error_of_the_user, bug):
        Job("load", "Loading x.pth", work, on_done=ends.append).run(call_at_once)
    assert ends[0] == "There is no file x.pth."
    assert ends[1] is not None
    assert "Loading x.pth failed unexpectedly" in ends[1]
    assert "ZeroDivisionError" in ends[1]


def test_work_runs_in_one_other_thread_and_callbacks_in_this_one(qtbot: QtBot) -> None:
    worker_threads, callback_threads = set(), set()
    ended: list[bool] = []

    def work() -> Iterator[int]:
        worker_threads.add(threading.get_ident())
        yield 1

    worker = Worker(lambda: worker_threads.add(threading.get_ident()))
    for _ in range(3):
        worker.submit(
            Job(
                "w",
                "Working",
                work,
                1,
                lambda _: callback_threads.add(threading.get_ident()),
                lambda _: ended.append(True),
            )
        )
    qtbot.waitUntil(lambda: len(ended) == 3)
    worker.stop()
    assert callback_threads == {threading.get_ident()}
    assert len(worker_threads) == 1
    assert worker_threads != callback_threads


def test_a_background_job_waits_for_all_others_between_two_steps(qtbot: QtBot) -> None:
    order: list[str] = []
    started, submitted = threading.Event(), threading.Event()

    def frame() -> Iterator[None]:
        order.append("frame")
        yield

    def load() -> Iterator[None]:
        order.append("load")
        yield

    def export() -> Iterator[int]:
        for step in range(3):
            order.append(f"step {step}")
            started.set()
            yield step
            if step == 0:
                submitted.wait(10)

    frame_jobs = [Job("frame", "Frame", frame)]
    worker = Worker()
    ended: list[str | None] = []
    worker.submit(Job("export", "Exporting", export, on_done=ended.append, in_background=True))
    assert started.wait(10)
    worker.find_job = lambda: frame_jobs.pop() if frame_jobs else None
    worker.submit(Job("load", "Loading", load))
    submitted.set()
    qtbot.waitUntil(lambda: len(ended) == 1)
    worker.stop()
    assert ended == [None]
    assert [event for event in order if event.startswith("step")] == ["step 0", "step 1", "step 2"]
    assert order.index("load") < order.index("frame") < order.index("step 2")


def test_a_background_job_that_is_stopped_cleans_up_in_the_worker(qtbot: QtBot) -> None:
    cleaned_up_in: list[int] = []
    worked_in: list[int] = []

    def work() -> Iterator[int]:
        worked_in.append(threading.get_ident())
        try:
            while True:
                yield 1
        finally:
            cleaned_up_in.append(threading.get_ident())

    worker = Worker()
    worker.submit(Job("export", "Exporting", work, on_result=lambda _: worker.stop(), in_background=True))
    qtbot.waitUntil(lambda: bool(cleaned_up_in))
    assert cleaned_up_in == worked_in


_ENDS_DURING_A_PASS = """
import threading
import torch
from qtpy.QtCore import QCoreApplication
from napari_segcam.viewer.worker.worker import Job, Worker

app = QCoreApplication([])
layer, has_begun = torch.nn.Conv2d(8, 8, 3), threading.Event()

def passes():
    while True:
        layer(torch.ones(1, 8, 500, 500, requires_grad=True)).sum().backward()
        has_begun.set()
        yield

worker = Worker()
worker.submit(Job("endless", "Endless", passes, in_background=True))
assert has_begun.wait(60)
"""


@pytest.mark.slow
def test_python_can_end_while_the_network_runs() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _ENDS_DURING_A_PASS], capture_output=True, text=True, check=False, timeout=120
    )
    assert process.returncode == 0, process.stderr
