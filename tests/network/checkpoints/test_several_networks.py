"""Files with several networks, or with a 3D network, are refused with the reason unless the user chooses one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file
from torch import nn

import napari_segcam as sc


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return dict(smp.Unet("resnet18", encoder_weights=None).state_dict())


def under(prefix: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "keys", [("student", "teacher"), ("generator", "discriminator"), ("netA", "netB"), ("model", "teacher")]
)
def test_two_networks_under_two_keys_are_both_named(
    keys: tuple[str, str], weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({keys[0]: weights, keys[1]: weights, "epoch": 3}, tmp_path / "both.pth")
    with pytest.raises(sc.SegcamError, match=f"holds several .*{keys[0]}, {keys[1]}.*Name the one you need"):
        sc.load_network(tmp_path / "both.pth", "cpu")


@pytest.mark.parametrize("prefixes", [("student.", "teacher."), ("models.0.", "models.1."), ("", "net.teacher.")])
def test_two_networks_in_one_dict_are_both_named(
    prefixes: tuple[str, str], weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    torch.save({"state_dict": under(prefixes[0], weights) | under(prefixes[1], weights)}, tmp_path / "both.pth")
    with pytest.raises(sc.SegcamError, match=r"holds several networks .*Name the one you need"):
        sc.load_network(tmp_path / "both.pth", "cpu")


@pytest.mark.parametrize("name", ["teacher", "student"])
@pytest.mark.parametrize("layout", ["two dicts", "two dicts in one", "one dict", "wrapped"])
def test_the_network_to_load_can_be_named(
    name: str, layout: str, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    weights_by_name = {"student": weights, "teacher": {key: tensor + 1 for key, tensor in weights.items()}}
    content = {
        "two dicts": weights_by_name,
        "two dicts in one": {"state_dict": weights_by_name, "epoch": 3},
        "one dict": {
            "state_dict": under("student.", weights_by_name["student"]) | under("teacher.", weights_by_name["teacher"])
        },
        "wrapped": {
            "student": {"state_dict": weights_by_name["student"]},
            "teacher": {"model": under("module.", weights_by_name["teacher"])},
        },
    }[layout]
    torch.save(content, tmp_path / "both.pth")
    network = sc.load_network(tmp_path / "both.pth", "cpu", weights=name)
    key = "segmentation_head.0.bias"
    torch.testing.assert_close(network.module.state_dict()[key], weights_by_name[name][key])
    assert any(f"{name} is used, as requested" in warning for warning in network.warnings)


def test_an_unknown_name_is_refused_with_the_known_names(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save({"student": weights, "teacher": weights}, tmp_path / "both.pth")
    with pytest.raises(sc.SegcamError, match=r"holds no weights named mentor. It has: student, teacher"):
        sc.load_network(tmp_path / "both.pth", "cpu", weights="mentor")
    torch.save(torch.nn.Conv2d(3, 1, 1), tmp_path / "whole.pth")
    with pytest.raises(sc.SegcamError, match="no weights named teacher"):
        sc.load_network(tmp_path / "whole.pth", "cpu", weights="teacher")


@pytest.mark.slow
def test_a_moving_average_is_not_a_second_network(weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    average = {name: tensor + 1 for name, tensor in weights.items()}
    for content in (
        {"state_dict": under("model.", weights) | under("ema_model.", average)},
        {"model": weights, "model_ema": average},
        {"model": average, "momentum_buffers": weights},
    ):
        torch.save(content, tmp_path / "one.pth")
        bias = sc.load_network(tmp_path / "one.pth", "cpu").module.state_dict()["segmentation_head.0.bias"]
        torch.testing.assert_close(bias, average["segmentation_head.0.bias"])


def test_weights_of_a_3d_network_are_refused_with_the_reason(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.Conv3d(4, 1, 1))
    torch.save(module.state_dict(), tmp_path / "volumes.pth")
    with pytest.raises(sc.SegcamError, match=r"three-dimensional: it takes volumes\. A 2-D network"):
        sc.load_network(tmp_path / "volumes.pth", "cpu")


@pytest.mark.parametrize(("layer", "words"), [("Conv3D", "three-dimensional"), ("MaxPooling1D", "one-dimensional")])
def test_keras_networks_for_volumes_and_signals_are_refused_with_the_reason(
    layer: str, words: str, tmp_path: Path
) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras: Any = pytest.importorskip("keras")
    volume_input = keras.Input((8, 8, 8, 1) if layer == "Conv3D" else (8, 1))
    keras_layer = keras.layers.Conv3D(1, 1) if layer == "Conv3D" else keras.layers.MaxPooling1D()
    keras.Model(volume_input, keras_layer(volume_input)).save(tmp_path / "other.keras")
    with pytest.raises(sc.SegcamError, match=rf"is {words}.*{layer}.*2-D network is needed"):
        sc.load_network(tmp_path / "other.keras", "cpu")


def test_numbers_in_the_metadata_of_safetensors_are_read_as_numbers(tmp_path: Path) -> None:
    module = smp.FPN("resnet18", encoder_weights=None, encoder_depth=4, upsampling=2)
    metadata = {"_model_class": "FPN", "encoder_name": "resnet18", "encoder_depth": "4", "upsampling": "2"}
    save_file(module.state_dict(), tmp_path / "model.safetensors", metadata=metadata)
    network = sc.load_network(tmp_path / "model.safetensors", "cpu")
    assert "upsampling" not in network.assumed
    with torch.no_grad():
        assert network.module(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
