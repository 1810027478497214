"""``robustness``: exit codes, what it says, Ctrl-C in a real process, and wrong arguments."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from batches import write_checkpoint, write_images

from napari_segcam import cli


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "net.pth")


@pytest.fixture
def robustness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path) -> Any:
    """``napari-segcam robustness net.pth data --out out OPTIONS`` on two stills: its exit code."""
    write_images(tmp_path / "data", 2, tmp_path / "masks")

    def run(*options: object, model: object = checkpoint, images: object = "data") -> int:
        arguments = (
            "robustness",
            model,
            tmp_path / str(images),
            "--device",
            "cpu",
            "--out",
            tmp_path / "out",
            *options,
        )
        monkeypatch.setattr("sys.argv", ["napari-segcam", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def rows_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "robustness.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_it_says_the_cost_and_the_findings(robustness: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert robustness("--truth", tmp_path / "masks", "--strengths", "gain=-6;jpeg=20", "--stage", "encoder_2") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 images; 2 perturbations, 3 runs for each frame on cpu: 6 runs, about " in shown
    assert "a gain 6 dB lower" in shown
    assert "2 cases are few" in shown
    rows = rows_in(tmp_path / "out")
    assert [(row["image"], row["perturbation"]) for row in rows[:3]] == [
        ("image_0.png", "none"),
        ("image_0.png", "gain"),
        ("image_0.png", "jpeg"),
    ]
    assert len(rows) == 6
    assert {row["stage"] for row in rows} == {"encoder_2"}
    assert robustness("--truth", tmp_path / "masks", "--strengths", "gain=-6;jpeg=20", "--stage", "encoder_2") == 0
    assert "6 rows are there already: 0 runs" in " ".join(capsys.readouterr().out.split())


def test_a_damaged_image_makes_exit_code_1(robustness: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "broken.png").write_bytes(b"no image")
    assert robustness("--strengths", "gain=-6", "--stage", "encoder_2") == 1
    assert "broken.png" in capsys.readouterr().out
    assert len(rows_in(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--perturbations", "gian"), "There is no perturbation 'gian'"),
        (("--strengths", "gain"), "not understood"),
        (("--strengths", "jpeg=150"), "give 1 to 95"),
        (("--stage", "nowhere"), "nowhere"),
        (("--cases", "missing.csv"), "There is no file"),
    ],
)
def test_wrong_arguments(
    robustness: Any, tmp_path: Path, options: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert robustness(*options) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_model_and_images_exchanged(robustness: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert robustness(model=tmp_path / "data" / "image_0.png") == 2
    assert "The order is: napari-segcam robustness MODEL IMAGES." in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_ctrl_c_in_a_real_process_keeps_the_rows(tmp_path: Path, checkpoint: Path) -> None:
    write_images(tmp_path / "data", 2)
    strengths = "gain=" + ",".join(f"{-number / 50:g}" for number in range(1, 1001))
    options = ["--strengths", strengths, "--stage", "encoder_2", "--device", "cpu", "--yes"]
    command = ["robustness", checkpoint, tmp_path / "data", "--out", tmp_path / "out", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_segcam", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    table = tmp_path / "out" / "robustness.csv"
    end = time.monotonic() + 100
    while not (table.exists() and table.stat().st_size > 2000) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130, shown
    assert "the same command goes on" in shown
    assert "Traceback" not in shown
    rows = rows_in(tmp_path / "out")
    assert 5 < len(rows) < 2002
    assert f"{len(rows)} rows are kept" in " ".join(shown.split())
    assert [row["strength"] for row in rows[:3]] == ["0.0", "-0.02", "-0.04"]
    assert not (tmp_path / "out" / "robustness.html").exists()
