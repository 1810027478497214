"""Networks of torchvision and MONAI are recognized by their weights, and rebuilt with the same output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from napari_segcam import optional
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.recognition import build, recognize

segmentation = torchvision.models.segmentation
UNTRAINED: dict[str, Any] = {"weights": None, "weights_backbone": None}


def checkpoint_of(network: nn.Module, prefix: str = "", **extra_weights: torch.Tensor) -> Checkpoint:
    weights = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    return Checkpoint(Path("model.pth"), weights | extra_weights, "", {})


def with_statistics(network: nn.Module) -> nn.Module:
    """Give each batch norm other numbers: equal ones would hide a mix-up of layers."""
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.3, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.2, 1.0)
    return network.eval()


@torch.no_grad()
def output_of(network: nn.Module, channels: int) -> torch.Tensor:
    output = network(torch.rand(1, channels, 64, 64, generator=torch.Generator().manual_seed(1)))
    return output["out"] if isinstance(output, dict) else output


def assert_recognized(network: nn.Module, title: str, channels: int, classes: int, prefix: str = "") -> None:
    network = with_statistics(network)
    checkpoint = checkpoint_of(network, prefix, **({"criterion.weight": torch.ones(2)} if prefix else {}))
    spec = recognize(checkpoint)
    assert (spec.title, spec.in_channels, spec.classes) == (title, channels, classes)
    assert torch.equal(output_of(build(spec, checkpoint), channels), output_of(network, channels))


# ── torchvision ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn_resnet50", {"aux_loss": True}),
        ("deeplabv3_resnet101", {}),
        ("deeplabv3_mobilenet_v3_large", {"aux_loss": True}),
        ("lraspp_mobilenet_v3_large", {}),
    ],
)
def test_segmentation_networks_of_torchvision(name: str, options: dict[str, Any]) -> None:
    network = getattr(segmentation, name)(**UNTRAINED, num_classes=3, **options)
    assert_recognized(network, f"torchvision {name}", 3, 3, prefix="net." if "lraspp" in name else "")


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2"])
def test_resnets_of_torchvision(name: str) -> None:
    assert_recognized(getattr(torchvision.models, name)(num_classes=4), f"torchvision {name}", 3, 4)


def test_a_first_convolution_that_was_replaced_for_gray_images() -> None:
    network = torchvision.models.resnet18(num_classes=2)
    network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    assert_recognized(network, "torchvision resnet18", 1, 2)


# ── MONAI ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def unet(**options: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.unet")
    return nets.UNet(2, options.pop("inputs", 1), 2, options.pop("channels", (4, 8, 16)), **options)


def dynunet(**options: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.dynunet")
    return nets.DynUNet(2, 1, 2, filters=[4, 8, 16], **{"strides": [1, 2, 2], "upsample_kernel_size": [2, 2]} | options)


def attention_unet() -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.attentionunet")
    return nets.AttentionUnet(2, 1, 2, (4, 8, 16, 32), (2, 2, 2))


def segresnet(**options: Any) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets.segresnet")
    return nets.SegResNet(2, 8, 1, 2, **options)


MONAI: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "plain": ("UNet", lambda: unet(strides=(2, 2))),
    "other options": ("UNet", lambda: unet(strides=(2, 2), kernel_size=5, norm="batch", act="relu", bias=False)),
    "residual": ("UNet", lambda: unet(strides=(2, 2), num_res_units=2)),
    "stride 1": ("UNet", lambda: unet(channels=(4, 8, 8, 16), strides=(2, 1, 2), num_res_units=3)),
    "dynamic": ("DynUNet", lambda: dynunet(kernel_size=[3, 3, 3], deep_supervision=True)),
    "dynamic, residual": (
        "DynUNet",
        lambda: dynunet(
            kernel_size=[3, (3, 5), 3],
            strides=[1, 2, (2, 1)],
            upsample_kernel_size=[2, (2, 1)],
            res_block=True,
            norm_name="batch",
            trans_bias=True,
        ),
    ),
    "attention": ("AttentionUnet", attention_unet),
    "segresnet": ("SegResNet", segresnet),
    "segresnet, other blocks": (
        "SegResNet",
        lambda: segresnet(blocks_down=(1, 2, 2), blocks_up=(1, 2), upsample_mode="deconv"),
    ),
}


@pytest.mark.parametrize("prefix", ["", "net."])
@pytest.mark.parametrize(("architecture", "make"), MONAI.values(), ids=MONAI)
def test_networks_of_monai(architecture: str, make: Callable[[], nn.Module], prefix: str) -> None:
    torch.manual_seed(0)
    assert_recognized(make(), f"MONAI {architecture}", 1, 2, prefix)


def test_options_that_the_weights_of_monai_do_not_show_can_be_set() -> None:
    network = unet(strides=(2, 1), act="elu").eval()
    checkpoint = checkpoint_of(network)
    assert recognize(checkpoint).assumed == {
        "strides": "(2, 2)",
        "adn_ordering": "NDA",
        "act": "RELU",
        "norm": "INSTANCE",
    }
    spec = recognize(checkpoint, options={"strides": [2, 1], "act": "elu"})
    assert torch.equal(output_of(build(spec, checkpoint), 1), output_of(network, 1))


def test_volumes_are_refused() -> None:
    nets = pytest.importorskip("monai.networks.nets.unet")
    with pytest.raises(SegcamError, match=r"MONAI's UNet for volumes \(3-D\)"):
        recognize(checkpoint_of(nets.UNet(3, 1, 2, (4, 8), (2,))))


def test_a_missing_library_is_refused_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network = unet(strides=(2, 2))
    monkeypatch.setattr(optional, "find_spec", lambda _name: None)
    with pytest.raises(SegcamError, match=r"is MONAI's UNet, which needs the package monai\. .*pip install monai"):
        recognize(checkpoint_of(network))


def test_an_architecture_that_does_not_match_the_weights_is_refused() -> None:
    with pytest.raises(SegcamError, match=r"the weights are those of MONAI UNet\."):
        recognize(checkpoint_of(unet(strides=(2, 2))), architecture="FPN")


def test_a_single_familiar_name_is_not_recognized() -> None:
    for name in ("0.conv.weight", "convInit.conv.weight", "skip_layers.downsample.x", "conv1.weight", "backbone.a"):
        with pytest.raises(SegcamError, match="architecture is not recognized"):
            recognize(Checkpoint(Path("other.pth"), {name: torch.zeros(1, 1, 1, 1)}, "", {}))
