"""Recognize the network that a checkpoint's weights belong to, and build it with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import torch

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.checkpoints.structure_request import StructureRequest
from napari_segcam.network.families import monai_networks, nnunet, smp_networks, torchvision_networks
from napari_segcam.network.families.decoders import find_architecture
from napari_segcam.network.families.encoders import shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec
from napari_segcam.network.families.plain import recognition as plain_networks
from napari_segcam.network.families.refusal import known_network_refusal, unknown_network_refusal
from napari_segcam.network.families.smp_networks import architecture_name, smp_spec
from napari_segcam.network.families.structure import recognition as structure_networks
from napari_segcam.network.families.weight_loading import load_weights
from napari_segcam.network.running.unsupported_modules import volumetric_message, weights_are_volumetric

# Each returns None for weights of other libraries.
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
    plain_networks.LIBRARY: plain_networks.construct,
    structure_networks.LIBRARY: structure_networks.construct,
}


def recognize(
    checkpoint: Checkpoint,
    architecture: str | None = None,
    encoder: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> NetworkSpec:
    """Recognize the network that weights belong to by their names and shapes.

    Args:
        checkpoint: with the weights.
        architecture: of SMP in upper or lower case, such as ``"UnetPlusPlus"`` or ``"unet++"``. Architectures of other
            libraries are always recognized.
        encoder: of SMP, such as ``"efficientnet-b5"``, or of timm, such as ``"tu-convnext_tiny"``.
        options: arguments of the architecture that the weights do not show, used instead of the assumed ones.

    Raises:
        SegcamError: if the architecture or encoder is not recognized or differs from the requested one, or if the
            weights show the value of an option.
    """
    spec = _recognize(checkpoint, architecture, encoder)
    return _with_options(spec, options, checkpoint) if options else spec


def build(spec: NetworkSpec, checkpoint: Checkpoint) -> torch.nn.Module:
    """Build the network and load all weights into it.

    Returns:
        The module in eval mode, frozen, in float32 on the CPU; it returns logits. Tensors that are float32 already are
        shared with the checkpoint, not copied.

    Raises:
        SegcamError: if the library cannot build it, or any weight is missing, unexpected, of another shape, or
            quantized.
    """
    name = spec.title + (f" with {spec.encoder}" if spec.encoder else "")
    try:
        module = _CONSTRUCT[spec.library](spec)
    except Exception as error:  # these libraries raise many types of errors for wrong options
        raise SegcamError(f"{name} cannot be built: {error_text(error)}") from error
    return load_weights(module, used_weights(spec, checkpoint), f"{checkpoint.path}: the weights do not fit {name}")


def used_weights(spec: NetworkSpec, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """Return the weights without those that only training needs."""
    return {
        name: tensor
        for name, tensor in checkpoint.weights.items()
        if not any(part in f".{name}" for part in spec.unused)
    }


def _recognize(checkpoint: Checkpoint, architecture: str | None, encoder: str | None) -> NetworkSpec:
    shapes = shapes_of(checkpoint.weights)
    plain_network = plain_networks.plain_spec(checkpoint)
    # SMP's decoders have names that no other network has, except for some of the plain ones, of which all weights fit.
    smp_architecture = find_architecture(shapes) if plain_network is None else None
    if smp_architecture is None:
        for spec in chain([plain_network], (recognize_library(checkpoint) for recognize_library in _OTHER_LIBRARIES)):
            if spec is not None:
                if architecture not in (None, spec.architecture, spec.title):
                    raise SegcamError(f"{checkpoint.path}: the weights are those of {spec.title}.")
                return spec
    if weights_are_volumetric(shapes.values()):
        raise SegcamError(volumetric_message(f"{checkpoint.path}: this network"))
    if architecture is not None:
        return smp_spec(checkpoint, architecture_name(architecture), encoder)
    if smp_architecture is None:
        if known := known_network_refusal(checkpoint):
            raise SegcamError(known)
        # A known network with weights that are missing or too many is a damaged file or another version: its shapes are
        # read only if the user asks for it.
        asks_for_structure = checkpoint.structure != StructureRequest()
        nearly = "" if asks_for_structure else plain_networks.nearly_known(checkpoint, least_fit=0.9)
        if not nearly and (spec := structure_networks.structure_spec(checkpoint)) is not None:
            return spec
        refusal = unknown_network_refusal(checkpoint, nearly or plain_networks.nearly_known(checkpoint))
        raise SegcamError(refusal, action="describe_network")
    return smp_spec(checkpoint, smp_architecture, encoder)


def _with_options(spec: NetworkSpec, options: Mapping[str, Any], checkpoint: Checkpoint) -> NetworkSpec:
    free = [name for name in spec.assumed if name in spec.options]
    for name in options:
        if name not in free:
            choice = f"Options that can be set: {', '.join(free)}" if free else "No option can be set"
            raise SegcamError(
                f"{checkpoint.path}: the option {name!r} of {spec.title} cannot be set, because the weights "
                f"decide it. {choice}."
            )
    return replace(
        spec,
        options=spec.options | dict(options),
        assumed={name: value for name, value in spec.assumed.items() if name not in options},
    )
