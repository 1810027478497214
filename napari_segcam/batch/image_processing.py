"""Processing one image of a batch: its results and its files, computed but not yet written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.evidence import EvidenceMeter
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.metrics_meter import MetricsMeter
from napari_segcam.batch.pictures import overlay_jpeg, sheet_jpeg
from napari_segcam.batch.pipeline import ExplainPipeline, FrameExplanation
from napari_segcam.batch.rows import rows_of
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.evidence.doubt.features import pooled_features
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.files import safe_name, sha256_of
from napari_segcam.imaging.cine import Cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import known_scan
from napari_segcam.reporting.explanation_record import replace_nonfinite
from napari_segcam.reporting.exports import class_folder
from napari_segcam.reporting.run_format import Row


@dataclass(frozen=True)
class OutputOptions:
    """What is written for an image besides its figures.

    Attributes:
        pictures: a sheet for the report.
        overlays: the heat over the frame, in one file for each frame, class, method and stage.
        features: the deepest features of each frame, at the cost of one more run of the network.
    """

    pictures: bool = True
    overlays: bool = False
    features: bool = False

    def as_dict(self) -> dict[str, bool]:
        """Return plain values, as ``run.json`` has them."""
        values = vars(self)
        return values if self.features else {name: values[name] for name in values if name != "features"}


@dataclass(frozen=True)
class ProcessedImage:
    """The results of one image, or why there are none.

    Attributes:
        record: the results, ready for JSON; None if the image failed.
        files: contents of picture files, by path within the folder of the run.
        error: why it failed, in one line.
    """

    record: dict[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""


def process_image(
    image: BatchImage,
    pipeline: ExplainPipeline,
    outputs: OutputOptions,
    colors: Mapping[str, Color] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ProcessedImage | None:
    """Explain all frames of an image; return None if it was cancelled before the last one.

    An error of the image is part of the result, so that the other images are still processed.

    Args:
        image: to be read.
        pipeline: explains its frames; it has the same ``cancelled``.
        outputs: what is wanted besides figures.
        colors: as for ``true_mask``.
        cancelled: asked between frames whether to stop.
    """
    try:
        return _processed(image, pipeline, outputs, colors, cancelled)
    except SegcamError as error:
        return ProcessedImage(error=str(error))
    except Exception as error:  # a damaged file can make its reader raise anything
        return ProcessedImage(error=f"{type(error).__name__}: {one_line(error) or 'it cannot be read'}")


def _processed(
    image: BatchImage,
    pipeline: ExplainPipeline,
    outputs: OutputOptions,
    colors: Mapping[str, Color] | None,
    cancelled: Callable[[], bool],
) -> ProcessedImage | None:
    checksums = _checksums(image)
    cine = open_cine(image.path)
    if pipeline.options.value_range is not None:
        cine.set_value_range(*pipeline.options.value_range)
    meter = EvidenceMeter(cine, pipeline.explainers, pipeline.options, cancelled=cancelled)
    metrics = MetricsMeter(cine.spacing_mm, pipeline.options.tolerance)
    scan = known_scan(cine)
    rows: list[Row] = []
    files: dict[str, bytes] = {}
    features: list[list[float] | None] = []
    sheet_frame: Sequence[FrameExplanation] = ()  # the frame with the largest masks
    for frame in _frames(image, cine, pipeline, colors):
        if cancelled():
            return None
        for result in frame:
            try:
                evidence = meter.of(result.number, result.explanation)
            except Cancelled:
                return None
            rows += rows_of(
                image.display_name,
                result.number,
                result.explanation,
                result.true_mask,
                cine.spacing_mm,
                scan,
                evidence,
                pipeline.options.evidence,
                metrics.of(result),
            )
            if outputs.overlays:
                files |= _overlays(image, cine, result, pipeline)
        if outputs.features:
            features.append(_features(frame[0], cine, pipeline))
        if not sheet_frame or _mask_pixels(frame) > _mask_pixels(sheet_frame):
            sheet_frame = frame
    if cancelled() or not sheet_frame:
        return None
    if _checksums(image) != checksums:
        return ProcessedImage(
            error="The image or its true mask changed while it was read. The same command tries it again."
        )
    sheet = None
    explanations = [result.explanation for result in sheet_frame]
    if outputs.pictures and any(explanation.heatmaps for explanation in explanations):
        sheet = "sheet.jpg"
        files[f"images/{image.key}/{sheet}"] = sheet_jpeg(sheet_frame[0].frame, cine.value_range, explanations)
    record = {
        "image": image.display_name,
        "truth": image.truth_name or None,
        **checksums,
        "frames": len(cine),
        "shape": list(cine.frame_shape[:2]),
        "spacing_mm": replace_nonfinite(cine.spacing_mm),
        "value_range": list(cine.value_range),
        "value_range_from": cine.black_and_white.reason,
        "notes": list(cine.notes),
        "sheet": sheet,
        "sheet_frame": sheet_frame[0].number if sheet else None,
        "curves": replace_nonfinite(metrics.curves),
        "rows": rows,
        **({"features": {"frames": features}} if outputs.features else {}),
    }
    return ProcessedImage(record, files)


def _checksums(image: BatchImage) -> dict[str, str | None]:
    """Return the checksums of the image and its true masks as they are now."""
    return {
        "sha256": sha256_of(image.file),
        "truth_sha256": image.truth_sha256(),
    }


def _frames(
    image: BatchImage, cine: Cine, pipeline: ExplainPipeline, colors: Mapping[str, Color] | None
) -> Iterator[list[FrameExplanation]]:
    """Give the explanations of one frame after the other."""
    truth = GroundTruth.of_image(image, pipeline.network, colors)
    if truth is not None:
        truth.check(cine)
    for _, explanations in groupby(pipeline.explanations(cine, range(len(cine)), truth), attrgetter("number")):
        yield list(explanations)


def _features(result: FrameExplanation, cine: Cine, pipeline: ExplainPipeline) -> list[float] | None:
    """Return the deepest features of a frame, to five digits; None where the network has none that can be read."""
    found = pooled_features(pipeline.network, result.explanation, result.frame, cine.value_range)
    return None if found is None or not np.isfinite(found).all() else [float(f"{value:.5g}") for value in found]


def _mask_pixels(frame: Sequence[FrameExplanation]) -> int:
    return sum(int(np.count_nonzero(result.explanation.target_mask)) for result in frame)


def _overlays(image: BatchImage, cine: Cine, result: FrameExplanation, pipeline: ExplainPipeline) -> dict[str, bytes]:
    """Return the files ``gradcam/CLASS/NAME.jpg``, with a folder for each method and stage if there are several."""
    explanation = result.explanation
    folder = f"gradcam/{class_folder(explanation)}"
    if len(pipeline.explainers) > 1:
        folder += f"/{safe_name(explanation.method)}"
    name = image.picture_name if len(cine) == 1 else f"{image.picture_name}_frame_{result.number:04d}"
    files = {}
    for stage, heatmap in explanation.heatmaps.items():
        stage_folder = f"{folder}/{safe_name(stage)}" if len(explanation.heatmaps) > 1 else folder
        files[f"{stage_folder}/{name}.jpg"] = overlay_jpeg(result.frame, cine.value_range, explanation, heatmap)
    return files
