"""A bar on a terminal; in a pipe a line from time to time, also while one step takes long."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from napari_segcam.commands.waits import bars
from napari_segcam.commands.waits.bars import progress_on, waiting


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LINE_SECONDS", 0.05)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=terminal, width=100, _environ={"TERM": "xterm"}), file


def wait_for(file: io.StringIO, pattern: str) -> None:
    deadline = time.monotonic() + 10
    while not re.search(pattern, file.getvalue()):
        assert time.monotonic() < deadline, file.getvalue()
        time.sleep(0.01)


def test_lines_in_a_pipe_say_how_far_it_is() -> None:
    shown, file = console(terminal=False)
    with progress_on(shown) as progress:
        hidden = progress.add_task("Evidence", total=4, visible=False)
        task = progress.add_task("Images", total=None)
        wait_for(file, r"(?m)^Images … \d+ s$")
        progress.update(task, total=200)
        for _ in range(12):
            progress.advance(task)
        wait_for(file, r"(?m)^Images: 12 of 200, \d+ s")
        progress.update(hidden, completed=1, visible=True)
        wait_for(file, r"(?m)^Evidence: 1 of 4, \d+ s")
    said = file.getvalue()
    time.sleep(0.2)
    assert file.getvalue() == said  # nothing after the end
    assert "\x1b" not in said


def test_short_work_prints_nothing_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LINE_SECONDS", 60)
    shown, file = console(terminal=False)
    with waiting(shown, "Loading net.pth …"), progress_on(shown) as progress:
        progress.update(progress.add_task("Images", total=2), completed=2)
    assert file.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_waiting_shows_its_words_and_how_long(terminal: bool) -> None:
    shown, file = console(terminal=terminal)
    with waiting(shown, "Loading [net].pth …"):
        wait_for(file, r"Loading \[net\]\.pth … .*\d")


def test_a_bar_on_a_terminal_counts() -> None:
    shown, file = console(terminal=True)
    with progress_on(shown) as progress:
        progress.update(progress.add_task("Images", total=8), completed=3)
        progress.refresh()
    assert re.search(r"Images.*━.*3/8", file.getvalue())
