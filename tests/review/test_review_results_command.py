"""The commands ``review report`` and ``review export``, as a stranger calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_segcam import cli
from napari_segcam.review.project import ReviewProject


@pytest.fixture
def review(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """``napari-segcam review ARGUMENTS``: its exit code, and what it printed on stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["napari-segcam", "review", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


def test_report(review: Any, study: ReviewProject, tmp_path: Path) -> None:
    code, out, err = review("report", study.folder, "--out", tmp_path / "out", "--resamples", "200", "--no-pdf")
    assert (code, err) == (0, "")
    anna = next(line for line in out.splitlines() if "anna" in line)
    assert anna.split()[1:4] == ["9", "8", "62.5%"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("report.html", "verdicts.csv", "cases.csv", "rates.csv", "agreement.csv", "corrections.csv"),
        "measurements.csv",
    }


def test_report_goes_into_the_project_by_default(review: Any, study: ReviewProject) -> None:
    code, _, _ = review("report", study.folder, "--resamples", "100")
    assert code == 0
    assert (study.folder / "report" / "report.pdf").is_file()
    assert len(study.raters()) == 3  # the project is as it was


def test_report_of_no_project(review: Any, tmp_path: Path) -> None:
    code, out, err = review("report", tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("napari-segcam: This is no review project:")


def test_export(review: Any, study: ReviewProject, tmp_path: Path) -> None:
    code, out, _ = review(
        *("export", study.folder, "--out", tmp_path / "out", "--format", "nnunet", "--rater", "ben"),
        *("--verdict", "correct, accept"),
    )
    assert code == 0
    assert "8 frames of ben; labels: 1 foreground" in out
    assert "left out: 3, verdict “reject”" in out
    assert "identify patients" in out
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["numTraining"] == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--out DIR is missing"),
        (("--out", "OUT", "--rater", "dora"), "No rater is named “dora”. The raters are: anna, ben, chen."),
        (("--out", "OUT", "--verdict", "ok"), "There is no verdict “ok”"),
        (("--out", "OUT", "--class", "tumor"), "There is no class “tumor”"),
        (("--out", "OUT", "--checkpoint", "B"), "No frame is to be exported."),
    ],
)
def test_export_of_what_is_not_there(
    review: Any, study: ReviewProject, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [tmp_path / "out" if argument == "OUT" else argument for argument in arguments]
    code, _, err = review("export", study.folder, *given)
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()
