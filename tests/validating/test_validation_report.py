"""The report of a validated run: its first page names what is wrong, and the command says whether it is good enough."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from planted import BAD, DUPLICATED, SHORTCUT, Planted, planted_study
from studies import dice_run, some_dice, write_run

from napari_segcam import cli
from napari_segcam.reporting.report.document import Plot
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.validating.metrics import BY_NAME
from napari_segcam.validating.pages.names import Names
from napari_segcam.validating.pages.words import figure_text, first_points
from napari_segcam.validating.validate import validate


@pytest.fixture
def study(tmp_path: Path) -> Planted:
    return planted_study(tmp_path)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``napari-segcam report OPTIONS``: its exit code."""

    def run(*options: object) -> int:
        monkeypatch.setattr(sys, "argv", ["napari-segcam", "report", *map(str, options)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the plots blank, as drawing them takes longer than all else."""
    for module in (
        "validating.pages.plots",
        "validating.pages.doubt_plot",
        "reporting.report.plots",
    ):  # imported in this order
        monkeypatch.setattr(
            f"napari_segcam.{module}.save_plot",
            lambda _figure, height, alternative, caption, **_: Plot(b"<svg/>", b"", 7.2, height, alternative, caption),
        )


def first_page(page: str) -> str:
    return page.partition("</header>")[0]


@pytest.mark.usefixtures("undrawn")
def test_the_first_page_names_all_that_is_wrong_with_the_planted_study(report: Any, study: Planted) -> None:
    assert report(study.run, "--cases", study.cases, "--subgroups", study.subgroups, "--no-pdf") == 0
    first = first_page((study.run / "report.html").read_text(encoding="utf-8"))
    assert f"probe: {BAD}" in first, "the bad subgroup"
    assert "P99" in first, "the missing case"
    assert f"{DUPLICATED[0]} and {DUPLICATED[1]}" in first, "the duplicated patient"
    assert re.search(rf"In 1 of 40 cases the mask hangs on burned-in graphics \({SHORTCUT}\)", first)
    assert "cases.csv" in first
    assert "Assumption" not in first


@pytest.mark.usefixtures("undrawn")
def test_without_a_list_the_first_page_says_what_was_assumed(report: Any, study: Planted) -> None:
    assert report(study.run, "--no-pdf") == 0
    assert "Each file is taken as a case of its own" in first_page((study.run / "report.html").read_text("utf-8"))


@pytest.mark.usefixtures("undrawn")
def test_an_anonymous_report_names_no_case_and_no_image(report: Any, study: Planted, tmp_path: Path) -> None:
    out = tmp_path / "anonymous" / "report.html"
    options = ("--cases", study.cases, "--subgroups", study.subgroups, "--no-pdf", "--anonymous", "--out", out)
    assert report(study.run, *options) == 0
    texts = {path.name: path.read_text(encoding="utf-8") for path in out.parent.glob("*.*") if path.is_file()}
    assert set(texts) >= {"report.html", "validation_cases.csv", "validation_metrics.csv", "validation_subgroups.csv"}
    for name, text in texts.items():
        assert not re.search(r"\bP\d\d", text), name
    assert "case 8 and case 24" in texts["report.html"]


def test_a_study_without_a_fault_has_nothing_to_say_but_its_figures(tmp_path: Path) -> None:
    run = read_run(dice_run(tmp_path / "run", [0.8] * 7))
    validation = validate(run, {f"image_{number}.png": str(number) for number in range(7)})
    points = dict(first_points(validation, run, Names(validation.assigned, anonymous=False)))
    assert list(points) == ["Over all cases", "Cases"]
    assert points["Over all cases"] == (
        "Dice: median 0.800 (95 % interval 0.800 to 0.800, 7 cases). Half of the cases overlap the true mask more than "
        "that, half less; 1 is a perfect match. Over all cases like these, the figure is probably within the "
        "interval."
    )


def test_failed_undefined_and_few_are_said(tmp_path: Path) -> None:
    run = read_run(dice_run(tmp_path / "run", [*some_dice(4), None], failures={"broken.png": "no image"}))
    validation = validate(run)
    points = dict(first_points(validation, run, Names(validation.assigned, anonymous=False)))
    assert "Undefined in 2 cases" in points["Over all cases"]
    assert "Fewer than 6 cases" in points["Over all cases"]
    assert "broken.png" in points["Failed images"]


def test_graphics_count_only_above_their_null(tmp_path: Path) -> None:
    effects = {
        "strong.png": (0.5, 0.02, 0.01),
        "by_chance.png": (0.5, 0.4, 0.3),
        "below_null.png": (0.5, 0.6, 0.05),
        "small.png": (0.04, 0.0, 0.01),
        "untested.png": (0.5, None, None),
    }
    images = {
        name: [{"overlay_effect": effect, "overlay_effect_null": null, "overlay_effect_p": chance}]
        for name, (effect, null, chance) in effects.items()
    }
    assert [row["case"] for row in validate(write_run(tmp_path / "run", images)).shortcuts] == ["strong.png"]


CRITERIA = {
    "pass": ("criteria:\n  - dice >= 0.8\n", 0),
    "fail": ("criteria:\n  - dice >= 0.8 every probe\n  - surface_dice >= 0.9\n  - dice >= 0.1\n", 1),
    "not enough cases": ("criteria:\n  - dice >= 0.8\n  - surface_dice >= 0.9\n", 3),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("outcome", CRITERIA)
def test_the_exit_code_says_whether_the_criteria_pass(
    outcome: str, report: Any, study: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, code = CRITERIA[outcome]
    path = tmp_path / "criteria.yaml"
    path.write_text(text, encoding="utf-8")
    options = ("--cases", study.cases, "--subgroups", study.subgroups, "--criteria", path, "--no-pdf")
    assert report(study.run, *options) == code
    assert f"Outcome: {outcome}" in capsys.readouterr().out
    content = json.loads((study.run / "criteria.json").read_text(encoding="utf-8"))
    assert content["outcome"] == outcome
    assert len(content["criteria"]) == text.count("- ")
    page = (study.run / "report.html").read_text(encoding="utf-8")
    assert "Criteria" in first_page(page)
    assert page.count("dice median ≥ 0.8") >= 1


@pytest.mark.usefixtures("undrawn")
def test_nothing_of_an_earlier_report_stays_beside_a_later_one(report: Any, study: Planted, tmp_path: Path) -> None:
    """Else the outcome of criteria would seem to be that of a report that was never checked."""
    path = tmp_path / "criteria.yaml"
    path.write_text("criteria:\n  - dice >= 0.1\n", encoding="utf-8")
    assert report(study.run, "--cases", study.cases, "--no-pdf", "--criteria", path) == 0
    for name in ("plots/mine.png", "plots/validation_of_a_class_that_is_gone.svg", "validation_differences.csv"):
        (study.run / name).write_bytes(b"earlier")

    def files() -> set[str]:
        return {found.relative_to(study.run).as_posix() for found in study.run.rglob("*.*") if found.is_file()}

    first = files()
    assert report(study.run, "--cases", study.cases, "--no-pdf") == 0
    gone = {"criteria.json", "plots/validation_of_a_class_that_is_gone.svg", "validation_differences.csv"}
    assert first - files() == gone


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("limit", "failed"), [("dice=0.99", 40), ("dice=0", 0)])
def test_where_failure_begins_can_be_set(report: Any, tmp_path: Path, limit: str, failed: int) -> None:
    run = dice_run(tmp_path / "run", some_dice(40))
    assert report(run, "--no-pdf", "--failure-limit", limit, "--failure-limit", "surface_dice=0") == 0
    with (run / "validation_failures.csv").open(encoding="utf-8") as file:
        kinds = [row["kind"] for row in csv.DictReader(file)]
    assert (len(kinds), sum(kind != "fine" for kind in kinds)) == (40, failed)
    assert f"Dice is below {limit.removeprefix('dice=')} or" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", ["dice", "dice=", "dice=much", "dice=1.2", "dice=-1", "dice=nan", "iou=0.5", "=0.5"])
def test_a_limit_that_is_none_is_refused(
    report: Any, study: Planted, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(study.run, "--failure-limit", limit) == 2
    said = capsys.readouterr().err
    assert f"--failure-limit {limit} is not understood" in said
    assert "dice, surface_dice or off_scan" in said
    assert not (study.run / "report.html").exists()


def test_wrong_criteria_are_refused_before_anything_is_written(
    report: Any, study: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "criteria.yaml"
    path.write_text("criteria:\n  - dice >= 0.8 every site\n", encoding="utf-8")
    assert report(study.run, "--criteria", path, "--no-pdf") == 2
    assert "criteria.yaml, line 2: every site is not known" in capsys.readouterr().err
    assert not (study.run / "report.html").exists()
    assert not list(study.run.glob("validation*"))


@pytest.mark.parametrize("bounds", ["age", "=1", "age=old", "age="])
def test_wrong_bounds_are_refused(bounds: str, report: Any, study: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(study.run, "--subgroup-bounds", bounds, "--no-pdf") == 2
    assert "age=40,60" in capsys.readouterr().err


@pytest.mark.slow
def test_plots_are_files_of_300_dpi_and_tables_lie_beside_the_report(report: Any, study: Planted) -> None:
    options = ("--cases", study.cases, "--subgroups", study.subgroups, "--subgroup-bounds", "age=40,60")
    assert report(study.run, *options) == 0
    names = {path.name for path in (study.run / "plots").iterdir()}
    assert {"validation_dice.svg", "validation_dice.png", "validation_overlay_effect.png"} <= names
    with Image.open(study.run / "plots" / "validation_dice.png") as picture:
        assert [round(dots) for dots in picture.info["dpi"]] == [300, 300]
    assert "<svg" in (study.run / "plots" / "validation_dice.svg").read_text(encoding="utf-8")
    with (study.run / "validation_subgroups.csv").open(encoding="utf-8") as file:
        ages = {row["subgroup"]: int(row["cases"]) for row in csv.DictReader(file) if row["attribute"] == "age"}
    assert ages == {"below 40": 10, "40 to below 60": 20, "60 and more": 10}
    assert (study.run / "report.pdf").stat().st_size > 20_000


@pytest.mark.slow
def test_the_pdf_has_the_section_too(report: Any, study: Planted, pdf_text: Any) -> None:
    assert report(study.run, "--cases", study.cases, "--no-per-image") == 0
    text = pdf_text(study.run / "report.pdf")
    assert "Validation over cases" in text
    assert "What to know first" in text


@pytest.mark.usefixtures("undrawn")
def test_another_run_is_compared_in_the_report_and_in_a_table(report: Any, tmp_path: Path) -> None:
    run, other = (dice_run(tmp_path / name, [value] * 7) for name, value in (("new", 0.9), ("old", 0.75)))
    assert report(run, "--against", other, "--no-pdf") == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "This run minus the other one" in page
    assert "+0.150" in page
    with (run / "validation_differences.csv").open(encoding="utf-8") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert float(rows["dice"]["difference"]) == pytest.approx(0.15)
    assert rows["dice"]["better"] == "7"


@pytest.mark.usefixtures("undrawn")
def test_a_run_without_truth_is_reported_as_before(report: Any, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", {"a.png": [{"truth_pixels": None}], "b.png": [{"truth_pixels": None}]})
    for path in folder.glob("images/*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**record, "truth": None}), encoding="utf-8")
    assert report(folder, "--no-pdf") == 0
    assert "Validation over cases" not in (folder / "report.html").read_text(encoding="utf-8")
    assert not list(folder.glob("validation*"))


@pytest.mark.parametrize(
    ("metric", "value", "unit", "text"),
    [
        ("dice", 0.12345, "", "0.123"),
        ("hd95", 2.3456, "mm", "2.35 mm"),
        ("missed", 0.05, "", "5.0 %"),
        ("dice", None, "", "–"),
        ("area_difference_mm2", -12.345, "mm²", "-12.3 mm²"),
    ],
)
def test_figures_as_text(metric: str, value: float | None, unit: str, text: str) -> None:
    assert figure_text(BY_NAME[metric], value, unit) == text


@pytest.mark.usefixtures("undrawn")
def test_the_report_has_failures_and_their_tables(report: Any, study: Planted) -> None:
    assert report(study.run, "--cases", study.cases, "--subgroups", study.subgroups, "--no-pdf") == 0
    page = (study.run / "report.html").read_text(encoding="utf-8")
    assert "8 of 40 cases failed: 8 boundary." in first_page(page)
    assert f"8 of 8 boundary cases are probe: {BAD}; 8 of 40 of all are." in page
    with (study.run / "validation_failures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["kind"] == "boundary" for row in rows) == 8
    with (study.run / "validation_shared.csv").open(newline="", encoding="utf-8") as file:
        shared = list(csv.DictReader(file))
    assert {(row["failures"], row["cases"]) for row in shared if row["group"] == BAD} == {("8", "8")}
    assert "CLAIM 2024 checklist" in page
    assert "To be written by the author." in (study.run / "model_card.md").read_text(encoding="utf-8")
    assert len((study.run / "claim_2024.csv").read_text(encoding="utf-8").splitlines()) == 45
