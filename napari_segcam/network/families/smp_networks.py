"""Networks of segmentation-models-pytorch (SMP), told by the names and shapes of their weights."""

from __future__ import annotations

import ast
import inspect
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.decoders import ARCHITECTURES, DecoderSetup, Shapes, decoder_setups
from napari_segcam.network.families.encoders import (
    EncoderMatch,
    empty_weights,
    encoder_name,
    find_encoder,
    match_encoder,
    shapes_of,
)
from napari_segcam.network.families.network_spec import NetworkSpec
from napari_segcam.network.families.timm_index import candidate_encoders

# The output is wanted as logits, and weights come from the checkpoint alone; the rest is read from the shapes.
_NOT_FROM_SETTINGS = {"self", "kwargs", "encoder_name", "encoder_weights", "in_channels", "classes", "activation"}


@dataclass(frozen=True)
class _Encoder:
    """An encoder that has the weights, and the names of others that have weights of the same shapes."""

    match: EncoderMatch
    alike: tuple[str, ...] = ()


def smp_spec(checkpoint: Checkpoint, architecture: str, encoder: str | None = None) -> NetworkSpec:
    """How SMP builds the network of these weights.

    What the user gives comes first, then what the shapes tell. What the checkpoint says of itself settles the rest: a
    timm encoder's name, and options that leave no trace in the weights.

    Args:
        checkpoint: as read.
        architecture: SMP's class.
        encoder: SMP's, ``"efficientnet-b5"``, or one of timm's, ``"tu-convnext_tiny"``.

    Raises:
        SegcamError: if the weights are not this architecture's, or the encoder cannot be told, or is not the one given.
    """
    shapes = shapes_of(checkpoint.weights)
    if any(name.startswith("decoder.fpn_bottleneck.") for name in shapes):
        raise SegcamError(
            f"{checkpoint.path} is an UPerNet of SMP 0.4, whose decoder no later version has. "
            "Save it as a program where it was trained, with torch.export.save, and open that."
        )
    readings = decoder_setups(architecture, shapes)
    # SMP's settings are the constructor's own arguments; other metadata is text of any meaning.
    settings = checkpoint.settings if checkpoint.settings.get("_model_class") == architecture else {}
    settings = {name: _plain(value) for name, value in settings.items()}
    if "encoder_depth" in settings:
        readings = tuple(reading for reading in readings if reading.depth == settings["encoder_depth"])
    if not readings:
        raise SegcamError(
            f"{checkpoint.path}: the decoder's weights are not those of {architecture}. "
            "Give its architecture (--architecture), or leave it out to have it recognized."
        )
    found = _encoder(shapes, readings, architecture, encoder, checkpoint)
    reading = found.match.reading
    options = _accepted_options(architecture, settings)
    assumed = {name: str(value) for name, value in reading.assumed.items() if name not in options}
    if found.alike:
        assumed["encoder"] = f"{found.match.name}; weights of the same shapes: {', '.join(found.alike)}"
    return NetworkSpec(
        architecture,
        found.match.name,
        found.match.in_channels,
        _classes(shapes, checkpoint),
        reading.assumed | options | reading.options | _auxiliary(shapes),
        assumed,
    )


def construct(blueprint: NetworkSpec) -> torch.nn.Module:
    """The network, its weights without values where that is possible."""
    import segmentation_models_pytorch as smp

    def made() -> torch.nn.Module:
        network: torch.nn.Module = getattr(smp, blueprint.architecture)(
            encoder_name=blueprint.encoder,
            encoder_weights=None,
            in_channels=blueprint.in_channels,
            classes=blueprint.classes,
            **blueprint.options,
        )
        return network

    # timm's networks may keep tensors that no state dict has: these need their values, and are built with them.
    if blueprint.encoder in smp.encoders.encoders:
        with empty_weights():
            return made()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made()


def architecture_name(name: str) -> str:
    """SMP's spelling of an architecture's name.

    Raises:
        SegcamError: if there is none of this name.
    """
    spellings = {known.lower(): known for known in ARCHITECTURES}
    wanted = name.lower().replace("+", "plus").replace("-", "").replace("_", "")
    if wanted not in spellings:
        close = [spellings[known] for known in get_close_matches(wanted, spellings, n=3)] or ARCHITECTURES
        raise SegcamError(f"There is no architecture named {name!r}. Choose from: {', '.join(close)}.")
    return spellings[wanted]


def _encoder(
    shapes: Shapes, readings: Sequence[DecoderSetup], architecture: str, given: str | None, checkpoint: Checkpoint
) -> _Encoder:
    is_dpt = architecture == "DPT"
    if given is not None:
        found = match_encoder(encoder_name(given), shapes, readings, vision_transformer=is_dpt)
        if isinstance(found, EncoderMatch):
            return _Encoder(found)
        unlike = f"the encoder's weights are not those of {found}" if found else f"its decoder does not fit {given}"
        raise SegcamError(f"{checkpoint.path}: {unlike}. Give another encoder (--encoder).")

    stated = _stated_encoder(checkpoint)
    if stated is not None:
        with suppress(SegcamError):  # what a file says of itself may be wrong, or meant for another library
            found = match_encoder(encoder_name(stated), shapes, readings, vision_transformer=is_dpt)
            if isinstance(found, EncoderMatch):
                return _Encoder(found)
    found = None if is_dpt else find_encoder(shapes, readings)
    if isinstance(found, EncoderMatch):
        return _Encoder(found)
    from_timm = _timm_encoder(shapes, readings, vision_transformer=is_dpt)
    if from_timm is not None:
        return from_timm
    # Below half there is no likeness worth naming.
    hint = f" The closest is {found}." if found and found.likeness > 0.5 else ""
    raise SegcamError(
        f"{checkpoint.path}: the encoder of this {architecture} is none that is known.{hint} "
        'Give its name (--encoder), for one of timm\'s after "tu-", as in tu-convnext_tiny.'
    )


def _stated_encoder(checkpoint: Checkpoint) -> str | None:
    """What the checkpoint says of itself, in its settings or among the training run's own arguments."""
    arguments = checkpoint.extra.get("hyper_parameters")
    for told in (checkpoint.settings, arguments if isinstance(arguments, Mapping) else {}):
        for key in ("encoder_name", "encoder"):
            if isinstance(told.get(key), str):
                return str(told[key])
    return None


def _timm_encoder(shapes: Shapes, readings: Sequence[DecoderSetup], *, vision_transformer: bool) -> _Encoder | None:
    own = {name.removeprefix("encoder."): shape for name, shape in shapes.items() if name.startswith("encoder.")}
    proposed = candidate_encoders(own)
    for name in proposed:
        with suppress(SegcamError):  # the installed timm may have it no more, or cannot build it so deep
            found = match_encoder(encoder_name(name), shapes, readings, vision_transformer=vision_transformer)
            if isinstance(found, EncoderMatch):
                return _Encoder(found, tuple(other for other in proposed if other != name))
    return None


def _classes(shapes: Shapes, checkpoint: Checkpoint) -> int:
    for name in ("segmentation_head.0.weight", "segmentation_head.head.4.weight"):  # the second is DPT's
        if shapes.get(name):
            return shapes[name][0]
    raise SegcamError(f"{checkpoint.path}: the weights of the segmentation head are missing (segmentation_head.…).")


def _auxiliary(shapes: Shapes) -> dict[str, Any]:
    head = shapes.get("classification_head.3.weight")
    return {"aux_params": {"classes": head[0]}} if head else {}


def _plain(value: Any) -> Any:
    """A setting as the constructor takes it: in the metadata of safetensors even numbers are texts."""
    if isinstance(value, str) and len(value) < 1000:
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                return read(value)
    return value


def _accepted_options(architecture: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that the architecture's constructor of the installed SMP takes."""
    import segmentation_models_pytorch as smp

    accepted = inspect.signature(getattr(smp, architecture).__init__).parameters.keys() - _NOT_FROM_SETTINGS
    return {name: value for name, value in settings.items() if name in accepted}
