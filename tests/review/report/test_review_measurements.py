"""Measurements in the log become rows of the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_review import Rater, new_project

from napari_segcam.measuring.measurement import Measurement
from napari_segcam.measuring.pixel_size import PixelSize
from napari_segcam.review.log.events import Measured
from napari_segcam.review.report.review_numbers import review_report
from napari_segcam.review.report.writing import write_review_report


def test_measurements_are_reported(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    line = Measurement("distance", 0, ((10.0, 10.0), (13.0, 14.0)), PixelSize(0.5, 0.5, "mm"), "length")
    removed = Measurement("distance", 0, ((1.0, 1.0), (2.0, 2.0)), PixelSize(1, 1, "px"))
    with Rater(project, "anna") as rater:
        case = rater.case("image_2")
        for measurement in (line, removed):
            content = measurement.as_dict()
            rater.log.append(Measured(case=case, frame=0, measurement=measurement.identity, content=content))
        rater.log.append(Measured(case=case, frame=0, measurement=removed.identity, content=None))
        rater.log.append(Measured(case=case, frame=0, measurement="broken", content={"kind": "distance"}))
    numbers = review_report(project.folder, resamples=50)
    (row,) = numbers.measurements
    assert (row["rater"], row["image"], row["name"], row["length_unit"]) == ("anna", "image_2.png", "length", "mm")
    assert row["longest"] == pytest.approx(2.5)
    assert any("is left out" in warning for warning in numbers.warnings)
    write_review_report(numbers, tmp_path / "out", pdf=False)
    assert "2.50 mm" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "2.5," in (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8")
