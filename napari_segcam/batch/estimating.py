"""Estimating: how long the evidence of a run takes, from the first frame that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from napari_segcam.batch.color_tables.color_table import Color
from napari_segcam.batch.evidence import EvidenceMeter
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import BatchImage
from napari_segcam.batch.pipeline import ExplainPipeline
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.slow_methods.control import Cancelled
from napari_segcam.imaging.opening import open_cine

_TRIES = 3  # images that may be damaged


def evidence_seconds(
    images: Iterable[BatchImage],
    pipeline: ExplainPipeline,
    colors: Mapping[str, Color] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> float | None:
    """Return about how long the evidence of one frame takes, in seconds, by all methods and of all classes.

    None if no evidence is wanted, it was cancelled, or the first images cannot be read.
    """
    if not pipeline.options.evidence:
        return None
    times = len(pipeline.explainers) * len(pipeline.classes)
    for image in islice(images, _TRIES):
        try:
            cine = open_cine(image.path)
            if pipeline.options.value_range is not None:
                cine.set_value_range(*pipeline.options.value_range)
            truth = GroundTruth.of_image(image, pipeline.network, colors)
            if truth is not None:
                truth.check(cine)
            meter = EvidenceMeter(cine, pipeline.explainers, pipeline.options, cancelled=cancelled)
            for result in pipeline.explanations(cine, [len(cine) // 2], truth):
                return meter.estimate(result.number, result.explanation).seconds * times
        except SegcamError:
            continue
        except Cancelled:
            return None
        except Exception:  # a damaged file can make its reader raise anything; the run will say so
            continue
    return None
