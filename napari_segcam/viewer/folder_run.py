"""A run over a folder: the batch of ``napari-segcam batch``, with the network that the viewer has loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.viewer.background import Told
from napari_segcam.viewer.work import Plan
from napari_segcam.viewer.worker import Job

if TYPE_CHECKING:
    from napari_segcam.batch.wishes import Wishes
    from napari_segcam.network.network import Network
    from napari_segcam.network.source import ModelSource


@dataclass(frozen=True)
class FolderRun:
    """Which images, and where to.

    Attributes:
        images: a folder of images, DICOM cines and videos.
        out: the folder of the run; one that was begun before is gone on with.
        truth: a folder of true masks, or None.
        with_report: whether to write the report at the end.
    """

    images: Path
    out: Path
    truth: Path | None = None
    with_report: bool = True


def running_over(
    run: FolderRun, network: Network, source: ModelSource | None, wishes: Wishes, cancelled: Callable[[], bool]
) -> Job:
    """Examine every image of a folder, with a network and what it was loaded from, where that is known."""
    title = f"Running over {run.images.name}"
    return Job("batch", title, lambda: _examined(run, network, source, wishes, cancelled), 0)


def wishes_of(plan: Plan | None, threshold: float) -> Wishes:
    """What was asked for in the viewer, as far as it can be asked of any image.

    A region that was painted in this one becomes the predicted mask.
    """
    from napari_segcam.batch.wishes import Wishes

    if plan is None:
        return Wishes(threshold=threshold)
    request = plan.request
    return Wishes(
        methods=(request.method,),
        stages=plan.stages or "main",
        classes=("" if request.class_index is None else str(request.class_index),),
        region=request.region if request.region in ("mask", "image") else "mask",
        crop="none" if plan.source.crop is None else "auto",
        preview=request.preview,
        threshold=threshold,
    )


def _examined(
    run: FolderRun, network: Network, source: ModelSource | None, wishes: Wishes, cancelled: Callable[[], bool]
) -> Iterator[Told]:
    from napari_segcam.batch.run import Batch
    from napari_segcam.reporting.report.writing import need_report

    if run.with_report:
        need_report()
    yield Told(0, 0, "Listing the images")
    batch = Batch(run.images, run.out, source or network, wishes, loaded=network, truth=run.truth, cancelled=cancelled)
    total, done, failed = len(batch), 0, 0
    with closing(iter(batch)) as results:
        for result in results:
            done += 1
            failed += bool(result.error)
            yield Told(done, total, f"{result.image}: {result.error or 'done'}")
    if cancelled():
        return
    if run.with_report:
        for _ in _report_written(run.out):
            yield Told(done, total, "Writing the report")
    faults = f", {failed} failed (see errors.csv)" if failed else ""
    yield Told(done, total, f"{done - failed} of {total} images{faults}. Written to {run.out}")


def _report_written(out: Path) -> Iterator[None]:
    """Write the report in a thread of its own, for it takes long and runs no network: frames can be computed meanwhile.

    Raises:
        SegcamError: if it cannot be written.
    """
    from napari_segcam.reporting.report.writing import write_report

    with ThreadPoolExecutor(1, "segcam-report") as pool:
        writing = pool.submit(write_report, out)
        while not writing.done():
            wait([writing], timeout=0.1)
            yield
        writing.result()
