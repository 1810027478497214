"""``check``: the verdict in words, counted again from check.csv; Ctrl-C; and wrong arguments."""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from planted_network import frame, planted

from napari_segcam import cli
from napari_segcam.batch.check.checking import Check, spread_frames
from napari_segcam.reporting.run_format import COLUMNS, EVIDENCE

FILES = {"check.csv", "check.json", "check.html", "check.pdf"}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``napari-segcam check planted.pth data OPTIONS`` on six frames: its exit code."""
    (tmp_path / "data").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(6):
        picture = frame(number)
        truth = picture > 127
        if number == 2:
            truth = np.roll(truth, 12, 0)  # a bad mask
        Image.fromarray(picture).save(tmp_path / "data" / f"frame_{number}.png")
        Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "masks" / f"frame_{number}_mask.png")
    torch.save(planted().module.state_dict(), tmp_path / "planted.pth")
    (tmp_path / "planted.segcam.yaml").write_text("input_channels: 1\nnormalization: unit\nclass_names: [finding]\n")

    def run(*options: object, model: Path | None = None, images: Path | None = None) -> int:
        usual = ("check", model or tmp_path / "planted.pth", images or tmp_path / "data", "--device", "cpu")
        factory = ("--network-factory", "planted_network:Planted", "--stages", "shallow,idle,deep")
        arguments = map(str, (*usual, "--out", tmp_path / "out", *factory, *options))
        monkeypatch.setattr("sys.argv", ["napari-segcam", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return int(stopped.value.code or 0)

    return run


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "check.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_verdict_is_counted_from_the_table(check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("--methods", "gradcam,layercam", "--truth", tmp_path / "masks") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == [*COLUMNS, *EVIDENCE]
    assert len(rows) == 6 * 2 * 3
    record = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    (verdict,) = record["classes"]
    assert (record["images"], record["found"], record["stopped"], record["errors"]) == (6, 6, False, {})
    gradcam = [row for row in rows if row["method"] == "gradcam"]
    for stage in verdict["stages"]:
        of_stage = [row for row in gradcam if row["stage"] == stage["stage"]]
        count = sum(float(row["influence"]) >= 0.05 for row in of_stage)
        assert stage["takes_part"] == {"count": count, "total": 6}
        firsts = sum(row["shown_first"] == stage["stage"] for row in of_stage)
        assert stage["shown_first"] == {"count": firsts, "total": 6}
        assert stage["influence"] == pytest.approx(np.median([float(row["influence"]) for row in of_stage]))
    for one in verdict["maps"]:
        tested = [
            row
            for row in rows
            if (row["method"], row["stage"]) == (one["method"], one["stage"]) and row["faithfulness_p"]
        ]
        assert one["passes"] == {"count": sum(float(r["faithfulness_p"]) <= 0.05 for r in tested), "total": len(tested)}
        if tested:
            lifts = [float(row["faithfulness"]) - float(row["faithfulness_null"]) for row in tested]
            assert one["lift"] == pytest.approx(np.mean(lifts))
    first = Counter(row["shown_first"] for row in gradcam).most_common(1)[0][0]
    assert verdict["shown_first"] == first == "shallow"
    shown = " ".join(capsys.readouterr().out.split())
    assert "Look first at shallow: it is the stage to show first in 6 of 6 frames." in shown
    assert "No part in the mask: idle in 6 of 6 frames." in shown
    assert all(" ".join(sentence.split()) in shown for sentence in verdict["verdict"])
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert "Look first at shallow" in page
    assert "significant" not in page


def test_doubt_is_compared_with_the_truth(check: Any, tmp_path: Path) -> None:
    options = ("--methods", "gradcam", "--evidence", "influence,doubt")
    assert check(*options, "--truth", tmp_path / "masks") == 0
    frames = {row["image"]: row for row in rows_of(tmp_path / "out")}.values()
    ranked = sorted(frames, key=lambda row: float(row["doubt"]))
    risks = [1 - float(row["dice"]) for row in ranked]
    (verdict,) = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))["classes"]
    assert verdict["doubt"]["random"] == pytest.approx(np.mean(risks))
    assert max(risks) > 0.3
    if len({row["doubt"] for row in frames}) == len(risks):
        assert verdict["doubt"]["area"] == pytest.approx(np.mean([np.mean(risks[: n + 1]) for n in range(len(risks))]))
    assert [one["doubt"] for one in verdict["most_doubtful"]] == sorted(
        (float(row["doubt"]) for row in frames), reverse=True
    )[:5]


def test_the_tolerance_is_that_of_the_surface_dice(check: Any, tmp_path: Path) -> None:
    options = ("--methods", "gradcam", "--evidence", "influence", "--limit", 6, "--truth", tmp_path / "masks")
    found = []
    for tolerance in (1, 500):
        assert check(*options, "--tolerance", tolerance) == 0
        found.append([float(row["surface_dice"]) for row in rows_of(tmp_path / "out")])
    assert min(found[0]) < 1, "one mask is bad"
    assert set(found[1]) == {1.0}


def test_methods_share_what_does_not_depend_on_them(check: Any, tmp_path: Path) -> None:
    assert check("--methods", "gradcam,hirescam", "--limit", 1, "--evidence", "influence,overlay_effect,doubt") == 0
    rows = rows_of(tmp_path / "out")
    for column in ("influence", "influence_on_score", "takes_part", "doubt", "overlay_effect", "evidence_undefined"):
        values = [[row[column] for row in rows if row["method"] == method] for method in ("gradcam", "hirescam")]
        assert values[0] == values[1], column


def test_ctrl_c_writes_the_finished_images_or_nothing(
    check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = Check._checked
    calls: list[str] = []

    def pressed_in(number: int) -> None:
        def with_interrupt(self: Check, image: Any) -> Any:
            calls.append(image.name)
            if len(calls) == number:
                signal.raise_signal(signal.SIGINT)
            return checked(self, image)

        monkeypatch.setattr(Check, "_checked", with_interrupt)

    pressed_in(1)
    assert check("--methods", "gradcam", "--evidence", "influence") == 130
    assert not (tmp_path / "out").exists()
    assert "nothing is written" in capsys.readouterr().out
    calls.clear()
    pressed_in(3)
    assert check("--methods", "gradcam", "--evidence", "influence") == 130
    assert {row["image"] for row in rows_of(tmp_path / "out")} == {"frame_0.png", "frame_1.png"}
    assert "Stopped: 2 of 6 images." in " ".join(capsys.readouterr().out.split())
    assert "The check was stopped" in (tmp_path / "out" / "check.html").read_text(encoding="utf-8")


def test_a_damaged_image_is_listed_and_the_others_count(check: Any, tmp_path: Path) -> None:
    (tmp_path / "data" / "frame_1.png").write_bytes(b"no image")
    assert check("--methods", "gradcam", "--evidence", "influence", "--no-pdf") == 1
    record = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert set(record["errors"]) == {"frame_1.png"}
    assert record["images"] == 5
    assert "frame_1.png" in (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert not (tmp_path / "out" / "check.pdf").exists()


def test_a_single_image_is_enough(check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "data" / "frame_0.png"
    options = ("--methods", "gradcam", "--evidence", "faithfulness", "--null", 9)
    assert check(*options, "--truth", tmp_path / "masks" / "frame_0_mask.png", images=image) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "With 9 draws, p is at least 0.1, so no map can pass 0.05" in shown
    assert {row["dice"] != "" for row in rows_of(tmp_path / "out")} == {True}


def test_frames_of_a_cine_are_spread() -> None:
    assert spread_frames(2, 3) == [0, 1]
    assert spread_frames(9, 3) == [1, 4, 7]
    assert spread_frames(100, 1) == [50]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--methods", "gradcan"), "no method 'gradcan'"),
        (("--stages", "encoder_9"), "no stage or layer named 'encoder_9'"),
        (("--evidence", "influnce"), "no measure of evidence 'influnce'"),
        (("--truth", "nothing"), "There is no folder of true masks nothing"),
        (("--crop", "1,2"), "The crop 1,2 is not understood"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert check(*options) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


def test_model_and_images_in_the_wrong_order(check: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(model=tmp_path / "nothing.pth") == 2
    assert "The order is: napari-segcam check MODEL IMAGES" in capsys.readouterr().err
    assert check(model=tmp_path / "data", images=tmp_path / "planted.pth") == 2
    assert "The order is: napari-segcam check MODEL IMAGES" in capsys.readouterr().err
