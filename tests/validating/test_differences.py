"""Paired differences between two runs, beside figures that are computed here."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest
from studies import dice_run, some_dice, write_run

import napari_segcam as sc
from napari_segcam.statistics.interval import bootstrap_interval


def difference(this: Path, other: Path, metric: str = "dice", **arguments: Any) -> dict[str, Any]:
    (row,) = [one for one in sc.validate(this, against=other, **arguments).differences if one["metric"] == metric]
    return row


def test_the_mean_over_cases_of_the_paired_differences(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    frames = {f"{case}_{part}.avi": generator.beta(6, 2, (2, 4)) for case in range(9) for part in range(2)}
    runs = [
        write_run(
            tmp_path / str(number),
            {name: [{"dice": float(value)} for value in both[number]] for name, both in frames.items()},
        )
        for number in range(2)
    ]
    row = difference(*runs, case_pattern="^([0-9]+)", seed=4)
    medians = [
        [median([*frames[f"{case}_0.avi"][number], *frames[f"{case}_1.avi"][number]]) for case in range(9)]
        for number in range(2)
    ]
    each = [a - b for a, b in zip(*medians, strict=True)]
    interval = bootstrap_interval(each, "mean", 4)
    assert row["difference"] == pytest.approx(fmean(each))
    assert (row["low"], row["high"], row["cases"]) == (interval.low, interval.high, 9)
    assert (row["this"], row["other"]) == pytest.approx(tuple(map(fmean, medians)))
    assert (row["better"], row["worse"]) == (sum(value > 0 for value in each), sum(value < 0 for value in each))


def test_only_frames_with_the_figure_in_both_runs_count(tmp_path: Path) -> None:
    this = write_run(tmp_path / "this", {"a.avi": [{"dice": 0.9}, {"dice": 0.1}], "b.png": [{"dice": None}]})
    other = write_run(tmp_path / "other", {"a.avi": [{"dice": 0.6}, {"dice": None}], "b.png": [{"dice": 0.3}]})
    row = difference(this, other)
    assert (row["this"], row["difference"], row["cases"]) == (0.9, pytest.approx(0.3), 1)
    assert row["undefined_why"] == "1 case: no frame has the figure in both runs"


def test_images_that_are_missing_or_others_are_counted(tmp_path: Path) -> None:
    this = dice_run(tmp_path / "this", some_dice(4))
    other = dice_run(tmp_path / "other", some_dice(3, seed=1), checksums={"image_0.png": "changed"})
    row = difference(this, other)
    assert row["cases"] == 2
    assert "the image of this name is another one" in row["undefined_why"]
    assert "does not have its images" in row["undefined_why"]


def test_a_smaller_distance_is_better_and_units_are_not_mixed(tmp_path: Path) -> None:
    runs = [
        write_run(
            tmp_path / name,
            {
                f"{number}.png": [{"hd95": value, "surface_unit": "px" if number == last else "mm"}]
                for number in range(4)
            },
        )
        for name, value, last in (("this", 1.0, None), ("other", 3.0, 3))
    ]
    row = difference(*runs, metric="hd95")
    assert (row["difference"], row["better"], row["worse"], row["cases"], row["unit"]) == (-2.0, 3, 0, 3, "mm")


def test_surface_dice_of_other_tolerances_is_not_compared(tmp_path: Path) -> None:
    images = {f"{number}.png": [{"surface_dice": 0.9, "dice": 0.8, "surface_unit": "mm"}] for number in range(4)}
    first, same, other = (write_run(tmp_path / str(n), images, tolerance=mm) for n, mm in enumerate((1.0, 1.0, 2.0)))
    assert difference(first, same, metric="surface_dice")["cases"] == 4
    row = difference(first, other, metric="surface_dice")
    assert (row["cases"], row["difference"]) == (0, None)
    assert row["undefined_why"] == "4 cases: the other run has another tolerance"
    assert difference(first, other)["cases"] == 4  # Dice has no tolerance


def test_runs_without_anything_in_common_are_refused(tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", {"else.png": [{"dice": 0.5}]})
    with pytest.raises(sc.SegcamError, match="in common"):
        sc.validate(dice_run(tmp_path / "this", [0.5]), against=other)
