"""The command ``explain``: regions, slow methods, and Ctrl-C."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import tifffile
import torch
from PIL import Image
from pydicom import dcmread

import napari_segcam as sc
from napari_segcam import cli
from napari_segcam.commands.terminal import duration
from napari_segcam.demo import sample_cine
from napari_segcam.explanation.perturbation.scorecam import ScoreCam
from napari_segcam.explanation.targets.region import Boundary, FalseNegative
from napari_segcam.reporting import movie

SIDE = 64


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "unet.pth"
    torch.save(smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 8, 8, 4)).state_dict(), path)
    return path


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    path = tmp_path / "cine.tif"
    frames = np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE), dtype=np.uint8)
    tifffile.imwrite(path, frames, photometric="minisblack")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path, mask = tmp_path / "truth.png", np.zeros((SIDE, SIDE), np.uint8)
    mask[10:40, 20:50] = 255
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch, checkpoint: Path, cine: Path, tmp_path: Path) -> Any:
    """``napari-segcam explain cine OPTIONS``: its exit code; it writes to ``out``."""

    def run(*options: object, image: Path = cine) -> int:
        usual = ("explain", image, "--model", checkpoint, "--device", "cpu", "--out", tmp_path / "out")
        monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, (*usual, *options))])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def heat(folder: Path, stage: str) -> np.ndarray:
    with np.load(folder / "heatmaps.npz") as raw:
        return raw[stage]


def test_black_and_white_are_written_and_can_be_set(
    explain: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).integers(0, 3000, (SIDE, SIDE), dtype=np.int16)
    tifffile.imwrite(tmp_path / "deep.tif", values)
    options = ("--stages", "encoder_last")
    assert explain(*options, image=tmp_path / "deep.tif") == 0
    source = json.loads((tmp_path / "out" / "explanation.json").read_text())["source"]
    assert source["value_range"] == [0, 4095]
    assert source["value_range_from"].startswith("the values, which run from 0")
    assert "Black is assumed to be 0 and white 4095" in " ".join(capsys.readouterr().out.split())

    assert explain(*options, "--value-range", -60, 3000, image=tmp_path / "deep.tif") == 0
    source = json.loads((tmp_path / "out" / "explanation.json").read_text())["source"]
    assert (source["value_range"], source["value_range_from"], source["notes"]) == ([-60, 3000], "what was set", [])
    assert np.asarray(Image.open(tmp_path / "out" / "frame.png"))[..., 0].max() == 255
    assert explain(*options, "--value-range", 9, 9, image=tmp_path / "deep.tif") == 2
    assert "white must be more than black" in capsys.readouterr().err


@pytest.mark.slow
def test_a_region_and_a_score_are_those_of_the_explainer(
    explain: Any, checkpoint: Path, cine: Path, truth: Path, tmp_path: Path
) -> None:
    explainer = sc.Explainer(sc.load_network(checkpoint, "cpu"), stages=["encoder_last"])
    frame = sc.open_cine(cine)[1]
    mask = np.asarray(Image.open(truth)) > 0
    wanted = {
        ("--region", "rim:2"): sc.Target(region=Boundary(2)),
        ("--region", "false-negative", "--truth", truth): sc.Target(region=FalseNegative(mask)),
        ("--region", "image", "--score", "probability"): sc.Target(region="image", score="probability"),
    }
    for options, target in wanted.items():
        assert explain("--frames", 1, "--stages", "encoder_last", *options) == 0
        expected = explainer(frame, target).heatmaps["encoder_5"].values
        np.testing.assert_array_equal(heat(tmp_path / "out", "encoder_5"), expected)


def test_a_crop_is_all_that_the_network_sees(explain: Any, tmp_path: Path) -> None:
    assert explain("--frames", 1, "--stages", "encoder_last", "--crop", "0,0,64,32") == 0
    assert json.loads((tmp_path / "out" / "explanation.json").read_text())["input_shape"] == [32, 64]


@pytest.mark.slow
def test_what_a_slow_method_takes_is_said_before_it_starts(
    explain: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # a pipe gets a line only every few seconds
    assert explain("--frames", "0,2", "--methods", "scorecam", "--stages", "decoder_last,encoder_5", "--preview") == 0
    shown = " ".join(re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().out).split())
    runs = 2 * (1 + 4 + 512 // 8)
    assert f"Score-CAM, preview: {runs} runs of the network, about" in shown
    assert f"{runs}/{runs}" in shown
    described = json.loads((tmp_path / "out" / "frame_0002" / "explanation.json").read_text())
    assert described["preview"] is True


def test_ctrl_c_ends_after_this_run_and_leaves_nothing_half_written(
    explain: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scores, runs = ScoreCam.scores, []

    def pressed_in_the_second_frame(probe: ScoreCam, channels: Sequence[int]) -> torch.Tensor:
        runs.append(len(channels))
        if sum(runs) == 1 + 16 + 8:  # the estimate's, the first frame's, half of the second's
            signal.raise_signal(signal.SIGINT)
        return scores(probe, channels)

    monkeypatch.setattr(ScoreCam, "scores", pressed_in_the_second_frame)
    before = signal.getsignal(signal.SIGINT)
    assert explain("--methods", "scorecam", "--stages", "decoder_1") == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert sum(runs) == 1 + 16 + 8
    shown = " ".join(capsys.readouterr().out.split())
    assert "Stopping after this run" in shown
    assert "Stopped: 1 of 3 explanations are complete." in shown
    out = tmp_path / "out"
    assert [path.name for path in sorted(out.iterdir())] == ["attention.csv", "frame_0000"]
    assert (out / "frame_0000" / "explanation.json").exists()
    assert {row["frame"] for row in csv.DictReader((out / "attention.csv").open())} == {"0"}
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--region", "false-positive"), "needs the true mask: give it with --truth"),
        (("--region", "lesion"), "The region lesion is not understood"),
        (("--score", "odds"), "no score 'odds'"),
        (("--crop", "1,2,3"), "The crop 1,2,3 is not understood"),
        (("--truth", "nothing.png"), "nothing.png"),
        (("--autocast",), "Autocast is faster on NVIDIA GPUs only"),
        (("--region", "900,3"), "is outside the frame"),
        (("--overlay", "heat,halo"), "no overlay 'halo'. Choose from: heat, contour, side-by-side"),
        (("--colormap", "virids"), "no colormap 'virids'. Did you mean viridis or"),
        (("--opacity", "1.5"), "between 0 and 1"),
        (("--movie", "encoder_last", "--frames", "1"), "--movie needs several frames, but only one of cine.tif"),
        (("--movie", "encoder_1", "--stages", "encoder_5"), "no movie of encoder_1, which is not explained"),
        pytest.param(
            ("--out", "/dev/null/out"),
            "/dev/null/out cannot be written to",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file"),
        ),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    explain: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    assert explain(*options) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()], "what is refused writes nothing"


def test_several_methods_are_compared_and_overlays_are_as_requested(explain: Any, tmp_path: Path) -> None:
    options = ("--methods", "gradcam,layercam", "--stages", "encoder_5", "--overlay", "heat,side-by-side")
    assert explain("--frames", "0,2", *options, "--colormap", "magma", "--opacity", 0.3) == 0
    folder = tmp_path / "out" / "frame_0002"
    assert (folder / "comparison.png").exists()
    pictures = {path.name for path in (folder / "gradcam").glob("encoder_5*.png")}
    assert pictures == {"encoder_5_heat.png", "encoder_5_side-by-side.png"}
    described = json.loads((folder / "gradcam" / "explanation.json").read_text())
    assert described["look"] == {"overlays": ["heat", "side-by-side"], "colormap": "magma", "opacity": 0.3}
    assert described["frame"] == 2
    assert not (tmp_path / "out" / "movies").exists()


def test_the_provenance_names_the_image_and_the_options_but_no_folder(explain: Any, cine: Path, tmp_path: Path) -> None:
    assert explain("--frames", 1, "--stages", "encoder_5") == 0
    text = (tmp_path / "out" / "explanation.json").read_text()
    described = json.loads(text)
    assert described["source"]["name"] == "cine.tif"
    assert described["source"]["sha256"] == hashlib.sha256(cine.read_bytes()).hexdigest()
    assert described["options"]["image"] == "cine.tif"
    assert described["options"]["model"] == "unet.pth"
    assert described["options"]["stages"] == "encoder_5"
    assert str(tmp_path) not in text


def test_nothing_of_what_a_dicom_file_says_of_a_patient_is_written(explain: Any, tmp_path: Path) -> None:
    header = dcmread(sample_cine())
    header.PatientName, header.PatientID, header.InstitutionName = "Grünspan^Testa", "QX-48-77", "Clinic Nowhere"
    path = tmp_path / "clip.dcm"
    header.save_as(path)
    assert explain("--frames", 1, "--stages", "encoder_5", image=path) == 0
    written = b"".join(one.read_bytes() for one in sorted((tmp_path / "out").rglob("*")) if one.is_file())
    assert b"clip.dcm" in written
    for secret in ("span^Testa", "QX-48-77", "Clinic Nowhere", str(header.SOPInstanceUID)):
        assert secret.encode() not in written


def test_a_cine_becomes_a_movie_for_each_method_and_stage(explain: Any, tmp_path: Path) -> None:
    pytest.importorskip("av")
    options = ("--methods", "gradcam,gradcam_signed", "--stages", "encoder_last,decoder_last")
    assert explain(*options, "--movie", "encoder_last,decoder_4") == 0
    movies = sorted((tmp_path / "out" / "movies").iterdir())
    class_name = json.loads((tmp_path / "out/frame_0000/gradcam/explanation.json").read_text())["mask_pixels"]
    assert [path.name for path in movies] == [
        f"{method}_{next(iter(class_name)).replace(' ', '_')}_{stage}.mp4"
        for method in ("gradcam", "gradcam_signed")
        for stage in ("decoder_4", "encoder_5")
    ]
    assert all(len(sc.open_cine(path)) == 3 for path in movies)


def test_ctrl_c_in_a_movie_leaves_none_half_written(
    explain: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("av")
    drawn = movie._video_frame

    def pressed(picture: np.ndarray) -> Any:
        signal.raise_signal(signal.SIGINT)
        return drawn(picture)

    monkeypatch.setattr(movie, "_video_frame", pressed)
    assert explain("--stages", "encoder_5", "--movie", "encoder_5") == 130
    assert "3 of 3 explanations are complete" in " ".join(capsys.readouterr().out.split())
    assert not list((tmp_path / "out" / "movies").iterdir())


def test_durations_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.2, 40, 89, 600, 12_000)] == [
        "1 s",
        "40 s",
        "89 s",
        "10 min",
        "3 h 20 min",
    ]
