"""The worker of a session: it ends with the window, even while something still holds the session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from pytestqt.qtbot import QtBot

from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.worker.worker import Job


def thread_of(session: ReviewSession, qtbot: QtBot) -> threading.Thread:
    found: list[threading.Thread] = []

    def find() -> Iterator[None]:
        found.append(threading.current_thread())
        yield None

    session.submit(Job("thread", "Finding the thread", find))
    qtbot.waitUntil(lambda: bool(found), timeout=60_000)
    return found[0]


def endless() -> Iterator[None]:
    while True:
        time.sleep(0.01)
        yield None


def test_nothing_is_computed_for_a_closed_window(make_napari_viewer: Callable[..., Any], qtbot: QtBot) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)  # held to the end, as garbage that is not collected yet
    thread = thread_of(session, qtbot)
    session.submit(Job("doubt", "Measuring doubt", endless, in_background=True))
    qtbot.waitUntil(lambda: session.worker.background_job is not None, timeout=30_000)
    viewer.close()
    qtbot.waitUntil(lambda: not thread.is_alive(), timeout=30_000)
    assert session.viewer is not None


def test_what_was_submitted_is_done_before_the_worker_ends(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)
    thread = thread_of(session, qtbot)
    written: list[str] = []

    def write() -> Iterator[None]:
        time.sleep(0.2)
        written.append("written")
        yield None

    session.submit(Job("export", "Writing", write))
    session.submit(Job("export", "Writing", write))
    viewer.close()
    qtbot.waitUntil(lambda: not thread.is_alive(), timeout=30_000)
    assert written == ["written"] * 2
