"""The network's input follows the pixel shape stated in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_segcam.imaging.cine import ArrayCine, Cine
from napari_segcam.imaging.geometry import Geometry, lay_out
from napari_segcam.imaging.opening import open_cine
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.model_card import ModelCard, SizeRule

PAD = SizeRule(rule="pad")


@pytest.mark.parametrize(
    ("rule", "aspect", "content", "size", "offset"),
    [
        (PAD, 4 / 3, (120, 100), (128, 112), (0, 0)),
        (PAD, 0.5, (90, 200), (96, 208), (0, 0)),
        (PAD, 1.009, (90, 100), (96, 112), (0, 0)),  # square except for rounding
        (SizeRule(rule="resize"), 4 / 3, (128, 96), (128, 96), (0, 0)),  # to the nearest multiples of 16
        (SizeRule(rule="resize", height=64, width=64), 4 / 3, (64, 64), (64, 64), (0, 0)),  # stretched in any case
        (SizeRule(rule="letterbox", height=64, width=64), 4 / 3, (64, 53), (64, 64), (0, 5)),
    ],
)
def test_the_input_holds_the_frame_in_its_true_shape(
    rule: Any, aspect: Any, content: Any, size: Any, offset: Any
) -> None:
    assert lay_out((90, 100), rule, 16, pixel_aspect=aspect) == Geometry(
        (90, 100), size, content, offset, pixel_aspect=aspect
    )


def test_pixels_are_torchs_interpolation_there_and_back() -> None:
    frame = torch.from_numpy(np.random.default_rng(0).random((90, 100), dtype=np.float32))
    card = ModelCard(input_channels=1, size=PAD, normalization="none")
    x, geometry = prepare(frame.numpy(), card, 16, pixel_aspect=4 / 3)
    expected = F.interpolate(frame[None, None], (120, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(x[..., :120, :100], expected, atol=1e-6, rtol=0)
    back = F.interpolate(x[..., :120, :100], (90, 100), mode="bilinear", align_corners=False)
    torch.testing.assert_close(geometry.to_frame(x), back, atol=1e-6, rtol=0)


def test_a_map_of_a_stage_is_placed_where_its_pixels_came_from() -> None:
    geometry = lay_out((90, 100), PAD, 16, (slice(30, 90), slice(20, 100)), 4 / 3)
    scale, translate = geometry.placement((5, 5))  # for an input of 80 × 80, stride 16
    assert geometry.input_shape == (80, 80)
    assert scale == (12, 16)
    assert translate == (30 + 5.5, 20 + 7.5)


def test_a_cine_notes_the_shape_and_that_it_is_used() -> None:
    cine = ArrayCine(np.zeros((60, 80), np.uint8), spacing_mm=(0.4, 0.3))
    assert cine.pixel_aspect == pytest.approx(4 / 3)
    (note,) = (note for note in cine.notes if "not square" in note)
    assert "as if they were square" not in note
    assert not any(
        "not square" in note for note in ArrayCine(np.zeros((60, 80), np.uint8), spacing_mm=(0.3, 0.301)).notes
    )


# ── research files ──────────────────────────────────────────────────────────────────────────────────────────────────


STORED = np.random.default_rng(1).integers(0, 256, (40, 30, 5), dtype=np.uint8)  # along the rows, down, through frames


def nifti(
    path: Path, steps: tuple[float, ...], units: tuple[str, str] = ("mm", "unknown"), array: np.ndarray = STORED
) -> Cine:
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]))
    image.header.set_zooms(steps)
    image.header.set_xyzt_units(*units)
    nibabel.save(image, path)
    return open_cine(path)


def metaimage(path: Path, spacing: str) -> Cine:
    header = (
        f"ObjectType = Image\nNDims = 3\nDimSize = 40 30 5\nElementType = MET_UCHAR\n{spacing}ElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + STORED.tobytes(order="F"))
    return open_cine(path)


def nrrd_file(path: Path, header: dict[str, Any]) -> Cine:
    nrrd = pytest.importorskip("nrrd")
    nrrd.write(str(path), STORED, header)
    return open_cine(path)


def test_the_shape_is_known_without_the_unit(tmp_path: Path) -> None:
    bare = nifti(tmp_path / "a.nii", (0.3, 0.4, 1), ("unknown", "unknown"))
    far = nifti(tmp_path / "b.nii", (300, 400, 1), ("unknown", "unknown"))  # perhaps micrometers
    assert far.spacing_mm is None
    assert bare.pixel_aspect == pytest.approx(4 / 3)
    assert far.pixel_aspect == pytest.approx(4 / 3)
    assert nrrd_file(tmp_path / "c.nrrd", {"spacings": [300, 400, 1]}).pixel_aspect == pytest.approx(4 / 3)
    angles = nrrd_file(tmp_path / "d.nrrd", {"spacings": [0.5, 0.1, 1], "units": ["deg", "mm", ""]})
    assert (angles.spacing_mm, angles.pixel_aspect) == (None, 1)
    assert any("deg" in note for note in angles.notes)


@pytest.mark.parametrize(
    ("write", "header", "are_slices", "note"),
    [
        (nifti, ((0.3, 0.3, 0.8),), True, "slices of a volume, not moments"),
        (nifti, ((0.3, 0.3, 1),), False, "does not say"),
        (nifti, ((0.3, 0.3, 1, 0.04), ("mm", "sec"), STORED[:, :, None]), False, ""),
        (metaimage, ("ElementSpacing = 0.3 0.3 0.8\n",), True, "slices of a volume, not moments"),
        (metaimage, ("ElementSpacing = 0.3 0.3 1\n",), False, "does not say"),
        (metaimage, ("",), False, "does not say"),
        (nrrd_file, ({"kinds": ["space"] * 3, "spacings": [0.3, 0.3, 1]},), True, "slices of a volume, not moments"),
        (nrrd_file, ({"spacings": [0.3, 0.3, 0.8], "units": ["mm"] * 3},), True, "slices of a volume, not moments"),
        (nrrd_file, ({"spacings": [0.3, 0.3, 40], "units": ["mm", "mm", "ms"]},), False, ""),
        (nrrd_file, ({"kinds": ["domain", "domain", "time"]},), False, ""),
        (nrrd_file, ({"spacings": [0.3, 0.3, 0.8]},), False, "does not say"),
    ],
)
def test_slices_of_a_volume_are_not_moments_in_time(
    tmp_path: Path, write: Any, header: Any, are_slices: bool, note: str
) -> None:
    suffix = {nifti: "nii", metaimage: "mha", nrrd_file: "nrrd"}[write]
    cine = write(tmp_path / f"a.{suffix}", *header)
    assert len(cine) == 5
    assert cine.are_slices is are_slices
    if are_slices:
        assert cine.frame_rate is None
        opened = open_cine(f"{tmp_path / f'a.{suffix}'}::XYT")
        assert not opened.are_slices
        assert not any("moments" in note for note in opened.notes)
    notes = [text for text in cine.notes if "moments" in text]
    assert len(notes) == bool(note)
    assert all(note in text for text in notes)


def test_a_still_is_not_a_volume(tmp_path: Path) -> None:
    still = nifti(tmp_path / "a.nii", (0.3, 0.3, 0.8), array=STORED[:, :, :1])
    assert (len(still), still.are_slices) == (1, False)
    assert not any("moments" in note for note in still.notes)
