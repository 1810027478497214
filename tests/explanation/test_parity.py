"""Every method, at every stage, against the reference package `grad-cam` called once per stage."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import nn

from napari_segcam.explanation.engine import run
from napari_segcam.explanation.methods import METHODS
from napari_segcam.network.network import Network
from napari_segcam.network.stages import Stage

SIDE = 64
REFERENCE: dict[str, type[BaseCAM]] = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "layercam": LayerCAM,
    "hirescam": HiResCAM,
}
ARCHITECTURES = {
    "unetplusplus-efficientnet-b5": lambda: smp.UnetPlusPlus("efficientnet-b5", encoder_weights=None),
    "unet-resnet34": lambda: smp.Unet("resnet34", encoder_weights=None),
    "fpn-mobilenet_v2": lambda: smp.FPN("mobilenet_v2", encoder_weights=None),
}


def fitted(module: nn.Module) -> nn.Module:
    """Random weights with fitted batch norm statistics, so that activations and gradients keep a realistic scale."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.uniform_(part.bias, -0.2, 0.2)
            part.momentum = None
    with torch.no_grad():
        module.train()(torch.randn(2, 3, SIDE, SIDE))
    return module


@pytest.fixture(scope="module", params=ARCHITECTURES)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    return Network.from_module(fitted(ARCHITECTURES[request.param]()), device="cpu")


def in_float64(network: Network) -> Network:
    return Network.from_module(copy.deepcopy(network.module).double(), device="cpu")


def main_body(network: Network) -> tuple[Stage, ...]:
    stages = tuple(stage for stage in network.stages if stage.kind in ("encoder", "decoder"))
    assert len(stages) >= 10
    return stages


def region_of(logits: torch.Tensor) -> torch.Tensor:
    region = torch.zeros_like(logits)
    region[:, :, 20:44, 12:40] = 1
    return region


def region_sum(output: torch.Tensor) -> torch.Tensor:
    """The reference's target: y = the sum of the logits over the region."""
    return (output * region_of(output[None])[0]).sum()


def our_maps(network: Network, stages: tuple[Stage, ...], x: torch.Tensor) -> dict[tuple[str, str], np.ndarray]:
    given = run(network.module, x, stages, region_of)
    maps = {}
    for stage in stages:
        activations, gradients = given.activations[stage.name], given.gradients[stage.name]
        assert gradients is not None
        for name, method in METHODS.items():
            raw = method.compute(activations, gradients).relu().numpy()
            maps[stage.name, name] = scale_cam_image(scale_cam_image(raw, (SIDE, SIDE)))[0]
    return maps


def reference_maps(network: Network, stage: Stage, x: torch.Tensor) -> dict[str, np.ndarray]:
    """One run of the reference on one stage; its methods then share what it recorded there."""
    layer = network.module.get_submodule(stage.layer)
    maps = {}
    with GradCAM(network.module, [layer]) as recorded:
        recorded(x.clone().requires_grad_(), [region_sum])
        for name, method in REFERENCE.items():
            with method(network.module, [layer]) as cam:
                own, cam.activations_and_grads = cam.activations_and_grads, recorded.activations_and_grads
                maps[name] = cam.aggregate_multi_layers(cam.compute_cam_per_layer(x, [region_sum], False))[0]
                cam.activations_and_grads = own
    return maps


def test_every_method_and_stage_equals_the_reference_in_float64(network: Network) -> None:
    network = in_float64(network)
    stages = main_body(network)
    x = torch.randn(1, 3, SIDE, SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours = our_maps(network, stages, x)
    for stage in stages:
        for method, reference in reference_maps(network, stage, x).items():
            assert np.abs(ours[stage.name, method] - reference).max() <= 1e-8, (stage.name, method)


def test_every_method_and_stage_correlates_with_the_reference_in_float32(network: Network) -> None:
    stages = main_body(network)
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    ours = our_maps(network, stages, x)
    for stage in stages:
        for method, reference in reference_maps(network, stage, x).items():
            mine = ours[stage.name, method]
            if reference.std() == 0:
                assert mine.std() == 0, (stage.name, method)
            else:
                assert np.corrcoef(mine.ravel(), reference.ravel())[0, 1] >= 0.9999, (stage.name, method)


def test_names_match_maps_where_pairing_by_order_mislabels() -> None:
    """The reference pairs layers and maps by order of execution, so U-Net++ nodes in named order get wrong names."""
    torch.manual_seed(0)
    network = Network.from_module(fitted(smp.UnetPlusPlus("resnet18", encoder_weights=None)), device="cpu")
    x = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    blocks = dict(network.module.decoder.blocks.named_children())
    stages = tuple(network.stage(f"decoder_{name}") for name in blocks)

    truth = {stage.name: reference_maps(network, stage, x)["gradcam"] for stage in stages}
    with GradCAM(network.module, list(blocks.values())) as cam:
        cam(x.clone().requires_grad_(), [region_sum])
        by_order = cam.compute_cam_per_layer(x, [region_sum], False)

    def same(name: str, heatmap: np.ndarray) -> bool:
        return np.corrcoef(truth[name].ravel(), heatmap.ravel())[0, 1] > 0.999

    mislabelled = [s.name for s, paired in zip(stages, by_order, strict=True) if not same(s.name, paired[0, 0])]
    assert len(mislabelled) >= 9
    ours = our_maps(network, stages, x)
    assert all(same(stage.name, ours[stage.name, "gradcam"]) for stage in stages)
