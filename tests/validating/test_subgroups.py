"""Subgroups: how cases are grouped, every metric in each group, and which group is the worst."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import pytest
from planted import BAD, planted_study
from studies import dice_run, some_dice, write_list, write_run

import napari_segcam as sc
from napari_segcam.statistics.interval import bootstrap_interval
from napari_segcam.validating.dicom_tags import DicomTags


def rows_of(validation: sc.Validation, attribute: str, metric: str = "dice") -> dict[str, dict[str, Any]]:
    return {
        row["subgroup"]: row for row in validation.subgroups if (row["attribute"], row["metric"]) == (attribute, metric)
    }


def test_each_group_has_the_metric_over_its_cases_with_an_interval(tmp_path: Path) -> None:
    values = some_dice(20)
    probes = {f"image_{number}.png": "ab"[number % 3 == 0] for number in range(20)}
    attributes = [{"image": name, "probe": probe} for name, probe in probes.items()]
    found = rows_of(sc.validate(dice_run(tmp_path / "run", values), subgroups=attributes, seed=5), "probe")
    assert list(found) == ["a", "b"]
    for group, row in found.items():
        own = [value for value, probe in zip(values, probes.values(), strict=True) if probe == group]
        interval = bootstrap_interval(own, "median", 5, 2000)
        assert row["value"] == median(own)
        assert (row["low"], row["high"], row["cases"]) == (interval.low, interval.high, len(own))


def test_the_bad_subgroup_of_the_planted_study_is_the_worst(tmp_path: Path) -> None:
    study = planted_study(tmp_path)
    validation = sc.validate(study.run, study.cases, study.subgroups)
    worst = {row["metric"]: row for row in validation.subgroups if row["worst"]}
    assert (worst["dice"]["attribute"], worst["dice"]["subgroup"]) == ("probe", BAD)
    assert worst["dice"]["cases"] == 8
    attributes = {row["attribute"] for row in validation.subgroups}
    assert attributes == {"probe", "age", "finding size"}


def test_a_case_with_images_in_two_groups_is_in_both_with_their_frames(tmp_path: Path) -> None:
    images = {"a_1.png": [{"dice": 0.2}], "a_2.png": [{"dice": 0.8}], "b_1.png": [{"dice": 0.4}]}
    attributes = [
        {"image": "a_1.png", "quality": "poor"},
        {"image": "a_2.png", "quality": "good"},
        {"image": "b_1.png", "quality": "poor"},
    ]
    found = rows_of(
        sc.validate(write_run(tmp_path / "run", images), case_pattern="^(.)", subgroups=attributes), "quality"
    )
    assert (found["poor"]["cases"], found["poor"]["value"]) == (2, pytest.approx(0.3))
    assert (found["good"]["cases"], found["good"]["value"]) == (1, 0.8)


def test_numbers_are_cut_into_thirds_of_the_cases_or_at_bounds(tmp_path: Path) -> None:
    run = dice_run(tmp_path / "run", some_dice(9))
    attributes = [{"image": f"image_{number}.png", "age": 20 + 5 * number} for number in range(9)]
    thirds = rows_of(sc.validate(run, subgroups=attributes), "age")
    assert {group: row["cases"] for group, row in thirds.items()} == {
        "below 33.3": 3,
        "33.3 to below 46.7": 3,
        "46.7 and more": 3,
    }
    at = rows_of(sc.validate(run, subgroups=attributes, bounds={"age": [40]}), "age")
    assert {group: row["cases"] for group, row in at.items()} == {"below 40": 4, "40 and more": 5}


def test_few_different_numbers_are_groups_themselves_in_their_order(tmp_path: Path) -> None:
    attributes = [{"image": f"image_{number}.png", "grade": [10, 2, 9][number % 3]} for number in range(9)]
    found = rows_of(sc.validate(dice_run(tmp_path / "run", some_dice(9)), subgroups=attributes), "grade")
    assert list(found) == ["2", "9", "10"]


def test_a_case_without_a_value_is_said_to_have_none(tmp_path: Path) -> None:
    path = write_list(tmp_path / "subgroups.csv", "image,Site", ["image_0.png,A", "image_1.png,", "image_7.png,B"])
    validation = sc.validate(dice_run(tmp_path / "run", some_dice(3)), subgroups=path)
    assert {group: row["cases"] for group, row in rows_of(validation, "site").items()} == {"A": 1, "not stated": 2}
    assert validation.unmatched == ("image_7.png",)


def test_sizes_of_findings_are_thirds_of_the_true_area_by_class(tmp_path: Path) -> None:
    images = {
        f"{number}.png": [{"dice": 0.5 + number / 100, "truth_area_mm2": 10.0 * (number + 1)}] for number in range(9)
    }
    images["none.png"] = [{"dice": None, "truth_pixels": 0, "truth_area_mm2": 0.0}]
    found = rows_of(sc.validate(write_run(tmp_path / "run", images)), "finding size")
    assert {group: row["cases"] + row["undefined"] for group, row in found.items()} == {
        "below 36.7 mm²": 3,
        "36.7 to below 63.3 mm²": 3,
        "63.3 mm² and more": 3,
        "no finding in the truth": 1,
    }


def test_without_calibration_sizes_are_in_pixels(tmp_path: Path) -> None:
    images = {
        f"{number}.png": [{"dice": 0.5, "truth_area_mm2": None, "truth_pixels": 100 * number}]
        for number in range(1, 10)
    }
    groups = rows_of(sc.validate(write_run(tmp_path / "run", images)), "finding size")
    assert list(groups) == ["below 367 pixels", "367 to below 633 pixels", "633 pixels and more"]


def test_small_groups_are_marked_and_are_never_the_worst(tmp_path: Path) -> None:
    values = [*[0.8, 0.81] * 4, *[0.7, 0.71] * 3, *[0.1] * 5]
    attributes = [
        {"image": f"image_{number}.png", "probe": "aaaaaaaabbbbbbccccc"[number]} for number in range(len(values))
    ]
    found = rows_of(sc.validate(dice_run(tmp_path / "run", values), subgroups=attributes), "probe")
    assert {group: (row["small"], row["worst"]) for group, row in found.items()} == {
        "a": (False, False),
        "b": (False, True),
        "c": (True, False),
    }


def test_the_worst_distance_is_the_largest_and_the_worst_bias_the_farthest_from_zero(tmp_path: Path) -> None:
    images = {
        f"{number}.png": [
            {
                "hd95": 9.0 if number < 6 else 2.0 + number / 100,
                "surface_unit": "mm",
                "area_difference": -0.4 if number < 6 else 0.2,
                "boundary_probability": number / 20,
            }
        ]
        for number in range(12)
    }
    attributes = [{"image": f"{number}.png", "probe": "a" if number < 6 else "b"} for number in range(12)]
    validation = sc.validate(write_run(tmp_path / "run", images), subgroups=attributes)
    assert rows_of(validation, "probe", "hd95")["a"]["worst"]
    assert rows_of(validation, "probe", "area_difference")["a"]["worst"]
    assert not any(row["worst"] for row in rows_of(validation, "probe", "boundary_probability").values())


def test_tags_of_the_images_are_attributes_unless_the_list_has_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = {f"image_{number}.png": DicomTags("", {"manufacturer": "AB"[number % 2], "sex": "F"}) for number in range(4)}
    monkeypatch.setattr("napari_segcam.validating.validate.read_tags", lambda _run: tags)
    run = dice_run(tmp_path / "run", some_dice(4))
    assert list(rows_of(sc.validate(run), "manufacturer")) == ["A", "B"]
    assert not rows_of(sc.validate(run), "sex"), "one group is none"
    listed = [{"image": f"image_{number}.png", "manufacturer": "CD"[number % 2]} for number in range(4)]
    assert list(rows_of(sc.validate(run, subgroups=listed), "manufacturer")) == ["C", "D"]


@pytest.mark.parametrize(
    ("heading", "lines", "said"),
    [
        ("patient,probe", ["a,b"], "no column named case or image"),
        ("image", ["image_0.png"], "no attribute beside"),
        ("image,probe,Probe", ["image_0.png,a,b"], "has the column probe twice"),
        ("image,probe", ["image_0.png,a", ",b"], "line 3, names no image"),
        ("image,probe", ["image_0.png,a", "image_0.png,b"], r"line 3, has b as probe of image_0.png, and a before"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, heading: str, lines: list[str], said: str) -> None:
    path = write_list(tmp_path / "subgroups.csv", heading, lines)
    with pytest.raises(sc.SegcamError, match=said):
        sc.validate(dice_run(tmp_path / "run", some_dice(2)), subgroups=path)


def test_bounds_that_do_not_suit_are_refused(tmp_path: Path) -> None:
    run = dice_run(tmp_path / "run", some_dice(3))
    attributes = [{"image": "image_0.png", "probe": "linear"}, {"image": "image_1.png", "probe": "2"}]
    with pytest.raises(sc.SegcamError, match="no attribute age"):
        sc.validate(run, subgroups=attributes, bounds={"age": [40]})
    with pytest.raises(sc.SegcamError, match="'linear' is no number"):
        sc.validate(run, subgroups=attributes, bounds={"probe": [40]})
