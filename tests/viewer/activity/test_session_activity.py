"""The activity dock: a bar while the worker is busy for longer than a moment, and none afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from napari.utils import progress
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.activity import session_activity
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.worker.worker import Job


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_activity, "_DELAY_MS", 20)
    monkeypatch.setattr(session_activity, "_REFRESH_MS", 20)


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
