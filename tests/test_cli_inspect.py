"""``napari-segcam inspect``: what a checkpoint is, and its model card written."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torchvision
from PIL import Image

from napari_segcam import cli
from napari_segcam.network.model_card import ModelCard, SizeRule, read_card

FACTORY = """
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
"""


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.manual_seed(0)
    module = smp.DeepLabV3("mobilenet_v2", encoder_weights=None, in_channels=1, classes=2, decoder_channels=16)
    torch.save(module.state_dict(), tmp_path / "best.pth")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "best.pth"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["napari-segcam", "inspect", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_what_is_assumed_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    assert run(monkeypatch, checkpoint) == 0
    shown = capsys.readouterr().out
    asked = shown.partition("To confirm: what the file does not say")[2]
    assert "Normalization: How were pixel values scaled in training?" in asked
    assert "● ImageNet" in asked
    assert "--normalization zscore" in asked
    assert "● No; the first is the background" in asked
    assert "● (12, 24, 36)" in asked
    assert "--option decoder_atrous_rates=VALUE" in asked
    assert "%" not in asked


@pytest.mark.slow
def test_an_image_shows_what_each_answer_finds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path
) -> None:
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"scan_{number}.png")
    assert run(monkeypatch, checkpoint, "--image", tmp_path / "scan_1.png") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "--normalization" in line]
    assert [line[-1] for line in lines] == ["imagenet", "unit", "0.5", "zscore", "percentile", "none"]
    assert len({" ".join(line[:-2]) for line in lines}) == 6
    assert all("%" in " ".join(line) or "found" in line or "all" in line or "everything" in line for line in lines)
    assert run(monkeypatch, checkpoint, "--image", tmp_path / "scan_1.png", "--frame", 3) == 2
    assert "--frame 3 goes beyond this image's only frame, 0" in " ".join(capsys.readouterr().err.split())


def test_answers_leave_nothing_to_confirm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    answers = (
        *("--normalization", "unit", "--classes-exclusive", "--class-name", "tissue", "--class-name", "cyst"),
        *("--size-rule", "letterbox", "--image-size", 256, "--option", "decoder_atrous_rates=[6, 12, 18]"),
        *("--option", "encoder_output_stride=8"),
    )
    assert run(monkeypatch, checkpoint, "--write-card", *answers) == 0
    assert "To confirm: nothing" in capsys.readouterr().out
    card = read_card(checkpoint.with_name("best.segcam.yaml"))
    assert card.size == SizeRule(rule="letterbox", height=256, width=256)
    assert run(monkeypatch, checkpoint) == 0
    assert "To confirm: nothing" in capsys.readouterr().out


def test_the_channel_order_is_asked_and_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    torch.save(smp.Unet("resnet18", encoder_weights=None).state_dict(), tmp_path / "color.pth")
    assert run(monkeypatch, tmp_path / "color.pth", "--channel-order", "bgr", "--write-card") == 0
    assert "Channel order" not in capsys.readouterr().out
    assert read_card(tmp_path / "color.segcam.yaml").channel_order == "bgr"
    assert run(monkeypatch, tmp_path / "color.pth", "--channel-order", "gbr") == 2
    assert "'rgb' or 'bgr'" in capsys.readouterr().err


def test_an_image_is_shown_with_its_black_and_white(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    values = np.linspace(0, 3000, 200).reshape(10, 20).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "scan.png")
    assert run(monkeypatch, tmp_path / "scan.png") == 0
    shown = capsys.readouterr().out
    assert "20 × 10 pixels, gray (uint16)" in shown
    assert "0 and 4095, from the values, which run from 0 to 3000" in shown
    assert "If that is wrong, set the value range." in shown


@pytest.mark.slow
def test_a_card_is_written_and_read_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    options = (
        *("--class-name", "tissue", "--class-name", "fibroid", "--normalization", "custom", "--mean", "0.2"),
        *("--std", "0.1", "--image-size", 256, "--threshold", 0.4, "--option", "decoder_atrous_rates=[6, 12, 18]"),
    )
    assert run(monkeypatch, checkpoint, "--write-card", *options) == 0
    card = read_card(checkpoint.with_name("best.segcam.yaml"))
    assert card == ModelCard(
        input_channels=1,
        class_names=("tissue", "fibroid"),
        normalization="custom",
        mean=(0.2,),
        std=(0.1,),
        size=SizeRule(rule="resize", height=256, width=256),
        threshold=0.4,
        options={"decoder_atrous_rates": [6, 12, 18]},
        sha256=card.sha256,
    )
    capsys.readouterr()
    assert run(monkeypatch, checkpoint) == 0
    shown = capsys.readouterr().out
    assert "tissue, fibroid" in shown
    assert "decoder_atrous_rates" not in shown, "no more assumed"
    assert run(monkeypatch, checkpoint, "--write-card", "--threshold", 0.3) == 2
    assert "a model card already" in capsys.readouterr().err
    assert run(monkeypatch, checkpoint, "--write-card", "--threshold", 0.3, "--force") == 0
    assert read_card(checkpoint.with_name("best.segcam.yaml")) == card.model_copy(update={"threshold": 0.3})


def test_a_network_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    checkpoint.with_name("inspected_net.py").write_text(FACTORY, encoding="utf-8")
    assert run(monkeypatch, "--network-factory", "inspected_net:make") == 0
    shown = capsys.readouterr().out
    for fact in ("inspected_net:make", "Sequential", "1 channels", "a mask cut at 0.5", "encoder_1"):
        assert fact in shown


def test_a_classifier_is_said_to_give_no_mask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checkpoint: Path
) -> None:
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), checkpoint)
    assert run(monkeypatch, checkpoint) == 0
    assert "one score per class for the whole image, no mask" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to load"),
        (("{checkpoint}", "--option", "rates"), "--option rates is not understood: write NAME=VALUE"),
        (("{checkpoint}", "--option", "x=[1"), "--option x=[1 is not understood"),
        (("{checkpoint}", "--option", "decoder_channels=3"), "decoder_atrous_rates"),
        (("{checkpoint}", "--normalization", "zebra"), "normalization is 'zebra', but may be 'imagenet'"),
        (("{checkpoint}", "--class-name", "fibroid"), "names 1 classes, but best.pth has 2"),
        (("--network-factory", "no_such_net:make"), "no Python module no_such_net"),
        (("--network-factory", "torch.nn:Identity", "--write-card"), "A model card is written beside a checkpoint"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    assert run(monkeypatch, *(argument.format(checkpoint=checkpoint) for argument in arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert not list(checkpoint.parent.glob("*.yaml"))


SEVERAL = """
import torch
from torch import nn

class Several(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head, self.aux = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 1, 1), nn.Conv2d(4, 2, 1)
    def forward(self, x):
        x = self.body(x)
        return {"aux": self.aux(x).softmax(1), "seg": self.head(x).sigmoid()}
"""


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "several_outputs.py").write_text(SEVERAL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    made = importlib.import_module("several_outputs").Several()
    torch.save(made.state_dict(), tmp_path / "best.pth")
    return tmp_path / "best.pth"


def test_the_output_that_is_read_is_shown_and_can_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], several: Path
) -> None:
    code = ("--network-factory", "several_outputs:Several")
    assert run(monkeypatch, several, *code) == 0
    shown = capsys.readouterr().out
    assert "seg is read, of aux, seg" in shown
    assert "Which one is the segmentation? Assumed: seg, not aux: by its name." in shown
    assert "ends in a sigmoid, which is left out" in shown
    assert run(monkeypatch, several, *code, "--output", "aux", "--write-card") == 0
    assert "aux is read, of aux, seg" in capsys.readouterr().out
    card = read_card(several.with_name("best.segcam.yaml"))
    assert (card.output, card.output_activation) == ("aux", "softmax")
    assert run(monkeypatch, several, *code, "--output", "sge") == 2
    assert "no output named 'sge' (did you mean seg?). Choose from: aux (2 channels, 64×64 pixels), seg" in (
        capsys.readouterr().err
    )
    assert run(monkeypatch, several, *code, "--output-activation", "sigmoidd") == 2
    assert "output_activation is 'sigmoidd', but may be 'none', 'sigmoid'" in capsys.readouterr().err


def test_explain_and_batch_read_the_named_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], several: Path
) -> None:
    folder = several.parent / "images"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)).save(folder / "a.png")
    code = ("--model", several, "--network-factory", "several_outputs:Several", "--device", "cpu", "--output", "aux")
    for command in (("explain", folder / "a.png", "--out", "one"), ("batch", folder, "--out", "many")):
        monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, (*command, *code))])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code, capsys.readouterr().err
    recorded = json.loads((several.parent / "one" / "explanation.json").read_text())
    assert '"name": "aux", "choices": ["aux", "seg"], "activation": "softmax", "undone": "exactly"' in json.dumps(
        recorded
    )
    assert "class 1" in (several.parent / "many" / "results.csv").read_text(), "aux has two classes"
