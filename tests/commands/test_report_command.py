"""The command ``report``: where it writes, and what it says to wrong arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from napari_segcam import cli


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    home = folder / "images" / "a"
    home.mkdir(parents=True)
    row = {"image": "a.png", "frame": 0, "class": "fibroid", "method": "gradcam", "stage": "encoder_5", "ratio": 2.0}
    record = {"image": "a.png", "truth": None, "frames": 1, "rows": [row], "sheet": None}
    (home / "record.json").write_text(json.dumps(record))
    (folder / "run.json").write_text(json.dumps({"format": 1, "data": {"count": 2}}))
    (folder / "errors.csv").write_text("image,error\nb.png,broken\n")
    return folder


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``napari-segcam report OPTIONS``: its exit code."""

    def run(*options: object) -> int:
        monkeypatch.setattr(sys, "argv", ["napari-segcam", "report", *map(str, options)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def test_html_and_pdf_lie_in_the_run(report: Any, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(run_dir) == 0
    assert (run_dir / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert "a.png" in (run_dir / "report.html").read_text(encoding="utf-8")
    assert "report.html" in capsys.readouterr().out


def test_options_reach_the_report(report: Any, run_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "mine.html"
    assert report(run_dir, "--out", out, "--no-pdf", "--no-per-image", "--anonymous", "--title", "A & B") == 0
    page = out.read_text(encoding="utf-8")
    assert "<h1>A &amp; B</h1>" in page
    assert "a.png" not in page
    assert 'id="image-1"' not in page
    assert [path.name for path in out.parent.iterdir()] == ["mine.html"]


def test_an_unfinished_run_needs_to_be_asked_for(
    report: Any, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_dir / "errors.csv").unlink()
    assert report(run_dir, "--no-pdf") == 2
    assert "1 of 2 images are missing" in capsys.readouterr().err
    assert report(run_dir, "--no-pdf", "--partial") == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [(("nowhere",), "holds no run"), (("RUN", "--out", "report.pdf"), "must end in .html")],
)
def test_wrong_arguments_are_one_line(
    report: Any, run_dir: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert report(*(run_dir if option == "RUN" else option for option in options)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_to_is_named(
    report: Any, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert report(run_dir, "--out", tmp_path / "file" / "report.html", "--no-pdf") == 2
    assert "cannot be written" in capsys.readouterr().err
