"""A run over a folder: the batch of ``napari-segcam batch``, with the network that the viewer has loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.plan import CORRECTED, LayerSource, Plan
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.batch.options import ExplainOptions
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
    run: FolderRun, network: Network, source: ModelSource | None, options: ExplainOptions, cancelled: Callable[[], bool]
) -> Job:
    """Examine every image of a folder, with a network and what it was loaded from, where that is known."""
    title = f"Running over {run.images.name}"
    return Job("batch", title, lambda: _processed(run, network, source, options, cancelled), 0)


def options_of(plan: Plan | None, threshold: float) -> ExplainOptions:
    """What was asked for in the viewer, as it is asked of any image: exactly that, or nothing.

    Args:
        plan: of the chosen image; None where nothing has been asked for yet, and the defaults of a batch are taken.
        threshold: that cuts the masks.

    Raises:
        SegcamError: if it belongs to this image alone, or is no explanation.
    """
    from napari_segcam.batch.options import ExplainOptions

    if plan is None:
        return ExplainOptions(threshold=threshold)
    request = plan.request
    if not plan.stages:
        raise SegcamError(
            "A run over a folder explains, and its table has a row for each stage. What was asked for last is the "
            "mask alone: run Grad-CAM once, with the stages and the region that you want."
        )
    return ExplainOptions(
        methods=(request.method,),
        stages=plan.stages,
        classes=("" if request.class_index is None else str(request.class_index),),
        region=_region_in_words(request.region),
        crop=_crop_in_words(plan.source),
        preview=request.preview,
        threshold=threshold,
    )


def in_words(options: ExplainOptions, network: Network) -> str:
    """What a run will do to each image."""
    from napari_segcam.explanation.stage_maps import find_method

    (method,), (name,) = options.methods, options.classes
    title = find_method(method).title + (", preview" if options.preview else "")
    index = network.class_index(int(name) if name else None)
    of_class = f" of {network.class_names[index]}" if network.segments else ""
    stages = network.select(options.stages)
    of_stages = stages[0].name if len(stages) == 1 else f"{len(stages)} stages"
    cut = "" if network.has_background or options.threshold is None else f", mask above {options.threshold:.2f}"
    regions = {"mask": "the predicted mask", "image": "the whole image", "component": "the largest part of the mask"}
    region = "the rim of the mask" if options.region.startswith("rim") else regions.get(options.region, options.region)
    crops = {"none": "the whole frame", "auto": "the scan as it is found in each image"}
    crop = crops.get(options.crop, f"columns and rows {options.crop} of each image, as drawn here")
    return f"{title}{of_class}, {of_stages}, region: {region}{cut}; the network sees {crop}"


def _region_in_words(region: Any) -> str:
    """Return the region in the words of ``parse_region``."""
    from napari_segcam.explanation.targets.region import Boundary, Component

    other = "Choose the predicted mask, the whole image, its largest part or its rim, and run Grad-CAM once more."
    match region:
        case "mask" | "image":
            return str(region)
        case Component(at=None):
            return "component"
        case Component(at=(row, column)):
            return f"component:{column},{row}"
        case Boundary(width=width):
            return f"rim:{width}"
    if region == CORRECTED:
        raise SegcamError(f"Your corrections belong to this image: no other one of a folder has any. {other}")
    name = getattr(region, "name", "this region")
    raise SegcamError(f"What is painted in {name} belongs to this image: no other one of a folder has it. {other}")


def _crop_in_words(source: LayerSource) -> str:
    """Return the crop in the words of ``parse_crop``."""
    if source.crop is None:
        return "none"
    if not source.is_crop_drawn:
        return "auto"
    rows, columns = source.crop
    return f"{columns.start},{rows.start},{columns.stop},{rows.stop}"


def _processed(
    run: FolderRun, network: Network, source: ModelSource | None, options: ExplainOptions, cancelled: Callable[[], bool]
) -> Iterator[Progress]:
    from napari_segcam.batch.run import Batch
    from napari_segcam.reporting.report.writing import need_report

    if run.with_report:
        need_report()
    yield Progress(0, 0, "Listing the images")
    batch = Batch(run.images, run.out, source or network, options, loaded=network, truth=run.truth, cancelled=cancelled)
    total, done, failed = len(batch), 0, 0
    with closing(iter(batch)) as results:
        for result in results:
            done += 1
            failed += bool(result.error)
            yield Progress(done, total, f"{result.image}: {result.error or 'done'}")
    if cancelled():
        return
    if run.with_report:
        for _ in _report_written(run.out):
            yield Progress(done, total, "Writing the report")
    faults = f", {failed} failed (see errors.csv)" if failed else ""
    yield Progress(done, total, f"{done - failed} of {total} images{faults}. Written to {run.out}")


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
