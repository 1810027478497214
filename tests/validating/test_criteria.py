"""Criteria: pass, fail, not enough cases, and each way in which their file can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from studies import dice_run, some_dice, write_run

import napari_segcam as sc
from napari_segcam.validating.criteria.checking import overall
from napari_segcam.validating.criteria.criteria_file import read_criteria


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty cases, of two undefined."""
    return dice_run(tmp_path_factory.mktemp("run") / "run", [*some_dice(18), None, None])


def checked(run: Path, *criteria: object, **arguments: Any) -> list[dict[str, Any]]:
    return list(sc.validate(run, criteria=list(criteria), **arguments).criteria)


def test_value_and_bounds_of_the_interval_are_compared(run: Path) -> None:
    (dice,) = [one for one in sc.validate(run).metrics if one["metric"] == "dice"]
    for of, figure in (("value", "value"), ("lower bound", "low"), ("upper bound", "high")):
        passes, fails = checked(
            run,
            {"metric": "dice", "of": of, "at_least": dice[figure] - 1e-9},
            {"metric": "dice", "of": of, "at_least": dice[figure] + 1e-9},
        )
        assert (passes["outcome"], fails["outcome"]) == ("pass", "fail")
        assert passes["measured"] == dice[figure]
        assert (passes["cases"], passes["undefined"]) == (18, 2)


def test_at_most_and_both_limits(run: Path) -> None:
    rows = checked(
        run,
        {"metric": "dice", "at_most": 0.1},
        {"metric": "dice", "at_least": 0.1, "at_most": 0.99},
        {"metric": "dice", "at_least": 0.1, "at_most": 0.2},
    )
    assert [row["outcome"] for row in rows] == ["fail", "pass", "fail"]


def test_the_mean_has_its_own_value(run: Path) -> None:
    (dice,) = [one for one in sc.validate(run).metrics if one["metric"] == "dice"]
    (row,) = checked(run, "dice mean >= 0.1")
    assert row["measured"] == pytest.approx(dice["mean"])
    assert row["measured"] != dice["value"]


def test_too_few_cases_and_undefined_figures_neither_pass_nor_fail(run: Path) -> None:
    few, unmeasured = checked(run, {"metric": "dice", "at_least": 0.1, "enough_cases": 19}, "surface_dice >= 0.1")
    assert few["outcome"] == unmeasured["outcome"] == "not enough cases"
    assert few["why"] == "18 cases with a figure, and 19 are wanted (2 cases: both are empty)"
    assert unmeasured["measured"] is None
    assert "the run did not measure it" in unmeasured["why"]


def test_a_percentage_is_a_share(tmp_path: Path) -> None:
    frames = {
        f"{number}.png": [{"findings_true": 10, "findings_missed": int(number == 0), "findings_found": 10}]
        for number in range(8)
    }
    folder = write_run(tmp_path / "run", frames)
    rows = checked(folder, "missed <= 5 %", "missed <= 0.5%", {"metric": "missed", "at_most": "1.25 %"})
    assert [row["outcome"] for row in rows] == ["pass", "fail", "pass"]
    assert rows[0]["measured"] == 1 / 80
    assert rows[0]["statistic"] == "share"


def test_a_limit_in_another_unit_than_the_run_is_not_compared(tmp_path: Path) -> None:
    frames = {f"{number}.png": [{"hd95": 1.0, "surface_unit": "px"}] for number in range(8)}
    rows = checked(write_run(tmp_path / "run", frames), "hd95 <= 2 mm", "hd95 <= 2 px", "hd95 median <= 2")
    assert [row["outcome"] for row in rows] == ["not enough cases", "pass", "pass"]


def groups(sizes: dict[str, int]) -> list[dict[str, str]]:
    """Attributes of the first images."""
    letters = [letter for letter, size in sizes.items() for _ in range(size)]
    return [{"image": f"image_{number}.png", "probe": letter} for number, letter in enumerate(letters)]


def test_every_subgroup_must_pass_and_small_ones_are_said(tmp_path: Path) -> None:
    run = dice_run(tmp_path / "run", [*[0.9, 0.91, 0.92] * 3, *[0.5, 0.51] * 4, 0.1, 0.1])
    attributes = groups({"a": 9, "b": 8, "c": 2})
    passing, failing, one_attribute = checked(
        run,
        "dice >= 0.4 every probe",
        {"metric": "dice", "at_least": 0.75, "every": "subgroup"},
        "dice >= 0.75 in every probe with 9 cases",
        subgroups=attributes,
    )
    assert (passing["outcome"], passing["subgroup"]) == ("pass", "probe: b")
    assert passing["why"] == "too few cases in probe: c"
    assert (failing["outcome"], failing["measured"]) == ("fail", pytest.approx(0.505))
    assert failing["why"] == "fails in probe: b; too few cases in probe: c"
    assert (one_attribute["outcome"], one_attribute["subgroup"]) == ("pass", "probe: a")


def test_without_a_subgroup_of_enough_cases_nobody_can_say(run: Path) -> None:
    attributes = groups({"a": 3, "b": 3, "c": 3, "d": 3, "e": 3, "f": 5})
    (row,) = checked(run, "dice >= 0.1 every probe", subgroups=attributes)
    assert row["outcome"] == "not enough cases"
    (none,) = checked(dice_run(run.parent / "same", [0.5] * 8), "dice >= 0.1 every subgroup")
    assert (none["outcome"], none["why"]) == ("not enough cases", "there are no subgroups")


def test_each_class_is_checked_unless_one_is_named(tmp_path: Path) -> None:
    images = {f"{number}.png": [{"dice": 0.9}, {"dice": 0.1, "class": "cyst"}] for number in range(6)}
    folder = write_run(tmp_path / "run", images)
    rows = checked(folder, "dice >= 0.5", "dice >= 0.5 class fibroid")
    assert [(row["class"], row["outcome"]) for row in rows] == [
        ("fibroid", "pass"),
        ("cyst", "fail"),
        ("fibroid", "pass"),
    ]


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        (["pass"], "pass"),
        (["pass", "not enough cases"], "not enough cases"),
        (["not enough cases", "fail", "pass"], "fail"),
    ],
)
def test_a_failure_counts_more_than_too_few_cases(outcomes: list[str], whole: str) -> None:
    assert overall(outcomes) == whole


FILE = """
criteria:
  - metric: dice            # any metric column
    statistic: median
    at_least: 0.85
    of: lower bound
  - metric: missed
    at_most: 5 %
  - metric: overlay_effect
    at_most: 0.02
    enough_cases: 20
  - dice median >= 0.85 lower bound
  - hd95 mean ≤ 2 mm in every probe type class left ovary with 12 cases
"""


def test_a_file_gives_the_same_criteria_as_lines_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "criteria.yaml"
    path.write_text(FILE, encoding="utf-8")
    first, missed, effect, line, long = read_criteria(path)
    assert first.text == line.text == "dice median ≥ 0.85, lower bound"
    assert (missed.statistic, missed.at_most, missed.enough_cases) == ("share", 0.05, 6)
    assert (effect.metric.name, effect.at_most, effect.enough_cases) == ("overlay_effect", 0.02, 20)
    assert (long.statistic, long.at_most, long.unit, long.every) == ("mean", 2.0, "mm", "probe type")
    assert (long.class_name, long.enough_cases) == ("left ovary", 12)
    assert long.where.endswith("line 13")


WRONG = {
    "criteria:\n  - metric: dice\n    at_last: 0.8\n": ("line 3", "at_last", "at_least", "enough_cases"),
    "criteria:\n  - metric: dicee\n    at_least: 1\n": ("line 2", "dicee is no metric", "dice", "hd95"),
    "criteria:\n  - statistic: mean\n    at_least: 1\n": ("line 2", "names no metric", "dice"),
    "criteria:\n  - metric: dice\n": ("line 2", "no limit", "at_least or at_most"),
    "criteria:\n  - metric: dice\n    at_least: high\n": ("line 3", "'high' is no number", "5 %"),
    "criteria:\n  - metric: dice\n    at_least: .inf\n": ("line 3", "is no number"),
    "criteria:\n  - metric: dice\n    at_least: 2 mm\n": ("line 3", "in mm", "%"),
    "criteria:\n  - metric: hd95\n    at_most: 5 %\n": ("line 3", "in %", "mm or px"),
    "criteria:\n  - metric: dice\n    at_least: 0.9\n    at_most: 0.8\n": ("line 2", "at least 0.9 and at most 0.8"),
    "criteria:\n  - metric: dice\n    at_least: 1\n    statistic: share\n": ("line 4", "'share'", "median, mean"),
    "criteria:\n  - metric: dice\n    at_least: 1\n    of: low\n": ("line 4", "'low'", "lower bound"),
    "criteria:\n  - metric: dice\n    at_least: 1\n    enough_cases: few\n": ("line 4", "'few'", "count"),
    "criteria:\n  - metric: dice\n    at_least: 1\n    at_least: 2\n": ("line 4", "at_least comes twice"),
    "criteria:\n  - metric: dice\n    at_least: [1, 2]\n": ("line 3", "no list"),
    "criteria:\n  - dice > 0.8\n": ("line 2", "not understood", "METRIC"),
    "criteria:\n  - dice >= 0.8 perhaps\n": ("line 2", "not understood"),
    "criteria:\n  - - dice >= 0.8\n": ("line 2", "no criterion"),
    "criteria: dice >= 0.8\n": ("line 1", "no list"),
    "\ncriterion:\n  - dice >= 0.8\n": ("line 2", "criterion is not known", "criteria:"),
    "- dice >= 0.8\n": ("line 1", "no criteria: here"),
    "criteria: []\n": ("no criterion",),
    "# nothing\n": ("no criterion",),
    "criteria:\n  - dice >= 0.8\n metric: x\n": ("cannot be read", "line 3"),
    "criteria:\n  - &a dice >= 0.8\n  - *a\n": ("cannot be read", "anchors"),
}


@pytest.mark.parametrize("text", WRONG)
def test_each_wrong_file_is_refused_with_the_line_the_word_and_what_is_allowed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "criteria.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(sc.SegcamError) as error:
        read_criteria(path)
    for words in WRONG[text]:
        assert words in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"x" * 200_000])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "criteria.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(sc.SegcamError, match=r"criteria\.yaml"):
        read_criteria(path)


def test_criteria_on_classes_and_attributes_that_are_not_there_are_refused(run: Path) -> None:
    with pytest.raises(sc.SegcamError, match=r"Criterion 1: the run has no class cyst. Allowed: fibroid"):
        checked(run, "dice >= 0.5 class cyst")
    with pytest.raises(sc.SegcamError, match=r"every site is not known\. Allowed: subgroup"):
        checked(run, "dice >= 0.5 every site")
