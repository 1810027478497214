"""Recognition: a checkpoint's weights tell which network they are of, and that network is built around them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoint import Checkpoint
from napari_segcam.network.decoders import ARCHITECTURES, Reading, Shapes, find_architecture, read_decoder
from napari_segcam.network.encoders import (
    Match,
    encoder_name,
    find_encoder,
    match_encoder,
    one_line,
    shapes_of,
    weightless,
)
from napari_segcam.network.state_dict import listed

# The output is wanted as logits, and weights come from the checkpoint alone; the rest is read from the shapes.
_NOT_FROM_SETTINGS = {"self", "kwargs", "encoder_name", "encoder_weights", "in_channels", "classes", "activation"}


@dataclass(frozen=True)
class Blueprint:
    """How to build a network of segmentation-models-pytorch (SMP).

    Attributes:
        architecture: SMP's class, ``"UnetPlusPlus"``.
        encoder: SMP's name, ``"efficientnet-b5"``.
        in_channels: of the image.
        classes: channels of the output.
        options: further arguments of the class.
        assumed: names of those options that neither the weights nor the settings beside them tell, so that the
            architecture's defaults stand in.
    """

    architecture: str
    encoder: str
    in_channels: int
    classes: int
    options: dict[str, Any] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()


def recognise(checkpoint: Checkpoint, architecture: str | None = None, encoder: str | None = None) -> Blueprint:
    """Tell from the names and shapes of the weights which SMP network they belong to.

    What the user gives comes first, then what the shapes tell. What the checkpoint says of itself settles the rest: a
    timm encoder's name, and options that leave no trace in the weights.

    Args:
        checkpoint: as read.
        architecture: SMP's, in any case: ``"UnetPlusPlus"``, ``"unet++"``.
        encoder: SMP's, ``"efficientnet-b5"``, or one of timm's, ``"tu-convnext_tiny"``.

    Raises:
        SegcamError: if the architecture or the encoder cannot be told, or is not the one given.
    """
    shapes = shapes_of(checkpoint.weights)
    architecture = _architecture(shapes, architecture, checkpoint)
    readings = read_decoder(architecture, shapes)
    # SMP's settings are the constructor's own arguments; other metadata is text of any meaning.
    settings = checkpoint.settings if checkpoint.settings.get("_model_class") == architecture else {}
    if "encoder_depth" in settings:
        readings = tuple(reading for reading in readings if reading.depth == settings["encoder_depth"])
    if not readings:
        raise SegcamError(
            f"{checkpoint.path}: the decoder's weights are not those of {architecture}. "
            "Give its architecture (--architecture), or leave it out to have it recognised."
        )
    match = _encoder(shapes, readings, architecture, encoder, checkpoint)
    options = _accepted_options(architecture, settings)
    return Blueprint(
        architecture,
        match.name,
        match.in_channels,
        _classes(shapes, checkpoint),
        match.reading.assumed | options | match.reading.options | _auxiliary(shapes),
        tuple(option for option in match.reading.assumed if option not in options),
    )


def build(blueprint: Blueprint, checkpoint: Checkpoint) -> torch.nn.Module:
    """Build the network and put the weights in, every one of them.

    Returns:
        The module in eval mode, frozen, in float32 on the CPU, giving logits. Tensors that were float32 already are
        shared with the checkpoint, not copied.

    Raises:
        SegcamError: if SMP cannot build it, or any weight is missing, unexpected, of another shape, or quantised.
    """
    module = _empty(blueprint)
    expected = module.state_dict()
    weights = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in checkpoint.weights.items()
    }
    what = f"{checkpoint.path}: the weights do not fit {blueprint.architecture} with {blueprint.encoder}"
    quantised = [
        name
        for name, tensor in weights.items()
        if name in expected and expected[name].is_floating_point() and not tensor.is_floating_point()
    ]
    if quantised:
        raise SegcamError(f"{what}: {len(quantised)} are not floating-point numbers ({listed(quantised)}).")
    try:
        # SMP renames older names in the dict itself, so that the names compared below are the new ones.
        module.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        raise SegcamError(f"{what}: {_difference(expected, weights) or one_line(error)}.") from error
    return module.eval().requires_grad_(False)


def _empty(blueprint: Blueprint) -> torch.nn.Module:
    import segmentation_models_pytorch as smp

    def construct() -> torch.nn.Module:
        network: torch.nn.Module = getattr(smp, blueprint.architecture)(
            encoder_name=blueprint.encoder,
            encoder_weights=None,
            in_channels=blueprint.in_channels,
            classes=blueprint.classes,
            **blueprint.options,
        )
        return network

    try:
        # timm's networks may keep tensors that no state dict has: these need their values, and are built with them.
        if blueprint.encoder in smp.encoders.encoders:
            with weightless():
                return construct()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return construct()
    except Exception as error:  # SMP and timm raise many kinds for what does not go together
        raise SegcamError(
            f"{blueprint.architecture} with {blueprint.encoder} cannot be built: {one_line(error)}"
        ) from error


def _difference(expected: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> str:
    counted = shapes_of(expected)
    groups = {
        "missing": [name for name in counted if name not in given],
        "unexpected": [name for name in given if name not in expected],
        "of another shape": [name for name in counted if name in given and given[name].shape != expected[name].shape],
    }
    return ", ".join(f"{len(names)} {kind} ({listed(names)})" for kind, names in groups.items() if names)


def _architecture(shapes: Shapes, given: str | None, checkpoint: Checkpoint) -> str:
    if given is not None:
        return _canonical(given)
    found = find_architecture(shapes)
    if found is None:
        raise SegcamError(
            f"{checkpoint.path}: the architecture cannot be recognised; the weights begin with {listed(shapes)}. "
            f"If it is one of SMP's, give it (--architecture): {', '.join(ARCHITECTURES)}."
        )
    return found


def _canonical(architecture: str) -> str:
    """SMP's spelling of an architecture's name.

    Raises:
        SegcamError: if there is none of this name.
    """
    spellings = {name.lower(): name for name in ARCHITECTURES}
    wanted = architecture.lower().replace("+", "plus").replace("-", "").replace("_", "")
    if wanted not in spellings:
        close = [spellings[name] for name in get_close_matches(wanted, spellings, n=3)] or ARCHITECTURES
        raise SegcamError(f"There is no architecture named {architecture!r}. Choose from: {', '.join(close)}.")
    return spellings[wanted]


def _encoder(
    shapes: Shapes, readings: Sequence[Reading], architecture: str, given: str | None, checkpoint: Checkpoint
) -> Match:
    is_dpt = architecture == "DPT"
    if given is not None:
        found = match_encoder(encoder_name(given), shapes, readings, vision_transformer=is_dpt)
        if isinstance(found, Match):
            return found
        unlike = f"the encoder's weights are not those of {found}" if found else f"its decoder does not fit {given}"
        raise SegcamError(f"{checkpoint.path}: {unlike}. Give another encoder (--encoder).")

    stated = checkpoint.settings.get("encoder_name", checkpoint.settings.get("encoder"))
    if isinstance(stated, str):
        with suppress(SegcamError):  # what a file says of itself may be wrong, or meant for another library
            found = match_encoder(encoder_name(stated), shapes, readings, vision_transformer=is_dpt)
            if isinstance(found, Match):
                return found
    found = None if is_dpt else find_encoder(shapes, readings)
    if isinstance(found, Match):
        return found
    # Below half there is no likeness worth naming.
    hint = f" The closest is {found}." if found and found.likeness > 0.5 else ""
    raise SegcamError(
        f"{checkpoint.path}: the encoder of this {architecture} is none of SMP's own.{hint} "
        'Give its name (--encoder), for one of timm\'s after "tu-", as in tu-convnext_tiny.'
    )


def _classes(shapes: Shapes, checkpoint: Checkpoint) -> int:
    for name in ("segmentation_head.0.weight", "segmentation_head.head.4.weight"):  # the second is DPT's
        if shapes.get(name):
            return shapes[name][0]
    raise SegcamError(f"{checkpoint.path}: the weights of the segmentation head are missing (segmentation_head.…).")


def _auxiliary(shapes: Shapes) -> dict[str, Any]:
    head = shapes.get("classification_head.3.weight")
    return {"aux_params": {"classes": head[0]}} if head else {}


def _accepted_options(architecture: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that the architecture's constructor of the installed SMP takes."""
    import segmentation_models_pytorch as smp

    accepted = inspect.signature(getattr(smp, architecture).__init__).parameters.keys() - _NOT_FROM_SETTINGS
    return {name: value for name, value in settings.items() if name in accepted}
