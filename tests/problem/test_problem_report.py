"""The report of a problem: all that helps, and nothing of a patient."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import napari_segcam
from napari_segcam.cli import app, main
from napari_segcam.demo import demo_checkpoint
from napari_segcam.preferences import present
from napari_segcam.preferences.present import change


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_CONFIG", str(tmp_path / "MUELLER" / "settings"))
    monkeypatch.setenv("NAPARI_SEGCAM_LOG_FOLDER", str(tmp_path / "MUELLER" / "log"))
    present.read_again()


@pytest.mark.slow
def test_it_names_versions_machine_network_timing_and_log(tmp_path: Path) -> None:
    change({"memory_gb": 2.0})
    checkpoint = tmp_path / "MUELLER_Erika.pth"
    shutil.copyfile(demo_checkpoint(), checkpoint)
    out = tmp_path / "problem.md"
    result = CliRunner().invoke(app, ["report-problem", "--out", str(out), "--model", str(checkpoint)])
    assert result.exit_code == 0, result.output
    text = out.read_text("utf-8")
    for part in (
        f"| napari-segcam | {napari_segcam.__version__} |",
        f"| torch | {torch.__version__.partition('+')[0]}",
        "| Memory |",
        "| Network | segmentation_models_pytorch.",
        "| First frame of the phantom |",
        "| memory_gb | 2.0 (file) |",
        "### End of the log",
        "napari-segcam 0",
    ):
        assert part in text, part
    assert "failed" not in text
    assert "MUELLER" not in text
    assert str(tmp_path) not in text
    assert "ibroid" not in text  # names of classes are the user's
    again = CliRunner().invoke(app, ["report-problem", "--out", str(out)])
    assert "exists already" in str(again.exception)
    assert out.read_text("utf-8") == text


def test_a_checkpoint_that_is_refused_is_reported(tmp_path: Path) -> None:
    checkpoint = tmp_path / "MUELLER.pth"
    checkpoint.write_bytes(b"MUELLER, no checkpoint")
    result = CliRunner().invoke(app, ["report-problem", "--model", str(checkpoint)])
    assert result.exit_code == 0
    assert "| Loading | refused (SegcamError) |" in result.output
    assert "MUELLER" not in result.output


@pytest.mark.parametrize("arguments", [["--model", "missing.pth"], ["--model"], ["--oout", "x"]])
def test_wrong_arguments_end_with_2(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["napari-segcam", "report-problem", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
