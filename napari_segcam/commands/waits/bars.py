"""Bars on a terminal, and lines in a pipe or a file, for work that takes long."""

from __future__ import annotations

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
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from napari_segcam.commands.terminal import duration

LINE_SECONDS = 10.0
"""How often work says in a pipe or a file how far it is."""


def progress_on(console: Console, *columns: ProgressColumn, speed_window: float = 30) -> Progress:
    """Return a progress bar with the count, the time passed and the time left; where that cannot be drawn, lines.

    Args:
        console: to show it on.
        columns: more columns, after the count.
        speed_window: the speed is that of the last so many seconds.
    """
    kind = Progress if console.is_terminal else LineProgress
    return kind(
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


class LineProgress(Progress):
    """Progress where no bar can be drawn: a line from time to time says how far the task is that changed last."""

    def __init__(self, *columns: str | ProgressColumn, **settings: Any) -> None:
        super().__init__(*columns, disable=True, **settings)  # tasks are counted, nothing is drawn
        self._changed: TaskID | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="segcam-progress", daemon=True)

    def start(self) -> None:
        """Begin to print lines."""
        super().start()
        self._thread.start()

    def stop(self) -> None:
        """Print no more lines."""
        super().stop()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()  # no line comes after the end

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task; see ``rich.progress.Progress``."""
        super().update(task_id, **changes)
        self._changed = task_id

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Count steps of a task; see ``rich.progress.Progress``."""
        super().advance(task_id, advance)
        self._changed = task_id

    def _tell(self) -> None:
        while not self._over.wait(LINE_SECONDS):
            shown = [task for task in self.tasks if task.visible and not task.finished]
            if shown:
                task = next((one for one in shown if one.id == self._changed), shown[0])
                self.console.print(_line(task), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def waiting(console: Console, words: str) -> Iterator[None]:
    """Show that something takes time of which nobody knows how much: a moving bar, or lines where none can be drawn.

    Args:
        console: to show it on.
        words: what is done, such as "Loading net.pth …".
    """
    kind = Progress if console.is_terminal else LineProgress
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn())
    with kind(*columns, console=console, transient=True) as progress:
        progress.add_task(words, total=None)
        yield


def _line(task: Task) -> str:
    """Return how far a task is, such as "Images: 12 of 200, 40 s, about 12 min left"."""
    passed = duration(task.elapsed or 0)
    if not task.total:
        return f"{task.description.removesuffix(' …')} … {passed}"
    size = task.fields.get("size")
    left = f"about {duration(task.time_remaining)} left" if task.time_remaining else ""
    counts = f"{int(task.completed)} of {int(task.total)}"
    return f"{task.description}: {', '.join(filter(None, (counts, size, passed, left)))}"
