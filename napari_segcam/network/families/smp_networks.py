"""Recognize networks of segmentation-models-pytorch (SMP) by the names and shapes of their weights."""

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
from napari_segcam.network.checkpoints.training_settings import stated_encoder
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
from napari_segcam.remedies import remedy

# The output must be logits, the weights come from the checkpoint, and the shapes show the rest.
_NOT_FROM_SETTINGS = {"self", "kwargs", "encoder_name", "encoder_weights", "in_channels", "classes", "activation"}


@dataclass(frozen=True)
class _EncoderChoice:
    """An encoder with these weights, and the names of others whose weights have the same shapes."""

    match: EncoderMatch
    alike: tuple[str, ...] = ()


def smp_spec(checkpoint: Checkpoint, architecture: str, encoder: str | None = None) -> NetworkSpec:
    """Return how SMP builds the network of these weights.

    The user's choices come first, then what the shapes show. The settings in the checkpoint decide the rest: the name
    of a timm encoder, and options that the weights do not show.

    Args:
        checkpoint: with the weights.
        architecture: class of SMP.
        encoder: of SMP, such as ``"efficientnet-b5"``, or of timm, such as ``"tu-convnext_tiny"``.

    Raises:
        SegcamError: if the weights do not belong to this architecture, or the encoder is not recognized or is another.
    """
    shapes = shapes_of(checkpoint.weights)
    if any(name.startswith("decoder.fpn_bottleneck.") for name in shapes):
        raise SegcamError(
            f"{checkpoint.path} is a UPerNet of SMP 0.4, whose decoder later versions do not have. "
            "Save the network as a program with torch.export.save where it was trained, and open that file."
        )
    setups = decoder_setups(architecture, shapes)
    # SMP's settings are arguments of the constructor; other metadata may mean anything.
    settings = checkpoint.settings if checkpoint.settings.get("_model_class") == architecture else {}
    settings = {name: _plain(value) for name, value in settings.items()}
    if "encoder_depth" in settings:
        setups = tuple(setup for setup in setups if setup.depth == settings["encoder_depth"])
    if not setups:
        raise SegcamError(
            f"{checkpoint.path}: the decoder's weights are not those of {architecture}. "
            f"Choose another architecture ({remedy('architecture')}), or leave it out to let it be recognized."
        )
    encoder_choice = _find_encoder(shapes, setups, architecture, encoder, checkpoint)
    setup = encoder_choice.match.setup
    options = _accepted_options(architecture, settings)
    assumed = {name: str(value) for name, value in setup.assumed.items() if name not in options}
    if encoder_choice.alike:
        assumed["encoder"] = (
            f"{encoder_choice.match.name}; weights of the same shapes: {', '.join(encoder_choice.alike)}"
        )
    return NetworkSpec(
        architecture,
        encoder_choice.match.name,
        encoder_choice.match.in_channels,
        _classes(shapes, checkpoint),
        setup.assumed | options | setup.options | _auxiliary(shapes),
        assumed,
    )


def construct(spec: NetworkSpec) -> torch.nn.Module:
    """Build the network, if possible without values of its weights."""
    import segmentation_models_pytorch as smp

    def make() -> torch.nn.Module:
        network: torch.nn.Module = getattr(smp, spec.architecture)(
            encoder_name=spec.encoder,
            encoder_weights=None,
            in_channels=spec.in_channels,
            classes=spec.classes,
            **spec.options,
        )
        return network

    # timm's networks may have tensors that are not in the state dict, so they are built with values.
    if spec.encoder in smp.encoders.encoders:
        with empty_weights():
            return make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def architecture_name(name: str) -> str:
    """Return the name of an architecture as SMP spells it.

    Raises:
        SegcamError: if there is no such architecture.
    """
    spellings = {architecture.lower(): architecture for architecture in ARCHITECTURES}
    spelling = name.lower().replace("+", "plus").replace("-", "").replace("_", "")
    if spelling not in spellings:
        close = [spellings[match] for match in get_close_matches(spelling, spellings, n=3)] or ARCHITECTURES
        raise SegcamError(f"There is no architecture named {name!r}. Choose from: {', '.join(close)}.")
    return spellings[spelling]


def _find_encoder(
    shapes: Shapes, setups: Sequence[DecoderSetup], architecture: str, requested: str | None, checkpoint: Checkpoint
) -> _EncoderChoice:
    is_dpt = architecture == "DPT"
    if requested is not None:
        match = match_encoder(encoder_name(requested), shapes, setups, vision_transformer=is_dpt)
        if isinstance(match, EncoderMatch):
            return _EncoderChoice(match)
        reason = f"the encoder's weights are not those of {match}" if match else f"its decoder does not fit {requested}"
        raise SegcamError(f"{checkpoint.path}: {reason}. Choose another encoder ({remedy('encoder')}).")

    stated = _stated_encoder(checkpoint)
    if stated is not None:
        with suppress(SegcamError):  # settings in a file may be wrong, or for another library
            match = match_encoder(encoder_name(stated), shapes, setups, vision_transformer=is_dpt)
            if isinstance(match, EncoderMatch):
                return _EncoderChoice(match)
    match = None if is_dpt else find_encoder(shapes, setups)
    if isinstance(match, EncoderMatch):
        return _EncoderChoice(match)
    from_timm = _timm_encoder(shapes, setups, vision_transformer=is_dpt)
    if from_timm is not None:
        return from_timm
    # An encoder that shares less than half of the weights is no useful hint.
    hint = f" The closest is {match}." if match and match.similarity > 0.5 else ""
    raise SegcamError(
        f"{checkpoint.path}: the encoder of this {architecture} is not recognized.{hint} "
        f'Name it ({remedy("encoder")}). Names of timm begin with "tu-", as in tu-convnext_tiny.',
        action="describe_network",
    )


def _stated_encoder(checkpoint: Checkpoint) -> str | None:
    """Return the encoder that the checkpoint's settings or the arguments of its training run name."""
    for key in ("encoder_name", "encoder"):
        if isinstance(checkpoint.settings.get(key), str):
            return str(checkpoint.settings[key])
    return stated_encoder(checkpoint.extra)


def _timm_encoder(shapes: Shapes, setups: Sequence[DecoderSetup], *, vision_transformer: bool) -> _EncoderChoice | None:
    encoder_shapes = {
        name.removeprefix("encoder."): shape for name, shape in shapes.items() if name.startswith("encoder.")
    }
    candidates = candidate_encoders(encoder_shapes)
    for name in candidates:
        with suppress(SegcamError):  # the installed timm may not have it, or not with as many stages
            match = match_encoder(encoder_name(name), shapes, setups, vision_transformer=vision_transformer)
            if isinstance(match, EncoderMatch):
                return _EncoderChoice(match, tuple(other for other in candidates if other != name))
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
    """Return a setting as the constructor expects it. In the metadata of safetensors, numbers are text too."""
    if isinstance(value, str) and len(value) < 1000:
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
                return parse(value)
    return value


def _accepted_options(architecture: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the constructor of the architecture accepts in the installed SMP."""
    import segmentation_models_pytorch as smp

    accepted = inspect.signature(getattr(smp, architecture).__init__).parameters.keys() - _NOT_FROM_SETTINGS
    return {name: value for name, value in settings.items() if name in accepted}
