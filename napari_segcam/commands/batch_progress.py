"""A batch in the terminal: what it will do, progress with rate and time left, and a summary."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import ProgressColumn, Task
from rich.text import Text

from napari_segcam.commands.terminal import duration
from napari_segcam.commands.waits.bars import progress_on, waiting
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable

if TYPE_CHECKING:
    from napari_segcam.batch.run import Batch

DONE, SOME_FAILED = 0, 1
"""Exit codes."""

_WORTH_TELLING = 5  # seconds
_SPEED_WINDOW = 600  # seconds: a slow method takes minutes for a cine
_MOST_MESSAGES = 20  # a folder of files of another kind would fill the terminal


def run_with_progress(console: Console, make_batch: Callable[[Callable[[], bool]], Batch], workers: int = 1) -> int:
    """Make a batch, run it with a progress bar, and print a summary.

    Ctrl-C stops it between two runs of the network. Images that are finished by then are complete.

    Args:
        console: to print on.
        make_batch: makes the batch; its argument is a function that returns whether to stop.
        workers: processes that share the work.

    Returns:
        The exit code: ``DONE``, ``SOME_FAILED`` or ``INTERRUPTED``.

    Raises:
        SegcamError: as ``Batch``.
    """
    from napari_segcam.reporting.evidence_summary.words import few_draws

    with stoppable(console) as stop:
        with waiting(console, "Listing the images and loading the network …"):
            batch = make_batch(stop.is_set)
        _print_plan(batch, console)
        if "faithfulness" in batch.options.evidence and (warning := few_draws(batch.options.evidence_draws)):
            console.print(f"[yellow]{warning}", soft_wrap=True)
        if batch.options.evidence and batch.earlier < len(batch):
            with waiting(console, "Estimating how long the evidence takes …"):
                seconds = batch.evidence_seconds()
            if seconds is not None:
                console.print(evidence_estimate(seconds, len(batch) - batch.earlier, workers), soft_wrap=True)
        start, failed, with_notes, finished = time.monotonic(), 0, 0, batch.earlier
        with progress_on(console, _Rate(), speed_window=_SPEED_WINDOW) as progress, closing(iter(batch)) as results:
            task = progress.add_task("Images", total=len(batch), completed=batch.earlier)
            for result in results:
                if result.earlier:
                    continue
                finished += 1
                progress.advance(task)
                if result.notes and with_notes < _MOST_MESSAGES:
                    with_notes += 1
                    console.print(f"{escape(result.image)}: [yellow]{escape(' '.join(result.notes))}", soft_wrap=True)
                if result.error:
                    failed += 1
                    if failed <= _MOST_MESSAGES:
                        console.print(f"[yellow]{escape(result.image)}: {escape(result.error)}", soft_wrap=True)
                    if failed == _MOST_MESSAGES:
                        console.print("[yellow]… For all errors see errors.csv.")
    counts = f"{finished - failed} of {len(batch)} images in {duration(time.monotonic() - start)}"
    failures = f", {failed} failed (errors.csv; the same command tries them again)" if failed else ""
    stopped = finished < len(batch)
    beginning = "Stopped; the same command resumes: " if stopped else ""
    console.print(
        f"{beginning}{counts}{failures}. Written to {escape(str(batch.folder.path.resolve()))}", soft_wrap=True
    )
    if stopped:
        return INTERRUPTED
    return SOME_FAILED if failed else DONE


def _print_plan(batch: Batch, console: Console) -> None:
    with_truth = sum(bool(image.truth_files) for image in batch.images)
    console.print(
        f"{len(batch)} images{f', {with_truth} of them with a true mask' if with_truth else ''}; "
        f"{', '.join(batch.options.methods)} on {batch.network.device}"
        f"{f'; {batch.earlier} are done already' if batch.earlier else ''}",
        markup=False,
    )
    for warning in batch.network.warnings:
        console.print(f"[yellow]{escape(warning)}")


def evidence_estimate(seconds: float, images: int, workers: int = 1) -> str:
    """Return in words how long evidence takes.

    Args:
        seconds: for one frame.
        images: how many there are to do.
        workers: processes that share the work.
    """
    total = seconds * images / workers
    if total < _WORTH_TELLING:
        return "The evidence takes a few seconds."
    count = "1 image" if images == 1 else f"{images} images"
    return (
        f"The evidence takes about {duration(seconds)} for each frame: about {duration(total)} for {count} with one "
        "frame each, longer for cines."
    )


class _Rate(ProgressColumn):
    """A column with images per second, or seconds per image."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="progress.data.speed")
