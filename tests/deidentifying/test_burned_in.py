"""Writing inside the region is reported; BurnedInAnnotation is NO only if that is true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import calibrate, describe_pixels, gray_frames, source, write
from PIL import Image, ImageDraw
from pydicom import dcmread

import napari_segcam as sc


def cine_with_words(folder: Path, at: tuple[int, int], frames_with: slice, stated: str = "NO") -> Path:
    """Write a cine of 320 × 240 pixels with a bright word in some frames, at a column and row."""
    frames = np.stack([np.asarray(Image.fromarray(frame).resize((320, 240))) for frame in gray_frames()])
    word = Image.new("L", (320, 240))
    ImageDraw.Draw(word).text(at, "MEIER 1947", fill=255, font_size=16)
    marks = np.asarray(word) > 128
    frames[frames_with, marks] = 255
    header = source("words", count=len(frames))
    describe_pixels(header, frames, "MONOCHROME2")
    calibrate(header)
    region = header.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 20, 24
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 299, 229
    header.BurnedInAnnotation = stated
    return write(header, frames.tobytes(), folder / "words.dcm")


@pytest.mark.parametrize(
    ("at", "frames_with", "region", "expected"),
    [
        ((120, 100), slice(None), "auto", "YES"),
        ((120, 100), slice(4, 5), "auto", "YES"),
        ((100, 2), slice(None), "auto", "NO"),
        ((100, 2), slice(None), "none", "YES"),
    ],
)
def test_words_in_the_region_are_reported(
    at: tuple[int, int], frames_with: slice, region: str, expected: str, tmp_path: Path
) -> None:
    path = cine_with_words(tmp_path, at, frames_with)
    log = sc.deidentify(path, tmp_path / "copy.dcm", sc.DeidentifyOptions(region=region))
    copy = dcmread(tmp_path / "copy.dcm")
    assert copy.get("BurnedInAnnotation") == expected
    assert log.copies[0].burned_in_annotation == expected
    assert log.copies[0].burned_in.startswith("Burned into" if expected == "YES" else "No burned-in")
    codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
    assert ("113101" in codes) == (expected == "NO")


def test_nothing_found_is_no_promise_without_a_region(tmp_path: Path) -> None:
    path = cine_with_words(tmp_path, (0, 0), slice(0, 0))
    sc.deidentify(path, tmp_path / "copy.dcm", sc.DeidentifyOptions(region="none"))
    assert "BurnedInAnnotation" not in dcmread(tmp_path / "copy.dcm")


def test_a_file_that_says_yes_is_believed(tmp_path: Path) -> None:
    path = cine_with_words(tmp_path, (0, 0), slice(0, 0), stated="YES")
    sc.deidentify(path, tmp_path / "copy.dcm", sc.DeidentifyOptions(region="none"))
    assert dcmread(tmp_path / "copy.dcm").BurnedInAnnotation == "YES"
