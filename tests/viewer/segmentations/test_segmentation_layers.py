"""Segmentation files as layers over their cine: bit for bit, in place, and recognizable where they say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from opened import MODEL, Open, random_masks, source_file, write_segmentation

from napari_segcam.dicom_objects.segmentation.segment import Segment
from napari_segcam.imaging.opening import open_cine
from napari_segcam.viewer.layers.placement import OURS

KINDS = ("gray_cine", "ybr_jpeg_cine", "palette_cine", "still", "anisotropic_cine", "uncalibrated_cine")


def labels_in(viewer: ViewerModel) -> list[Labels]:
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def words_on(viewer: ViewerModel) -> list[str]:
    """Return what the canvas says about files."""
    return [
        overlay.text
        for name, overlay in viewer.canvas.overlays.items()
        if name.startswith("segcam_file") and overlay.visible
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_masks_lie_over_their_image_bit_for_bit(
    viewer: ViewerModel, open_files: Open, tmp_path: Path, kind: str
) -> None:
    source = source_file(tmp_path, kind)
    masks = random_masks(source, 2)
    open_files(viewer, source, write_segmentation(source, tmp_path / "masks.dcm", masks))
    image, labels = viewer.layers
    assert isinstance(image, Image)
    assert isinstance(labels, Labels)
    expected = np.where(masks[:, 0], 1, np.where(masks[:, 1], 2, 0))
    np.testing.assert_array_equal(labels.data, expected if image.ndim == 3 else expected[0])
    for pixel in ((0, 0), (3, 17), (40, 5)):
        place = (2, *pixel)[-image.ndim :]
        np.testing.assert_allclose(labels.data_to_world(place), image.data_to_world(place))
    assert labels.units == image.units
    assert labels.name == "fibroid, uterus (masks.dcm)"
    assert list(labels.features["segment"]) == ["none", "fibroid", "uterus"]


def test_layers_follow_the_frames_and_the_image(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "anisotropic_cine")
    masks = random_masks(source, 1)
    open_files(viewer, source, write_segmentation(source, tmp_path / "masks.dcm", masks))
    image, labels = viewer.layers
    for step in (0, 4, 2):
        viewer.dims.set_current_step(0, step)
        np.testing.assert_array_equal(labels._slice.image.raw > 0, masks[step, 0])
    image.translate = (0, 5, -3)
    np.testing.assert_allclose(labels.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))


def test_stills_of_a_folder_are_matched_one_by_one(
    viewer: ViewerModel, open_files: Open, shown: list[str], tmp_path: Path
) -> None:
    folder = source_file(tmp_path, "folder_of_stills")
    masks = random_masks(folder, 2)
    file = write_segmentation(folder, tmp_path / "masks.dcm", masks, frames=[0, 2])
    open_files(viewer, folder, file)
    (labels,) = labels_in(viewer)
    for number in (0, 2):
        np.testing.assert_array_equal(labels.data[number] == 2, masks[number, 1])
    assert not labels.data[1].any()

    # One of the stills by itself shows its part of the file.
    assert shown == []
    viewer.layers.clear()
    still = sorted(path for path in folder.iterdir())[0]
    number = [path.name for path in open_cine(folder).frame_paths].index(still.name)
    open_files(viewer, still, file)
    (labels,) = labels_in(viewer)
    np.testing.assert_array_equal(labels.data == 1, masks[number, 0] if number != 1 else 0)
    assert len(shown) == 1
    assert shown[0].startswith("masks.dcm is also about ")


def test_overlapping_segments_have_a_layer_each(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    masks = random_masks(source, 3, overlap=True)
    assert (masks.sum(axis=1) > 1).any()
    open_files(viewer, source, write_segmentation(source, tmp_path / "masks.dcm", masks))
    layers = labels_in(viewer)
    assert [layer.name for layer in layers] == [f"{name} (masks.dcm)" for name in ("fibroid", "uterus", "cyst")]
    for number, layer in enumerate(layers):
        np.testing.assert_array_equal(layer.data > 0, masks[:, number])


def test_a_label_map_is_one_layer(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "rgb_cine")
    masks = random_masks(source, 2)
    labels = np.where(masks[:, 0], 1, np.where(masks[:, 1], 2, 0)).astype(np.uint8)
    open_files(viewer, source, write_segmentation(source, tmp_path / "map.dcm", labels, kind="labelmap"))
    (layer,) = labels_in(viewer)
    np.testing.assert_array_equal(layer.data, labels)


def test_fractions_are_values_with_an_outline_at_one_half(
    viewer: ViewerModel, open_files: Open, tmp_path: Path
) -> None:
    source = source_file(tmp_path, "anisotropic_cine")
    cine = open_cine(source)
    stored = np.random.default_rng(3).integers(0, 256, (len(cine), 1, *cine.frame_shape[:2]))
    stored[:, :, :9] = 0
    file = write_segmentation(source, tmp_path / "p.dcm", stored.astype(np.float32) / 255, kind="fractional")
    open_files(viewer, source, file)
    image, fractions, labels = viewer.layers
    assert fractions.name == "fibroid probability (p.dcm)"
    assert labels.name == "fibroid ≥ 0.5 (p.dcm)"
    np.testing.assert_array_equal(labels.data > 0, stored[:, 0] >= 127.5)
    for frame in (0, 3):
        np.testing.assert_allclose(np.asarray(fractions.data[frame]), stored[frame, 0] / 255, atol=1e-6)
    np.testing.assert_allclose(fractions.data_to_world((1, 2, 3)), image.data_to_world((1, 2, 3)))


def test_a_frame_that_was_not_looked_at_differs_from_an_empty_one(
    viewer: ViewerModel, open_files: Open, tmp_path: Path
) -> None:
    source = source_file(tmp_path, "gray_cine")
    masks = random_masks(source, 1)
    masks[1] = False
    edited = [Segment("fibroid", "SEMIAUTOMATIC", MODEL, edited_frames=(2,))]
    file = write_segmentation(source, tmp_path / "m.dcm", masks, frames=[0, 1, 2, 4], segments=edited)
    open_files(viewer, source, file)
    (labels,) = labels_in(viewer)
    assert labels.name == "fibroid (m.dcm, edited)"
    said = {}
    for step in range(5):
        viewer.dims.set_current_step(0, step)
        said[step] = words_on(viewer)
    assert said == {
        0: [],
        1: ["m.dcm: looked at, nothing found"],
        2: ["m.dcm: edited by a reader"],
        3: ["m.dcm says nothing about this frame"],
        4: [],
    }
    viewer.dims.set_current_step(0, 3)
    labels.visible = False
    assert words_on(viewer) == []
    labels.visible = True
    assert len(words_on(viewer)) == 1
    viewer.layers.remove(labels)
    assert not [name for name in viewer.canvas.overlays if name.startswith("segcam_file")]


def test_segments_have_the_colors_of_the_file(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    segments = [Segment("fibroid", algorithm=MODEL, color="#ff8800"), Segment("uterus", algorithm=MODEL)]
    open_files(
        viewer, source, write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 2), segments=segments)
    )
    (labels,) = labels_in(viewer)
    first, second = (np.asarray(labels.get_color(number)) for number in (1, 2))
    np.testing.assert_allclose(first[:3], (1, 0x88 / 255, 0), atol=0.01)
    assert np.abs(first - second)[:3].max() > 0.2


def test_the_layers_belong_to_the_file(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    source = source_file(tmp_path, "gray_cine")
    file = write_segmentation(source, tmp_path / "m.dcm", random_masks(source, 1))
    viewer.add_image(np.zeros((8, 8)), name="other")
    open_files(viewer, source, file)
    (labels,) = labels_in(viewer)
    assert labels.metadata[OURS]["file"] == str(file)
    assert "best_model.pth" in labels.metadata[OURS]["details"]["fibroid"]
    assert not labels.editable
    assert viewer.layers.selection.active.name == "gray_cine"


def test_a_file_of_another_program_without_empty_frames(viewer: ViewerModel, open_files: Open, tmp_path: Path) -> None:
    """Written as many programs do: no private elements, stored frames in any order, no empty ones, no colors."""
    source = source_file(tmp_path, "gray_cine")
    masks = random_masks(source, 2)
    file = write_segmentation(source, tmp_path / "m.dcm", masks, frames=[0, 2, 3])
    header = pydicom.dcmread(file)
    bits = np.unpackbits(np.frombuffer(header.PixelData, np.uint8), bitorder="little")
    planes = bits[: 6 * masks[0, 0].size].reshape(6, -1)
    order = [5, 0, 3, 2]  # (frame 3, uterus), (0, fibroid), (2, uterus), (2, fibroid)
    header.PerFrameFunctionalGroupsSequence = [header.PerFrameFunctionalGroupsSequence[index] for index in order]
    header.NumberOfFrames = len(order)
    header.PixelData = np.packbits(planes[order].ravel(), bitorder="little").tobytes()
    header.Manufacturer = "Somebody else"
    header.save_as(file)
    open_files(viewer, source, file)
    (labels,) = labels_in(viewer)
    expected = np.zeros(labels.data.shape, np.uint8)
    expected[3][masks[3, 1]] = expected[2][masks[2, 1]] = 2
    expected[0][masks[0, 0]] = expected[2][masks[2, 0]] = 1
    np.testing.assert_array_equal(labels.data, expected)
    viewer.dims.set_current_step(0, 1)
    assert words_on(viewer) == ["m.dcm says nothing about this frame"]
