"""Checking: evidence of several methods on frames of some images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.estimating import evidence_seconds
from napari_segcam.batch.evidence import EvidenceMeter
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import BatchImage, random_sample
from napari_segcam.batch.metrics_meter import MetricsMeter
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.batch.rows import rows_of
from napari_segcam.batch.run import list_images, with_true_masks
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.evidence.measuring import Progress
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import known_scan
from napari_segcam.network.network import Network
from napari_segcam.reporting.run_format import Row


@dataclass(frozen=True)
class CheckedImage:
    """The evidence of one image.

    Attributes:
        name: of the image.
        rows: as in ``results.csv``, of its frames.
        error: why it could not be checked; empty if it could.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    error: str = ""


class Check:
    """The evidence of a network on some images, image by image. Iterating over it does the work.

    Args:
        source: a folder, a CSV list with the columns image and, if there are any, truth; or one image or cine.
        out: the folder that will be written to; images in it do not count.
        network: that is checked.
        options: methods, stages, classes, and the evidence to measure.
        truth: a folder of true masks; for one image its mask.
        colors: of the classes in true masks in color.
        limit: the most images to check; a random sample if there are more.
        frames_of_cine: the most frames of each cine, evenly spread.
        seed: of the sample.
        progress: as for ``measure_evidence``.
        cancelled: asked between two runs of the network whether to stop.

    Attributes:
        images: those that are checked.
        found: how many there were to choose from.
        pipeline: makes the explanations.

    Raises:
        SegcamError: if something is wrong with the images, the network or an option.
    """

    def __init__(
        self,
        source: Path,
        out: Path,
        network: Network,
        options: ExplainOptions,
        *,
        truth: Path | None = None,
        colors: Mapping[str, Color] | None = None,
        limit: int | None = None,
        frames_of_cine: int = 3,
        seed: int = 0,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.pipeline = ExplainPipeline(network, options, cancelled=cancelled)
        found = images_and_truths(source, out, truth, network)
        self.found, self.images = len(found), random_sample(found, limit, seed)
        if options.needs_truth and not any(image.truth_files for image in self.images):
            raise SegcamError(f"The region {options.region} needs true masks: give their folder with --truth.")
        self._colors, self._frames_of_cine = colors, frames_of_cine
        self._progress, self._cancelled = progress, cancelled

    def evidence_seconds(self) -> float | None:
        """Return about how long the evidence of one frame takes; None if nobody knows."""
        return evidence_seconds(self.images, self.pipeline, self._colors, self._cancelled)

    def __iter__(self) -> Iterator[CheckedImage]:
        """Give the evidence of each image; it ends early, without the image that it was at, if cancelled."""
        for image in self.images:
            try:
                yield self._checked(image)
            except Cancelled:
                return
            except SegcamError as error:
                yield CheckedImage(image.display_name, error=str(error))
            except Exception as error:  # a damaged file can make its reader raise anything
                yield CheckedImage(
                    image.display_name, error=f"{type(error).__name__}: {one_line(error) or 'it cannot be read'}"
                )

    def _checked(self, image: BatchImage) -> CheckedImage:
        cine, truth = self._opened(image)
        numbers = spread_frames(len(cine), self._frames_of_cine)
        options, scan = self.pipeline.options, known_scan(cine)
        meter = EvidenceMeter(cine, self.pipeline.explainers, options, self._progress, self._cancelled)
        metrics = MetricsMeter(cine.spacing_mm, options.tolerance)
        rows: list[Row] = []
        expected = len(numbers) * len(self.pipeline.explainers) * len(self.pipeline.classes)
        results = self.pipeline.explanations(cine, numbers, truth)
        for result in islice(results, expected):
            measured = meter.of(result.number, result.explanation)
            rows += rows_of(
                image.display_name,
                result.number,
                result.explanation,
                result.true_mask,
                cine.spacing_mm,
                scan,
                measured,
                options.evidence,
                metrics.of(result),
            )
            expected -= 1
        if expected:
            raise Cancelled
        return CheckedImage(image.display_name, rows)

    def _opened(self, image: BatchImage) -> tuple[Cine, GroundTruth | None]:
        cine = open_cine(image.path)
        if self.pipeline.options.value_range is not None:
            cine.set_value_range(*self.pipeline.options.value_range)
        truth = GroundTruth.of_image(image, self.pipeline.network, self._colors)
        if truth is not None:
            truth.check(cine)
        return cine, truth


def spread_frames(count: int, most: int) -> list[int]:
    """Return the numbers of at most so many frames of a cine, evenly spread, in the middle of equal parts."""
    if count <= most:
        return list(range(count))
    return [(2 * part + 1) * count // (2 * most) for part in range(most)]


def images_and_truths(source: Path, out: Path, truth: Path | None, network: Network) -> list[BatchImage]:
    """Return the images of a folder or list, or the one image, with their true masks.

    Raises:
        SegcamError: if there is no image, or the truth does not suit the images.
    """
    if source.is_dir() or source.suffix.lower() == ".csv" or not source.exists():
        return with_true_masks(list_images(source, out, truth), source, truth, network)
    image = BatchImage(source.name, source, picture_name=source.stem)
    if truth is None:
        return [image]
    if truth.is_dir():
        return with_true_masks([image], source, truth, network)
    return [BatchImage(source.name, source, truth, truth.name, picture_name=source.stem)]
