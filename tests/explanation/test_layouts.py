"""Layers with maps as tokens or with channels last, as in transformers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from one_pass import run
from pytorch_grad_cam import GradCAM
from torch import nn
from torch.nn import functional as F
from torchvision.models.swin_transformer import SwinTransformer

import napari_segcam as sc
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.methods import METHODS
from napari_segcam.explanation.slow_methods.replay import Replay
from napari_segcam.network.network import Network
from napari_segcam.network.stages.layout import Layout, map_shape


class Segmenter(nn.Module):
    """Plain vision transformer with two registers, no positions and a mask, for any multiple of 8 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.registers = nn.Parameter(torch.randn(1, 2, 16))
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(3))
        self.head = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patches(x)
        tokens = torch.cat([self.registers.expand(len(x), -1, -1), patches.flatten(2).mT], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        maps = tokens[:, 2:].mT.unflatten(2, patches.shape[2:])
        return F.interpolate(self.head(maps), scale_factor=8, mode="bilinear")


def segmenter() -> nn.Module:
    return Segmenter()


def vision_transformer() -> nn.Module:
    return timm.create_model("vit_tiny_patch16_224", num_classes=2, img_size=64, depth=3)


def swin() -> nn.Module:
    return SwinTransformer([4, 4], embed_dim=24, depths=[1, 1], num_heads=[2, 4], window_size=[4, 4], num_classes=3)


def dpt() -> nn.Module:
    slim = {"decoder_intermediate_channels": (8, 8, 8, 8), "decoder_fusion_channels": 8, "img_size": 64}
    return smp.DPT("tu-vit_tiny_patch16_224", encoder_weights=None, **slim)


def reshape_tokens(extra: int, width: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a reshape transform for grad-cam."""
    return lambda output: output[:, extra:].reshape(len(output), -1, width, output.shape[-1]).permute(0, 3, 1, 2)


CASES = {
    "class token": (vision_transformer, ("blocks.1", "blocks.2.norm1"), Layout("tokens", 1), reshape_tokens(1, 4)),
    "dpt": (dpt, ("encoder_1", "encoder_4"), Layout("tokens", 1), reshape_tokens(1, 4)),
    "registers": (segmenter, ("blocks.0", "blocks.1"), Layout("tokens", 2), reshape_tokens(2, 8)),
    "channels last": (swin, ("features.1", "features.3"), Layout("channels_last"), lambda x: x.permute(0, 3, 1, 2)),
}


def network_of(make: Callable[[], nn.Module]) -> Network:
    torch.manual_seed(0)
    return Network.from_module(make(), device="cpu")


@pytest.mark.parametrize("case", CASES)
def test_grad_cam_equals_that_of_the_package_with_a_reshape_transform(case: str) -> None:
    make, layers, layout, reshape = CASES[case]
    network = network_of(make)
    stages = network.select(layers)
    assert {stage.layout for stage in stages} == {layout}
    module = network.module.double()
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    result = run(module, x, stages, torch.ones_like)
    for stage in stages:
        with GradCAM(module, [module.get_submodule(stage.layer)], reshape_transform=reshape) as cam:
            cam(x.clone().requires_grad_(), [torch.sum])  # this records activations and gradients
            activations, gradients = cam.activations_and_grads.activations, cam.activations_and_grads.gradients
            raw = cam.get_cam_image(x, None, [torch.sum], activations[0].numpy(), gradients[0].numpy())
        gradient = result.gradients[stage.name]
        assert gradient is not None
        assert gradient.any()
        ours = METHODS["gradcam"].compute(result.activations[stage.name], gradient)
        assert ours.shape[-1] == 64 // stage.stride
        np.testing.assert_allclose(ours.numpy(), raw, rtol=1e-6, atol=1e-9 * np.abs(raw).max())


@pytest.mark.parametrize("case", CASES)
def test_the_network_runs_with_other_maps(case: str) -> None:
    """A channel of the map, set to another value, is that channel of the layer's own output."""
    make, (name, _), layout, _ = CASES[case]
    network = network_of(make)
    stage = network.stage(name)
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    replay = Replay(network.module, x, stage)

    def change(_layer: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, layout.extra :, ..., 5] = 9
        return output

    with torch.no_grad():
        handle = network.module.get_submodule(stage.layer).register_forward_hook(change)
        expected = network.module(x)
        handle.remove()
        changed = replay.activations[None].clone()
        changed[:, 5] = 9
        assert torch.allclose(replay(changed).reshape(expected.shape), expected, atol=1e-5)
        assert not torch.allclose(replay.logits.reshape(expected.shape), expected, atol=1e-2)


@pytest.mark.parametrize("method", ["gradcam", "scorecam", "ablationcam", "layer_integrated_gradients"])
def test_frames_that_are_not_square_are_explained_by_every_family(method: str) -> None:
    network = network_of(segmenter)
    frame = np.random.default_rng(0).integers(0, 255, (64, 96), np.uint8)
    explainer = sc.Explainer(network, method, ["blocks.0", "encoder_1"])
    heatmaps = explainer(frame, sc.Target(region="image")).heatmaps
    heatmap = heatmaps["blocks.0"]
    assert heatmap.values.shape == (8, 12)
    assert np.ptp(heatmap.values) > 0
    # Pixels of both maps are at the same places: those of the patches and those of their tokens.
    assert heatmap.scale == heatmaps["encoder_1"].scale
    assert heatmap.translate == heatmaps["encoder_1"].translate


def test_tokens_that_do_not_cover_the_input_are_refused() -> None:
    with pytest.raises(SegcamError, match=r"returns 10 tokens for an input of 64 × 64 pixels, but 1 \+ 4 × 4 were"):
        Layout("tokens", 1).map_of(torch.zeros(1, 10, 3), (64, 64), 16)


def test_an_encoder_with_unknown_tokens_has_no_stages_but_runs() -> None:
    slim = {"decoder_intermediate_channels": (8, 8, 8, 8), "decoder_fusion_channels": 8, "img_size": 64}
    module = smp.DPT("tu-vit_tiny_patch16_224", encoder_weights=None, reg_tokens=6, **slim)
    kinds = {stage.kind for stage in Network.from_module(module, device="cpu").stages}
    assert kinds == {"decoder", "head"}


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 24, 16, 16), (Layout(), 24, 16)),
        ((1, 16, 16, 24), (Layout("channels_last"), 24, 16)),
        ((1, 64, 64, 1), (Layout(), 64, 1)),  # the mean of every row
        ((1, 16, 24), (Layout("tokens"), 24, 4)),
        ((1, 17, 24), (Layout("tokens", 1), 24, 4)),
        ((1, 21, 24), (Layout("tokens", 5), 24, 4)),
        ((1, 25, 24), (Layout("tokens", 9), 24, 4)),
        ((4, 16, 24), None),  # windows
        ((1, 24), None),
        ((1, 0, 16, 16), None),
        ((1, 15, 24), None),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: tuple[Layout, int, int] | None) -> None:
    recognized = map_shape(shape, (64, 64))
    assert (recognized and (recognized.layout, recognized.channels, recognized.width)) == expected
