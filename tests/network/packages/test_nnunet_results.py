"""A whole result folder of nnU-Net opens: the first fold by itself, another by its name; from a zip archive, too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.network.packages.nnunet_results import fold_checkpoints

unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")

ARGUMENTS: dict[str, Any] = {
    "n_stages": 2,
    "features_per_stage": [4, 8],
    "conv_op": "torch.nn.modules.conv.Conv2d",
    "kernel_sizes": [[3, 3], [3, 3]],
    "strides": [[1, 1], [2, 2]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
PLANS = {
    "configurations": {
        "2d": {
            "patch_size": [64, 64],
            "spacing": [0.5, 0.5],
            "normalization_schemes": ["ZScoreNormalization"],
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arch_kwargs": ARGUMENTS,
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
    }
}
DATASET = {"channel_names": {"0": "US"}, "labels": {"background": 0, "fibroid": 1}, "file_ending": ".png"}


def module(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    parts = {"conv_op": nn.Conv2d, "norm_op": nn.InstanceNorm2d, "nonlin": nn.LeakyReLU}
    return unet.PlainConvUNet(input_channels=1, num_classes=2, deep_supervision=False, **ARGUMENTS | parts)


def save_fold(folder: Path, seed: int, name: str = "checkpoint_final.pth") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"network_weights": module(seed).state_dict(), "trainer_name": "nnUNetTrainer"}
    torch.save(content, folder / name)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    root = tmp_path / "Dataset004_Fibroid" / "nnUNetTrainer__nnUNetPlans__2d"
    for seed in (3, 1):
        save_fold(root / f"fold_{seed}", seed)
    save_fold(root / "fold_1", 11, "checkpoint_best.pth")
    save_fold(root / "fold_2", 2, "checkpoint_best.pth")
    (root / "fold_4").mkdir()  # a fold that was not trained yet
    (root / "plans.json").write_text(json.dumps(PLANS), encoding="utf-8")
    (root / "dataset.json").write_text(json.dumps(DATASET), encoding="utf-8")
    return root


def is_of_seed(network: sc.Network, seed: int) -> bool:
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return torch.allclose(network.module(x), module(seed).eval()(x), atol=1e-5)


def test_the_first_fold_is_used_and_the_others_are_named(results: Path) -> None:
    network = sc.load_network(results, "cpu")
    assert is_of_seed(network, 1)
    assert network.class_names == ("background", "fibroid")
    assert network.card.normalization == "zscore"
    (note,) = network.warnings
    assert "3 folds (fold_1, fold_2, fold_3): fold_1 is used" in note


@pytest.mark.parametrize(("name", "seed"), [("fold_3", 3), ("fold_2", 2), ("fold_1/checkpoint_best", 11)])
def test_a_fold_is_chosen_by_name(results: Path, name: str, seed: int) -> None:
    network = sc.load_network(results, "cpu", weights=name)
    assert is_of_seed(network, seed)
    assert network.warnings == ()


def test_the_folder_above_the_folder_of_a_fold_and_an_archive_open_too(results: Path, tmp_path: Path) -> None:
    assert is_of_seed(sc.load_network(results.parent, "cpu"), 1)
    assert is_of_seed(sc.load_network(results / "fold_3", "cpu"), 3)
    archive = shutil.make_archive(str(tmp_path / "exported"), "zip", results.parent.parent, results.parent.name)
    assert is_of_seed(sc.load_network(archive, "cpu", weights="fold_2"), 2)


def test_all_folds_are_an_ensemble(results: Path) -> None:
    ensemble = sc.load_network(results, "cpu", weights="all")
    assert isinstance(ensemble, sc.Ensemble)
    assert ensemble.member_names == ("fold_1", "fold_2", "fold_3")
    assert [is_of_seed(member, seed) for seed, member in enumerate(ensemble.members, start=1)] == [True] * 3
    with pytest.raises(SegcamError, match="no folders fold_0"):
        sc.load_network(results / "fold_4", "cpu", weights="all")


def test_an_unknown_fold_is_refused(results: Path) -> None:
    names = r"fold_9.*Weights in this nnU-Net result folder: fold_1, fold_1/checkpoint_final, .*fold_3"
    with pytest.raises(SegcamError, match=names):
        sc.load_network(results, "cpu", weights="fold_9")


def test_a_damaged_first_fold_is_not_replaced_by_another(results: Path) -> None:
    (results / "fold_1" / "checkpoint_final.pth").write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(SegcamError, match="damaged"):
        sc.load_network(results, "cpu")


def test_the_checkpoints_of_all_folds_are_listed(results: Path) -> None:
    names = [str(path.relative_to(results)) for path in fold_checkpoints(results)]
    assert names == ["fold_1/checkpoint_final.pth", "fold_2/checkpoint_best.pth", "fold_3/checkpoint_final.pth"]
