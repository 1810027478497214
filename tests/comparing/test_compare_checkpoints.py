"""Two checkpoints on the same images: figures counted again by hand, cases, units, ranking and what is undefined."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from bright_networks import frame, network, write_cine, write_still
from numpy.typing import NDArray

import napari_segcam as sc
from napari_segcam.comparing.cases import CASE_COLUMNS
from napari_segcam.comparing.mask_comparison import BOTH_EMPTY, FRAME_COLUMNS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two stills and a cine of five frames: its frame 3 is marked, its frame 4 is empty."""
    write_still(tmp_path / "data" / "a.png", frame(10, 20))
    write_still(tmp_path / "data" / "b.png", frame(15, 10, marked=True))
    frames = [frame(10 + number, 12) for number in range(3)] + [frame(12, 12, marked=True), frame(0, 0)]
    write_cine(tmp_path / "data" / "c.tif", frames)
    return tmp_path / "data"


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float | None:
    return float(2 * (a * b).sum() / (a.sum() + b.sum())) if (a | b).any() else None


def test_the_same_checkpoint_differs_nowhere(data: Path) -> None:
    comparison = sc.compare_checkpoints(network(3), network(3), data)
    found = [row for row in comparison.rows if row["pixels_a"]]
    assert len(found) == 6
    assert {row["dice"] for row in found} == {1.0}
    assert {(row["area_difference"], row["disagreement"]) for row in comparison.rows} == {(0.0, 0.0)}
    (summary,) = comparison.classes
    assert (summary.dice.value, summary.dice.low, summary.dice.high) == (1, 1, 1)
    (area,) = summary.areas.values()
    assert (area.value, area.low, area.high) == (0, 0, 0)
    assert comparison.most_different == []


def test_the_same_checkpoint_has_no_difference_against_the_truth(data: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_still(tmp_path / "masks" / f"{name}_mask.png", frame(12, 14))
    (summary,) = sc.compare_checkpoints(network(3), network(3), data, truth=tmp_path / "masks").classes
    for interval in (summary.dice_difference, summary.iou_difference):
        assert (interval.value, interval.low, interval.high, interval.cases) == (0, 0, 0, 2)
    assert 0 < (summary.dice_a or 0) < 1


def test_a_planted_frame_is_first_and_the_figures_are_right(data: Path) -> None:
    comparison = sc.compare_checkpoints(network(), network(shift=9), data)
    first, second = comparison.most_different
    assert (first["image"], first["frame"]) == ("b.png", 0)  # of 10 rows, 1 is in both
    assert (second["image"], second["frame"]) == ("c.tif", 3)
    a = frame(12, 12, marked=True) > 127
    b = np.roll(a, 9, 0)
    assert second["dice"] == dice(a, b)
    assert second["disagreement"] == np.mean(a ^ b)
    assert (second["only_a"], second["only_b"]) == ((a & ~b).sum(), (b & ~a).sum())
    (empty,) = [row for row in comparison.rows if row["frame"] == 4]
    assert (empty["dice"], empty["dice_undefined"]) == (None, BOTH_EMPTY)


def test_the_frames_of_a_cine_are_one_case(data: Path) -> None:
    comparison = sc.compare_checkpoints(network(), network(shift=9), data)
    assert [row["case"] for row in comparison.cases] == ["a.png", "b.png", "c.tif"]
    cine = comparison.cases[2]
    of_frames = [row["dice"] for row in comparison.rows if row["case"] == "c.tif" and row["dice"] is not None]
    assert (cine["frames"], cine["frames_found"]) == (5, 4)
    assert cine["dice"] == pytest.approx(np.mean(of_frames))
    assert cine["dice_median"] == np.median(of_frames) == 1
    assert (cine["lowest_frame"], cine["dice_lowest"]) == (3, min(of_frames))
    (summary,) = comparison.classes
    assert summary.dice.cases == 3
    assert summary.dice.value == pytest.approx(np.mean([row["dice"] for row in comparison.cases]))


def test_a_list_can_say_which_images_are_one_case(data: Path) -> None:
    (data / "list.csv").write_text("image,case\na.png,patient 1\nb.png,patient 1\nc.tif,\n")
    comparison = sc.compare_checkpoints(network(), network(shift=9), data / "list.csv")
    assert [row["case"] for row in comparison.cases] == ["patient 1", "c.tif"]
    both = [row["dice"] for row in comparison.rows if row["case"] == "patient 1"]
    assert comparison.cases[0]["dice"] == pytest.approx(np.mean(both))
    assert comparison.cases[0]["images"] == 2


def test_paired_differences_against_the_truth(data: Path, tmp_path: Path) -> None:
    truths = {"a": frame(10, 22) > 0, "b": frame(17, 10) > 0}
    for name, truth in truths.items():
        write_still(tmp_path / "masks" / f"{name}.png", truth.astype(np.uint8) * 255)
    comparison = sc.compare_checkpoints(network(), network(shift=9), data, truth=tmp_path / "masks")
    by_image = {row["image"]: row for row in comparison.rows if row["truth_pixels"] is not None}
    assert set(by_image) == {"a.png", "b.png"}
    a = frame(15, 10, marked=True) > 127
    b, truth = np.roll(a, 9, 0), truths["b"]
    row = by_image["b.png"]
    assert (row["dice_a"], row["dice_b"]) == (dice(a, truth), dice(b, truth))
    assert row["iou_b"] == (b & truth).sum() / (b | truth).sum()
    assert row["dice_difference"] == row["dice_b"] - row["dice_a"] < 0
    (summary,) = comparison.classes
    assert (summary.truth_cases, summary.better_a, summary.better_b) == (2, 1, 0)
    assert summary.dice_difference.value == pytest.approx(row["dice_difference"] / 2)
    assert comparison.cases[2]["undefined"] == "there is no true mask"


def test_an_empty_truth_is_counted_and_never_zero(tmp_path: Path) -> None:
    write_still(tmp_path / "data" / "a.png", frame(0, 0))
    write_still(tmp_path / "data" / "b.png", frame(10, 10))
    write_still(tmp_path / "data" / "c.png", frame(54, 10))
    for name in "abc":
        write_still(tmp_path / "masks" / f"{name}.png", frame(0, 0))
    comparison = sc.compare_checkpoints(network(), network(), tmp_path / "data", truth=tmp_path / "masks")
    (summary,) = comparison.classes
    assert (summary.empty_truth, summary.false_a, summary.false_b, summary.truth_undefined) == (3, 2, 2, 1)
    first = comparison.rows[0]
    assert (first["dice_a"], first["dice_difference"]) == (None, None)
    assert first["truth_undefined"] == "the truth has nothing, and A and B find nothing either"
    assert comparison.rows[1]["dice_a"] == 0


def test_areas_are_in_millimeters_where_calibrated_and_never_mixed(tmp_path: Path) -> None:
    from napari_segcam.demo import sample_cine

    write_still(tmp_path / "data" / "still.png", frame(10, 20, marked=True))
    (tmp_path / "data" / "cine.dcm").write_bytes(sample_cine().read_bytes())
    comparison = sc.compare_checkpoints(
        network(), network(shift=9), tmp_path / "data", options=sc.CompareOptions(frames_of_cine=1)
    )
    cine, still = comparison.rows
    spacing = sc.open_cine(sample_cine()).spacing_mm
    assert spacing is not None
    assert (cine["area_unit"], still["area_unit"]) == ("mm²", "pixels")
    assert cine["area_a"] == pytest.approx(cine["pixels_a"] * spacing[0] * spacing[1])
    assert still["area_a"] == still["pixels_a"] == 401  # the mark is bright too
    assert {unit: area.cases for unit, area in comparison.classes[0].areas.items()} == {"mm²": 1, "pixels": 1}


def test_files_are_complete_and_the_same_again(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    for _ in range(2):  # the second replaces the first
        comparison = sc.compare_checkpoints(network(), network(shift=9), data, out, pdf=False)
    assert {path.name for path in out.iterdir()} == {
        "comparison.csv",
        "cases.csv",
        "comparison.json",
        "comparison.html",
    }
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    with (out / "comparison.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(FRAME_COLUMNS)
    assert [row["dice"] for row in rows] == ["" if row["dice"] is None else str(row["dice"]) for row in comparison.rows]
    with (out / "cases.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file).fieldnames or ()) == list(CASE_COLUMNS)
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert record["a"]["sha256"] == record["b"]["sha256"] != ""  # of the weights, which are the same
    assert record["most_different"][0]["image"] == "b.png"
    assert record["interval"] == {"over": "cases", "confidence": 0.95, "resamples": 10000, "seed": 0}
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert "3 cases are few" in page
    assert page.count("Outlines of A and B on") == 2


def test_a_folder_with_other_files_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("…")
    with pytest.raises(sc.SegcamError, match="holds other files"):
        sc.compare_checkpoints(network(), network(), data, tmp_path / "thesis")
    with pytest.raises(sc.SegcamError, match="is a file"):
        sc.compare_checkpoints(network(), network(), data, tmp_path / "thesis" / "chapter.txt")


def test_a_damaged_image_is_named_and_the_others_count(data: Path) -> None:
    (data / "b.png").write_bytes(b"no image")
    comparison = sc.compare_checkpoints(network(), network(), data)
    assert set(comparison.errors) == {"b.png"}
    assert {row["image"] for row in comparison.rows} == {"a.png", "c.tif"}


def test_a_truth_that_means_two_things_is_refused(tmp_path: Path) -> None:
    write_still(tmp_path / "data" / "a.png", frame(10, 20))
    write_still(tmp_path / "masks" / "a.png", (frame(10, 20) > 0).astype(np.uint8))  # number 1
    a = network(classes=3, names=("background", "cyst", "fibroid"))
    b = network(classes=3, names=("background", "fibroid", "cyst"))
    with pytest.raises(sc.SegcamError, match="means another cyst to A than to B"):
        sc.compare_checkpoints(a, b, tmp_path / "data", truth=tmp_path / "masks")
