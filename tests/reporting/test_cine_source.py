"""Cine source: where frames come from, without paths and patient data."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.reporting.cine_source import CineSource


def test_a_file_is_known_by_its_name_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "Miller" / "scan.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(path)
    source = CineSource.of(open_cine(path))
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.name, source.frames, source.frame_rate) == ("scan.png", 1, None)
    assert source.value_range == (0, 255)
    assert source.value_range_from
    assert "Miller" not in str(asdict(source)), "no path"


def test_frames_in_memory_have_no_checksum() -> None:
    cine = ArrayCine(np.zeros((3, 4, 5), np.uint8), frame_rate=12.5, spacing_mm=(0.5, 0.25))
    source = CineSource.of(cine)
    assert (source.sha256, source.frames, source.frame_rate, source.spacing_mm) == (None, 3, 12.5, (0.5, 0.25))


def test_only_a_frame_of_several_has_a_number_in_its_title() -> None:
    assert CineSource("scan.png").title(0) == "scan.png"
    assert CineSource("clip.dcm", frames=40).title(12) == "clip.dcm, frame 12"


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    Image.new("L", (8, 6)).save(path)
    cine = open_cine(path)
    path.unlink()
    with pytest.raises(SegcamError, match="no file"):
        CineSource.of(cine)
