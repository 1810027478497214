"""The stages of any network are found by the sizes of its maps, each at the block that makes the map."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.output import read_output
from napari_segcam.network.stages.automatic_stages import automatic_stages
from napari_segcam.network.stages.stage import Stage, stage_aliases


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = double_convolution(inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class UNet(nn.Module):
    """A common U-Net: named blocks, one pooling layer for all levels, and a head for training."""

    def __init__(self) -> None:
        super().__init__()
        self.d1, self.d2, self.d3, self.d4 = Block(3, 4), Block(4, 8), Block(8, 16), Block(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.u3, self.u2, self.u1 = (nn.ConvTranspose2d(2 * c, c, 2, 2) for c in (16, 8, 4))
        self.e3, self.e2, self.e1 = Block(32, 16), Block(16, 8), Block(8, 4)
        self.dropout = nn.Dropout2d()
        self.out = nn.Conv2d(4, 2, 1)
        self.deep = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.d1(x)
        second = self.d2(self.pool(first))
        third = self.d3(self.pool(second))
        x = self.e3(torch.cat([self.u3(self.d4(self.pool(third))), third], 1))
        deep = self.deep(x)
        x = self.e2(torch.cat([self.u2(x), second], 1))
        x = self.e1(torch.cat([self.u1(x), first], 1))
        return self.out(self.dropout(x)), deep


def stages_of(module: nn.Module, channels: int = 3) -> list[Stage]:
    module = module.eval().requires_grad_(False)
    read_output(module, ModelCard(input_channels=channels))
    return list(automatic_stages(module, channels))


def summary(stages: list[Stage]) -> list[tuple[str, int, int, str]]:
    return [(stage.name, stage.stride, stage.channels, stage.layer) for stage in stages]


def test_a_unet_has_one_stage_for_each_size_and_side() -> None:
    assert summary(stages_of(UNet())) == [
        ("encoder_1", 1, 4, "d1"),
        ("encoder_2", 2, 8, "d2"),
        ("encoder_3", 4, 16, "d3"),
        ("encoder_4", 8, 32, "d4"),
        ("decoder_1", 4, 16, "e3"),
        ("decoder_2", 2, 8, "e2"),
        ("decoder_3", 1, 4, "e1"),
        ("seg_head", 1, 2, "out"),
    ]


def test_aliases_and_layer_names_work_as_for_smp_networks() -> None:
    network = Network.from_module(UNet(), device="cpu")
    assert stage_aliases(network.stages)["encoder_last"] == "encoder_4"
    assert network.stage("decoder_last").layer == "e1"
    assert network.stage("d4.conv.3").kind == "layer"
    assert network.stride == 8
    assert set(network.rewritten) == {stage.name for stage in network.stages}


def test_a_classifier_has_an_encoder_only() -> None:
    assert summary(stages_of(torchvision.models.resnet18(num_classes=4))) == [
        ("encoder_1", 2, 64, "relu"),
        ("encoder_2", 4, 64, "layer1"),
        ("encoder_3", 8, 128, "layer2"),
        ("encoder_4", 16, 256, "layer3"),
        ("encoder_5", 32, 512, "layer4"),
    ]


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (lambda: torchvision.models.mobilenet_v2(num_classes=2), [f"features.{n}" for n in (1, 3, 6, 13)]),
        (lambda: torchvision.models.densenet121(num_classes=2), [f"features.denseblock{n}" for n in (1, 2, 3)]),
        (lambda: torchvision.models.squeezenet1_1(num_classes=2), ["features.1", "features.4", "features.7"]),
    ],
    ids=["inverted residuals", "dense blocks", "no padding"],
)
def test_stages_of_classifiers_are_blocks(make: Callable[[], nn.Module], layers: list[str]) -> None:
    stages = stages_of(make())
    assert set(layers) <= {stage.layer for stage in stages}
    assert stages[-1].layer == "features"
    strides = [stage.stride for stage in stages]
    assert strides == sorted(set(strides))
    assert all(stride & (stride - 1) == 0 for stride in strides)


def test_an_encoder_ends_with_its_backbone() -> None:
    network = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=2, aux_loss=True
    )
    assert summary(stages_of(network)) == [
        ("encoder_1", 2, 64, "backbone.relu"),
        ("encoder_2", 4, 256, "backbone.layer1"),
        ("encoder_3", 8, 2048, "backbone.layer4"),
        ("decoder_1", 8, 256, "classifier.0"),
        ("seg_head", 8, 2, "classifier.4"),
    ]


def test_a_nested_unet_is_split_at_its_bottom() -> None:
    nets = pytest.importorskip("monai.networks.nets.unet")
    assert summary(stages_of(nets.UNet(2, 1, 2, (4, 8, 16), (2, 2)), 1)) == [
        ("encoder_1", 2, 4, "model.0"),
        ("encoder_2", 4, 16, "model.1.submodule.1.submodule"),
        ("decoder_1", 2, 4, "model.1.submodule.2"),
        ("seg_head", 1, 2, "model.2.conv"),
    ]


def test_a_module_with_two_names_is_named_after_the_layer_that_made_the_map() -> None:
    nets = pytest.importorskip("monai.networks.nets.dynunet")
    network = nets.DynUNet(2, 1, 2, [3] * 3, [1, 2, 2], [2, 2], filters=[4, 8, 16], deep_supervision=True)
    layers = [stage.layer for stage in stages_of(network, 1)]
    assert layers == [
        *("input_block", "downsamples.0", "bottleneck", "upsamples.0", "upsamples.1", "output_block.conv.conv"),
    ]


def test_outputs_that_are_overwritten_in_place_are_marked() -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4))
            self.head = nn.Conv2d(4, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(F.relu(self.body(x), inplace=True))

    body, head = stages_of(Overwriting())
    assert (body.name, body.layer, body.overwritten) == ("encoder_1", "body", True)
    assert (head.name, head.overwritten) == ("seg_head", False)


def test_a_network_without_maps_has_no_stages() -> None:
    assert stages_of(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))) == []


def test_the_module_is_not_changed() -> None:
    module = UNet()
    stages_of(module)
    assert not any(part._forward_hooks for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
