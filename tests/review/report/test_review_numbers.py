"""The numbers of three planted raters, against scikit-learn, statsmodels and counting by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_review import CLASS, GRADES, PAINTED, PREDICTED, SECONDS, VERDICTS, Rater, new_project
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss_kappa

import napari_segcam as sc
from napari_segcam.review.project import ReviewProject
from napari_segcam.review.project_file import Settings
from napari_segcam.review.report.review_numbers import ReviewNumbers, review_report

RATERS = ("anna", "ben", "chen")


@pytest.fixture(scope="module")
def numbers(study: ReviewProject) -> ReviewNumbers:
    return sc.review_report(study.folder, resamples=200)


def find(rows: Any, **wanted: str) -> Any:
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.sum((first > 0) & (second > 0)) / (np.sum(first > 0) + np.sum(second > 0))


@pytest.mark.parametrize("rater", RATERS)
@pytest.mark.parametrize(("measure", "value"), [("acceptance", "accept"), ("rejection", "reject")])
def test_rates_by_case(numbers: ReviewNumbers, rater: str, measure: str, value: str) -> None:
    """The cine counts for chen, who judged the whole of it; the others judged its frames differently."""
    verdicts = [verdict for verdict in VERDICTS[rater] if verdict] + (["reject"] if rater == "chen" else [])
    row = find(numbers.rates, measure=measure, scope="case", rater=rater)
    assert row["value"] == verdicts.count(value) / len(verdicts)
    assert row["n"] == row["cases"] == len(verdicts)
    assert row["lower"] < row["value"] < row["upper"]


def test_rates_by_frame_have_an_interval_over_cases(numbers: ReviewNumbers) -> None:
    row = find(numbers.rates, measure="acceptance", scope="frame", rater="anna")
    assert (row["value"], row["n"], row["cases"]) == ((5 + 2) / 12, 12, 9)
    assert row["interval"].startswith("bootstrap over 9 cases")


def test_reasons(numbers: ReviewNumbers) -> None:
    assert find(numbers.rates, measure="reason", rater="ben", category="false positive")["value"] == 1
    assert find(numbers.rates, measure="reason", rater="anna", category="missed")["value"] == 0.5
    assert find(numbers.rates, measure="reason", rater="chen", category="wrong extent")["n"] == 1


@pytest.mark.parametrize("pair", [("anna", "ben"), ("anna", "chen"), ("ben", "chen")])
def test_kappa_of_two(numbers: ReviewNumbers, pair: tuple[str, str]) -> None:
    both = [(one, other) for one, other in zip(VERDICTS[pair[0]], VERDICTS[pair[1]], strict=True) if one and other]
    row = find(numbers.agreement, measure="cohen_kappa", about="mask", scope="case", rater=pair[0], other_rater=pair[1])
    assert row["value"] == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))
    assert (row["n"], row["missing"]) == (len(both), 9 - len(both))


def test_kappa_of_frames_counts_the_frames_of_the_cine(numbers: ReviewNumbers) -> None:
    anna = [*VERDICTS["anna"], "accept", "accept", "correct"]
    ben = [*VERDICTS["ben"], "accept", "accept", "correct"]
    row = find(numbers.agreement, measure="cohen_kappa", scope="frame", rater="anna", other_rater="ben")
    assert row["value"] == pytest.approx(cohen_kappa_score(anna, ben))
    assert (row["n"], row["cases"], row["missing"]) == (11, 9, 1)


def test_kappa_of_three(numbers: ReviewNumbers) -> None:
    complete = [unit for unit in zip(*(VERDICTS[rater] for rater in RATERS), strict=True) if None not in unit]
    codes = np.array([[{"accept": 0, "correct": 1, "reject": 2}[str(value)] for value in unit] for unit in complete])
    row = find(numbers.agreement, measure="fleiss_kappa", about="mask", scope="case")
    assert row["value"] == pytest.approx(their_fleiss_kappa(aggregate_raters(codes)[0]))
    assert (row["n"], row["missing"]) == (6, 3)


def test_kappa_of_grades_is_weighted(numbers: ReviewNumbers) -> None:
    row = find(numbers.agreement, measure="weighted_kappa", rater="anna", other_rater="ben")
    expected = cohen_kappa_score(GRADES["anna"], GRADES["ben"], labels=[1, 2, 3, 4, 5], weights="quadratic")
    assert row["value"] == pytest.approx(expected)
    chen = find(numbers.agreement, measure="weighted_kappa", rater="anna", other_rater="chen")
    assert (chen["value"], chen["undefined"]) == (None, "no unit was rated by both")
    mean = find(numbers.rates, measure="mean_grade", rater="anna")
    assert mean["value"] == np.mean([grade for grade in GRADES["anna"] if grade])


@pytest.mark.parametrize("rater", RATERS)
def test_dice_with_the_prediction(numbers: ReviewNumbers, rater: str) -> None:
    row = find(numbers.agreement, measure="dice_with_prediction", rater=rater)
    assert row["value"] == pytest.approx(dice(PAINTED[rater], PREDICTED))
    assert (row["class"], row["scope"]) == (CLASS, "frame")


def test_dice_between_raters(numbers: ReviewNumbers) -> None:
    """Both corrected image 5 and frame 2 of the cine; chen also corrected 1, which anna accepted, and both 6."""
    row = find(numbers.agreement, measure="dice", rater="anna", other_rater="ben")
    assert row["value"] == pytest.approx(dice(PAINTED["anna"], PAINTED["ben"]))
    assert row["n"] == 2
    row = find(numbers.agreement, measure="dice", rater="anna", other_rater="chen")
    with_chen = dice(PAINTED["anna"], PAINTED["chen"])
    assert row["value"] == pytest.approx(np.mean([with_chen, with_chen, dice(PREDICTED, PAINTED["chen"])]))
    accepted = find(numbers.agreement, measure="both_accepted_frames", rater="anna", other_rater="ben")
    assert accepted["n"] == 6  # images 0, 1, 2 and 4, and two frames of the cine


def test_heatmaps_changed_two_of_four_verdicts(numbers: ReviewNumbers) -> None:
    row = find(numbers.rates, measure="verdict_changed_by_heatmap", rater="anna")
    assert (row["value"], row["n"]) == (0.5, 4)
    change = find(numbers.rates, measure="verdicts_before_and_after", rater="anna", category="reject → accept")
    assert change["value"] == 2
    ben = find(numbers.rates, measure="verdict_changed_by_heatmap", rater="ben")
    assert ben["value"] is None
    assert "before the heatmap was seen" in ben["undefined"]


def test_times(numbers: ReviewNumbers) -> None:
    row = find(numbers.rates, measure="median_seconds", rater="anna")
    assert (row["value"], row["n"]) == (np.median(SECONDS["anna"]), 8)
    assert find(numbers.rates, measure="seconds_upper_quartile", rater="anna")["value"] == np.quantile(
        SECONDS["anna"], 0.75
    )
    chen = find(numbers.rates, measure="median_seconds", rater="chen", category="done")
    assert (chen["n"], chen["lower"]) == (5, None)
    assert "six cases" in chen["interval"]


def test_corrections(numbers: ReviewNumbers) -> None:
    rows = [row for row in numbers.corrections if row["rater"] == "anna"]
    assert {(row["name"].split(".")[0], row["frame"]) for row in rows} == {("image_5", 0), ("image_6", 0), ("cine", 2)}
    assert {(row["pixels_before"], row["pixels_after"]) for row in rows} == {(400, 484)}
    assert {row["area_after_mm2"] for row in rows} == {None}
    assert find(numbers.rates, measure="area_change", rater="anna")["value"] == pytest.approx(84 / 400)


def test_every_number_has_its_count_and_an_interval_or_a_reason(numbers: ReviewNumbers) -> None:
    for row in [*numbers.rates, *numbers.agreement]:
        if row["value"] is None:
            assert row["undefined"], row
            assert row["lower"] is None
        else:
            assert not row["undefined"], row
            assert row["interval"], row
            assert (row["lower"] is None) == row["interval"].startswith("none: "), row
            assert row["n"] > 0 or row["value"] == 0, row


def test_cases_and_verdicts(numbers: ReviewNumbers) -> None:
    assert len(numbers.cases) == 3 * 9
    (cine,) = [row for row in numbers.cases if row["rater"] == "anna" and row["name"].startswith("cine")]
    assert (cine["verdict"], cine["verdict_undefined"]) == (None, "its frames were rated differently")
    assert [cine[f"{name}_frames"] for name in ("accepted", "corrected", "rejected", "unjudged")] == [2, 1, 1, 0]
    assert cine["status"] == "begun"
    (never,) = [row for row in numbers.cases if row["rater"] == "chen" and row["name"].startswith("image_7")]
    assert (never["status"], never["verdict"], never["active_seconds"]) == ("new", None, None)
    notes = [row["note"] for row in numbers.verdicts if row["about"] == "note"]
    assert notes == [f"=note of {rater}" for rater in RATERS]
    ranges = [row for row in numbers.verdicts if row["rater"] == "anna" and row["scope"] == "frames"]
    assert [(row["first"], row["last"], row["verdict"]) for row in ranges if row["about"] == "mask"] == [
        (0, 1, "accept"),
        (2, 2, "correct"),
        (3, 3, "reject"),
    ]


def test_a_rater_who_reads_again_agrees_with_themselves(tmp_path: Path) -> None:
    project = new_project(tmp_path, Settings(repeats=4, shuffle_seed=3))
    again = [reading.case for reading in project.readings("anna") if reading.repeat == 2]
    first, second = ["accept", "accept", "correct", "reject"], ["accept", "reject", "correct", "reject"]
    with Rater(project, "anna") as rater:
        for case, one, other in zip(again, first, second, strict=True):
            name = project.case(case).name
            rater.judge(name, one)
            rater.judge(name, other, repeat=2)
    numbers = review_report(project.folder, resamples=50)
    row = find(numbers.agreement, measure="cohen_kappa", scope="case", rater="anna", other_rater="anna")
    assert row["value"] == pytest.approx(cohen_kappa_score(first, second))
    assert row["n"] == 4
    acceptance = find(numbers.rates, measure="acceptance", scope="case", rater="anna")
    assert (acceptance["value"], acceptance["n"]) == (0.5, 4)  # of the first readings alone


def test_findings_are_rated_one_by_one(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    for name, values in {"anna": ("accept", "reject"), "ben": ("accept", "accept")}.items():
        with Rater(project, name) as rater:
            for number, value in enumerate(values, start=1):
                rater.judge("image_0", value, finding=number, point=(12, 12))
    numbers = review_report(project.folder, resamples=50)
    row = find(numbers.rates, measure="acceptance", scope="finding", rater="anna")
    assert (row["value"], row["n"], row["cases"]) == (0.5, 2, 1)
    both = find(numbers.agreement, measure="observed_agreement", scope="finding", rater="anna")
    assert (both["value"], both["n"]) == (0.5, 2)
    (case,) = [r for r in numbers.cases if r["rater"] == "anna" and r["name"].startswith("image_0")]
    assert case["verdict_undefined"] == "only findings were rated"


def test_a_prediction_at_another_threshold_is_not_compared(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.log.correct(project.readings("anna")[1], 0, PAINTED["anna"], started_from=PREDICTED, threshold=0.3)
    with Rater(project, "ben") as rater:
        rater.see("image_0")  # at 0.5
        rater.judge("image_0", "accept")
    row = find(review_report(project.folder, resamples=50).agreement, measure="dice", rater="anna")
    assert row["value"] is None


def test_undone_and_taken_back_verdicts_do_not_count(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
        rater.judge("image_1", "reject")
        rater.log.undo()
    row = find(review_report(project.folder, resamples=50).rates, measure="acceptance", rater="anna")
    assert (row["value"], row["n"]) == (1, 1)


def test_damaged_logs_are_said_and_the_others_count(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    for name in RATERS:
        with Rater(project, name) as rater:
            rater.judge("image_0", "accept")
    logs = {name: project.folder / "raters" / name / "log.jsonl" for name in RATERS}
    with logs["anna"].open("ab") as file:
        file.write(b'{"v": 1, "n": 99, "ki')
    with logs["ben"].open("ab") as file:
        file.write(json.dumps({"v": 99, "n": 9, "kind": "verdict"}).encode() + b"\n")
    before = {name: log.read_bytes() for name, log in logs.items()}
    numbers = review_report(project.folder, resamples=50)
    assert [work.rater for work in numbers.review.raters] == ["anna", "chen"]
    assert any("torn" in warning for warning in numbers.warnings)
    assert any(warning.startswith("The log of ben is left out") for warning in numbers.warnings)
    assert find(numbers.rates, measure="acceptance", rater="anna")["n"] == 1
    assert {name: log.read_bytes() for name, log in logs.items()} == before


def test_a_missing_mask_is_said(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.paint("image_0", PAINTED["anna"])
        rater.paint("image_1", PAINTED["ben"])
        sha256 = rater.log.state.readings[project.readings("anna")[1]].corrections[0, ""].mask
    (project.folder / "raters" / "anna" / "masks" / f"{sha256}.png").unlink()
    numbers = review_report(project.folder, resamples=50)
    assert len(numbers.corrections) == 1
    assert sum("is missing" in warning for warning in numbers.warnings) == 1


def test_a_log_that_is_open_elsewhere_can_be_reported(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
        assert rater.log.flush()
        numbers = review_report(project.folder, resamples=50)
    assert find(numbers.rates, measure="acceptance", rater="anna")["n"] == 1


def test_before_anybody_reads_there_are_no_numbers(tmp_path: Path) -> None:
    numbers = review_report(new_project(tmp_path).folder)
    assert (numbers.rates, numbers.agreement, numbers.cases) == ([], [], [])


def test_times_of_cases_that_nobody_marked_as_done_stand_apart(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        for number, seconds in enumerate([3, 5, 10]):
            rater.open(f"image_{number}")
            rater.leave(f"image_{number}", seconds, done=False)
    rates = review_report(project.folder, resamples=50).rates
    assert find(rates, measure="median_seconds", category="not done")["value"] == 5
    assert find(rates, measure="median_seconds", category="done")["undefined"] == "no case is done and timed"


def test_checkpoints_are_counted_apart(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        for number, (first, second) in enumerate([("accept", "reject"), ("accept", "reject"), ("reject", "reject")]):
            rater.judge(f"image_{number}", first)
            rater.judge(f"image_{number}", second, checkpoint="B")
    numbers = review_report(project.folder, resamples=50)
    shares = {
        checkpoint: find(numbers.rates, measure="acceptance", checkpoint=checkpoint)["value"] for checkpoint in "AB"
    }
    assert shares == {"A": 2 / 3, "B": 0}
    assert len(numbers.cases) == 2 * 9
