"""The activity dock: a bar while the worker is busy for longer than a moment, and none afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from napari.utils import progress
from napari.utils.progress import cancelable_progress
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.pacs.pacs_controller import PacsController
from napari_segcam.viewer.project.reader_jobs import ReaderJobs
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.worker import activity_bar
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_bar, "DELAY_MS", 20)
    monkeypatch.setattr(activity_bar, "REFRESH_MS", 20)


def bars() -> list[str]:
    return [bar.desc.removesuffix(": ") for bar in progress._all_instances]


@pytest.mark.parametrize("method", ["start_job", "submit"])
def test_a_job_has_a_bar_until_it_ends(session: ReviewSession, qtbot: QtBot, method: str) -> None:
    may_end = threading.Event()

    def work() -> Iterator[None]:
        may_end.wait(20)
        yield None

    getattr(session, method)(Job("load", "Loading a network", work))
    qtbot.waitUntil(lambda: "Loading a network" in bars())
    assert bars().count("Loading a network") == 1
    may_end.set()
    qtbot.waitUntil(lambda: "Loading a network" not in bars())


def test_a_job_that_fails_leaves_no_bar(session: ReviewSession, qtbot: QtBot) -> None:
    may_end = threading.Event()

    def work() -> Iterator[None]:
        may_end.wait(20)
        raise OSError("the disk is gone")
        yield

    session.submit(Job("load", "Failing", work))
    qtbot.waitUntil(lambda: "Failing" in bars())
    may_end.set()
    qtbot.waitUntil(lambda: "Failing" not in bars())


def test_a_short_job_has_none(session: ReviewSession, qtbot: QtBot) -> None:
    session.submit(Job("load", "Short", lambda: iter([None])))
    qtbot.wait(200)
    assert "Short" not in bars()


def bar_of(words: str) -> progress | None:
    return next((bar for bar in progress._all_instances if bar.desc.removesuffix(": ") == words), None)


def test_cancel_in_the_dock_stops_a_job_in_the_background(session: ReviewSession, qtbot: QtBot) -> None:
    may_go_on = threading.Event()

    def work() -> Iterator[Progress]:
        for number in range(1, 100):
            yield Progress(number, 100, f"{number} written")
            if number == 30:
                may_go_on.wait(20)

    shown: list[int] = []
    session.background.start(lambda _cancelled: Job("export", "Writing 100 files", work, 100))
    qtbot.waitUntil(lambda: bar_of("Writing 100 files") is not None)
    bar = bar_of("Writing 100 files")
    assert isinstance(bar, cancelable_progress)
    bar.events.value.connect(lambda event: shown.append(event.value))
    qtbot.waitUntil(lambda: bar.n == 30)
    bar.cancel()  # as napari does for a click on Cancel
    may_go_on.set()
    qtbot.waitUntil(lambda: bar_of("Writing 100 files") is None)
    assert session.background.progress is not None
    assert session.background.progress.words == "Writing 100 files: stopped. 30 written"
    assert sorted(shown) == shown  # it never goes back


def test_what_keeps_a_users_work_has_no_cancel(session: ReviewSession, qtbot: QtBot) -> None:
    may_end = threading.Event()

    def work() -> Iterator[None]:
        may_end.wait(20)
        yield None

    session.submit(Job("save", "Saving corrections", work))
    qtbot.waitUntil(lambda: bar_of("Saving corrections") is not None)
    assert not isinstance(bar_of("Saving corrections"), cancelable_progress)
    may_end.set()
    qtbot.waitUntil(lambda: bar_of("Saving corrections") is None)


def test_a_project_that_is_read_has_one_bar_with_cancel(session: ReviewSession, qtbot: QtBot) -> None:
    """By the reader, or by the session's worker, which has a bar of its own."""
    reader = ReaderJobs(session)
    for worker in (None, session.worker):
        may_end = threading.Event()

        def work(may_end: threading.Event = may_end) -> Iterator[None]:
            may_end.wait(20)
            yield None

        reader.start("Reading the review", Job("open", "Opening", work), worker)
        qtbot.waitUntil(lambda: bar_of("Reading the review") is not None)
        qtbot.wait(60)
        assert bars() == ["Reading the review"]
        bar = bar_of("Reading the review")
        assert isinstance(bar, cancelable_progress)
        bar.cancel()
        assert not reader.is_busy
        may_end.set()
        qtbot.waitUntil(lambda: not bars())


def test_each_wait_for_a_pacs_has_a_bar_with_cancel(session: ReviewSession, qtbot: QtBot) -> None:
    seen = threading.Event()

    def work() -> Iterator[None]:
        while not job.cancelled:
            seen.wait(0.01)
        yield None

    pacs = next(child for child in session.children() if isinstance(child, PacsController))
    job = Job("pacs", "Listing the images of a series", work)
    lane = pacs.threads.listing
    lane.start(job)
    qtbot.waitUntil(lambda: bar_of(job.title) is not None)
    bar = bar_of(job.title)
    assert isinstance(bar, cancelable_progress)
    bar.cancel()
    qtbot.waitUntil(lambda: not lane.is_busy and bar_of(job.title) is None)
    assert job.cancelled


def test_the_log_says_once_in_a_run_when_the_first_heat_came(
    reviewed: ReviewSession, caplog: pytest.LogCaptureFixture, finish: Callable[[ReviewSession], None]
) -> None:
    def said() -> int:
        records = [*caplog.get_records("setup"), *caplog.get_records("call")]
        return sum(record.getMessage().startswith("The first heat of a run came after ") for record in records)

    assert said() == 1  # of four frames
    reviewed.run(RunRequest(), "current")  # without stages
    finish(reviewed)
    assert said() == 1


def test_what_is_done_meanwhile_has_a_bar_with_cancel(session: ReviewSession, qtbot: QtBot) -> None:
    may_go_on, steps = threading.Event(), []

    def work() -> Iterator[None]:
        for number in range(100):
            steps.append(number)
            yield None
            if number == 1:
                may_go_on.wait(20)

    session.submit(Job("prefetch", "Preparing the next case", work, in_background=True))
    qtbot.waitUntil(lambda: bar_of("Preparing the next case") is not None)
    bar = bar_of("Preparing the next case")
    assert isinstance(bar, cancelable_progress)
    bar.cancel()
    may_go_on.set()
    qtbot.waitUntil(lambda: bar_of("Preparing the next case") is None)
    assert len(steps) < 5
