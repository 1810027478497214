"""True masks: numbers, palettes and colors, and what is refused because it is ambiguous."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.color_tables.color_table import read_colors
from napari_segcam.batch.true_masks import check_masks, open_masks, true_mask
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.network.model_card import ModelCard

NUMBERS = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
COLORS = {"background": (9, 9, 9), "head": (255, 0, 0), "femur": (0, 255, 0)}
PAINTED = np.array([COLORS[name] for name in ("background", "head", "femur")], np.uint8)[NUMBERS]


def network_of(classes: int, **card: object) -> sc.Network:
    names = ("background", "head", "femur")[:classes] if classes > 1 else ("head",)
    module = torch.nn.Conv2d(3, classes, 3, padding=1)
    return sc.Network.from_module(module, ModelCard.model_validate({"class_names": names, **card}), "cpu")


@pytest.fixture(scope="module")
def network() -> sc.Network:
    return network_of(3)


def mask_of(values: np.ndarray, index: int, network: sc.Network, colors: dict | None = None) -> np.ndarray:
    mask = true_mask(ArrayCine(values, name="t"), 0, index, network, colors)
    assert mask is not None
    assert mask.dtype == bool
    return mask


@pytest.mark.parametrize("index", [0, 1, 2])
def test_numbers_palettes_and_colors_say_the_same(network: sc.Network, tmp_path: Path, index: int) -> None:
    expected = np.isin(NUMBERS, index)
    np.testing.assert_array_equal(mask_of(NUMBERS, index, network), expected)
    np.testing.assert_array_equal(mask_of(np.repeat(NUMBERS[..., None], 3, 2), index, network), expected)
    np.testing.assert_array_equal(mask_of(PAINTED, index, network, COLORS), expected)
    card_colors = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in COLORS.values()]
    np.testing.assert_array_equal(mask_of(PAINTED, index, network_of(3, class_colors=card_colors)), expected)
    palette = Image.fromarray(NUMBERS, "P")
    palette.putpalette([200, 0, 200, 255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(mask_of(open_masks(tmp_path / "p.png")[0], index, network), expected)


def saved(path: Path, values: np.ndarray, form: str) -> Path:
    image = Image.fromarray(values)
    (image.convert("RGB") if form == "RGB" else image).save(path)
    return path


@pytest.mark.parametrize("form", ["L", "RGB"])
def test_the_parts_of_a_truth_are_joined(network: sc.Network, tmp_path: Path, form: str) -> None:
    first, second = (np.where(np.isin(NUMBERS, index), NUMBERS, 0).astype(np.uint8) for index in (1, 2))
    second[0, 1] = 1  # where both say the same
    paths = [saved(tmp_path / "m.png", first, form), saved(tmp_path / "m_1.png", second, "L")]
    truth = open_masks(*paths)
    for index in range(3):
        np.testing.assert_array_equal(true_mask(truth, 0, index, network), np.isin(NUMBERS, index))
    assert truth.name == "m + m_1"
    with pytest.raises(sc.SegcamError, match="differ in size"):
        open_masks(paths[0], saved(tmp_path / "small.png", NUMBERS[:1], "L"))
    with pytest.raises(sc.SegcamError, match="disagree about some pixels"):
        open_masks(paths[0], saved(tmp_path / "other.png", NUMBERS + 1, "L"))[0]


def test_grays_can_be_colors(network: sc.Network) -> None:
    grays = {"head": (128, 128, 128), "femur": (255, 255, 255)}
    np.testing.assert_array_equal(mask_of(NUMBERS * 127 + (NUMBERS > 0), 2, network, grays), NUMBERS == 2)


def test_of_one_class_all_that_is_not_black_is_it() -> None:
    for values in (NUMBERS, NUMBERS * 100, PAINTED * (NUMBERS > 0)[..., None]):
        np.testing.assert_array_equal(mask_of(values, 0, network_of(1)), NUMBERS > 0)
        gray = values if values.ndim == 2 else values.max(-1)
        np.testing.assert_array_equal(mask_of(gray, 1, network_of(2)), NUMBERS > 0)
        np.testing.assert_array_equal(mask_of(gray, 0, network_of(2)), NUMBERS == 0)


@pytest.mark.parametrize(
    ("form", "classes"),
    [("jpeg", 1), ("jpeg", 2), ("smooth", 1), ("smooth", 2), ("fractions", 1), ("fractions", 2), ("color", 1)],
)
def test_soft_edges_are_cut_at_half(tmp_path: Path, form: str, classes: int) -> None:
    inside = np.zeros((64, 80), bool)
    inside[16:48, 20:60] = True
    path = tmp_path / "mask.png"
    if form == "jpeg":
        path = path.with_suffix(".jpg")
        Image.fromarray(inside.astype(np.uint8) * 255).save(path, quality=60)
    elif form == "fractions":
        path = path.with_suffix(".npy")
        np.save(path, np.where(inside, 0.9, 0.04).astype(np.float32))
    else:
        small = Image.fromarray(inside[::2, ::2].astype(np.uint8) * 255)
        smooth = np.asarray(small.resize((80, 64), Image.Resampling.BICUBIC))
        Image.fromarray(np.dstack([smooth, smooth // 2, 0 * smooth]) if form == "color" else smooth).save(path)
    mask = true_mask(open_masks(path), 0, classes - 1, network_of(classes))
    assert mask is not None
    assert np.count_nonzero(mask != inside) <= (4 if form == "smooth" else 8)


def test_a_picture_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(np.tile(np.linspace(0, 200, 80).astype(np.uint8), (64, 1)) // 2 + 30).save(tmp_path / "x.png")
    with pytest.raises(sc.SegcamError, match="too many grays"):
        true_mask(open_masks(tmp_path / "x.png"), 0, 0, network_of(1))


def test_many_numbers_are_all_not_black() -> None:
    numbers = np.arange(60, dtype=np.uint8).reshape(6, 10)
    np.testing.assert_array_equal(mask_of(numbers, 0, network_of(1)), numbers > 0)
    np.testing.assert_array_equal(mask_of(numbers.astype(np.float32), 0, network_of(1)), numbers > 0)


def test_a_cine_has_a_mask_for_each_frame_or_one_for_all(network: sc.Network) -> None:
    each = ArrayCine(np.stack([NUMBERS, NUMBERS.T.reshape(2, 3)]), rgb=False)
    np.testing.assert_array_equal(true_mask(each, 1, 2, network), NUMBERS.T.reshape(2, 3) == 2)
    np.testing.assert_array_equal(true_mask(ArrayCine(NUMBERS), 5, 2, network), NUMBERS == 2)
    with pytest.raises(sc.SegcamError, match="and none for frame 2"):
        true_mask(each, 2, 2, network)
    assert true_mask(None, 0, 1, network) is None


@pytest.mark.parametrize(
    ("values", "colors", "said"),
    [
        (NUMBERS * 100, None, "holds the number 200, but the network's classes are 0 to 2"),
        (PAINTED, None, "a color table must say which color each class has"),
        (PAINTED, {"head": (255, 0, 0)}, r"has the color #0\w+, which belongs to no class \(5 pixels"),
        (PAINTED, {"femur": (0, 255, 0)}, "The color table has no class 'head'"),
        (NUMBERS / 2, COLORS, "its values are float64"),
    ],
)
def test_ambiguous_masks_are_refused(network: sc.Network, values: np.ndarray, colors: dict | None, said: str) -> None:
    with pytest.raises(sc.SegcamError, match=said):
        mask_of(values, 1, network, colors)


def test_a_table_of_colors(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Name, R ,g,b\nhead,255,0,0\n femur ,0, 255,0\n", encoding="utf-8-sig")
    assert read_colors(tmp_path / "t.csv") == {"head": (255, 0, 0), "femur": (0, 255, 0)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("name,r,g,b\nhead,1,2", "line 2: expected a class name and r, g, b"),
        ("name,r,g,b\nhead,1,2,256", "line 2: expected a class name"),
        ("head,1,2,3\nfemur,1,2,4", "line 2: expected a class name"),
        ("name,r,g,b\nhead,1,2,3\nfemur,1,2,3", "line 3: the class or the color is listed twice"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(sc.SegcamError, match=said):
        read_colors(tmp_path / "t.csv")


# ── classes that overlap ────────────────────────────────────────────────────────────────────────────────────────────


def overlapping(**card: object) -> sc.Network:
    card = {"class_names": ("whole", "core", "cyst"), "classes_overlap": True, **card}
    return sc.Network.from_module(torch.nn.Conv2d(3, 3, 3, padding=1), ModelCard.model_validate(card), "cpu")


REGIONS = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], np.uint8)


@pytest.mark.parametrize(("index", "numbers"), [(0, {1, 2, 3}), (1, {2, 3}), (2, {3})])
def test_a_number_may_stand_for_several_classes(index: int, numbers: set[int]) -> None:
    network = overlapping(class_values=[[1, 2, 3], [2, 3], 3])
    expected = [[int(value) in numbers for value in row] for row in REGIONS]
    np.testing.assert_array_equal(mask_of(REGIONS, index, network), expected)
    in_color = np.repeat(REGIONS[..., None], 3, 2)
    np.testing.assert_array_equal(mask_of(in_color, index, network), expected)
    check_masks(ArrayCine(REGIONS), ArrayCine(np.zeros((2, 4))), network)


def test_a_stack_has_a_mask_for_each_class(tmp_path: Path) -> None:
    stack = np.stack([REGIONS > 0, REGIONS > 1, REGIONS == 3]).astype(np.uint8) * 255
    tifffile.imwrite(tmp_path / "t.tif", stack, photometric="minisblack")
    truth = open_masks(tmp_path / "t.tif")
    for image in (np.zeros((2, 4)), np.zeros((5, 2, 4))):
        check_masks(truth, ArrayCine(image, rgb=False), overlapping())
    for index in range(3):
        np.testing.assert_array_equal(true_mask(truth, 0, index, overlapping()), stack[index] > 0)


def test_numbers_of_classes_that_exclude_each_other_may_be_given_too() -> None:
    given = network_of(3, class_values=[0, [7, 8], 255])
    values = np.array([[0, 7], [8, 255]], np.uint8)
    np.testing.assert_array_equal(mask_of(values, 1, given), [[False, True], [True, False]])
    np.testing.assert_array_equal(mask_of(values, 0, given), [[True, False], [False, False]])


@pytest.mark.parametrize(
    ("values", "frames", "card", "said"),
    [
        (REGIONS, 1, {}, r"has one mask, but the network has 3 overlapping classes \(whole, core, cyst\)"),
        (np.stack([REGIONS] * 2), 1, {}, "has 2 masks, but the network has 3 overlapping classes"),
        (np.stack([REGIONS] * 3), 3, {}, "as many as the image has frames and the network has classes"),
        (REGIONS[:, :3], 1, {}, "has 3×2 pixels, but the image 4×2"),
        (np.stack([REGIONS] * 3), 1, {"class_values": [1, 2, 3]}, "has 3 frames, but the image has 1"),
    ],
)
def test_ambiguous_masks_of_overlapping_classes_are_refused(
    values: np.ndarray, frames: int, card: dict[str, object], said: str
) -> None:
    with pytest.raises(sc.SegcamError, match=said):
        check_masks(
            ArrayCine(values, name="t", rgb=False), ArrayCine(np.zeros((frames, 2, 4)), rgb=False), overlapping(**card)
        )


def test_colors_and_unknown_numbers_tell_no_overlapping_classes() -> None:
    with pytest.raises(sc.SegcamError, match="is in color, so that a pixel has one class"):
        mask_of(PAINTED, 0, overlapping(), {"whole": (255, 0, 0)})
    with pytest.raises(sc.SegcamError, match="holds the number 3, which belongs to no class"):
        mask_of(REGIONS, 0, overlapping(class_values=[[1, 2], 2, 2]))
    with pytest.raises(sc.SegcamError, match="is a color image, but the class_values of the model card"):
        mask_of(PAINTED, 0, overlapping(class_values=[[1, 2], 2, 2]))
