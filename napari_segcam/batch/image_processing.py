"""The examination of one image: everything a batch writes of it, computed but not yet written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.batch.analysis import Analysis
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.pictures import overlay_jpeg, sheet_jpeg
from napari_segcam.batch.rows import rows_of
from napari_segcam.batch.true_masks import Color
from napari_segcam.batch.truth import Truth
from napari_segcam.errors import SegcamError, one_line
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.files import safe_name, sha256_of
from napari_segcam.imaging.cine import Cine, Frame
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.scan.region import crop_for
from napari_segcam.reporting.explanation_record import replace_nonfinite
from napari_segcam.reporting.exports import class_folder
from napari_segcam.reporting.run_format import Row


@dataclass(frozen=True)
class Outputs:
    """What is written of an image besides its figures.

    Attributes:
        pictures: a sheet for the report.
        overlays: the heat over the frame, as a file for each frame, class, method and stage.
    """

    pictures: bool = True
    overlays: bool = False


@dataclass(frozen=True)
class ProcessedImage:
    """What came of one image.

    Attributes:
        record: its result, fit for JSON; None where it failed.
        files: pictures by their place in the run's folder.
        error: why it failed, in one line.
    """

    record: dict[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    error: str = ""


def process_image(
    image: BatchImage,
    analysis: Analysis,
    outputs: Outputs,
    colors: Mapping[str, Color] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ProcessedImage | None:
    """Examine all frames of an image; None if it was cancelled before the last.

    Whatever is wrong with the image becomes its error: others go on.

    Args:
        image: to be read.
        analysis: whose ``cancelled`` is this one.
        outputs: what is wanted besides figures.
        colors: as for ``true_mask``.
        cancelled: asked between frames.
    """
    try:
        return _processed(image, analysis, outputs, colors, cancelled)
    except SegcamError as error:
        return ProcessedImage(error=str(error))
    except Exception as error:  # what a damaged file makes of its reader is beyond listing
        return ProcessedImage(error=f"{type(error).__name__}: {one_line(error) or 'it cannot be read'}")


@dataclass(frozen=True)
class _FrameResult:
    """A frame with all its explanations, each beside the true mask of its class."""

    number: int
    frame: Frame
    explanations: list[Explanation]
    truths: list[NDArray[np.bool_] | None]

    @property
    def pixels(self) -> int:
        """How much was found in it."""
        return sum(int(np.count_nonzero(one.target_mask)) for one in self.explanations)


def _processed(
    image: BatchImage,
    analysis: Analysis,
    outputs: Outputs,
    colors: Mapping[str, Color] | None,
    cancelled: Callable[[], bool],
) -> ProcessedImage | None:
    checksums = _checksums(image)
    cine = open_cine(image.path)
    if analysis.options.value_range is not None:
        cine.set_value_range(*analysis.options.value_range)
    rows: list[Row] = []
    files: dict[str, bytes] = {}
    shown: _FrameResult | None = None
    for result in _frames(image, cine, analysis, colors):
        if cancelled():
            return None
        for explanation, truth in zip(result.explanations, result.truths, strict=True):
            rows += rows_of(image.printed, result.number, explanation, truth, cine.spacing_mm)
            if outputs.overlays:
                files |= _overlays(image, cine, result, explanation, analysis)
        if shown is None or result.pixels > shown.pixels:
            shown = result
    if cancelled() or shown is None:
        return None
    if _checksums(image) != checksums:
        return ProcessedImage(
            error="It or its true mask was changed while it was read. The same command tries it again."
        )
    sheet = None
    if outputs.pictures and any(one.heatmaps for one in shown.explanations):
        sheet = "sheet.jpg"
        files[f"images/{image.key}/{sheet}"] = sheet_jpeg(shown.frame, cine.value_range, shown.explanations)
    record = {
        "image": image.printed,
        "truth": image.truth_name or None,
        **checksums,
        "frames": len(cine),
        "shape": list(cine.frame_shape[:2]),
        "spacing_mm": replace_nonfinite(cine.spacing_mm),
        "value_range": list(cine.value_range),
        "value_range_from": cine.black_and_white.reason,
        "notes": list(cine.notes),
        "sheet": sheet,
        "sheet_frame": shown.number if sheet else None,
        "rows": rows,
    }
    return ProcessedImage(record, files)


def _checksums(image: BatchImage) -> dict[str, str | None]:
    """Of the image and its true mask as they are now."""
    return {
        "sha256": sha256_of(image.file),
        "truth_sha256": image.truth_sha256(),
    }


def _frames(
    image: BatchImage, cine: Cine, analysis: Analysis, colors: Mapping[str, Color] | None
) -> Iterator[_FrameResult]:
    truth = Truth.of_image(image, analysis.network, colors)
    if truth is not None:
        truth.check(cine)
    crop = crop_for(analysis.options.crop, cine)
    for number, frame in enumerate(cine):
        masks = {index: truth.mask(number, index) if truth else None for index in analysis.classes}
        explanations = list(analysis.of_frame(frame, cine.value_range, crop, masks, cine.pixel_aspect))
        truths = [masks.get(one.target.class_index, masks.get(None)) for one in explanations]
        yield _FrameResult(number, frame, explanations, truths)


def _overlays(
    image: BatchImage, cine: Cine, result: _FrameResult, explanation: Explanation, analysis: Analysis
) -> dict[str, bytes]:
    """``gradcam/CLASS/NAME.jpg``, with a folder for each method and each stage where there are several."""
    folder = f"gradcam/{class_folder(explanation)}"
    if len(analysis.explainers) > 1:
        folder += f"/{safe_name(explanation.method)}"
    name = image.picture if len(cine) == 1 else f"{image.picture}_frame_{result.number:04d}"
    files = {}
    for stage, heatmap in explanation.heatmaps.items():
        place = f"{folder}/{safe_name(stage)}" if len(explanation.heatmaps) > 1 else folder
        files[f"{place}/{name}.jpg"] = overlay_jpeg(result.frame, cine.value_range, explanation, heatmap)
    return files
