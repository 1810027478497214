"""The explanation of a folder: the batch of ``napari-segcam batch``, with the network that the viewer has loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_segcam.errors import SegcamError
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import CORRECTED
from napari_segcam.viewer.worker.background import Progress
from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.network.network import Network
    from napari_segcam.network.source import ModelSource


@dataclass(frozen=True)
class FolderRun:
    """The folders of a run.

    Attributes:
        images: a folder of images, DICOM cines and videos.
        out: the folder of results; a run that was stopped there is resumed.
        truth: a folder of true masks, or None.
        with_report: whether to write the report at the end.
    """

    images: Path
    out: Path
    truth: Path | None = None
    with_report: bool = True


def folder_job(
    run: FolderRun, network: Network, source: ModelSource | None, options: ExplainOptions, cancelled: Callable[[], bool]
) -> Job:
    """Return a job that explains every image of a folder.

    Args:
        run: the folders.
        network: that runs.
        source: what the network was loaded from, where that is known.
        options: as for a batch.
        cancelled: returns whether to stop.
    """
    title = f"Running over {run.images.name}"

    def work() -> Iterator[Progress]:
        try:
            yield from _explain_folder(run, network, source, options, cancelled)
        except SegcamError as fault:
            if fault.action:
                raise
            raise SegcamError(fault, action="choose_folders") from fault  # all else was checked before

    return Job("batch", title, work, 0)


def options_from_plan(plan: Plan | None, threshold: float) -> ExplainOptions:
    """Return the options of a batch that does to any image exactly what the plan does to the chosen one.

    Args:
        plan: of the chosen image; None where nothing was run yet, for the defaults of a batch.
        threshold: of the masks.

    Raises:
        SegcamError: if the plan's region exists in this image alone, or it computes only masks.
    """
    from napari_segcam.batch.options import ExplainOptions

    if plan is None:
        return ExplainOptions(threshold=threshold)
    request = plan.request
    if not plan.stages:
        raise SegcamError(
            "A run over a folder explains, and its table has a row for each stage. The last run here computed the "
            "mask alone: run Grad-CAM once, with the stages and the region that you want."
        )
    return ExplainOptions(
        methods=(request.method,),
        stages=plan.stages,
        classes=("" if request.class_index is None else str(request.class_index),),
        region=_region_option(request.region),
        against=() if request.against is None else (str(request.against),),
        crop=_crop_option(plan.source),
        preview=request.preview,
        threshold=threshold,
    )


def options_in_words(options: ExplainOptions, network: Network) -> str:
    """Return what a run does to each image, in words."""
    from napari_segcam.explanation.stage_maps import find_method

    (method,), (class_number,) = options.methods, options.classes
    title = find_method(method).title + (", preview" if options.preview else "")
    index = network.class_index(int(class_number) if class_number else None)
    class_words = f" of {network.class_names[index]}" if network.segments else ""
    stages = network.select(options.stages)
    stage_words = stages[0].name if len(stages) == 1 else f"{len(stages)} stages"
    if options.against:
        class_words += f" against {' and '.join(network.class_names[int(name)] for name in options.against)}"
    has_threshold = options.threshold is not None and not network.has_background
    threshold_words = f", mask above {options.threshold:.2f}" if has_threshold else ""
    regions = {"mask": "predicted mask", "image": "whole image", "component": "largest component of the mask"}
    is_boundary = options.region.startswith("boundary")
    region = "boundary of the mask" if is_boundary else regions.get(options.region, options.region)
    crops = {"none": "whole image", "auto": "scan as detected in each image"}
    crop = crops.get(options.crop, f"columns and rows {options.crop} of each image, as drawn here")
    return f"{title}{class_words}, {stage_words}, region: {region}{threshold_words}; input region: {crop}"


def _region_option(region: Any) -> str:
    """Return the text that ``parse_region`` reads as this region."""
    from napari_segcam.explanation.targets.region import At, Boundary, Box, Component, Polygon

    match region:
        case "mask" | "image":
            return str(region)
        case Component(at=None):
            return "component"
        case Component(at=(row, column)):
            return f"component:{column},{row}"
        case Boundary(width=width):
            return f"boundary:{width}"
        case At(row=row, column=column, radius=radius):
            return f"at:{column},{row},{radius}"
        case Box(top=top, left=left, bottom=bottom, right=right):
            return f"box:{left},{top},{right},{bottom}"
    choices = "Choose the predicted mask, the whole image, or the largest component or boundary of the mask"
    if region == CORRECTED:
        raise SegcamError(
            f"Your corrections belong to this image: the other images of a folder have none. {choices}, "
            "and run Grad-CAM once more."
        )
    if isinstance(region, Polygon):
        raise SegcamError(f"The area that you have drawn belongs to this image. {choices}, and run Grad-CAM once more.")
    name = getattr(region, "name", "this region")
    raise SegcamError(
        f"What is painted in {name} belongs to this image: the other images of a folder do not have it. {choices}, "
        "and run Grad-CAM once more."
    )


def _crop_option(source: LayerSource) -> str:
    """Return the text that ``parse_crop`` reads as this source's crop."""
    if source.crop is None:
        return "none"
    if not source.is_crop_drawn:
        return "auto"
    rows, columns = source.crop
    return f"{columns.start},{rows.start},{columns.stop},{rows.stop}"


def _explain_folder(
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
        for _ in _write_report(run.out):
            yield Progress(done, total, "Writing the report")
    failures = f", {failed} failed (see errors.csv)" if failed else ""
    yield Progress(done, total, f"{done - failed} of {total} images{failures}. Written to {run.out}")


def _write_report(folder: Path) -> Iterator[None]:
    """Write the report in another thread: it takes long and runs no network, so frames can be computed meanwhile.

    Raises:
        SegcamError: if it cannot be written.
    """
    from napari_segcam.reporting.report.writing import write_report

    with ThreadPoolExecutor(1, "segcam-report") as pool:
        writing = pool.submit(write_report, folder)
        while not writing.done():
            wait([writing], timeout=0.1)
            yield
        writing.result()
