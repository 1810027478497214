"""Recognize networks of well-known repositories by the names and shapes of their weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.checkpoints.state_dict import list_names
from napari_segcam.network.families.decoders import Shapes
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes
from napari_segcam.network.families.plain.catalog import FAMILIES
from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import Coverage, LayerShapes
from napari_segcam.network.model_card import ModelCard

LIBRARY = "plain"

# A network that fits so much of a file's weights is named when the file is refused.
_NEAR = 0.6

_TRIAL_SIZE = 256


@dataclass(frozen=True)
class _Trial:
    """A network of a family, built for a file's weights.

    Attributes:
        prefix_free: shapes of the file's weights, by names in the network.
        coverage: which of them the network has used.
        classes: channels of its output; 0 if it does not fit.
        output: name of the output to read, if it returns several.
        size: height and width of its images; None if they can have any.
        failure: why the network cannot run; empty if it runs, or was not run because the weights do not fit.
    """

    family: PlainFamily
    prefix_free: Shapes
    coverage: Coverage
    classes: int = 0
    output: str = ""
    size: tuple[int, int] | None = None
    failure: str = ""

    @property
    def fit(self) -> float:
        """Share of the weights of both that fit, 0 to 1."""
        coverage = self.coverage
        others = len(coverage.missing) + len(coverage.reshaped) + len(coverage.unexpected(self.prefix_free))
        return len(coverage.used) / max(1, len(coverage.used) + others)


def plain_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """Return how to build the network of these weights; None if it is not one of the families.

    All weights must have a place in the network and the shape that it takes, and it must run.
    """
    for trial in _trials(checkpoint):
        if trial.classes:
            return _spec(trial)
    return None


def nearly_known(checkpoint: Checkpoint, least_fit: float = _NEAR) -> str:
    """Return a sentence about the known network that the weights nearly fit, with the counts; empty if there is none.

    It ends without a period, to be part of a refusal.

    Args:
        checkpoint: with the weights.
        least_fit: part of the weights that must fit.
    """
    best = max(_trials(checkpoint), key=lambda trial: trial.fit, default=None)
    if best is None or best.fit < least_fit or best.classes:
        return ""
    coverage = best.coverage
    groups = {
        "missing": coverage.missing,
        "of another shape": coverage.reshaped,
        "unexpected": coverage.unexpected(best.prefix_free),
    }
    counts = ", ".join(f"{len(names)} {kind} ({list_names(names)})" for kind, names in groups.items() if names)
    reason = counts or f"it cannot run: {best.failure}"
    return f"they are close to those of {best.family.name}, but do not fit: {reason}"


def construct(spec: NetworkSpec) -> nn.Module:
    """Build the network without values of its weights.

    Raises:
        ValueError: if an option has a value that the network does not take.
    """
    options = dict(spec.options)
    shapes = options.pop("shapes")
    family = next(family for family in FAMILIES if family.name == spec.architecture)
    with empty_weights():
        return family.module(LayerShapes(shapes), options)


def _trials(checkpoint: Checkpoint) -> Iterator[_Trial]:
    shapes = shapes_of(checkpoint.weights)
    for family in FAMILIES:
        prefix_free = network_shapes(shapes, family.marks[0])
        prefix_free = {
            name: shape for name, shape in prefix_free.items() if not any(part in f".{name}" for part in family.unused)
        }
        if prefix_free and all(mark in prefix_free for mark in family.marks):
            yield _try(family, prefix_free)


def _try(family: PlainFamily, shapes: Shapes) -> _Trial:
    layers = LayerShapes(shapes)
    try:
        with empty_weights():
            network = family.module(layers)
    except Exception as error:  # a file can have any shapes, which torch refuses in many ways
        return _Trial(family, shapes, layers.coverage, failure=error_text(error))
    coverage = layers.coverage
    if coverage.missing or coverage.reshaped or coverage.unexpected(shapes):
        return _Trial(family, shapes, coverage)
    try:
        output = _run(network, shapes[family.marks[0]][1], family)
    except Exception as error:  # channels that do not fit each other
        return _Trial(family, shapes, coverage, failure=error_text(error))
    name, size = getattr(network, "main_output", ""), getattr(network, "image_size", None)
    return _Trial(family, shapes, coverage, int((output[name] if name else output).shape[1]), name, size)


def _run(network: nn.Module, channels: int, family: PlainFamily) -> Any:
    """Run the network without values, which takes neither time nor memory, and return its output."""
    size = family.card.get("size", {})
    usual = size.get("height", _TRIAL_SIZE), size.get("width", _TRIAL_SIZE)
    height, width = getattr(network, "image_size", usual)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network.eval()(torch.empty(1, channels, height, width, device="meta"))


def _spec(trial: _Trial) -> NetworkSpec:
    family = trial.family
    channels = trial.prefix_free[family.marks[0]][1]
    fields = {"input_channels": channels, **family.card, **({"output": trial.output} if trial.output else {})}
    if trial.size is not None:
        fields["size"] = {"rule": "resize", "height": trial.size[0], "width": trial.size[1]}
    assumed = {name: str(value) for name, value in family.options.items()}
    if "normalization" in fields:
        assumed["normalization"] = fields["normalization"]
    if "size" in family.card:  # that of the repository's own images, while the network takes others too
        assumed["size"] = "resize to {height}×{width}".format(**family.card["size"])
    options: dict[str, Any] = {"shapes": trial.prefix_free, **family.options}
    return NetworkSpec(
        family.name,
        "",
        channels,
        trial.classes,
        options,
        assumed,
        LIBRARY,
        unused=family.unused,
        card=ModelCard(**fields),
    )
