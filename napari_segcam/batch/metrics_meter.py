"""Metrics of masks beside the true ones, measured once for each frame and class, for ``batch`` and ``check``."""

from __future__ import annotations

from typing import Any

from napari_segcam.batch.pipeline import FrameExplanation
from napari_segcam.mask_metrics.metrics import MaskMetrics, mask_metrics
from napari_segcam.reporting.sheets import class_name_of


class MetricsMeter:
    """Measures the masks of one image. All methods have the same mask of a frame and class, so it is measured once.

    Args:
        spacing_mm: of rows and of columns of the image; None if it is unknown.
        tolerance: as in ``ExplainOptions``.

    Attributes:
        curves: of each frame and class that was measured, in plain values: ``frame``, ``class``, and the curves of
            ``MaskMetrics``.
    """

    def __init__(self, spacing_mm: tuple[float, float] | None, tolerance: float) -> None:
        self._spacing_mm, self._tolerance = spacing_mm, tolerance
        self._number: int | None = None
        self._known: dict[int | None, MaskMetrics] = {}  # of the present frame, by class
        self.curves: list[dict[str, Any]] = []

    def of(self, result: FrameExplanation) -> MaskMetrics | None:
        """Return the metrics of an explained mask; None if there is no mask or no true mask."""
        explanation = result.explanation
        if result.true_mask is None or explanation.no_mask is not None:
            return None
        if result.number != self._number:
            self._number, self._known = result.number, {}
        index = explanation.target.class_index
        if index not in self._known:
            metrics = mask_metrics(
                explanation.target_mask,
                result.true_mask,
                explanation.probabilities[index or 0],
                self._spacing_mm,
                self._tolerance,
                None if explanation.has_background else explanation.threshold,
            )
            self._known[index] = metrics
            self.curves.append({"frame": result.number, "class": class_name_of(explanation), **metrics.curves})
        return self._known[index]
