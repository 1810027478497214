"""What a checkpoint keeps of its training run helps to use the network, in whatever form it was saved."""

from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch

import napari_segcam as sc

SETTINGS: dict[str, Any] = {
    "arch": "Unet",
    "encoder_name": "resnet18",
    "classes": 2,
    "class_names": ["background", "lesion"],
    "mean": [0.2],
    "std": [0.3],
    "image_size": [256, 256],
    "lr": 1e-4,
}


def configuration(values: dict[str, Any]) -> Any:
    """Return an object that is pickled as OmegaConf's DictConfig is: nodes with their values inside."""
    omegaconf = types.ModuleType("omegaconf")
    for name in ("DictConfig", "ListConfig", "AnyNode"):
        setattr(omegaconf, name, type(name, (), {"__module__": "omegaconf"}))
    sys.modules["omegaconf"] = omegaconf

    def node(value: Any) -> Any:
        kind = "DictConfig" if isinstance(value, dict) else "ListConfig" if isinstance(value, list) else "AnyNode"
        result = getattr(omegaconf, kind)()
        if isinstance(value, dict):
            result.__dict__["_content"] = {key: node(part) for key, part in value.items()}
        elif isinstance(value, list):
            result.__dict__["_content"] = [node(part) for part in value]
        else:
            result.__dict__["_val"] = value
        return result

    return node(values)


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "Lightning": lambda values: {"hyper_parameters": values},
    "nested": lambda values: {"hyper_parameters": {"seed": 1, "model": values}},
    "Namespace": lambda values: {"args": argparse.Namespace(**values)},
    "OmegaConf": lambda values: {"config": configuration({"model": values})},
}


def save(path: Path, extra: dict[str, Any], classes: int = 2) -> Path:
    torch.manual_seed(0)
    module = smp.Unet(
        "resnet18", encoder_weights=None, in_channels=1, classes=classes, decoder_channels=(32, 16, 8, 8, 8)
    )
    weights = {f"model.{name}": tensor for name, tensor in module.state_dict().items()}
    try:
        torch.save({"state_dict": weights, "epoch": 3, **extra}, path)
    finally:
        sys.modules.pop("omegaconf", None)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_settings_are_read_in_every_form(form: str, tmp_path: Path) -> None:
    network = sc.load_network(save(tmp_path / "a.ckpt", FORMS[form](SETTINGS)), "cpu")
    assert network.class_names == ("background", "lesion")
    assert (network.card.normalization, network.card.mean, network.card.std) == ("custom", (0.2,), (0.3,))
    assert "normalization" not in network.assumed
    (note,) = (warning for warning in network.warnings if "training settings" in warning)
    for words in ("arch Unet", "encoder_name resnet18", "image_size [256, 256]", "class names", "normalization"):
        assert words in note
    assert "lr" not in note.split()


def test_the_users_card_comes_first(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", FORMS["Lightning"](SETTINGS))
    network = sc.load_network(
        path, "cpu", card=sc.ModelCard(normalization="unit", mean=(), std=(), class_names=("a", "b"))
    )
    assert (network.card.normalization, network.class_names) == ("unit", ("a", "b"))


@pytest.mark.parametrize(
    "changed",
    [
        {"class_names": ["only one"], "mean": [120.0], "std": [60.0]},
        {"class_names": [["nested"], 7], "mean": [0.1, 0.2, 0.3], "std": [0.0]},
        {"class_names": "abc", "mean": None, "std": "wide"},
    ],
)
def test_settings_that_do_not_fit_are_not_used(changed: dict[str, Any], tmp_path: Path) -> None:
    network = sc.load_network(save(tmp_path / "a.ckpt", FORMS["Lightning"](SETTINGS | changed)), "cpu")
    assert network.class_names == ("background", "class 1")
    assert "normalization" in network.assumed


def test_the_activation_says_whether_classes_overlap(tmp_path: Path) -> None:
    settings = {"encoder_name": "resnet18", "activation": "sigmoid"}
    network = sc.load_network(save(tmp_path / "a.ckpt", {"hyper_parameters": settings}), "cpu")
    assert network.classes_overlap
    assert "classes_overlap" not in network.assumed


def test_endless_and_huge_settings_are_cut(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"class_names": ["background", "lesion"]}
    for _ in range(30):
        deep = {"group": deep}
    wide = {f"key{number}": {"a": number} for number in range(20_000)}
    network = sc.load_network(save(tmp_path / "a.ckpt", {"hyper_parameters": deep | wide}), "cpu")
    assert network.class_names == ("background", "class 1")
