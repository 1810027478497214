"""Heatmap files: other libraries read the same raw values, at the right size and position."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from made_explanations import SHAPE, explanation, heatmap, ramp
from PIL import Image

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.reporting.heatmap_files import write_npz, write_tiff

VALUES = ramp(6, 8, highest=1234.5) - 3


def test_the_archive_holds_every_stage_raw(tmp_path: Path) -> None:
    maps = {"encoder_5": heatmap(ramp()), "decoder_x_0_4": heatmap(VALUES, name="decoder_x_0_4", signed=True)}
    write_npz(tmp_path / "heatmaps.npz", explanation(maps))
    with np.load(tmp_path / "heatmaps.npz", allow_pickle=False) as archive:
        assert set(archive) == set(maps)
        for name, one in maps.items():
            assert archive[name].dtype == np.float32
            np.testing.assert_array_equal(archive[name], one.values)


def test_pillow_and_opencv_read_the_raw_values(tmp_path: Path) -> None:
    write_tiff(tmp_path / "map.tif", heatmap(VALUES, signed=True))
    path = str(tmp_path / "map.tif")
    for values in (
        np.asarray(Image.open(path)),
        cv2.imread(path, cv2.IMREAD_UNCHANGED),
        tifffile.imread(path),
    ):
        np.testing.assert_array_equal(values, VALUES)


def test_itk_reads_the_raw_values(tmp_path: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    write_tiff(tmp_path / "map.tif", heatmap(VALUES, signed=True))
    np.testing.assert_array_equal(itk.GetArrayFromImage(itk.ReadImage(str(tmp_path / "map.tif"))), VALUES)


@pytest.mark.parametrize(("spacing", "unit"), [((0.5, 0.25), "mm"), (None, "pixel")])
def test_the_pixels_of_the_map_together_are_as_large_as_the_frame(
    tmp_path: Path, spacing: tuple[float, float] | None, unit: str
) -> None:
    write_tiff(tmp_path / "map.tif", heatmap(ramp(6, 8)), spacing)
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        tags = file.pages[0].tags
        sizes = [tags[name].value[1] / tags[name].value[0] for name in ("YResolution", "XResolution")]
        metadata = file.imagej_metadata or {}
    assert metadata["unit"] == unit
    rows, columns = spacing or (1, 1)
    assert (6 * sizes[0], 8 * sizes[1]) == pytest.approx((SHAPE[0] * rows, SHAPE[1] * columns), rel=1e-4)
    assert (metadata["xorigin"], metadata["yorigin"]) == pytest.approx((0, 0)), "the frame begins where the map does"


def test_the_description_states_scale_and_translate_as_napari_uses_them(tmp_path: Path) -> None:
    one = heatmap(ramp(6, 8), crop=(12, 60, 32, 96), signed=True)
    write_tiff(tmp_path / "map.tif", one, description={"class": "größer 子宮"})
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        metadata = file.imagej_metadata or {}
    facts = json.loads(metadata["Info"])
    assert (facts["scale"], facts["translate"]) == (list(one.scale), list(one.translate))
    assert (facts["stage"], facts["signed"], facts["empty_because"]) == ("encoder_5", True, None)
    assert facts["class"] == "größer 子宮"
    assert (metadata["min"], metadata["max"]) == (0.0, 6.0)


def test_an_empty_map_says_why(tmp_path: Path) -> None:
    write_tiff(tmp_path / "map.tif", heatmap(np.zeros((3, 4)), reason=Reason.EMPTY_REGION))
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        facts = json.loads((file.imagej_metadata or {})["Info"])
    assert facts["empty_because"] == Reason.EMPTY_REGION.value
    assert not tifffile.imread(tmp_path / "map.tif").any()


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegcamError, match="cannot be written"):
        write_tiff(tmp_path / "file" / "map.tif", heatmap(ramp()))
    with pytest.raises(SegcamError, match="cannot be written"):
        write_npz(tmp_path / "file" / "maps.npz", explanation({"encoder_5": heatmap(ramp())}))
