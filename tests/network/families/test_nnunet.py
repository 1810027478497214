"""nnU-Net's checkpoints are built from the plans in them or beside them, and from no class that plans may name."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import napari_segcam as sc
from napari_segcam import optional
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import read_checkpoint
from napari_segcam.network.families.recognition import build, recognize
from napari_segcam.network.loading import load_network
from napari_segcam.network.model_card import ModelCard

unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")

ARGUMENTS: dict[str, Any] = {
    "n_stages": 3,
    "features_per_stage": [4, 8, 16],
    "conv_op": "torch.nn.modules.conv.Conv2d",
    "kernel_sizes": [[3, 3], [3, 3], [3, 3]],
    "strides": [[1, 1], [2, 2], [2, 2]],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
PLAIN = ARGUMENTS | {"n_conv_per_stage": [2, 2, 2]}
RESIDUAL = ARGUMENTS | {"n_blocks_per_stage": [1, 2, 2]}

EARLIER = {
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 4,
    "unet_max_num_features": 512,
    "conv_kernel_sizes": [[3, 3]] * 3,
    "pool_op_kernel_sizes": [[1, 1], [2, 2], [2, 2]],
    "n_conv_per_stage_encoder": [2, 2, 2],
    "n_conv_per_stage_decoder": [1, 1],
}


def network(name: str = "PlainConvUNet", arguments: dict[str, Any] = PLAIN, classes: int = 2) -> nn.Module:
    torch.manual_seed(0)
    parts = {"conv_op": nn.Conv2d, "norm_op": nn.InstanceNorm2d, "nonlin": nn.LeakyReLU}
    return getattr(unet, name)(input_channels=1, num_classes=classes, deep_supervision=True, **arguments | parts)


def plans(name: str = "PlainConvUNet", arguments: dict[str, Any] = PLAIN, **configuration: Any) -> dict[str, Any]:
    architecture = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
        "arch_kwargs": arguments,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    described = {
        "patch_size": [256, 320],
        "spacing": [0.5, 0.5],
        "normalization_schemes": ["ZScoreNormalization"],
        "architecture": architecture,
    }
    return {"configurations": {"2d": described | configuration}}


DATASET = {"channel_names": {"0": "US"}, "labels": {"fibroid": 1, "background": 0, "ignore": 2}}


def save(path: Path, module: nn.Module, plans: dict[str, Any] | None, dataset: dict[str, Any] = DATASET) -> Path:
    """As nnU-Net's trainer does."""
    arguments = {"plans": plans, "configuration": "2d", "fold": 0, "dataset_json": dataset}
    saved: dict[str, Any] = {
        "network_weights": module.state_dict(),
        "optimizer_state": {},
        "logging": {"train_losses": [np.float64(0.3), np.float32(0.2)]},
        "_best_ema": np.float64(0.8),
        "trainer_name": "nnUNetTrainer",
    }
    if plans is not None:
        saved["init_args"] = arguments | {"device": torch.device("cpu")}
    torch.save(saved, path)
    return path


@torch.no_grad()
def output_of(module: nn.Module) -> torch.Tensor:
    output = module.eval()(torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1)))
    return output[0] if isinstance(output, list) else output


@pytest.mark.parametrize(
    ("name", "arguments"), [("PlainConvUNet", PLAIN), ("ResidualEncoderUNet", RESIDUAL)], ids=["plain", "residual"]
)
def test_a_checkpoint_with_its_plans_inside(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    module = network(name, arguments)
    checkpoint = read_checkpoint(save(tmp_path / "checkpoint_final.pth", module, plans(name, arguments)))
    blueprint = recognize(checkpoint)
    assert (blueprint.title, blueprint.in_channels, blueprint.classes) == (f"nnU-Net {name}", 1, 2)
    assert torch.equal(output_of(build(blueprint, checkpoint)), output_of(module))


def test_plans_of_earlier_versions(tmp_path: Path) -> None:
    module = network()
    earlier = {"configurations": {"2d": {**EARLIER, "normalization_schemes": ["ZScoreNormalization"]}}}
    checkpoint = read_checkpoint(save(tmp_path / "checkpoint_final.pth", module, earlier))
    assert torch.equal(output_of(build(recognize(checkpoint), checkpoint)), output_of(module))


def test_files_above_the_folds_folder_stand_in_for_what_the_checkpoint_lacks(tmp_path: Path) -> None:
    (tmp_path / "fold_0").mkdir()
    path = save(tmp_path / "fold_0" / "checkpoint_best.pth", network(), None)
    with pytest.raises(SegcamError, match=r"put nnU-Net's plans\.json beside it"):
        load_network(path, "cpu")
    (tmp_path / "plans.json").write_text(json.dumps(plans()), encoding="utf-8")
    (tmp_path / "dataset.json").write_text(json.dumps(DATASET), encoding="utf-8")
    assert load_network(path, "cpu").class_names == ("background", "fibroid")
    (tmp_path / "plans.json").write_text("{", encoding="utf-8")
    with pytest.raises(SegcamError, match=r"plans\.json cannot be read"):
        load_network(path, "cpu")


def test_what_the_plans_say_becomes_the_model_card(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint_final.pth", network(), plans())
    loaded = load_network(path, "cpu")
    assert loaded.card.normalization == "zscore"
    assert loaded.card.class_names == ("background", "fibroid")
    assert "256×320 pixels at a spacing of 0.5×0.5" in loaded.card.notes
    assert loaded.assumed == {}
    assert [stage.layer for stage in loaded.select("encoder")] == [f"encoder.stages.{number}" for number in range(3)]
    given = load_network(path, "cpu", card=ModelCard(normalization="unit"))
    assert (given.card.normalization, given.card.class_names) == ("unit", ("background", "fibroid"))


def test_an_unknown_normalization_is_assumed(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", network(), plans(normalization_schemes=["CTNormalization"]))
    assert "normalization" in load_network(path, "cpu").assumed


def with_argument(**changed: Any) -> dict[str, Any]:
    return plans(arguments=PLAIN | changed)


@pytest.mark.parametrize(
    ("planned", "reason"),
    [
        (plans(name="OptimizedUNet"), r"name the network 'dynamic_network_architectures\..*OptimizedUNet'"),
        (with_argument(conv_op="os.system"), r"name the part 'os\.system', which is none"),
        (with_argument(nonlin="torch.hub.load"), r"name the part 'torch\.hub\.load'"),
        (with_argument(n_stages=10**9), "not as nnU-Net v2 writes them.*far more layers"),
        (with_argument(n_conv_per_stage=[10**9] * 3), "far more layers"),
        (with_argument(n_conv_per_stage=None), "not as nnU-Net v2 writes them"),
        ({"configurations": {"3d_fullres": {}}}, "not as nnU-Net v2 writes them.*'2d'"),
        ({"configurations": {"2d": {"inherits_from": "2d"}}}, "not as nnU-Net v2 writes them"),
        ({"configurations": 7}, "not as nnU-Net v2 writes them"),
        (with_argument(features_per_stage=[4, 8, 8]), r"do not fit nnU-Net PlainConvUNet: .* of another shape"),
    ],
)
def test_plans_that_are_not_right_are_refused(planned: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint_final.pth", network(), copy.deepcopy(planned))
    with pytest.raises(SegcamError, match=reason):
        load_network(path, "cpu")


def test_regions_overlap(tmp_path: Path) -> None:
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "cyst": 3, "ignore": 4}
    dataset = {"labels": labels, "regions_class_order": [1, 2, 3]}
    module = network(classes=3)
    loaded = load_network(save(tmp_path / "x.pth", module, plans(), dataset), "cpu")
    assert loaded.classes_overlap
    assert loaded.class_names == ("whole", "core", "cyst")
    assert loaded.card.class_values == ((1, 2, 3), (2, 3), (3,))
    assert "classes_overlap" not in loaded.assumed
    frame = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    with torch.no_grad():
        logits = loaded.module(torch.from_numpy((frame - frame.mean()) / frame.std())[None, None])
    result = sc.Explainer(loaded, stages=())(frame)
    np.testing.assert_array_equal(result.masks, (1 / (1 + np.exp(-logits[0].double().numpy()))) > 0.5)


def test_regions_that_are_not_those_of_the_weights_are_refused(tmp_path: Path) -> None:
    dataset = {"labels": {"background": 0, "whole": [1, 2], "core": 2, "cyst": 3}, "regions_class_order": [1, 2, 3]}
    with pytest.raises(SegcamError, match=r"2 outputs, but its dataset\.json names 3 overlapping regions"):
        load_network(save(tmp_path / "x.pth", network(), plans(), dataset), "cpu")


def test_volumes_are_refused(tmp_path: Path) -> None:
    module = unet.PlainConvUNet(
        1, 2, [4, 8], nn.Conv3d, 3, [1, 2], 1, 2, 1, True, nn.InstanceNorm3d, {"affine": True}, nonlin=nn.ReLU
    )
    with pytest.raises(SegcamError, match=r"for volumes \(3-D\)"):
        load_network(save(tmp_path / "x.pth", module, plans()), "cpu")


def test_the_missing_library_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", network(), plans())
    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    with pytest.raises(SegcamError, match="pip install dynamic-network-architectures"):
        load_network(path, "cpu")
