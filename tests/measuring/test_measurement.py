"""Measurements as records: their values, words, rows, and the way to plain values and back."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_segcam.errors import SegcamError
from napari_segcam.measuring.finding_size import measure_finding
from napari_segcam.measuring.measurement import MaskSource, Measurement
from napari_segcam.measuring.pixel_size import PixelSize
from napari_segcam.measuring.table import COLUMNS, measurement_row, write_measurements
from napari_segcam.measuring.words import details, label, pixel_size_words, value_words

MM = PixelSize(0.2, 0.5, "mm")
AXES = ((10.0, 10.0), (10.0, 50.0), (0.0, 30.0), (20.0, 30.0))  # 20 mm along the columns, 4 mm along the rows


def finding() -> Measurement:
    mask = np.zeros((60, 60), bool)
    mask[10:30, 5:45] = True
    size = measure_finding(mask, (0.2, 0.5))
    source = MaskSource("prediction", 0.5, "fibroid", "demo", "abc", (12, 20))
    return Measurement.of_finding(3, size, source, "1")


def volume() -> Measurement:
    planes = ("clip, frame 3", "clip, frame 9")
    return Measurement("volume", 9, (), MM, "V", diameters=(40.0, 20.0, 30.0), planes=planes)


def test_values_follow_from_the_points() -> None:
    assert Measurement("distance", 0, AXES[:2], MM).values() == {"longest": 20.0}
    assert Measurement("cross", 0, AXES, MM).values() == {"longest": 20.0, "across": 4.0}
    turned = (*AXES[2:], *AXES[:2])
    assert Measurement("cross", 0, turned, MM).values() == {"longest": 20.0, "across": 4.0}  # whichever was first
    ellipse = Measurement("ellipse", 0, AXES, MM).values()
    assert ellipse["area"] == pytest.approx(math.pi / 4 * 80)
    assert ellipse["equivalent_diameter"] == pytest.approx(math.sqrt(80))
    outline = Measurement("outline", 0, ((0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0)), MM).values()
    assert outline["area"] == pytest.approx(10.0)
    assert outline["longest"] == pytest.approx(math.hypot(5, 2))
    assert volume().values()["volume"] == pytest.approx(math.pi / 6 * 24000 / 1000)


def test_an_outline_that_crosses_itself_has_no_area_and_says_so() -> None:
    crossed = Measurement("outline", 0, ((0.0, 0.0), (10.0, 10.0), (0.0, 10.0), (10.0, 0.0)), MM)
    assert "area" not in crossed.values()
    assert "crosses itself" in crossed.undefined()
    assert any("crosses itself" in line for line in details(crossed))
    assert measurement_row(crossed, "clip")["area"] is None


def test_words_give_units_and_the_mask() -> None:
    assert value_words(Measurement("distance", 0, AXES[:2], MM)) == "20.0 mm"
    assert value_words(Measurement("cross", 0, AXES, PixelSize())) == "40.0 × 20.0 px (uncalibrated)"
    assert value_words(Measurement("ellipse", 0, AXES, MM)) == "20.0 × 4.0 mm, 62.8 mm²"
    assert label(volume()) == "V: volume 12.6 mL"
    assert label(finding()).endswith("\nof the prediction\nat threshold 0.50")
    assert any("frame 3" in line and "frame 9" in line for line in details(volume()))
    moved = finding().moved_to(AXES)
    assert "ends moved by the reader" in label(moved)
    assert moved.values()["area"] == finding().values()["area"]
    assert pixel_size_words(MM).startswith("Calibrated: a pixel is 0.2 mm high and 0.5 mm wide")
    assert "Uncalibrated" in pixel_size_words(PixelSize())
    assert "2 times as high as wide" in pixel_size_words(PixelSize(2.0))


@pytest.mark.parametrize("measurement", [finding(), volume(), Measurement("cross", 2, AXES, PixelSize(), "my name")])
def test_records_come_back_the_same(measurement: Measurement) -> None:
    record = json.loads(json.dumps(measurement.as_dict(), allow_nan=False))
    assert record == measurement.as_dict()
    assert Measurement.from_dict(record) == measurement


def changed(**values: Any) -> dict[str, Any]:
    return finding().as_dict() | values


@pytest.mark.parametrize(
    "record",
    [
        changed(kind="angle"),
        changed(points=[[1, 2]]),
        changed(points=[[1, 2, 3]] * 4),
        changed(points=[[1, math.nan]] * 4),
        changed(pixel_size={"row": 0, "column": 1, "unit": "mm"}),
        changed(source={"unknown": 1}),
        changed(source={"of": "prediction", "pixel": 3}),
        {},
        changed(kind="outline", points=[[1, 1]] * 3),
        {**volume().as_dict(), "diameters": [1, 2]},
    ],
)
def test_what_is_no_measurement_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(SegcamError):
        Measurement.from_dict(record)


def test_the_table_has_a_row_for_each(tmp_path: Path) -> None:
    bare = Measurement("distance", 1, AXES[:2], PixelSize(), "=1+1")
    rows = [measurement_row(each, "clip", "clip.dcm") for each in (finding(), volume(), bare)]
    write_measurements(tmp_path / "measurements.csv", rows)
    with (tmp_path / "measurements.csv").open(newline="", encoding="utf-8") as file:
        first, second, third = list(csv.DictReader(file))
    assert list(first) == list(COLUMNS)
    assert float(first["longest"]) == pytest.approx(finding().values()["longest"])
    assert (first["length_unit"], first["measured_on"], first["threshold"]) == ("mm", "prediction", "0.5")
    assert (first["row_spacing_mm"], first["column_spacing_mm"], first["class"]) == ("0.2", "0.5", "fibroid")
    assert (second["volume_unit"], second["longest"]) == ("mL", "")
    assert third["undefined"].startswith("uncalibrated")
    assert (third["row_spacing_mm"], third["area"]) == ("", "")
    assert third["name"] == "'=1+1"  # no formula for a spreadsheet


def test_moving_or_naming_keeps_the_identity() -> None:
    measurement = finding()
    assert measurement.named("left").identity == measurement.moved_to(AXES).identity == measurement.identity
    assert replace(measurement, identity="other") != measurement
