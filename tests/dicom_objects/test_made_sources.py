"""The made sources are what they say, and valid: an error in an object is then not its source's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_objects.made_sources import COLUMNS, FRAMES, ROWS, SOURCES, color_frames, files_of, gray_frames
from dicom_objects.validators import dciodvfy_errors, dciodvfy_warnings, validator_errors
from napari_segcam import open_cine


@pytest.mark.parametrize("kind", SOURCES)
def test_sources_are_valid(kind: str, tmp_path: Path) -> None:
    for path in files_of(SOURCES[kind](tmp_path)):
        assert dciodvfy_errors(path) == []
        assert dciodvfy_warnings(path) == []
        assert validator_errors(path) == []


def test_validators_find_what_is_missing(tmp_path: Path) -> None:
    path = SOURCES["gray_cine"](tmp_path)
    broken = pydicom.dcmread(path)
    del broken.StudyInstanceUID
    broken.PhotometricInterpretation = "MONOCHROME3"
    broken.save_as(path)
    assert any("StudyInstanceUID" in line for line in dciodvfy_errors(path))
    found = validator_errors(path)
    assert any("Study Instance UID" in line and "TagMissing" in line for line in found)


def test_sources_open_as_cines(tmp_path: Path) -> None:
    cines = {kind: open_cine(function(tmp_path)) for kind, function in SOURCES.items()}
    assert cines["gray_cine"].frame_shape == (ROWS, COLUMNS)
    np.testing.assert_array_equal(np.stack(list(cines["gray_cine"])), gray_frames())
    np.testing.assert_array_equal(np.stack(list(cines["rgb_cine"])), color_frames())
    np.testing.assert_array_equal(np.stack(list(cines["folder_of_stills"])), gray_frames(3))
    assert len(cines["still"]) == 1
    assert len(cines["ybr_jpeg_cine"]) == FRAMES
    assert np.abs(cines["ybr_jpeg_cine"][0].astype(int) - color_frames()[0]).mean() < 8
    assert cines["palette_cine"].is_rgb
    assert cines["gray_cine"].frame_rate == 25
    assert cines["gray_cine"].spacing_mm == (0.5, 0.5)
    assert cines["anisotropic_cine"].spacing_mm == pytest.approx((0.3, 0.5))
    assert cines["uncalibrated_cine"].spacing_mm is None


def test_names_in_other_scripts_survive(tmp_path: Path) -> None:
    name = pydicom.dcmread(SOURCES["japanese_cine"](tmp_path)).PatientName
    assert (name.alphabetic, name.ideographic) == ("Yamada^Tarou", "山田^太郎")
    assert pydicom.dcmread(SOURCES["cyrillic_still"](tmp_path)).PatientName == "Образцова^Проба"


def test_the_same_folder_gives_the_same_uids(tmp_path: Path) -> None:
    first = pydicom.dcmread(SOURCES["gray_cine"](tmp_path)).SOPInstanceUID
    assert pydicom.dcmread(SOURCES["gray_cine"](tmp_path)).SOPInstanceUID == first
