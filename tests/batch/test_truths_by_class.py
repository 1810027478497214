"""True masks of classes that overlap, one file each: only their names say which class they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from batches import errors_in, rows_in
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.batch.ground_truth import GroundTruth
from napari_segcam.batch.images import images_of
from napari_segcam.batch.options import ExplainOptions
from napari_segcam.batch.pairing import class_and_stem, with_truths, without_masks
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.network.model_card import ModelCard

NAMES = ("left ventricle", "ventricle", "wall")


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("h1_wall.png", "", (2, "h1")),
        ("a/h1-Wall_mask.png", "", (2, "a/h1")),
        ("h1_mask_wall.png", "", (2, "h1")),
        ("h1_left_ventricle.png", "", (0, "h1")),
        ("h1 left ventricle.png", "", (0, "h1")),
        ("h1_right_ventricle.png", "", (1, "h1_right")),
        ("wall/a/h1.png", "", (2, "a/h1")),
        ("h1/wall.png", "", (2, "h1")),
        ("wall.png", "", (2, "")),
        ("h1.png", "Left_Ventricle", (0, "h1")),
        ("h1.png", "masks", None),
        ("h1_drywall.png", "", None),
    ],
)
def test_a_name_says_the_class(name: str, folder: str, expected: tuple[int, str] | None) -> None:
    assert class_and_stem(name, folder, NAMES) == expected


class Levels(nn.Module):
    """Organ where brighter than 0.301, core where brighter than 0.601."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 2, 1)
        for layer, weight, bias in ((self.body, [1.0], [0.0]), (self.head, [50.0, 50.0], [-15.05, -30.05])):
            layer.weight = nn.Parameter(torch.tensor(weight).reshape(layer.weight.shape))
            layer.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture(scope="module")
def network() -> sc.Network:
    card = ModelCard(input_channels=1, normalization="unit", class_names=("organ", "core"), classes_overlap=True)
    return sc.Network.from_module(Levels(), card, "cpu")


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


FRAMES = [np.random.default_rng(seed).integers(0, 255, (32, 48), np.uint8) for seed in range(2)]
ORGAN, CORE = np.zeros((32, 48), np.uint8), np.zeros((32, 48), np.uint8)
ORGAN[4:28, 5:40] = 255
CORE[10:20, 10:30] = 1


@pytest.mark.parametrize("form", ["{name}_{of}.png", "{of}/{name}.png", "{name}/{of}_mask.png"])
def test_a_batch_measures_each_class_against_its_own_file(form: str, network: sc.Network, tmp_path: Path) -> None:
    for number, frame in enumerate(FRAMES):
        write(tmp_path / "images" / f"h{number}.png", frame)
        write(tmp_path / "truth" / form.format(name=f"h{number}", of="organ"), ORGAN)
        if number == 0:
            write(tmp_path / "truth" / form.format(name=f"h{number}", of="core"), CORE)
    options = ExplainOptions(stages=["body"], classes=["organ", "core"])
    batch = sc.Batch(tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "truth")
    assert [result.error for result in batch] == ["", ""]
    rows = {(row["image"], row["class"]): row for row in rows_in(tmp_path / "run")}
    for number, frame in enumerate(FRAMES):
        for name, level, truth in (("organ", 0.301, ORGAN > 0), ("core", 0.601, CORE > 0)):
            row, found = rows[f"h{number}.png", name], frame / 255 > level
            assert int(row["pixels"]) == found.sum()
            if (number, name) == (1, "core"):
                assert row["overlap_undefined"] == "there is no true mask"
                continue
            expected = 2 * (found & truth).sum() / (found.sum() + truth.sum())
            assert float(row["dice"]) == pytest.approx(expected)
            assert int(row["truth_pixels"]) == truth.sum()
    again = sc.Batch(tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "truth")
    assert again.earlier == 2
    write(tmp_path / "truth" / form.format(name="h0", of="core"), ORGAN)
    changed = sc.Batch(tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "truth")
    assert changed.earlier == 1, "a truth that has changed is measured again"


def test_masks_beside_the_images_are_no_images(network: sc.Network, tmp_path: Path) -> None:
    for name, pixels in (("h0", FRAMES[0]), ("h0_organ", ORGAN), ("h0_core", CORE), ("other_core", FRAMES[1])):
        write(tmp_path / f"{name}.png", pixels)
    images = without_masks(images_of(tmp_path), network.class_names)
    assert [image.name for image in images] == ["h0.png", "other_core.png"]
    (paired, alone) = with_truths(images, tmp_path, network.class_names)
    assert [path and path.name for path in paired.class_truths] == ["h0_organ.png", "h0_core.png"]
    assert not alone.truth_files


def test_a_mask_that_tells_no_class_is_refused_with_what_would(network: sc.Network, tmp_path: Path) -> None:
    write(tmp_path / "images" / "h0.png", FRAMES[0])
    write(tmp_path / "truth" / "h0_mask.png", ORGAN)
    batch = sc.Batch(
        tmp_path / "images", tmp_path / "run", network, ExplainOptions(stages=["body"]), truth=tmp_path / "truth"
    )
    list(batch)
    (error,) = errors_in(tmp_path / "run").values()
    assert "has one mask, but the network has 2 overlapping classes (organ, core). Give a file for each" in error
    write(tmp_path / "truth" / "a" / "h0_core.png", CORE)
    write(tmp_path / "truth" / "core" / "h0.png", CORE)
    with pytest.raises(sc.SegcamError, match=r"Two true masks of one class match the image h0\.png"):
        with_truths(images_of(tmp_path / "images"), tmp_path / "truth", network.class_names)


def test_a_folder_of_one_image_has_a_file_for_each_class(network: sc.Network, tmp_path: Path) -> None:
    write(tmp_path / "h0_core.png", CORE)
    write(tmp_path / "h0_organ.png", ORGAN)
    truth = GroundTruth.of_file(tmp_path, network)
    truth.check(ArrayCine(FRAMES[0]))
    for index, expected in enumerate((ORGAN > 0, CORE > 0)):  # the order of the classes, not that of the files
        np.testing.assert_array_equal(truth.mask(0, index), expected)
    with pytest.raises(sc.SegcamError, match="48×32 pixels, but the image 32×48"):
        truth.check(ArrayCine(FRAMES[0].T))
    write(tmp_path / "notes.png", CORE)
    with pytest.raises(sc.SegcamError, match=r"notes\.png names no class\. The classes are: organ, core"):
        GroundTruth.of_file(tmp_path, network)
