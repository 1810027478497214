"""Recognize torchvision's FCN, DeepLabV3, LR-ASPP and ResNets by the names and shapes of their weights.

Source: ``torchvision.models.segmentation`` and ``torchvision.models.resnet``, whose names are used here.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn

from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.decoders import Shapes
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes

# Name of a weight in the head → torchvision's name of the architecture, and the weight whose size is the classes.
_HEADS = {
    "classifier.0.convs.0.0.weight": ("deeplabv3", "classifier.4.weight"),
    "classifier.cbr.0.weight": ("lraspp", "classifier.low_classifier.weight"),
    "classifier.4.weight": ("fcn", "classifier.4.weight"),
}

_SEGMENTATION = (
    *("fcn_resnet50", "fcn_resnet101", "lraspp_mobilenet_v3_large"),
    *("deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large"),
)

# Number of blocks in each of the four stages → ResNets with these numbers, the plain one first. Such ResNets differ in
# the shapes of the convolutions in their blocks.
_RESNETS: dict[tuple[int, ...], tuple[str, ...]] = {
    (2, 2, 2, 2): ("resnet18",),
    (3, 4, 6, 3): ("resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"),
    (3, 4, 23, 3): ("resnet101", "resnext101_32x8d", "wide_resnet101_2", "resnext101_64x4d"),
    (3, 8, 36, 3): ("resnet152",),
}


def torchvision_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """Return how torchvision builds the network of these weights; None if they are not torchvision's."""
    shapes = shapes_of(checkpoint.weights)
    return _segmentation(network_shapes(shapes, "backbone.")) or _resnet(network_shapes(shapes, "conv1.weight"))


def construct(spec: NetworkSpec) -> nn.Module:
    """Build the network without values of its weights."""
    is_segmentation = spec.architecture in _SEGMENTATION
    models = importlib.import_module("torchvision.models.segmentation" if is_segmentation else "torchvision.models")
    with empty_weights():
        network: nn.Module = getattr(models, spec.architecture)(weights=None, num_classes=spec.classes, **spec.options)
        _set_image_channels(network, spec.in_channels)
    return network


def _segmentation(shapes: Shapes) -> NetworkSpec | None:
    backbone = _backbone(shapes)
    head = next((entry for name, entry in _HEADS.items() if name in shapes), None)
    if backbone is None or head is None:
        return None
    (name, first_convolution), (kind, classifier) = backbone, head
    architecture = f"{kind}_{name}"
    if architecture not in _SEGMENTATION:
        return None
    options: dict[str, Any] = {"weights_backbone": None}
    if kind != "lraspp":
        options["aux_loss"] = any(key.startswith("aux_classifier.") for key in shapes)
    in_channels, classes = shapes[first_convolution][1], shapes[classifier][0]
    return NetworkSpec(architecture, name, in_channels, classes, options, library="torchvision")


def _backbone(shapes: Shapes) -> tuple[str, str] | None:
    """Return torchvision's name of the backbone, and the name of the weights of its first convolution."""
    if "backbone.conv1.weight" in shapes:
        is_deep = "backbone.layer3.22.conv1.weight" in shapes
        return "resnet101" if is_deep else "resnet50", "backbone.conv1.weight"
    if "backbone.0.0.weight" in shapes:
        return "mobilenet_v3_large", "backbone.0.0.weight"
    return None


def _resnet(shapes: Shapes) -> NetworkSpec | None:
    if not {"conv1.weight", "layer4.0.conv1.weight", "fc.weight"} <= shapes.keys():
        return None
    blocks = tuple(sum(f"layer{stage}.{block}.conv1.weight" in shapes for block in range(64)) for stage in (1, 2, 3, 4))
    for name in _RESNETS.get(blocks, ()):
        spec = NetworkSpec(name, name, shapes["conv1.weight"][1], shapes["fc.weight"][0], library="torchvision")
        if shapes_of(construct(spec).state_dict()) == shapes:
            return spec
    return None


def _set_image_channels(network: nn.Module, channels: int) -> None:
    """Replace the first convolution if the image is not in color: torchvision has no argument for its channels."""
    name, first = next((name, part) for name, part in network.named_modules() if isinstance(part, nn.Conv2d))
    if first.in_channels == channels:
        return
    replacement = nn.Conv2d(
        channels,
        first.out_channels,
        (first.kernel_size[0], first.kernel_size[1]),
        stride=(first.stride[0], first.stride[1]),
        padding=first.padding if isinstance(first.padding, str) else (first.padding[0], first.padding[1]),
        bias=first.bias is not None,
    )
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, replacement)
