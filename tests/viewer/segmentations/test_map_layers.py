"""Parametric maps as heatmap layers over their cine: at their own resolution, exactly in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_objects.made_sources import COLUMNS, ROWS
from napari.components import ViewerModel
from opened import MODEL, Open, source_file

from napari_segcam.dicom_objects.new_object import save_object
from napari_segcam.dicom_objects.parametric_map import parametric_map
from napari_segcam.dicom_objects.source_images import SourceImages
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.stages.stage import Stage
from napari_segcam.viewer.layers.placement import OURS
from napari_segcam.viewer.sessions import session_of

STAGE = Stage("encoder_5", "encoder", 16, 320, "encoder.blocks.4")
CROPPED = Geometry((ROWS, COLUMNS), (64, 96), (64, 96), crop=(8, 90, 4, 120))


def write_map(
    source: Path, path: Path, values: np.ndarray, *, signed: bool = False, frames: tuple[int, ...] | None = None
) -> Path:
    """Write ``(T, h, w)`` as heatmaps of a stage; the last frame's is empty."""
    numbers = range(len(values)) if frames is None else frames
    heatmaps = [
        (
            number,
            Heatmap(
                STAGE,
                values[number],
                CROPPED,
                Reason.NOTHING_DRAWN if number == len(values) - 1 else None,
                signed=signed,
            ),
        )
        for number in numbers
    ]
    images = SourceImages.of(open_cine(source))
    facts = {"algorithm": MODEL, "method_title": "Grad-CAM", "class_name": "fibroid"}
    save_object(parametric_map(images, STAGE.name, heatmaps, **facts), path)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("signed", [False, True])
def test_a_map_is_a_heatmap_over_its_cine(viewer: ViewerModel, open_files: Open, tmp_path: Path, signed: bool) -> None:
    source = source_file(tmp_path, "anisotropic_cine")
    values = np.random.default_rng(1).normal(0, 1e-3, (6, 4, 6)).astype(np.float32)
    if not signed:
        values = np.abs(values)
    session = session_of(viewer)
    open_files(viewer, source, write_map(source, tmp_path / "heatmap.dcm", values, signed=signed, frames=(0, 2, 3, 5)))
    image, heat = viewer.layers
    assert session.image is image
    assert heat.name == "encoder_5 Grad-CAM (heatmap.dcm)"
    for frame in (0, 2, 3):
        np.testing.assert_array_equal(np.asarray(heat.data[frame]), values[frame])
    for frame in (1, 4, 5):
        assert np.isnan(np.asarray(heat.data[frame])).all()
    model = Heatmap(STAGE, values[0], CROPPED)
    (rows, columns), (top, left) = model.scale, model.translate
    for y, x in ((0, 0), (3, 5), (1, 2)):
        place = image.data_to_world((2, y * rows + top, x * columns + left))
        np.testing.assert_allclose(heat.data_to_world((2, y, x)), place)
    peak = np.abs(values[[0, 2, 3]]).max()
    np.testing.assert_allclose(heat.contrast_limits, (-peak if signed else 0, peak))
    assert heat.metadata[OURS]["map"]["class"] == "fibroid"

    said = {}
    for step in (2, 4, 5):
        viewer.dims.set_current_step(0, step)
        said[step] = [o.text for name, o in viewer.canvas.overlays.items() if name.startswith("segcam_file")]
    assert said == {
        2: [""],
        4: ["heatmap.dcm says nothing about this frame"],
        5: [f"heatmap.dcm: no heat, since {Reason.NOTHING_DRAWN.value}"],
    }


def test_a_map_of_a_still_opens_with_its_image(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "still")
    values = np.random.default_rng(1).random((2, 4, 6)).astype(np.float32)
    open_files(viewer, write_map(source, tmp_path / "heatmap.dcm", values, frames=(0,)))
    image, heat = viewer.layers
    assert image.name == "still"
    np.testing.assert_array_equal(heat.data, values[0])


def test_a_map_of_many_values(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    """The values of a real cine take more than the 64 KB that are read with a header."""
    source = source_file(tmp_path, "gray_cine")
    values = np.random.default_rng(1).random((6, 64, 96)).astype(np.float32)
    assert values.nbytes > 2**17
    open_files(viewer, source, write_map(source, tmp_path / "heatmap.dcm", values))
    _, heat = viewer.layers
    for frame in (0, 4):
        np.testing.assert_array_equal(np.asarray(heat.data[frame]), values[frame])


def test_a_map_of_another_patient_is_refused(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    source = source_file(tmp_path, "gray_cine")
    file = write_map(source, tmp_path / "heatmap.dcm", np.ones((6, 4, 6), np.float32))
    header = pydicom.dcmread(file)
    header.PatientID = "P-0815"
    header.save_as(file)
    open_files(viewer, source, file)
    assert len(viewer.layers) == 1
    assert shown == ["heatmap.dcm is not opened: gray_cine is of another patient than heatmap.dcm."]


def test_of_several_maps_the_first_is_in_view(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    values = np.random.default_rng(1).random((6, 4, 6)).astype(np.float32)
    open_files(viewer, source, *(write_map(source, tmp_path / f"{name}.dcm", values) for name in "ab"))
    assert [layer.visible for layer in viewer.layers] == [True, True, False]
