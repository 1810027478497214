"""The terminal: progress with the time left, and Ctrl-C that lets the work come to a clean end."""

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


class PlainConsole(Console):
    """A console that shows texts from files, such as names and warnings, without letting the terminal obey them."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(printable(text, keep="\n\t"), **how)


def progress_on(console: Console, *columns: ProgressColumn, remembered: float = 30) -> Progress:
    """A bar with the count, the time passed and the time left.

    Args:
        console: to show it on.
        columns: to be shown after the count.
        remembered: the seconds from which the speed is judged.
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
        speed_estimate_period=remembered,
    )


@contextmanager
def stoppable(console: Console) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets. Pressed once more it interrupts at once, as ever."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only there can signals be heeded
        yield stop
        return

    def on_interrupt(_number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)
        console.print("Stopping after this run of the network …")

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def duration(seconds: float) -> str:
    """Seconds as people say them: ``"40 s"``, ``"12 min"``, ``"3 h 20 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
