"""The command ``batch``: exit codes, Ctrl-C, and what is said of wrong arguments."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from batches import errors_in, rows_in, write_checkpoint, write_images

from napari_segcam import cli
from napari_segcam.batch.run_folder import RunFolder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "unet.pth")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "data", 3, tmp_path / "masks")


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, images: Path, tmp_path: Path) -> Any:
    """``napari-segcam batch data --out run OPTIONS``: its exit code."""

    def run(*options: object, source: Path = images) -> int:
        usual = ("batch", source, "--model", checkpoint, "--device", "cpu", "--out", tmp_path / "run")
        monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, (*usual, *options))])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def test_a_folder_with_truth(batch: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--truth", tmp_path / "masks", "--stages", "encoder_5", "--tolerance", 2.5)
    assert batch(*options, "--methods", "gradcam,layercam") == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["metrics"]["tolerance"] == 2.5
    rows = rows_in(tmp_path / "run")
    assert [(row["image"], row["method"]) for row in rows[:3]] == [
        ("image_0.png", "gradcam"),
        ("image_0.png", "layercam"),
        ("image_1.png", "gradcam"),
    ]
    assert all(row["dice"] and row["sensitivity"] and row["findings_true"] == "1" for row in rows)
    shown = " ".join(capsys.readouterr().out.split())
    assert "3 images, 3 of them with a true mask; gradcam, layercam on cpu" in shown
    assert "3 of 3 images in" in shown


def test_a_list_with_its_own_truth(batch: Any, tmp_path: Path) -> None:
    lines = ["image;truth", "data/image_2.png;masks/image_2_mask.png", "data/image_0.png;"]
    (tmp_path / "list.csv").write_text("\n".join(lines), encoding="utf-8-sig")
    assert batch("--stages", "encoder_5", source=tmp_path / "list.csv") == 0
    assert [(row["image"], bool(row["dice"])) for row in rows_in(tmp_path / "run")] == [
        ("data/image_2.png", True),
        ("data/image_0.png", False),
    ]


@pytest.mark.slow
def test_options_reach_the_run(batch: Any, tmp_path: Path) -> None:
    options = ("--num-samples", 2, "--seed", 3, "--image-size", 32, "--no-pictures", "--score", "probability")
    assert batch(*options, "--region", "image", "--threads", 2, "--stages", "encoder_5", "--classes", "foreground") == 0
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["data"]["num_samples"], run["data"]["seed"], run["data"]["count"]) == (2, 3, 2)
    assert run["model"]["model_card"]["size"] == {
        "rule": "resize",
        "height": 32,
        "width": 32,
        "overlap": None,
    }
    assert (run["options"]["region"], run["options"]["score"]) == ("image", "probability")
    assert run["options"]["classes"] == ["foreground"]
    assert (run["outputs"]["pictures"], run["compute"]["threads"]) == (False, 2)
    assert {row["undefined"] for row in rows_in(tmp_path / "run")} == {"the region is the whole frame"}


def test_some_failed_and_are_tried_again(
    batch: Any, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "image_1.png").write_bytes(b"[bold]no image")
    assert batch("--stages", "encoder_5") == 1
    assert list(errors_in(tmp_path / "run")) == ["image_1.png"]
    assert "2 of 3 images" in (shown := " ".join(capsys.readouterr().out.split()))
    assert "1 failed" in shown
    write_images(images, 3)
    assert batch("--stages", "encoder_5") == 0
    assert "2 are done already" in " ".join(capsys.readouterr().out.split())
    assert not errors_in(tmp_path / "run")


def test_ctrl_c_leaves_whole_images_and_the_same_command_goes_on(
    batch: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    save = RunFolder.save

    def pressed_in_the_second(folder: RunFolder, *arguments: Any) -> None:
        save(folder, *arguments)
        if len(list((tmp_path / "run" / "images").iterdir())) == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "save", pressed_in_the_second)
        assert batch("--stages", "encoder_5") == 130
    shown = " ".join(capsys.readouterr().out.split())
    assert "Stopped; the same command resumes: 2 of 3 images" in shown
    assert len(rows_in(tmp_path / "run")) == 2
    assert batch("--stages", "encoder_5") == 0
    assert len(rows_in(tmp_path / "run")) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--truth", "nothing"), "There is no folder of true masks nothing"),
        (("--truth-colors", "nothing.csv"), "The color table nothing.csv cannot be read"),
        (("--methods", "gradcan"), "no method 'gradcan'"),
        (("--stages", "encoder_9"), "no stage or layer named 'encoder_9'"),
        (("--classes", "liver"), "no class liver"),
        (("--region", "lesion"), "The region lesion is not understood"),
        (("--region", "false-negative"), "needs true masks: give their folder with --truth"),
        (("--crop", "1,2,3"), "The crop 1,2,3 is not understood"),
        (("--score", "odds"), "no score 'odds'"),
        (("--image-size", "50"), "An image size of 50"),
        (("--device", "cuda:77"), "There is no device"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    batch: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert batch(*options) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "run").exists()


def test_another_run_is_refused(batch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch("--stages", "encoder_5") == 0
    assert batch("--stages", "encoder_4") == 2
    assert "stages was encoder_5, now encoder_4. Choose another --out" in capsys.readouterr().err
