"""Color tables of true masks: their formats, and the classes that they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import napari_segcam as sc
from napari_segcam.batch.color_tables.color_table import ColorTable, read_colors
from napari_segcam.batch.color_tables.named_classes import with_names_of
from napari_segcam.batch.true_masks import true_mask
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.network.model_card import ModelCard

ITK_SNAP = """################################################
# ITK-SnAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    2     0  255    0        1  1  1    "femur"
    1   255    0    0        1  1  1    "head"
"""
EXPECTED = {"head": (255, 0, 0), "femur": (0, 255, 0)}


def network_of(classes: int, **card: object) -> sc.Network:
    return sc.Network.from_module(
        torch.nn.Conv2d(3, classes, 3, padding=1), ModelCard.model_validate({"input_channels": 3, **card}), "cpu"
    )


@pytest.mark.parametrize(
    ("name", "text", "numbers"),
    [
        ("a.csv", "name,r,g,b\nhead,255,0,0\nfemur,0,255,0\n", {}),
        ("b.csv", "Label;Hex;Index\nhead;#FF0000;1\nfemur;00ff00;2\n", {"head": 1, "femur": 2}),
        ("c.txt", ITK_SNAP, {"head": 1, "femur": 2}),
        ("d.json", '{"head": "#ff0000", "femur": [0, 255, 0]}', {}),
        (
            "e.json",
            '[{"name": "head", "color": "#ff0000", "id": 4}, {"label": "femur", "rgb": [0, 255, 0], "id": 5}]',
            {"head": 4, "femur": 5},
        ),
    ],
)
def test_each_format_gives_names_colors_and_numbers(
    tmp_path: Path, name: str, text: str, numbers: dict[str, int]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    table = read_colors(tmp_path / name)
    assert table == EXPECTED
    assert table.numbers == numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"head": "red"}', "entry 1: expected a name and a color"),
        ('{"head": "#ff0000"', "is not JSON"),
        ('["#ff0000"]', "entry 1: expected a name and a color"),
        ("[" * 100_000, "is not JSON"),
        (ITK_SNAP + '3 1 2 300 1 1 1 "x"\n', "line 7: this is not a line of an ITK-SNAP label file"),
        (ITK_SNAP + '2 1 2 30 1 1 1 "x"\n', "line 7: the class or the color is listed twice"),
        ("name,color,number\na,#000001,1\nb,#000002,\n", "gives numbers to some classes only"),
        ("name,color\na,#12345\n", "line 2: expected a class name"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "table").write_text(text)
    with pytest.raises(sc.SegcamError, match=said):
        read_colors(tmp_path / "table")


def test_a_table_names_and_colors_classes_that_the_card_does_not() -> None:
    named = with_names_of(network_of(3), ColorTable(EXPECTED))
    assert named.class_names == ("background", "head", "femur")
    assert named.card.class_colors == ("#000000", "#ff0000", "#00ff00")
    assert "classes_overlap" not in named.assumed, "the background says that the classes exclude each other"
    by_number = with_names_of(network_of(3), ColorTable(EXPECTED, {"femur": 1, "head": 2}))
    assert by_number.class_names == ("background", "femur", "head")
    assert with_names_of(network_of(1), ColorTable({"cyst": (1, 2, 3)})).class_names == ("cyst",)
    overlap = with_names_of(network_of(2, classes_overlap=True), ColorTable(EXPECTED))
    assert (overlap.class_names, overlap.card.class_colors) == (("head", "femur"), ("#ff0000", "#00ff00"))


def test_the_card_comes_first() -> None:
    network = network_of(3, class_names=("rest", "femur", "head"), class_colors=("#000000", "#010203", "#040506"))
    assert with_names_of(network, ColorTable(EXPECTED)) is network
    only_named = with_names_of(network_of(3, class_names=("rest", "femur", "head")), ColorTable(EXPECTED))
    assert only_named.card.class_colors == ("#000000", "#00ff00", "#ff0000")
    assert with_names_of(network, None) is network


def test_a_table_of_other_classes_is_refused() -> None:
    with pytest.raises(sc.SegcamError, match=r"has 2 classes \(head, femur\), but the network has 5, one of them the"):
        with_names_of(network_of(5), ColorTable(EXPECTED))


def test_numbers_of_a_table_say_which_class_a_pixel_has() -> None:
    network = with_names_of(network_of(3), ColorTable(EXPECTED, {"head": 7, "femur": 9}))
    table = ColorTable({**EXPECTED, "elsewhere": (0, 0, 9)}, {"head": 7, "femur": 9, "elsewhere": 3})
    numbers = np.array([[0, 7, 9], [3, 9, 9]], np.uint8)
    np.testing.assert_array_equal(true_mask(ArrayCine(numbers), 0, 2, network, table), numbers == 9)
    with pytest.raises(sc.SegcamError, match="holds the number 8, which no class of the color table has"):
        true_mask(ArrayCine(numbers + (numbers == 3) * np.uint8(5)), 0, 2, network, table)
    painted = np.zeros((2, 3, 3), np.uint8)
    painted[0, 1] = EXPECTED["femur"]
    expected = np.zeros((2, 3), bool)
    expected[0, 1] = True
    np.testing.assert_array_equal(true_mask(ArrayCine(painted), 0, 2, network, table), expected)


def test_a_batch_names_its_classes_by_the_table(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(tmp_path / "images" / "a.png")
    Image.fromarray(rng.integers(0, 3, (32, 32), dtype=np.uint8)).save(tmp_path / "masks" / "a.png")
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 1))
    network = sc.Network.from_module(layers, device="cpu")
    table = ColorTable(EXPECTED, {"head": 2, "femur": 1})
    options = sc.ExplainOptions(classes=("head", "femur"), stages=("0",))
    batch = sc.Batch(
        tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "masks", truth_colors=table
    )
    (result,) = list(batch)
    assert not result.error
    assert {row["class"] for row in result.rows} == {"head", "femur"}
    assert all(row["dice"] is not None for row in result.rows)
