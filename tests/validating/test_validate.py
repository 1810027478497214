"""The tables of a validation, beside figures that are computed here from the rows."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from studies import dice_run, some_dice, write_run

import napari_segcam as sc
from napari_segcam.reporting.report.document import Paragraph
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.statistics.interval import bootstrap_interval
from napari_segcam.validating.pages.page import addition_of


def metric(validation: sc.Validation, name: str) -> dict[str, Any]:
    (found,) = [one for one in validation.metrics if one["metric"] == name]
    return found


def test_a_case_is_the_median_over_its_frames_and_the_table_over_the_cases(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    images = {
        f"case_{case}_{image}.avi": [{"dice": float(value)} for value in generator.beta(5, 2, generator.integers(1, 9))]
        for case in range(8)
        for image in range(generator.integers(1, 4))
    }
    validation = sc.validate(write_run(tmp_path / "run", images), case_pattern="case_([0-9]+)", seed=3)
    expected = [
        median(frame["dice"] for name, frames in images.items() if name.startswith(f"case_{case}_") for frame in frames)
        for case in range(8)
    ]
    assert [one["value"] for one in validation.cases if one["metric"] == "dice"] == expected
    found = metric(validation, "dice")
    interval = bootstrap_interval(expected, "median", seed=3)
    assert (found["value"], found["low"], found["high"]) == (interval.value, interval.low, interval.high)
    assert (found["lower_quartile"], found["upper_quartile"]) == tuple(np.percentile(expected, (25, 75)))
    assert found["mean"] == pytest.approx(np.mean(expected))
    assert (found["cases"], found["undefined"], found["statistic"]) == (8, 0, "median")


def test_a_cine_of_300_frames_and_a_still_weigh_the_same(tmp_path: Path) -> None:
    rest = {f"still_{number}.png": [{"dice": 0.9}] for number in range(4)}
    long = sc.validate(write_run(tmp_path / "long", {"cine.avi": [{"dice": 0.2}] * 300, **rest}, stages=["seg_head"]))
    still = sc.validate(write_run(tmp_path / "still", {"cine.avi": [{"dice": 0.2}], **rest}))
    assert metric(long, "dice") == metric(still, "dice")
    assert metric(long, "dice")["mean"] == pytest.approx((0.2 + 4 * 0.9) / 5)


def test_undefined_is_counted_with_its_reason_and_is_never_zero(tmp_path: Path) -> None:
    values = [*some_dice(5), None, None]
    validation = sc.validate(dice_run(tmp_path / "run", values, failures={"broken.png": "no image"}))
    dice = metric(validation, "dice")
    assert (dice["cases"], dice["undefined"]) == (5, 3)
    assert dice["undefined_why"] == "2 cases: both are empty; 1 case: its image could not be explained"
    assert dice["value"] == median(values[:5])
    undefined = [one for one in validation.cases if one["metric"] == "dice" and one["value"] is None]
    assert [one["case"] for one in undefined] == ["image_5.png", "image_6.png", "broken.png"]


def test_one_defined_frame_is_enough_for_a_case(tmp_path: Path) -> None:
    frames = [{"dice": None, "overlap_undefined": "both are empty"}] * 3 + [{"dice": 0.7}]
    validation = sc.validate(write_run(tmp_path / "run", {"cine.avi": frames}))
    (one,) = [row for row in validation.cases if row["metric"] == "dice"]
    assert (one["value"], one["frames"], one["undefined"]) == (0.7, 1, "")


def findings(true: int, found: int, false: int) -> dict[str, int]:
    return {
        "findings_true": true,
        "findings_found": found,
        "findings_missed": true - found,
        "findings_false": false,
    }


def test_shares_sum_the_counts_of_a_case_and_are_clustered_by_case(tmp_path: Path) -> None:
    counts = [(3, 2, 1), (1, 1, 0), (2, 0, 4), (0, 0, 1), (5, 5, 0), (1, 0, 0), (2, 2, 0)]
    images = {f"{case}.avi": [findings(*each), findings(1, 1, 0)] for case, each in enumerate(counts)}
    images["empty.png"] = [findings(0, 0, 0)]
    validation = sc.validate(write_run(tmp_path / "run", images), seed=1)
    cases = [(true + 1, found + 1, false) for true, found, false in counts]
    missed = metric(validation, "missed")
    expected = bootstrap_interval([(true - found, true) for true, found, _ in cases], "share", seed=1)
    assert (missed["value"], missed["low"], missed["high"]) == (expected.value, expected.low, expected.high)
    assert missed["value"] == pytest.approx(sum(t - f for t, f, _ in cases) / sum(t for t, _, _ in cases))
    assert (missed["cases"], missed["undefined"]) == (7, 1)
    assert missed["undefined_why"] == "1 case: the truth has no finding"
    assert metric(validation, "found")["value"] == pytest.approx(1 - missed["value"])
    false = metric(validation, "false")
    assert false["value"] == pytest.approx(sum(n for *_, n in cases) / sum(f + n for _, f, n in cases))
    first = next(one for one in validation.cases if one["metric"] == "missed")
    assert (first["count"], first["of"], first["value"]) == (1, 4, 0.25)


def test_presence_by_frame_needs_no_metric_columns(tmp_path: Path) -> None:
    frames = [
        {"pixels": 5, "truth_pixels": 9},
        {"pixels": 0, "truth_pixels": 9},
        {"pixels": 0, "truth_pixels": 0},
        {"pixels": 5, "truth_pixels": 0},
        {"pixels": 5, "truth_pixels": 0},
    ]
    validation = sc.validate(write_run(tmp_path / "run", {"cine.avi": frames, "still.png": frames[:1]}))
    assert metric(validation, "missed_frames")["value"] == pytest.approx(1 / 3)
    assert metric(validation, "false_frames")["value"] == pytest.approx(2 / 3)
    assert metric(validation, "false_frames")["undefined_why"] == "1 case: the truth is empty in no frame"


def test_an_old_run_has_the_metrics_that_it_measured_and_no_others(tmp_path: Path) -> None:
    validation = sc.validate(dice_run(tmp_path / "run", some_dice(6)))
    assert [one["metric"] for one in validation.metrics] == ["dice", "iou", "missed_frames", "false_frames"]


def test_distances_in_pixels_are_not_mixed_with_those_in_mm(tmp_path: Path) -> None:
    images = {f"{number}.png": [{"hd95": float(number), "surface_unit": "mm"}] for number in range(6)}
    images["px.png"] = [{"hd95": 400.0, "surface_unit": "px"}]
    images["one.png"] = [{"hd95": None, "surface_unit": "", "surface_undefined": "one mask is empty"}]
    found = metric(sc.validate(write_run(tmp_path / "run", images)), "hd95")
    assert (found["unit"], found["cases"], found["undefined"]) == ("mm", 6, 2)
    assert "in pixels" in found["undefined_why"]
    assert "one mask is empty" in found["undefined_why"]
    pixels = {f"{number}.png": [{"hd95": float(number), "surface_unit": "px"}] for number in range(6)}
    assert metric(sc.validate(write_run(tmp_path / "pixels", pixels)), "hd95")["unit"] == "px"


@pytest.mark.parametrize(("name", "why"), [("hd95", "distance"), ("surface_dice", "tolerance")])
def test_no_group_mixes_lengths_in_pixels_with_those_in_mm(tmp_path: Path, name: str, why: str) -> None:
    """Also the group in which no image has a spacing: its pixels are not those of any other."""
    images = {f"{number}.png": [{name: 0.5, "surface_unit": "mm" if number < 8 else "px"}] for number in range(16)}
    sites = [{"image": f"{number}.png", "site": "A" if number < 8 else "B"} for number in range(16)]
    validation = sc.validate(write_run(tmp_path / "run", images), subgroups=sites)
    found = metric(validation, name)
    assert (found["cases"], found["unit"]) == (8, "mm" if name == "hd95" else "")
    assert found["undefined_why"] == f"8 cases: its pixel spacing is unknown, so the {why} is in pixels"
    groups = {row["subgroup"]: row["cases"] for row in validation.subgroups if row["metric"] == name}
    assert (groups["A"], groups["B"]) == (8, 0)


@pytest.mark.parametrize("unit", ["mm", "px"])
def test_the_page_says_the_tolerance_of_the_surface_dice(tmp_path: Path, unit: str) -> None:
    images = {f"{number}.png": [{"surface_dice": 0.5, "hd95": 2.0, "surface_unit": unit}] for number in range(8)}
    run = read_run(write_run(tmp_path / "run", images, tolerance=1.5))
    addition, _plots = addition_of(sc.validate(run), run)
    notes = [block.text for block in addition.sections[0].blocks if isinstance(block, Paragraph) and block.note]
    assert notes == [f"Surface Dice: the share of both boundaries within 1.5 {unit} of the other one."]


def test_half_the_width_takes_four_times_the_cases(tmp_path: Path) -> None:
    dice = metric(sc.validate(dice_run(tmp_path / "run", some_dice(20))), "dice")
    assert dice["cases_for_half"] == 80
    assert dice["half_width"] == pytest.approx((dice["high"] - dice["low"]) / 2)


def test_classes_are_apart(tmp_path: Path) -> None:
    images = {f"{number}.png": [{"dice": 0.9}, {"dice": 0.1, "class": "cyst"}] for number in range(4)}
    validation = sc.validate(write_run(tmp_path / "run", images))
    dice = {one["class"]: one["value"] for one in validation.metrics if one["metric"] == "dice"}
    assert dice == {"fibroid": 0.9, "cyst": 0.1}


def test_tables_become_frames_of_pandas(tmp_path: Path) -> None:
    validation = sc.validate(dice_run(tmp_path / "run", [0.5, 0.75, None]))
    frame = validation.cases.to_pandas()
    assert list(frame.columns) == list(validation.cases.columns)
    dice = frame[frame["metric"] == "dice"]
    assert dice["value"].isna().tolist() == [False, False, True]
    assert dice["value"].mean() == 0.625


def test_tables_become_frames_of_polars(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    validation = sc.validate(dice_run(tmp_path / "run", [0.5, 0.75, None]))
    dice = validation.cases.to_polars().filter(metric="dice")
    assert dice["value"].to_list() == [0.5, 0.75, None]


@pytest.mark.parametrize(("package", "call"), [("pandas", "to_pandas"), ("polars", "to_polars")])
def test_a_missing_package_is_named(package: str, call: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    validation = sc.validate(dice_run(tmp_path / "run", [0.5]))
    monkeypatch.setattr("napari_segcam.optional.find_spec", lambda _name: None)
    with pytest.raises(sc.SegcamError, match=f"pip install {package}"):
        getattr(validation.metrics, call)()


def test_an_unfinished_run_is_refused_unless_asked_for(tmp_path: Path) -> None:
    folder = dice_run(tmp_path / "run", [0.5, 0.6])
    next((folder / "images").glob("*/record.json")).unlink()
    with pytest.raises(sc.SegcamError, match="unfinished"):
        sc.validate(folder)
    assert metric(sc.validate(folder, partial=True), "dice")["cases"] == 1
