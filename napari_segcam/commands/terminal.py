"""The terminal: progress bars with the time left, and Ctrl-C that ends the work cleanly."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from napari_segcam.errors import printable

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells expect it."""


class PlainConsole(Console):
    """A console that prints texts from files, such as names and warnings, without their control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text, keep="\n\t"), **options)


def progress_on(console: Console, *columns: ProgressColumn, speed_window: float = 30) -> Progress:
    """Return a progress bar with the count, the time passed and the time left.

    Args:
        console: to show it on.
        columns: more columns, after the count.
        speed_window: the speed is that of the last so many seconds.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=speed_window,
    )


@contextmanager
def stoppable(console: Console, answer: str = "Stopping after this run of the network …") -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets, with an answer to the user. A second Ctrl-C interrupts at once, as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield stop
        return

    def on_interrupt(_number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, previous_handler)
        console.print(answer)

    previous_handler = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous_handler)


def duration(seconds: float) -> str:
    """Return a time as people say it: ``"40 s"``, ``"12 min"``, ``"3 h 20 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
