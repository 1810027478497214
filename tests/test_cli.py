"""The command line, as a stranger would use it: wrong arguments included."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import tifffile
import torch
from PIL import Image

import napari_segcam as sc
from napari_segcam import cli
from napari_segcam.commands.network_options import NetworkOptions
from napari_segcam.commands.options import HeatmapOptions, InputOptions


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "unet.pth"
    torch.save(smp.Unet("resnet18", encoder_weights=None).state_dict(), path)
    return path


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 90), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    path = tmp_path / "cine.tif"
    frames = np.random.default_rng(0).integers(0, 255, (4, 64, 96), dtype=np.uint8)
    tifffile.imwrite(path, frames, photometric="minisblack")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit code of ``napari-segcam ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_inspect_shows_what_the_checkpoint_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    assert run(monkeypatch, "inspect", checkpoint) == 0
    shown = capsys.readouterr().out
    for fact in ("unet.pth", "Unet", "resnet18", "encoder_5", "decoder_4", "seg_head", "encoder.layer4", "imagenet"):
        assert fact in shown


@pytest.mark.slow
def test_explaining_a_still_writes_what_the_explainer_gives(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, still: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "explain", still, "--model", checkpoint, "--out", out, "--device", "cpu") == 0
    expected = sc.Explainer(sc.load_network(checkpoint, "cpu"), stages="main")(sc.open_cine(still)[0])

    np.testing.assert_array_equal(np.asarray(Image.open(out / "mask.png")), expected.mask)
    with np.load(out / "heatmaps.npz") as raw:
        assert list(raw) == list(expected.heatmaps)
        for name, heatmap in expected.heatmaps.items():
            np.testing.assert_array_equal(raw[name], heatmap.values)
            assert Image.open(out / f"{name}.png").size == (90, 70)
    described = json.loads((out / "explanation.json").read_text())
    assert described["architecture"] == "Unet"
    assert described["encoder"] == "resnet18"
    assert described["sha256"] == sc.load_network(checkpoint, "cpu").sha256
    rows = list(csv.DictReader((out / "attention.csv").open()))
    assert [row["stage"] for row in rows] == list(expected.heatmaps)
    ratios = {name: figures.ratio for name, figures in sc.attention(expected).items()}
    assert {row["stage"]: float(row["ratio"]) for row in rows if row["ratio"]} == {k: v for k, v in ratios.items() if v}
    assert not list(tmp_path.rglob("*.part"))


def test_a_cine_gets_a_folder_per_frame_and_per_method(
    monkeypatch: pytest.MonkeyPatch, checkpoint: Path, cine: Path, tmp_path: Path
) -> None:
    options = ("--frames", "0,2-3", "--methods", "gradcam,layercam", "--stages", "encoder_last,decoder_last")
    assert run(monkeypatch, "explain", cine, "--model", checkpoint, "--out", tmp_path / "out", *options) == 0
    folders = sorted(str(path.parent.relative_to(tmp_path / "out")) for path in tmp_path.rglob("explanation.json"))
    assert folders == [f"frame_{n:04d}/{method}" for n in (0, 2, 3) for method in ("gradcam", "layercam")]
    assert len(list(csv.DictReader((tmp_path / "out" / "attention.csv").open()))) == 3 * 2 * 2


def test_image_size_is_obeyed(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, still: Path, tmp_path: Path) -> None:
    options = ("--image-size", 128, "--stages", "encoder_last")
    assert run(monkeypatch, "explain", still, "--model", checkpoint, "--out", tmp_path / "out", *options) == 0
    described = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert described["input_shape"] == [128, 128]
    assert described["heatmaps"]["encoder_5"]["shape"] == [4, 4]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect", "{tmp}/nothing.pth"), "nothing.pth"),
        (("inspect", "{checkpoint}", "--device", "abacus"), "abacus"),
        (("inspect", "{checkpoint}", "--encoder", "resnet19"), "resnet19"),
        (("explain", "{tmp}/nothing.png", "--model", "{checkpoint}"), "nothing.png"),
        (("explain", "{checkpoint}", "--model", "{checkpoint}"), "not an image"),
        (("explain", "{still}", "--model", "{checkpoint}", "--methods", "tarot"), "tarot"),
        (("explain", "{still}", "--model", "{checkpoint}", "--stages", "encoder_9"), "encoder_5"),
        (("explain", "{still}", "--model", "{checkpoint}", "--classes", "7"), "no class 7"),
        (("explain", "{still}", "--model", "{checkpoint}", "--frames", "1"), "numbered 0 to 0"),
        (("explain", "{still}", "--model", "{checkpoint}", "--frames", "a-b"), "not understood"),
        (("explain", "{still}", "--model", "{checkpoint}", "--image-size", "100"), "multiples of 32"),
        (("explain", "{still}", "--model", "{checkpoint}", "--out", "{still}/under"), "cannot be written"),
    ],
)
def test_what_is_wrong_is_one_clear_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    still: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"tmp": tmp_path, "still": still, "checkpoint": checkpoint}
    assert run(monkeypatch, *(argument.format(**places) for argument in arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("napari-segcam: ")
    assert said in error
    assert "\n" not in error


def test_a_missing_option_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, still: Path) -> None:
    assert run(monkeypatch, "explain", still) == 2


@pytest.mark.parametrize("command", ["inspect", "explain", "batch", "report", "demo"])
def test_help_shows_every_option_in_full_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    assert run(monkeypatch, command, "--help") == 0
    shown = capsys.readouterr().out
    assert f"{command} [OPTIONS]" in shown
    assert "…" not in shown, "a name is cut short"
    assert max(map(len, shown.splitlines())) <= 80


def test_explain_and_batch_share_their_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {}
    for command in ("explain", "batch"):
        assert run(monkeypatch, command, "--help") == 0
        options[command] = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    shared = {
        f"--{field.name.replace('_', '-')}"
        for group in (NetworkOptions, HeatmapOptions, InputOptions)
        for field in fields(group)
    }
    assert shared <= options["explain"] & options["batch"]
    assert {"--frames", "--movie"} <= options["explain"] - options["batch"]


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [[], ["--verbose"]])
def test_a_bug_is_shown_once_and_with_what_to_do_about_it(tmp_path: Path, verbose: list[str]) -> None:
    (tmp_path / "x.pth").write_bytes(b"x")
    code = (
        "import sys\n"
        "import napari_segcam.network.loading as loading\n"
        "from napari_segcam import cli\n"
        "def planted(*_, **__): raise ZeroDivisionError('a planted bug')\n"
        "loading.load_network = planted\n"
        f"sys.argv = ['napari-segcam', 'inspect', {str(tmp_path / 'x.pth')!r}, *{verbose}]\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("Traceback (most recent call last)") == (not verbose)  # the log has its own words for it
    assert done.stderr.count("A command failed unexpectedly") == 1
    assert "ZeroDivisionError: a planted bug" in done.stderr
    assert done.stderr.rstrip().endswith("napari-segcam report-problem collects what a report of it needs.")
