"""Damaged files end in our own error, and leave nothing half-written."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from dicom_objects.made_sources import SOURCES

import napari_segcam as sc
from deidentifying.planting import Planted

KINDS = ["gray_cine", "ybr_jpeg_cine", "palette_cine", "still"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_copied_or_refused(kind: str, tmp_path: Path) -> None:
    content = SOURCES[kind](tmp_path).read_bytes()
    random = np.random.default_rng(KINDS.index(kind))
    refused = copied = 0
    for number in range(30):
        damaged = bytearray(content)
        header = 0 if number % 3 else 132  # every third time, the preamble stays whole
        for place in random.integers(header, min(len(content), 2600), 1 + number % 7):
            damaged[place] = random.integers(256)
        if number % 5 == 0:
            del damaged[random.integers(200, len(damaged)) :]
        path = tmp_path / "damaged.dcm"
        path.write_bytes(damaged)
        out = tmp_path / f"out_{number}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sc.deidentify(path, out / "copy.dcm", sc.DeidentifyOptions(region="none"))
        except sc.SegcamError:
            refused += 1
            assert not list(out.rglob("*"))
        else:
            copied += 1
            names = {"copy.dcm", "copy.deidentification.csv", "copy.deidentification.json"}
            assert {entry.name for entry in out.iterdir()} == names
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert len(sc.open_cine(out / "copy.dcm")) > 0
    assert refused
    assert copied


def test_a_reason_in_the_log_never_quotes_the_file(tmp_path: Path) -> None:
    planted = Planted()
    folder = tmp_path / "in"
    folder.mkdir()
    still = SOURCES["still"](tmp_path)
    word = planted.name("photometric interpretation").upper()[:11].encode().ljust(11)
    content = still.read_bytes().replace(b"MONOCHROME2 ", word + b" ")
    assert word in content
    (folder / f"{planted.name('name of a refused file')}.dcm").write_bytes(content)
    (folder / f"{planted.name('name of an empty file')}.dcm").write_bytes(b"")
    (folder / "good.dcm").write_bytes(still.read_bytes())
    log = sc.deidentify(folder, tmp_path / "out")
    assert (len(log.copies), len(log.refusals)) == (1, 2)
    assert planted.survivors(tmp_path / "out") == []


def test_stopping_leaves_whole_copies_only(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("a", "b", "c"):
        (folder / name).mkdir(parents=True)
        SOURCES["gray_cine"](folder / name)
    done: list[int] = []
    log = sc.deidentify(
        folder,
        tmp_path / "out",
        progress=lambda count, _total, _words: done.append(count),
        cancelled=lambda: bool(done),
    )
    assert not log.is_complete
    assert len(log.copies) == 1
    assert [path.suffix for path in (tmp_path / "out").rglob("*") if path.is_file() and "patient" in str(path)] == [
        ".dcm"
    ]
