"""A batch on the command line: what is about to be done, progress with rate and time left, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import ProgressColumn, Task
from rich.text import Text

from napari_segcam.commands.terminal import duration, progress_on, stoppable

if TYPE_CHECKING:
    from napari_segcam.batch.run import Batch

DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130
"""Exit codes."""

_REMEMBERED = 600  # seconds: a cine by a slow method takes minutes
_SHOWN = 20  # errors; a folder of another kind of files would fill the terminal


def run_on(console: Console, made: Callable[[Callable[[], bool]], Batch]) -> int:
    """Make a batch, run it with a progress bar, and say what came of it.

    Ctrl-C stops between two runs of the network; what is done by then is whole.

    Args:
        console: to write on.
        made: makes the batch, given what it is to ask whether to stop.

    Returns:
        The exit code: ``DONE``, ``SOME_FAILED`` or ``INTERRUPTED``.

    Raises:
        SegcamError: as ``Batch``.
    """
    with stoppable(console) as stop:
        with console.status("Listing the images and loading the network …"):
            batch = made(stop.is_set)
        _announce(batch, console)
        start, failed, noted, finished = time.monotonic(), 0, 0, batch.earlier
        with progress_on(console, _Rate(), remembered=_REMEMBERED) as progress, closing(iter(batch)) as results:
            task = progress.add_task("Images", total=len(batch), completed=batch.earlier)
            for result in results:
                if result.earlier:
                    continue
                finished += 1
                progress.advance(task)
                if result.notes and noted < _SHOWN:
                    noted += 1
                    console.print(f"{escape(result.image)}: [yellow]{escape(' '.join(result.notes))}", soft_wrap=True)
                if result.error:
                    failed += 1
                    if failed <= _SHOWN:
                        console.print(f"[yellow]{escape(result.image)}: {escape(result.error)}", soft_wrap=True)
                    if failed == _SHOWN:
                        console.print("[yellow]… and so on: see errors.csv")
    counts = f"{finished - failed} of {len(batch)} images in {duration(time.monotonic() - start)}"
    faults = f", {failed} failed (errors.csv; the same command tries them again)" if failed else ""
    stopped = finished < len(batch)
    begin = "Stopped, and the same command goes on: " if stopped else ""
    console.print(f"{begin}{counts}{faults}. Written to {escape(str(batch.folder.path.resolve()))}", soft_wrap=True)
    if stopped:
        return INTERRUPTED
    return SOME_FAILED if failed else DONE


def _announce(batch: Batch, console: Console) -> None:
    with_truth = sum(bool(image.truth_files) for image in batch.images)
    console.print(
        f"{len(batch)} images{f', {with_truth} of them with a true mask' if with_truth else ''}; "
        f"{', '.join(batch.options.methods)} on {batch.network.device}"
        f"{f'; {batch.earlier} are done already' if batch.earlier else ''}",
        markup=False,
    )
    for warning in batch.network.warnings:
        console.print(f"[yellow]{escape(warning)}")


class _Rate(ProgressColumn):
    """Images per second, or seconds per image."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="progress.data.speed")
