"""Networks of nnU-Net are built from the plans in or next to the checkpoint, and only from supported classes."""

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
from napari_segcam.imaging.preprocessing import prepare
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

OLD_PLANS = {
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
    settings = {
        "patch_size": [256, 320],
        "spacing": [0.5, 0.5],
        "normalization_schemes": ["ZScoreNormalization"],
        "architecture": architecture,
    }
    return {"configurations": {"2d": settings | configuration}}


DATASET = {"channel_names": {"0": "US"}, "labels": {"fibroid": 1, "background": 0, "ignore": 2}}


def save(path: Path, module: nn.Module, plans: dict[str, Any] | None, dataset: dict[str, Any] = DATASET) -> Path:
    """Save a network as nnU-Net's trainer does."""
    arguments = {"plans": plans, "configuration": "2d", "fold": 0, "dataset_json": dataset}
    content: dict[str, Any] = {
        "network_weights": module.state_dict(),
        "optimizer_state": {},
        "logging": {"train_losses": [np.float64(0.3), np.float32(0.2)]},
        "_best_ema": np.float64(0.8),
        "trainer_name": "nnUNetTrainer",
    }
    if plans is not None:
        content["init_args"] = arguments | {"device": torch.device("cpu")}
    torch.save(content, path)
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
    spec = recognize(checkpoint)
    assert (spec.title, spec.in_channels, spec.classes) == (f"nnU-Net {name}", 1, 2)
    assert torch.equal(output_of(build(spec, checkpoint)), output_of(module))


def test_plans_of_old_versions(tmp_path: Path) -> None:
    module = network()
    old_plans = {"configurations": {"2d": {**OLD_PLANS, "normalization_schemes": ["ZScoreNormalization"]}}}
    checkpoint = read_checkpoint(save(tmp_path / "checkpoint_final.pth", module, old_plans))
    assert torch.equal(output_of(build(recognize(checkpoint), checkpoint)), output_of(module))


def test_missing_plans_are_read_from_files_above_the_folder_of_the_fold(tmp_path: Path) -> None:
    (tmp_path / "fold_0").mkdir()
    path = save(tmp_path / "fold_0" / "checkpoint_best.pth", network(), None)
    with pytest.raises(SegcamError, match=r"Put nnU-Net's plans\.json next to it"):
        load_network(path, "cpu")
    (tmp_path / "plans.json").write_text(json.dumps(plans()), encoding="utf-8")
    (tmp_path / "dataset.json").write_text(json.dumps(DATASET), encoding="utf-8")
    assert load_network(path, "cpu").class_names == ("background", "fibroid")
    (tmp_path / "plans.json").write_text("{", encoding="utf-8")
    with pytest.raises(SegcamError, match=r"plans\.json cannot be read"):
        load_network(path, "cpu")


def test_the_plans_become_the_model_card(tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint_final.pth", network(), plans())
    loaded = load_network(path, "cpu")
    assert loaded.card.normalization == "zscore"
    assert loaded.card.class_names == ("background", "fibroid")
    assert "256×320 pixels at a spacing of 0.5×0.5" in loaded.card.notes
    size = loaded.card.size
    assert (size.rule, size.fixed, size.tile_overlap) == ("tiles", (256, 320), 0.5)
    assert loaded.assumed == {}
    assert [stage.layer for stage in loaded.select("encoder")] == [f"encoder.stages.{number}" for number in range(3)]
    changed = load_network(path, "cpu", card=ModelCard(normalization="unit"))
    assert (changed.card.normalization, changed.card.class_names) == ("unit", ("background", "fibroid"))


def test_an_unknown_normalization_is_assumed(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", network(), plans(normalization_schemes=["CTNormalization"]))
    assert "normalization" in load_network(path, "cpu").assumed


def test_the_statistics_of_the_training_set_are_on_the_card(tmp_path: Path) -> None:
    properties = {"mean": 80.0, "std": 40.0, "percentile_00_5": 3.0, "percentile_99_5": 230.0, "max": 255.0}
    settings = plans(normalization_schemes=["CTNormalization"])
    settings["foreground_intensity_properties_per_channel"] = {"0": properties}
    card = load_network(save(tmp_path / "x.pth", network(), settings), "cpu").card
    frame = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    x, _ = prepare(frame, card, 4, value_range=(0, 255))
    expected = (np.clip(frame.astype(np.float64), 3, 230) - 80) / 40  # as nnU-Net computes it
    np.testing.assert_allclose(x[0, 0, :32, :32].numpy(), expected, atol=1e-5)
    properties["percentile_99_5"] = 900.0  # no image of 8 bits
    path = save(tmp_path / "y.pth", network(), settings)
    assert "normalization" in load_network(path, "cpu").assumed


def test_rescaling_takes_the_darkest_and_brightest_pixel(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", network(), plans(normalization_schemes=["Rescale0To1Normalization"]))
    loaded = load_network(path, "cpu")
    assert (loaded.card.normalization, loaded.card.percentiles) == ("percentile", ())
    assert "normalization" not in loaded.assumed


def plans_with(**changed: Any) -> dict[str, Any]:
    return plans(arguments=PLAIN | changed)


@pytest.mark.parametrize(
    ("invalid_plans", "reason"),
    [
        (plans(name="OptimizedUNet"), r"name the network 'dynamic_network_architectures\..*OptimizedUNet'"),
        (plans_with(conv_op="os.system"), r"name the layer 'os\.system', which is not supported"),
        (plans_with(nonlin="torch.hub.load"), r"name the layer 'torch\.hub\.load'"),
        (plans_with(n_stages=10**9), "not as nnU-Net v2 writes them.*far more layers"),
        (plans_with(n_conv_per_stage=[10**9] * 3), "far more layers"),
        (plans_with(n_conv_per_stage=None), "not as nnU-Net v2 writes them"),
        ({"configurations": {"3d_fullres": {}}}, "not as nnU-Net v2 writes them.*'2d'"),
        ({"configurations": {"2d": {"inherits_from": "2d"}}}, "not as nnU-Net v2 writes them"),
        ({"configurations": 7}, "not as nnU-Net v2 writes them"),
        (plans_with(features_per_stage=[4, 8, 8]), r"do not fit nnU-Net PlainConvUNet: .* of another shape"),
    ],
)
def test_invalid_plans_are_refused(invalid_plans: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = save(tmp_path / "checkpoint_final.pth", network(), copy.deepcopy(invalid_plans))
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
    frame = np.random.default_rng(0).random((256, 320), dtype=np.float32)  # one patch
    with torch.no_grad():
        logits = loaded.module(torch.from_numpy((frame - frame.mean()) / frame.std())[None, None])
    result = sc.Explainer(loaded, stages=())(frame)
    np.testing.assert_array_equal(result.masks, (1 / (1 + np.exp(-logits[0].double().numpy()))) > 0.5)


def test_regions_that_do_not_match_the_weights_are_refused(tmp_path: Path) -> None:
    dataset = {"labels": {"background": 0, "whole": [1, 2], "core": 2, "cyst": 3}, "regions_class_order": [1, 2, 3]}
    with pytest.raises(SegcamError, match=r"2 outputs, but its dataset\.json names 3 overlapping regions"):
        load_network(save(tmp_path / "x.pth", network(), plans(), dataset), "cpu")


def test_volumes_are_refused(tmp_path: Path) -> None:
    module = unet.PlainConvUNet(
        1, 2, [4, 8], nn.Conv3d, 3, [1, 2], 1, 2, 1, True, nn.InstanceNorm3d, {"affine": True}, nonlin=nn.ReLU
    )
    with pytest.raises(SegcamError, match=r"for volumes \(3-D\)"):
        load_network(save(tmp_path / "x.pth", module, plans()), "cpu")


def test_a_missing_library_is_refused_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", network(), plans())
    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    with pytest.raises(SegcamError, match="pip install dynamic-network-architectures"):
        load_network(path, "cpu")
