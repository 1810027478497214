"""Robustness: figures known by hand, runs that are stopped and go on, what is refused, and what is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.perturbing.echoes import DYNAMIC_RANGE
from napari_segcam.perturbing.perturbation import Perturbation
from napari_segcam.robustness.columns import FRAME_COLUMNS
from napari_segcam.robustness.frame_meter import BOTH_EMPTY, OWN_MASK, TRUTH
from napari_segcam.robustness.heat_stability import heat_stability, hottest
from napari_segcam.robustness.running import Robustness
from napari_segcam.robustness.summary import SUMMARY_COLUMNS, summarize
from napari_segcam.robustness.words import sentences

SIDE = 32
STEP = 12.0
"""Decibels that are a fifth of the gray values."""


class Bright(nn.Module):
    """The mask is where the image is brighter than 0.5; its only stage is a smoothed image."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = nn.AvgPool2d(3, 1, 1)
        self.scale = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.scale.weight, 20.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale(x - 0.5) + 0.1 * self.smooth(x)


def network(**card: object) -> sc.Network:
    fields = {"input_channels": 1, "normalization": "unit", "class_names": ("finding",), **card}
    return sc.Network.from_module(Bright(), sc.ModelCard(**fields), device="cpu")


def steps() -> np.ndarray:
    """Return a frame of 20 columns: 8 of gray 0.85, 6 of 0.65, 6 of 0.55; the rest is 0.1."""
    values = np.full((SIDE, SIDE), 0.1)
    values[8:24, 4:12], values[8:24, 12:18], values[8:24, 18:24] = 0.85, 0.65, 0.55
    return np.rint(255 * values).astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images and their true masks, in ``images`` and ``masks``: all bright columns; the second is shifted."""
    for number, shift in enumerate((0, 3)):
        frame = np.roll(steps(), shift, 0)
        for folder, values in (("images", frame), ("masks", np.where(frame > 60, 255, 0).astype(np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / folder / f"case_{number}.png")
    return tmp_path


OPTIONS = sc.RobustnessOptions(strengths={"gain": (-STEP, -2 * STEP), "rotation": (90,)}, stage="smooth")


def measured(data: Path, out: Path | None = None, **changes: Any) -> Any:
    options = replace(OPTIONS, **changes)
    return sc.measure_robustness(network(), data / "images", data / "masks", options, out=out)


def test_dice_falls_with_gain_as_counted_by_hand(data: Path) -> None:
    assert STEP / DYNAMIC_RANGE == 0.2
    rows = [row for row in measured(data).rows if row["image"] == "case_0.png"]
    found = {(row["perturbation"], row["strength"]): row for row in rows}
    assert found["none", 0]["dice"] == 1
    assert found["gain", -STEP]["dice"] == pytest.approx(2 * 8 / (8 + 20))  # only 0.85 − 0.2 is above 0.5
    assert found["gain", -STEP]["pixels"] == 8 * 16
    assert found["gain", -STEP]["detected"] is True
    assert found["gain", -2 * STEP]["dice"] == 0  # nothing is found
    assert found["gain", -2 * STEP]["detected"] is False
    assert (found["gain", -STEP]["unit"], found["gain", -STEP]["against"]) == ("dB", TRUTH)
    assert found["rotation", 90]["dice"] == 1  # mask and truth are turned alike
    assert found["rotation", 90]["heatmap_correlation"] == pytest.approx(1, abs=1e-3)
    assert found["none", 0]["heatmap_correlation"] == pytest.approx(1)
    assert found["none", 0]["heatmap_overlap"] == 1
    assert "heatmap is empty" in found["gain", -2 * STEP]["heatmap_undefined"]


def test_the_summary_is_over_cases(data: Path) -> None:
    result = measured(data)
    summary = {(one.perturbation, one.strength): one for one in result.summaries}
    lower = summary["gain", -STEP]
    assert (lower.cases, lower.dice.value) == (2, pytest.approx(16 / 28))
    assert lower.dice_difference.value == pytest.approx(16 / 28 - 1)
    assert (summary["gain", -2 * STEP].detected.value, lower.detected.value) == (0, 1)
    (sentence,) = [one for one in result.sentences if "gain" in one]
    assert sentence.startswith("At a gain 24 dB lower the median Dice falls from 1.00 to 0.00 (95 % interval")
    assert "2 cases are few: an interval over fewer than 6 cases means little." in result.sentences


def test_without_truth_masks_are_compared_with_the_unperturbed_one(data: Path) -> None:
    result = sc.measure_robustness(network(), data / "images" / "case_0.png", options=OPTIONS)
    found = {(row["perturbation"], row["strength"]): row for row in result.rows}
    assert {row["against"] for row in result.rows} == {OWN_MASK}
    assert found["gain", -STEP]["dice"] == pytest.approx(2 * 8 / (8 + 20))
    assert found["rotation", 90]["dice"] == 1
    assert any("not whether it is right" in sentence for sentence in result.sentences)


def test_an_empty_frame_has_no_dice_and_says_why(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(tmp_path / "black.png")
    rows = sc.measure_robustness(network(), tmp_path / "black.png", options=OPTIONS).rows
    assert {(row["dice"], row["dice_undefined"], row["detected"]) for row in rows} == {(None, BOTH_EMPTY, None)}
    assert all(row["heatmap_undefined"] for row in rows)


def test_a_list_of_cases_makes_one_case_of_several_images(data: Path) -> None:
    (data / "cases.csv").write_text("image,case\ncase_0.png,anna\ncase_1.png,anna\n")
    result = sc.measure_robustness(network(), data / "images", data / "masks", OPTIONS, cases=data / "cases.csv")
    assert {one.cases for one in result.summaries} == {1}
    assert {row["case"] for row in result.rows} == {"anna"}
    (data / "cases.csv").write_text("image,case\nother.png,anna\n")
    with pytest.raises(SegcamError, match="names none of the images"):
        sc.measure_robustness(network(), data / "images", None, OPTIONS, cases=data / "cases.csv")


def test_what_is_written(data: Path) -> None:
    result = measured(data, data / "out")
    out = data / "out"
    names = {path.name for path in out.iterdir() if path.name != ".lock"}
    assert names == {"robustness.csv", "robustness_summary.csv", "robustness.json", "robustness.html", "plots"}
    assert {path.name for path in (out / "plots").iterdir()} == {
        f"{name}.{suffix}" for name in ("gain", "rotation") for suffix in ("svg", "png")
    }
    with Image.open(out / "plots" / "gain.png") as picture:
        assert picture.width == pytest.approx(7.2 * 300, abs=1)
    with (out / "robustness.csv").open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        assert list(table.fieldnames or ()) == list(FRAME_COLUMNS)
        assert len(list(table)) == len(result.rows) == 2 * 4
    with (out / "robustness_summary.csv").open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        assert list(table.fieldnames or ()) == list(SUMMARY_COLUMNS)
        assert [row["perturbation"] for row in table] == ["none", "gain", "gain", "rotation"]
    record = json.loads((out / "robustness.json").read_text(encoding="utf-8"))
    assert record["finished"]
    assert record["settings"]["perturbations"] == {"gain": [-STEP, -2 * STEP], "rotation": [90.0]}
    assert record["settings"]["model"]["classes"] == ["finding"]
    page = (out / "robustness.html").read_text(encoding="utf-8")
    assert all(sentence in page for sentence in record["in_words"])


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """The perturbations that are made."""
    made: list[tuple[str, float]] = []
    of_frame = Perturbation.of_frame

    def counting(self: Perturbation, frame: Any, strength: float, context: Any) -> Any:
        made.append((self.name, strength))
        return of_frame(self, frame, strength, context)

    monkeypatch.setattr(Perturbation, "of_frame", counting)
    return made


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_measures_nothing_twice(data: Path, count: list[tuple[str, float]]) -> None:
    measured(data, data / "whole")
    whole = (data / "whole" / "robustness.csv").read_bytes()
    assert len(count) == 6
    count.clear()
    measured(data, data / "whole")
    assert not count
    assert (data / "whole" / "robustness.csv").read_bytes() == whole
    out = data / "killed"
    out.mkdir()
    record = json.loads((data / "whole" / "robustness.json").read_text(encoding="utf-8"))
    (out / "robustness.json").write_text(json.dumps(record), encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    (out / "robustness.csv").write_bytes(b"".join(lines[:4]) + lines[4][:15])  # killed while it wrote a line
    result = measured(data, out)
    assert (out / "robustness.csv").read_bytes() == whole
    assert len(count) == 4  # two of six were there
    assert len(result.rows) == 8


def test_a_cancelled_run_keeps_its_rows(data: Path) -> None:
    stops = iter([False] * 6)
    run = Robustness(network(), data / "images", None, OPTIONS, cancelled=lambda: next(stops, True))
    run.start()
    assert len(list(run)) < 2
    assert 0 < len(run.store.rows) < 8
    assert run.estimate().runs == 8 - len(run.store.rows)


def test_the_estimate_counts_runs_and_times_one(data: Path) -> None:
    cost = Robustness(network(), data / "images", None, OPTIONS).estimate()
    assert cost.runs == 2 * (1 + 3)
    assert cost.seconds is not None
    assert cost.seconds > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strengths": {"gain": (-6,)}}, "perturbations.gain"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"threshold": 0.4}, "threshold"),
        ({"crop": "0,0,20,20"}, "crop"),
    ],
)
def test_other_options_in_the_same_folder_are_refused(data: Path, changes: dict[str, Any], words: str) -> None:
    out = data / "out"
    measured(data, out, strengths={"gain": (-STEP,)})
    before = (out / "robustness.csv").read_bytes()
    with pytest.raises(SegcamError, match=words):
        measured(data, out, **{"strengths": {"gain": (-STEP,)}, **changes})
    assert (out / "robustness.csv").read_bytes() == before


def test_another_network_other_images_and_other_files_are_refused(data: Path) -> None:
    out = data / "out"
    measured(data, out, strengths={"gain": (-STEP,)})
    with pytest.raises(SegcamError, match="holds another run: images"):
        sc.measure_robustness(network(), data / "images", None, replace(OPTIONS, strengths={"gain": (-STEP,)}), out=out)
    other = network()
    torch.nn.init.constant_(other.module.scale.weight, 21.0)
    options = replace(OPTIONS, strengths={"gain": (-STEP,)})
    with pytest.raises(SegcamError, match=r"model\.sha256"):
        sc.measure_robustness(other, data / "images", data / "masks", options, out=out)
    with pytest.raises(SegcamError, match="holds other files"):
        measured(data, data / "masks")
    (data / "file").write_text("")
    with pytest.raises(SegcamError, match="is a file"):
        measured(data, data / "file")


def test_a_damaged_image_is_an_error_and_the_others_are_measured(data: Path) -> None:
    (data / "images" / "broken.png").write_bytes(b"no image")
    result = measured(data, strengths={"gain": (-STEP,)})
    assert list(result.errors) == ["broken.png"]
    assert len(result.rows) == 4


def test_only_the_crop_is_perturbed_and_measured(data: Path) -> None:
    result = measured(data, crop="0,0,12,32", strengths={"gain": (-STEP,)})
    assert {row["dice"] for row in result.rows} == {1.0}  # the columns of gray 0.85 are found as before
    assert {row["pixels"] for row in result.rows} == {8 * 16}


def test_the_hottest_tenth_of_a_map_that_is_mostly_empty() -> None:
    values = np.zeros(100)
    values[:3] = 1
    assert hottest(values).sum() == 3
    assert hottest(np.arange(100.0)).sum() == 10
    other = np.roll(np.arange(100.0), 5).reshape(10, 10)
    seen = np.ones((10, 10), bool)
    assert heat_stability(np.arange(100.0).reshape(10, 10), other, seen).overlap == 0.5
    assert heat_stability(np.ones((10, 10)), other, seen).undefined


def made_up_rows(figures: Sequence[tuple[str, float, int, int, float | None]]) -> list[dict[str, Any]]:
    """Return rows of one case: perturbation, strength, findings of the frame, pixels of its mask, Dice."""
    common = {"case": "P", "class": "fibroid", "unit": "dB", "against": "truth"}
    undefined = {"dice_undefined": "", "heatmap_correlation": None, "heatmap_overlap": None, "heatmap_undefined": "no"}
    return [
        {
            **common,
            **undefined,
            "perturbation": name,
            "strength": strength,
            "findings": findings,
            "detected": bool(dice) if findings else None,
            "pixels": pixels,
            "dice": dice,
        }
        for name, strength, findings, pixels, dice in figures
    ]


def test_false_masks_in_empty_frames_do_not_change_the_dice() -> None:
    """Two of three frames are empty. At +6 dB a mask appears in one of them; the finding keeps most of its mask."""
    before = [("none", 0.0, 1, 90, 0.9), ("none", 0.0, 0, 0, None), ("none", 0.0, 0, 0, None)]
    after = [("gain", 6.0, 1, 80, 0.8), ("gain", 6.0, 0, 50, 0.0), ("gain", 6.0, 0, 0, None)]
    own, louder = summarize(made_up_rows(before + after))
    assert (own.dice.value, louder.dice.value) == (0.9, 0.8)
    assert louder.dice_difference.value == pytest.approx(-0.1)
    assert (own.detected.value, louder.detected.value) == (1, 1)
    assert (own.false_masks.value, louder.false_masks.value) == (0, 0.5)
    (words, *_) = sentences([own, louder])
    assert words.startswith("At a gain 6 dB higher the median Dice falls from 0.90 to 0.80 (")
    assert "a mask appears in 50 % of the frames with nothing to find; unperturbed, in 0 %." in words


def test_false_masks_are_said_where_no_frame_has_a_finding() -> None:
    own, louder = summarize(made_up_rows([("none", 0.0, 0, 0, None), ("gain", 6.0, 0, 50, None)]))
    (words, *_) = sentences([own, louder])
    assert "the Dice is undefined at every strength" in words
    assert "a mask appears in 100 % of the frames with nothing to find; unperturbed, in 0 %." in words


def test_without_empty_frames_nothing_is_said_of_false_masks() -> None:
    own, louder = summarize(made_up_rows([("none", 0.0, 1, 90, 0.9), ("gain", 6.0, 1, 80, 0.8)]))
    assert own.false_masks.value is None
    assert "a mask appears" not in " ".join(sentences([own, louder]))
