"""Recognition: a checkpoint's weights tell which network they are of, and that network is built around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families import monai_networks, nnunet, smp_networks, torchvision_networks
from napari_segcam.network.families.decoders import ARCHITECTURES, find_architecture
from napari_segcam.network.families.encoders import shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec
from napari_segcam.network.families.smp_networks import architecture_name, smp_spec
from napari_segcam.network.families.weight_loading import load_weights
from napari_segcam.network.running.unsupported_modules import volumetric_message, weights_are_volumetric

# Each says None of weights that are not its own.
_OTHER_LIBRARIES: tuple[Callable[[Checkpoint], NetworkSpec | None], ...] = (
    nnunet.nnunet_spec,
    torchvision_networks.torchvision_spec,
    monai_networks.monai_spec,
)

_CONSTRUCT: Mapping[str, Callable[[NetworkSpec], torch.nn.Module]] = {
    "SMP": smp_networks.construct,
    "torchvision": torchvision_networks.construct,
    "MONAI": monai_networks.construct,
    "nnU-Net": nnunet.construct,
}


def recognize(
    checkpoint: Checkpoint,
    architecture: str | None = None,
    encoder: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> NetworkSpec:
    """Tell from the names and shapes of the weights which network they belong to.

    Args:
        checkpoint: as read.
        architecture: SMP's, in any case: ``"UnetPlusPlus"``, ``"unet++"``. Those of other libraries are always told.
        encoder: SMP's, ``"efficientnet-b5"``, or one of timm's, ``"tu-convnext_tiny"``.
        options: arguments of the architecture that leave no trace in the weights, used instead of the assumed ones.

    Raises:
        SegcamError: if the architecture or the encoder cannot be told, or is not the one given, or an option is one
            that the weights tell.
    """
    blueprint = _blueprint(checkpoint, architecture, encoder)
    return _with_options(blueprint, options, checkpoint) if options else blueprint


def build(blueprint: NetworkSpec, checkpoint: Checkpoint) -> torch.nn.Module:
    """Build the network and put the weights in, every one of them.

    Returns:
        The module in eval mode, frozen, in float32 on the CPU, giving logits. Tensors that were float32 already are
        shared with the checkpoint, not copied.

    Raises:
        SegcamError: if the library cannot build it, or any weight is missing, unexpected, of another shape, or
            quantized.
    """
    name = blueprint.title + (f" with {blueprint.encoder}" if blueprint.encoder else "")
    try:
        module = _CONSTRUCT[blueprint.library](blueprint)
    except Exception as error:  # these libraries raise many kinds for what does not go together
        raise SegcamError(f"{name} cannot be built: {error_text(error)}") from error
    return load_weights(
        module, used_weights(blueprint, checkpoint), f"{checkpoint.path}: the weights do not fit {name}"
    )


def used_weights(blueprint: NetworkSpec, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The weights without those that only training needs."""
    return {
        name: tensor
        for name, tensor in checkpoint.weights.items()
        if not any(part in f".{name}" for part in blueprint.unused)
    }


def _blueprint(checkpoint: Checkpoint, architecture: str | None, encoder: str | None) -> NetworkSpec:
    shapes = shapes_of(checkpoint.weights)
    # Names decide: SMP's decoders have names that no other library's networks have.
    found = find_architecture(shapes)
    if found is None:
        for recognized in _OTHER_LIBRARIES:
            blueprint = recognized(checkpoint)
            if blueprint is not None:
                if architecture not in (None, blueprint.architecture, blueprint.title):
                    raise SegcamError(f"{checkpoint.path}: the weights are those of {blueprint.title}.")
                return blueprint
    if weights_are_volumetric(shapes.values()):
        raise SegcamError(volumetric_message(f"{checkpoint.path}: this network"))
    if architecture is not None:
        return smp_spec(checkpoint, architecture_name(architecture), encoder)
    if found is None:
        raise SegcamError(
            f"{checkpoint.path}: the architecture cannot be recognized; the weights begin with {list_names(shapes)}. "
            f"If it is one of SMP's, give it (--architecture): {', '.join(ARCHITECTURES)}. "
            "If it is your own, give the function that makes it (--network-factory package.module:function)."
        )
    return smp_spec(checkpoint, found, encoder)


def _with_options(blueprint: NetworkSpec, given: Mapping[str, Any], checkpoint: Checkpoint) -> NetworkSpec:
    free = [name for name in blueprint.assumed if name in blueprint.options]
    for name in given:
        if name not in free:
            choice = f"Those that can be given: {', '.join(free)}" if free else "None can be given"
            raise SegcamError(
                f"{checkpoint.path}: the option {name!r} of {blueprint.title} is none that the weights leave open. "
                f"{choice}."
            )
    return replace(
        blueprint,
        options=blueprint.options | dict(given),
        assumed={name: value for name, value in blueprint.assumed.items() if name not in given},
    )
