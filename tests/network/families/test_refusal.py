"""Networks that are not rebuilt: they are named, with what to give for them; unknown ones with what was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from torch import nn

from napari_segcam.errors import LONGEST, SegcamError
from napari_segcam.network.families.fingerprints import CLASSIFIERS, FINGERPRINTS
from napari_segcam.network.families.refusal import known_network
from napari_segcam.network.loading import load_network

# Names of tensors as the repositories' own modules have them.
NAMES: dict[str, tuple[str, ...]] = {
    "TransUNet": (
        "transformer.embeddings.hybrid_model.root.conv.weight",
        "transformer.encoder.layer.0.attn.query.weight",
        "decoder.conv_more.0.weight",
    ),
    "Swin-Unet": (
        "swin_unet.layers.0.blocks.0.attn.relative_position_bias_table",
        "swin_unet.layers_up.0.expand.weight",
        "swin_unet.concat_back_dim.1.weight",
    ),
    "UNeXt": ("encoder1.weight", "patch_embed3.proj.weight", "block1.0.mlp.dwconv.dwconv.weight", "dbn4.weight"),
    "PraNet": (
        "resnet.conv1.weight",
        "rfb2_1.branch0.0.conv.weight",
        "agg1.conv_upsample1.conv.weight",
        "ra4_conv1.conv.weight",
    ),
    "SAM or MedSAM": (
        "image_encoder.patch_embed.proj.weight",
        "prompt_encoder.point_embeddings.0.weight",
        "mask_decoder.iou_token.weight",
    ),
    "a network of nnU-Net v1": (
        "conv_blocks_context.0.blocks.0.conv.weight",
        "conv_blocks_localization.0.0.blocks.0.conv.weight",
        "seg_outputs.0.weight",
    ),
    "a network of MMSegmentation": ("backbone.conv1.weight", "decode_head.conv_seg.weight"),
}

OTHERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "Mask R-CNN": (
        lambda: torchvision.models.detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None),
        "Mask R-CNN",
    ),
    "ResNet": (lambda: torchvision.models.resnet18(weights=None, num_classes=4), "a ResNet that classifies"),
    "VGG": (lambda: torchvision.models.vgg11(weights=None, num_classes=4), "a VGG that classifies"),
    "ViT": (lambda: timm.create_model("vit_tiny_patch16_224", num_classes=4), "a vision transformer that classifies"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_well_known_network_is_named_by_its_tensors(name: str) -> None:
    network = known_network(dict.fromkeys(NAMES[name], (4, 3, 3, 3)))
    assert network is not None
    assert network.name == name
    for missing in NAMES[name]:
        rest = {key: (4, 3, 3, 3) for key in NAMES[name] if key != missing}
        assert known_network(rest) in (None, network)  # part of the names never makes it another network


@pytest.mark.parametrize("name", OTHERS)
def test_a_real_network_is_named(name: str) -> None:
    make, expected = OTHERS[name]
    with torch.device("meta"):
        shapes = {key: tuple(tensor.shape) for key, tensor in make().state_dict().items()}
    network = known_network(shapes)
    assert network is not None
    assert network.name == expected


@pytest.mark.parametrize("architecture", ["Unet", "UnetPlusPlus", "FPN", "DeepLabV3Plus", "Segformer", "MAnet"])
def test_a_network_that_opens_is_not_mistaken(architecture: str) -> None:
    with torch.device("meta"):
        module = smp.create_model(architecture, "resnet18", encoder_weights=None)
    names = list(module.state_dict())
    assert not [fingerprint.name for fingerprint in (*FINGERPRINTS, *CLASSIFIERS) if fingerprint.matches(names)]


def test_the_message_has_what_to_give(tmp_path: Path) -> None:
    weights = {name: torch.zeros(1, 1, 3, 3) for name in NAMES["TransUNet"]}
    weights["segmentation_head.0.weight"] = torch.zeros(9, 16, 3, 3)
    torch.save({"net." + name: tensor for name, tensor in weights.items()}, tmp_path / "transunet.pth")
    with pytest.raises(SegcamError) as raised:
        load_network(tmp_path / "transunet.pth", "cpu")
    message = str(raised.value)
    assert len(message) < LONGEST
    for words in (
        "TransUNet (Beckschen/TransUNet)",
        "num_classes=9",
        "--network-factory my_network:network",
        ".pt2",
    ):
        assert words in message


def test_a_network_without_masks_says_why(tmp_path: Path) -> None:
    torch.save({name: torch.zeros(4, 3, 3, 3) for name in NAMES["SAM or MedSAM"]}, tmp_path / "sam.pth")
    with pytest.raises(SegcamError, match="draws a mask only for a prompt"):
        load_network(tmp_path / "sam.pth", "cpu")


def test_an_unknown_network_says_what_was_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(5, 8, 3), nn.Conv2d(6, 7, 1))
    torch.save(module.state_dict(), tmp_path / "own.pth")
    with pytest.raises(SegcamError) as raised:
        load_network(tmp_path / "own.pth", "cpu")
    message = str(raised.value)
    for words in ("4 tensors", "takes 5 channels", "gives 7", "--network-factory", "--architecture", "UnetPlusPlus"):
        assert words in message
