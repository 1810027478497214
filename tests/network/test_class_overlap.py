"""Decide whether classes overlap: from the file, by assumption, or from the card, which comes first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.loading import load_network, save_card
from napari_segcam.network.model_card import ModelCard, card_path
from napari_segcam.network.network import Network

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def unet(activation: str | None, classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return smp.Unet(
        "resnet18", encoder_weights=None, decoder_channels=(16, 8, 8, 4, 4), classes=classes, activation=activation
    ).eval()


def small(last: nn.Module | None, classes: int = 3) -> nn.Module:
    torch.manual_seed(1)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, classes, 1)]
    return nn.Sequential(*layers, *([last] if last else []))


def saved(module: nn.Module, form: str, folder: Path) -> Path:
    path = folder / "network.pt"
    if form == "pickle":
        torch.save(module, path)
    elif form == "TorchScript":
        torch.jit.trace(module, IMAGE).save(str(path))
    elif form == "folder":
        path = folder / "network"
        module.save_pretrained(path)  # type: ignore[operator]
    elif form == "exported":
        path = folder / "network.pt2"
        torch.export.save(torch.export.export(module, (IMAGE,)), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "make"),
    [("pickle", unet), ("TorchScript", unet), ("folder", unet), ("TorchScript", small), ("exported", small)],
)
@pytest.mark.parametrize("last", ["sigmoid", "softmax"])
def test_the_activation_in_a_file_decides(form: str, make: object, last: str, tmp_path: Path) -> None:
    if make is unet:
        module = unet("sigmoid" if last == "sigmoid" else "softmax2d")
    else:
        module = small(nn.Sigmoid() if last == "sigmoid" else nn.Softmax(1))
    network = load_network(saved(module, form, tmp_path), "cpu")
    assert network.classes_overlap == (last == "sigmoid")
    assert "classes_overlap" not in network.assumed
    assert not any("exclude" in warning for warning in network.warnings)
    with torch.no_grad():
        logits = network.module(IMAGE)
        torch.testing.assert_close(logits.sigmoid() if last == "sigmoid" else logits.softmax(1), module(IMAGE))


@pytest.mark.slow
def test_weights_alone_do_not_decide_and_a_warning_says_so(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(unet("sigmoid").state_dict(), path)
    network = load_network(path, "cpu")
    assert not network.classes_overlap
    assert network.assumed["classes_overlap"] == "no (the 3 classes exclude each other, the first is the background)"
    assert [warning for warning in network.warnings if "classes_overlap: true in the model card" in warning]
    for overlapping in (
        load_network(path, "cpu", card=ModelCard(classes_overlap=True)),
        load_network(path, "cpu", classes_overlap=True),
        load_network(path, "cpu", card=ModelCard(classes_overlap=False), classes_overlap=True),
    ):
        assert overlapping.classes_overlap
        assert overlapping.class_names == ("class 0", "class 1", "class 2")
        assert "classes_overlap" not in overlapping.assumed
        assert not overlapping.warnings
    (tmp_path / "weights.segcam.yaml").write_text("class_names: [organ, lesion, wall]\nclasses_overlap: yes\n")
    assert load_network(path, "cpu").class_index("lesion") == 1
    assert load_network(path, "cpu").class_index(None) == 0


def test_settings_without_an_activation_do_not_decide(tmp_path: Path) -> None:
    path = saved(unet(None), "folder", tmp_path)
    assert json.loads((path / "config.json").read_text())["activation"] is None
    assert "classes_overlap" in load_network(path, "cpu").assumed


@pytest.mark.parametrize(
    ("names", "decides"),
    [(("background", "a", "b"), True), (("_Background_", "a", "b"), True), (("a", "b", "c"), False)],
)
def test_a_first_class_named_background_decides(names: tuple[str, ...], decides: bool) -> None:
    network = Network.from_module(small(None), ModelCard(class_names=names), "cpu")
    assert ("classes_overlap" not in network.assumed) == decides == (not network.warnings)
    assert network.has_background


def test_a_single_class_needs_no_decision(tmp_path: Path) -> None:
    network = load_network(saved(unet("sigmoid", classes=1), "pickle", tmp_path), "cpu")
    assert not network.classes_overlap
    assert "classes_overlap" not in network.card.model_fields_set
    assert "classes_overlap" not in network.assumed
    single = Network.from_module(small(None, classes=1), ModelCard(classes_overlap=True), "cpu")
    assert (single.classes_overlap, single.class_names) == (False, ("foreground",))


@pytest.mark.slow
def test_the_card_overrides_a_sigmoid_but_not_a_softmax(tmp_path: Path) -> None:
    path = saved(unet("sigmoid"), "pickle", tmp_path)
    assert load_network(path, "cpu", classes_overlap=False).has_background
    torch.save(unet("softmax2d"), path)
    with pytest.raises(SegcamError, match=r"network\.pt overlap, but the network ends in a softmax"):
        load_network(path, "cpu", classes_overlap=True)


@pytest.mark.slow
def test_a_decision_from_the_file_is_written_into_the_card(tmp_path: Path) -> None:
    path = saved(unet("sigmoid"), "pickle", tmp_path)
    save_card(load_network(path, "cpu"), path)
    assert "classes_overlap: true" in card_path(path).read_text()
    weights_path = tmp_path / "weights.pth"
    torch.save(unet(None).state_dict(), weights_path)
    save_card(load_network(weights_path, "cpu"), weights_path)
    assert "#   classes_overlap: no (" in card_path(weights_path).read_text()
    assert "classes_overlap" in load_network(weights_path, "cpu").assumed, "an assumption stays an assumption"


def test_more_classes_than_a_mask_can_hold_are_refused() -> None:
    assert Network.from_module(small(None, classes=255), device="cpu").classes == 255
    with pytest.raises(SegcamError, match=r"returns maps of 256 channels, but a mask holds at most 255 classes"):
        Network.from_module(small(None, classes=256), device="cpu")


def test_the_card_decides_for_a_network_of_monai(tmp_path: Path) -> None:
    monai = pytest.importorskip("monai.networks.nets.unet")
    torch.manual_seed(2)
    module = monai.UNet(2, 1, 3, channels=(4, 8, 16), strides=(2, 2), num_res_units=1).eval()
    path = tmp_path / "monai.pth"
    torch.save(module.state_dict(), path)
    card_path(path).write_text("classes_overlap: true\nclass_names: [vessel, lumen, wall]\nnormalization: unit\n")
    network = load_network(path, "cpu")
    assert (network.classes_overlap, network.class_names) == (True, ("vessel", "lumen", "wall"))
    assert "classes_overlap" not in network.assumed
