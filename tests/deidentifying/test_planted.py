"""No identifier that was planted survives, and what stays is what was there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian

import napari_segcam as sc
from deidentifying import planted_files
from deidentifying.planted_files import INSIDE
from deidentifying.planting import Planted
from napari_segcam.deidentifying.options import Dates


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    folder, planted = tmp_path_factory.mktemp("corpus"), Planted()
    planted_files.color_cine(folder, planted)
    planted_files.overlay_still(folder / "a", planted)
    planted_files.overlay_still(folder / "b", planted, ExplicitVRBigEndian)
    planted_files.implicit_still(folder / "c", planted)
    planted_files.jpeg_cine(folder / "d", planted)
    planted_files.run_length_still(folder / "e", planted)
    planted_files.palette_still(folder / "f", planted)
    planted_files.pictures(folder / planted.name("picture folder"), planted)
    planted_files.other_files(folder / "g", planted)
    return folder, planted


def test_the_search_finds_what_was_planted(corpus: tuple[Path, Planted]) -> None:
    folder, planted = corpus
    assert len(planted.places) > 500
    hidden = {place for place in planted.places if place.startswith("high bits") and "file" not in place}
    # The bits of these are spread over many pixels; another test looks at them.
    assert set(planted.places) - set(planted.survivors(folder)) == hidden


@pytest.mark.slow
@pytest.mark.parametrize(("dates", "region"), [("remove", "auto"), ("shift", "8,4,120,92"), ("remove", "none")])
def test_nothing_survives(corpus: tuple[Path, Planted], tmp_path: Path, dates: Dates, region: str) -> None:
    folder, planted = corpus
    log = sc.deidentify(folder, tmp_path / "copies", sc.DeidentifyOptions(region, dates))
    refused = ["DICOMDIR", "notes.txt", "report.dcm"]
    if region == "auto":  # a small still without a header does not show where its scan is
        refused += [refusal.name for refusal in log.refusals if refusal.name.endswith((".png", ".jpg", ".tif"))]
        assert len(refused) == 6
    assert sorted(refusal.name for refusal in log.refusals) == sorted(refused)
    assert len(log.copies) == 13 - len(refused)
    assert planted.survivors(tmp_path) == []


@pytest.mark.parametrize(
    "make",
    [
        planted_files.color_cine,
        planted_files.overlay_still,
        planted_files.implicit_still,
        planted_files.jpeg_cine,
        planted_files.run_length_still,
        planted_files.palette_still,
    ],
)
def test_pixels_in_the_region_stay_and_others_are_black(make, tmp_path: Path) -> None:
    source = make(tmp_path / "in", Planted())
    copy = tmp_path / "copy.dcm"
    log = sc.deidentify(source, copy)
    before, after = sc.open_cine(source), sc.open_cine(copy)
    assert log.copies[0].region.startswith("8,4,120,92")
    assert (len(before), before.frame_rate, before.spacing_mm, before.region) == (
        len(after),
        after.frame_rate,
        after.spacing_mm,
        after.region,
    )
    outside = np.ones(before.frame_shape[:2], bool)
    outside[INSIDE] = False
    for index in range(len(before)):
        assert before[index][outside].max() > 200
        assert after[index][outside].max() == 0
        np.testing.assert_array_equal(before[index][INSIDE], after[index][INSIDE])


def test_bits_above_the_pixels_are_cleared(tmp_path: Path) -> None:
    source = planted_files.overlay_still(tmp_path, Planted())
    assert dcmread(source).pixel_array.max() < 4096
    assert np.frombuffer(dcmread(source).PixelData, "<u2").max() > 2**15
    sc.deidentify(source, tmp_path / "copy.dcm")
    assert np.frombuffer(dcmread(tmp_path / "copy.dcm").PixelData, "<u2").max() < 4096
