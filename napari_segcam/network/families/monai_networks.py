"""Networks of MONAI in two dimensions, told by the names and shapes of their weights: UNet and its kin.

Sources: the constructors in ``monai.networks.nets``, whose argument names are used here. The package ``monai`` is
needed to build them, not to tell them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.decoders import Shapes
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes
from napari_segcam.optional import needed

# Where in monai.networks.nets each class stands; the whole of it takes a second longer to import.
_MODULES = {"UNet": "unet", "AttentionUnet": "attentionunet", "DynUNet": "dynunet", "SegResNet": "segresnet"}


def monai_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """How MONAI builds the network of these weights; None if they are not of one of these networks.

    Raises:
        SegcamError: if they are and ``monai`` is not installed, or the network is three-dimensional.
    """
    shapes = shapes_of(checkpoint.weights)
    for mark, read in _READERS.items():
        if own := network_shapes(shapes, mark):
            try:
                blueprint = read(own)
            except (KeyError, IndexError, ValueError):  # only the beginning is like it
                continue
            if any(len(shape) == 5 for shape in own.values()):
                raise SegcamError(
                    f"{checkpoint.path} is MONAI's {blueprint.architecture} for volumes (3-D). "
                    "Only networks for images (2-D) can be explained here."
                )
            needed("monai", f"{checkpoint.path} is MONAI's {blueprint.architecture}")
            return blueprint
    return None


def construct(blueprint: NetworkSpec) -> nn.Module:
    """The network, its weights without values."""
    module = importlib.import_module(f"monai.networks.nets.{_MODULES[blueprint.architecture]}")
    with empty_weights():
        network: nn.Module = getattr(module, blueprint.architecture)(
            spatial_dims=2,
            in_channels=blueprint.in_channels,
            out_channels=blueprint.classes,
            **blueprint.options,
        )
    return network


def _unet(shapes: Shapes) -> NetworkSpec:
    """The outermost level is ``0`` (down), ``1.submodule`` (all below) and ``2`` (up), and so on inwards."""
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
    # Beside a residual unit that keeps the resolution there is no convolution, or one with a kernel of one pixel.
    beside = [shapes.get(f"{level}0.residual.weight", (0, 0, 1, 1))[2:] for level in levels]
    strides = tuple(1 if residual and kernel == (1, 1) else 2 for kernel in beside)
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
    return _blueprint("UNet", convolutions[0][1], classes, options, assumed)


def _attention_unet(shapes: Shapes) -> NetworkSpec:
    """The outermost level is ``1``; all below it is ``1.submodule``, whose ``1`` is the next level."""
    levels = _levels(shapes, "1.submodule.")
    first = shapes["0.conv.0.conv.weight"]
    inner = [shapes[f"{level}0.conv.0.conv.weight"][0] for level in levels[1:]]
    bottom = shapes[f"{levels[-1]}1.submodule.conv.0.conv.weight"][0]
    options = {
        "channels": (first[0], *inner, bottom),
        "kernel_size": first[2:],
        "up_kernel_size": shapes["1.upconv.up.conv.weight"][2:],
    }
    classes = shapes["2.conv.weight"][0]
    return _blueprint("AttentionUnet", first[1], classes, options, {"strides": (2,) * len(levels)})


def _dynunet(shapes: Shapes) -> NetworkSpec:
    downs = _count(shapes, "downsamples.")
    blocks = ["input_block.", *(f"downsamples.{number}." for number in range(downs)), "bottleneck."]
    first = [shapes[f"{block}conv1.conv.weight"] for block in blocks]
    # The upsampling convolutions stand deepest first; their kernels are as wide as their strides.
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
    return _blueprint("DynUNet", first[0][1], classes, options, assumed, unused)


def _segresnet(shapes: Shapes) -> NetworkSpec:
    first = shapes["convInit.conv.weight"]
    ups = _count(shapes, "up_layers.")
    upsample_mode = "nontrainable"
    if "up_samples.0.1.deconv.weight" in shapes:
        upsample_mode = "deconv"
    elif any(name.startswith("up_samples.0.1.pixelshuffle.") for name in shapes):
        upsample_mode = "pixelshuffle"
    options: dict[str, Any] = {
        "init_filters": first[0],
        # The first part of each level makes it smaller, or is an identity, and has no blocks.
        "blocks_down": tuple(
            sum(f"down_layers.{level}.{block}.conv1.conv.weight" in shapes for block in range(1, 64))
            for level in range(_count(shapes, "down_layers."))
        ),
        "blocks_up": tuple(_count(shapes, f"up_layers.{level}.") for level in range(ups)),
        "upsample_mode": upsample_mode,
    }
    assumed: dict[str, Any] = {"act": ("RELU", {"inplace": True})}
    if "conv_final.0.running_mean" in shapes:
        options["norm"] = "BATCH"
    else:
        assumed["norm"] = ("GROUP", {"num_groups": 8})
    return _blueprint("SegResNet", first[1], shapes["conv_final.2.conv.weight"][0], options, assumed)


# How some name of the network begins → what reads its shapes. The names of AttentionUnet hold those of UNet too.
_READERS: dict[str, Callable[[Shapes], NetworkSpec]] = {
    "skip_layers.downsample.": _dynunet,
    "convInit.conv.weight": _segresnet,
    "0.conv.0.conv.weight": _attention_unet,
    "0.conv.unit0.conv.weight": _unet,
    "0.conv.weight": _unet,
}


def _blueprint(
    name: str,
    in_channels: int,
    classes: int,
    options: dict[str, Any],
    assumed: dict[str, Any],
    unused: tuple[str, ...] = (),
) -> NetworkSpec:
    told = {option: str(value) for option, value in assumed.items()}
    return NetworkSpec(name, "", in_channels, classes, options | assumed, told, "MONAI", unused)


def _levels(shapes: Shapes, inwards: str) -> list[str]:
    """What stands before the names of each level of a nested network, from the outermost inwards.

    The innermost level's own ``1`` is the bottom, which has no level within.
    """
    levels = [""]
    while any(name.startswith(f"{levels[-1]}{inwards}1.") for name in shapes):
        levels.append(levels[-1] + inwards)
    return levels


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered parts there are under a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in shapes if name.startswith(prefix)})
