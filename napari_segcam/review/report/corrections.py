"""Corrections: how many there are, and how they changed the areas."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.review.agreement.bootstrap import Bootstrap
from napari_segcam.review.agreement.estimate import Estimate
from napari_segcam.review.agreement.proportion import clustered_mean
from napari_segcam.review.project_file import Case
from napari_segcam.review.report.collecting import Review
from napari_segcam.review.report.masks import corrected, predicted
from napari_segcam.review.report.rows import Number, Row

COLUMNS = (
    *("rater", "case", "name", "repeat", "frame", "class", "checkpoint", "threshold", "pixels_before", "pixels_after"),
    *("change", "area_before_mm2", "area_after_mm2", "dice_with_prediction", "undefined", "event"),
)

_NO_PREDICTION = "drawn without a prediction"


def correction_rows(review: Review, warnings: list[str]) -> list[Row]:
    """Return one row for each class of each frame that was corrected; the columns are those of ``COLUMNS``."""
    rows: list[Row] = []
    spacing = _Spacings(review)
    for work in review.raters:
        for reading in work.readings:
            case = review.cases[reading.case]
            for event in work.of(case, reading.repeat).corrections.values():
                try:
                    after, before = corrected(work, event), predicted(work, event)
                except SegcamError as error:
                    warnings.append(str(error))
                    continue
                if after is None:
                    continue
                regions = after.regions(before.names if before else {})
                earlier = before.regions(after.names) if before else {}
                for name in sorted({*regions, *earlier}):
                    nothing = np.zeros(after.labels.shape, np.bool_)
                    region = regions.get(name, nothing)
                    old = earlier.get(name, nothing) if before else None
                    fits = old is not None and old.shape == region.shape
                    rows.append(
                        {
                            "rater": work.rater,
                            "case": case.id,
                            "name": case.name,
                            "repeat": reading.repeat,
                            "frame": event.frame,
                            "class": name,
                            "checkpoint": event.checkpoint,
                            "threshold": event.threshold,
                            **_areas(old if fits else None, region, spacing.pixel_mm2(case)),
                            "event": event.n,
                        }
                    )
    return rows


def correction_numbers(review: Review, rows: list[Row], bootstrap: Bootstrap) -> Iterator[Number]:
    """Yield how many frames each rater corrected, and the mean change of the area; of the first readings."""
    for work in review.raters:
        own = [row for row in rows if row["rater"] == work.rater and row["repeat"] == 1]
        frames = {(row["case"], row["frame"]) for row in own}
        count = Estimate(
            float(len(frames)), n=len(frames), cases=len({case for case, _ in frames}), interval="none: a count"
        )
        yield Number("corrected_frames", count, "mask", "frame", rater=work.rater)
        for name in sorted({str(row["class"]) for row in own}):
            changes = [row for row in own if row["class"] == name and row["change"] is not None]
            mean = clustered_mean([row["change"] for row in changes], [row["case"] for row in changes], bootstrap)
            if mean.value is None:
                mean = Estimate.undefined("no corrected prediction had any pixel of the class")
            yield Number("area_change", mean, "mask", "frame", class_name=name, rater=work.rater)


def _areas(before: np.ndarray | None, after: np.ndarray, pixel_mm2: float | None) -> dict[str, object]:
    old = None if before is None else int(np.count_nonzero(before))
    new = int(np.count_nonzero(after))
    dice = None if before is None else overlap(before, after).dice
    undefined = ""
    if before is None:
        undefined = _NO_PREDICTION
    elif dice is None:
        undefined = "both masks are empty"
    elif not old:
        undefined = "change: the prediction was empty"
    return {
        "pixels_before": old,
        "pixels_after": new,
        "change": (new - old) / old if old else None,
        "area_before_mm2": None if old is None or pixel_mm2 is None else old * pixel_mm2,
        "area_after_mm2": None if pixel_mm2 is None else new * pixel_mm2,
        "dice_with_prediction": dice,
        "undefined": undefined,
    }


class _Spacings:
    """Sizes of the pixels of cases, each read once; unknown where the image is missing or not calibrated."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._known: dict[str, float | None] = {}

    def pixel_mm2(self, case: Case) -> float | None:
        """Return the area of a pixel in mm²; None if it is unknown."""
        if case.id not in self._known:
            self._known[case.id] = self._read(case)
        return self._known[case.id]

    def _read(self, case: Case) -> float | None:
        from napari_segcam.imaging.opening import open_cine

        try:
            spacing = open_cine(self._review.project.image_path(case)).spacing_mm
        except SegcamError:
            return None
        return None if spacing is None else spacing[0] * spacing[1]
