"""Jobs that preview and write de-identified copies, in a thread of their own: they run no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.deidentifying.preview import Preview
    from napari_segcam.deidentifying.run import DeidentificationLog

_MOMENT = 0.05  # seconds, after which the worker looks for other work


@dataclass(frozen=True)
class CopyRequest:
    """Which copies are wanted.

    Attributes:
        source: file or folder.
        region: as for ``DeidentifyOptions``.
        dates: as for ``DeidentifyOptions``.
    """

    source: Path
    region: str
    dates: Literal["remove", "shift"]


def preview_job(request: CopyRequest, then: Callable[[Preview], None], on_done: Callable[[str | None], None]) -> Job:
    """Return a job that finds out what a copy would hold.

    Args:
        request: which copy.
        then: called with it.
        on_done: called with what failed, or None.
    """

    def work() -> Iterator[Preview | None]:
        from napari_segcam.deidentifying.options import DeidentifyOptions
        from napari_segcam.deidentifying.preview import preview

        yield from _beside(lambda: preview(request.source, DeidentifyOptions(request.region, request.dates)))

    def on_result(result: Preview | None) -> None:
        if result is not None:
            then(result)

    return Job("preview", f"Looking at {request.source.name}", work, on_result=on_result, on_done=on_done)


def deidentify_job(request: CopyRequest, out: Path, cancelled: Callable[[], bool]) -> Job:
    """Return a job that writes de-identified copies; its results are ``Progress``.

    Args:
        request: which copies.
        out: the file to write, or the folder.
        cancelled: returns whether to stop.
    """
    return Job("deidentify", f"De-identifying {request.source.name}", lambda: _write(request, out, cancelled), 0)


def _write(request: CopyRequest, out: Path, cancelled: Callable[[], bool]) -> Iterator[Progress]:
    from napari_segcam.deidentifying.options import DeidentifyOptions
    from napari_segcam.deidentifying.run import deidentify

    state = Progress(0, 0, f"De-identifying {request.source.name}")

    def on_progress(done: int, total: int, words: str) -> None:
        nonlocal state
        state = Progress(done, total, words)

    options = DeidentifyOptions(request.region, request.dates)
    log: DeidentificationLog | None = None
    for result in _beside(lambda: deidentify(request.source, out, options, on_progress, cancelled)):
        log = result
        yield state
    if log is not None:
        yield Progress(state.done, state.total, _result(log, out))


def _result(log: DeidentificationLog, out: Path) -> str:
    refused = f" Not copied: {len(log.refusals)}, {log.refusals[0].message}" if log.refusals else ""
    if len(log.copies) == 1:
        record = log.copies[0]
        return f"Written to {out}. {record.burned_in}{refused} What was removed: {log.files[0].name}"
    found = sum(record.burned_in_annotation == "YES" for record in log.copies)
    burned_in = f" Writing was found in the pixels that stay of {found}: look at them." if found else ""
    return f"{len(log.copies)} copies written to {out}.{burned_in}{refused} What was removed: {log.files[0].name}"


def _beside(work: Callable[[], Any]) -> Iterator[Any]:
    """Do work in another thread; yield None now and then, and its result at the end.

    Raises:
        SegcamError: as the work does.
    """
    with ThreadPoolExecutor(1, "segcam-deidentify") as pool:
        running = pool.submit(work)
        while not running.done():
            wait([running], timeout=_MOMENT)
            yield None
        yield running.result()
