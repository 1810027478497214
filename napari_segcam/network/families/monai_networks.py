"""Recognize MONAI's two-dimensional networks by the names and shapes of their weights: UNet and similar ones.

Sources: the constructors in ``monai.networks.nets``, whose argument names are used here. The package ``monai`` is
needed to build the networks, not to recognize them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.decoders import Shapes, count_parts
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes
from napari_segcam.optional import needed

# Class → its module in monai.networks.nets. Importing the package takes a second longer.
_MODULES = {"UNet": "unet", "AttentionUnet": "attentionunet", "DynUNet": "dynunet", "SegResNet": "segresnet"}


def monai_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """Return how MONAI builds the network of these weights; None if they belong to none of its networks here.

    Raises:
        SegcamError: if ``monai`` is needed and not installed, or the network is three-dimensional.
    """
    shapes = shapes_of(checkpoint.weights)
    for mark, read in _READERS.items():
        if candidate := network_shapes(shapes, mark):
            try:
                spec = read(candidate)
            except (KeyError, IndexError, ValueError):  # only some names are those of this network
                continue
            if any(len(shape) == 5 for shape in candidate.values()):
                raise SegcamError(
                    f"{checkpoint.path} is MONAI's {spec.architecture} for volumes (3-D). "
                    "Only networks for images (2-D) can be explained here."
                )
            needed("monai", f"{checkpoint.path} is MONAI's {spec.architecture}")
            return spec
    return None


def construct(spec: NetworkSpec) -> nn.Module:
    """Build the network without values of its weights."""
    module = importlib.import_module(f"monai.networks.nets.{_MODULES[spec.architecture]}")
    with empty_weights():
        network: nn.Module = getattr(module, spec.architecture)(
            spatial_dims=2,
            in_channels=spec.in_channels,
            out_channels=spec.classes,
            **spec.options,
        )
    return network


def _unet(shapes: Shapes) -> NetworkSpec:
    """Read a UNet, in which every level has the parts ``0`` (down), ``1.submodule`` (the next level) and ``2`` (up)."""
    levels = _levels(shapes, "1.submodule.")
    residual = "0.conv.unit0.conv.weight" in shapes
    unit = "conv.unit0." if residual else ""
    downs = [f"{level}0." for level in levels] + [f"{levels[-1]}1.submodule."]
    convolutions = [shapes[f"{down}{unit}conv.weight"] for down in downs]
    up = shapes["2.0.conv.weight" if residual else "2.conv.weight"]
    options: dict[str, Any] = {
        "channels": tuple(shape[0] for shape in convolutions),
        "kernel_size": convolutions[0][2:],
        "up_kernel_size": up[2:],
        "num_res_units": sum(f"0.conv.unit{number}.conv.weight" in shapes for number in range(16)),
        "bias": f"0.{unit}conv.bias" in shapes,
    }
    # The shortcut of a residual unit that keeps the resolution has no convolution, or one with a kernel of one pixel.
    shortcut_kernels = [shapes.get(f"{level}0.residual.weight", (0, 0, 1, 1))[2:] for level in levels]
    strides = tuple(1 if residual and kernel == (1, 1) else 2 for kernel in shortcut_kernels)
    adn = f"0.{unit}adn."
    assumed: dict[str, Any] = {"strides": strides, "adn_ordering": "NDA"}
    if f"{adn}A.weight" in shapes:
        options["act"] = ("PRELU", {"num_parameters": shapes[f"{adn}A.weight"][0]})
    else:
        assumed["act"] = "RELU"
    if f"{adn}N.running_mean" in shapes:
        options["norm"] = "BATCH"
    elif f"{adn}N.weight" in shapes:
        assumed["norm"] = ("INSTANCE", {"affine": True})
    else:
        assumed["norm"] = "INSTANCE"
    classes = shapes["2.1.conv.unit0.conv.weight"][0] if residual else up[1]
    return _spec("UNet", convolutions[0][1], classes, options, assumed)


def _attention_unet(shapes: Shapes) -> NetworkSpec:
    """Read an AttentionUnet, in which ``1`` is the outermost level and ``1.submodule.1`` the next."""
    levels = _levels(shapes, "1.submodule.")
    first = shapes["0.conv.0.conv.weight"]
    inner_channels = [shapes[f"{level}0.conv.0.conv.weight"][0] for level in levels[1:]]
    bottom_channels = shapes[f"{levels[-1]}1.submodule.conv.0.conv.weight"][0]
    options = {
        "channels": (first[0], *inner_channels, bottom_channels),
        "kernel_size": first[2:],
        "up_kernel_size": shapes["1.upconv.up.conv.weight"][2:],
    }
    classes = shapes["2.conv.weight"][0]
    return _spec("AttentionUnet", first[1], classes, options, {"strides": (2,) * len(levels)})


def _dynunet(shapes: Shapes) -> NetworkSpec:
    downs = count_parts(shapes, "downsamples.")
    blocks = ["input_block.", *(f"downsamples.{number}." for number in range(downs)), "bottleneck."]
    first = [shapes[f"{block}conv1.conv.weight"] for block in blocks]
    # The deepest upsampling convolution comes first. Their kernels are as large as their strides.
    upsampling = [shapes[f"upsamples.{number}.transp_conv.conv.weight"][2:] for number in reversed(range(downs + 1))]
    options: dict[str, Any] = {
        "kernel_size": [shape[2:] for shape in first],
        "strides": [(1, 1), *upsampling],
        "upsample_kernel_size": upsampling,
        "filters": [shape[0] for shape in first],
        "res_block": "input_block.conv3.conv.weight" in shapes,
        "trans_bias": "upsamples.0.transp_conv.conv.bias" in shapes,
        "deep_supervision": False,
    }
    assumed: dict[str, Any] = {"act_name": ("leakyrelu", {"inplace": True, "negative_slope": 0.01})}
    if "input_block.norm1.running_mean" in shapes:
        options["norm_name"] = "BATCH"
    else:
        assumed["norm_name"] = ("INSTANCE", {"affine": "input_block.norm1.weight" in shapes})
    classes = shapes["output_block.conv.conv.weight"][0]
    unused = (".deep_supervision_heads.", ".super_head.")
    return _spec("DynUNet", first[0][1], classes, options, assumed, unused)


def _segresnet(shapes: Shapes) -> NetworkSpec:
    first = shapes["convInit.conv.weight"]
    ups = count_parts(shapes, "up_layers.")
    upsample_mode = "nontrainable"
    if "up_samples.0.1.deconv.weight" in shapes:
        upsample_mode = "deconv"
    elif any(name.startswith("up_samples.0.1.pixelshuffle.") for name in shapes):
        upsample_mode = "pixelshuffle"
    options: dict[str, Any] = {
        "init_filters": first[0],
        # The first part of each level downsamples, or is an identity. The others are the blocks.
        "blocks_down": tuple(
            sum(f"down_layers.{level}.{block}.conv1.conv.weight" in shapes for block in range(1, 64))
            for level in range(count_parts(shapes, "down_layers."))
        ),
        "blocks_up": tuple(count_parts(shapes, f"up_layers.{level}.") for level in range(ups)),
        "upsample_mode": upsample_mode,
    }
    assumed: dict[str, Any] = {"act": ("RELU", {"inplace": True})}
    if "conv_final.0.running_mean" in shapes:
        options["norm"] = "BATCH"
    else:
        assumed["norm"] = ("GROUP", {"num_groups": 8})
    return _spec("SegResNet", first[1], shapes["conv_final.2.conv.weight"][0], options, assumed)


# Prefix of a name in the network → the function that reads its shapes. AttentionUnet has the names of UNet too.
_READERS: dict[str, Callable[[Shapes], NetworkSpec]] = {
    "skip_layers.downsample.": _dynunet,
    "convInit.conv.weight": _segresnet,
    "0.conv.0.conv.weight": _attention_unet,
    "0.conv.unit0.conv.weight": _unet,
    "0.conv.weight": _unet,
}


def _spec(
    name: str,
    in_channels: int,
    classes: int,
    options: dict[str, Any],
    assumed: dict[str, Any],
    unused: tuple[str, ...] = (),
) -> NetworkSpec:
    assumed_texts = {option: str(value) for option, value in assumed.items()}
    return NetworkSpec(name, "", in_channels, classes, options | assumed, assumed_texts, "MONAI", unused)


def _levels(shapes: Shapes, inner: str) -> list[str]:
    """Return the prefix of the names of each level of a nested network, the outermost first.

    The part ``1`` of the innermost level is the bottom, which is not a level.
    """
    levels = [""]
    while any(name.startswith(f"{levels[-1]}{inner}1.") for name in shapes):
        levels.append(levels[-1] + inner)
    return levels
