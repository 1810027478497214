"""The output reading: how what a network returns becomes logits, the same wherever the network runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.graphs.graph_network import GraphNetwork
from napari_segcam.network.keras.keras_network import KerasNetwork
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.output.activation_inverse import (
    Activation,
    ActivationTracker,
    can_come_from,
    invert_activation,
)
from napari_segcam.network.output.activation_layer import remove_activation
from napari_segcam.network.output.autograd_graph import find_ending
from napari_segcam.network.output.candidates import (
    OutputCandidate,
    OutputLocation,
    all_tensors,
    describe_output,
    find_candidates,
)
from napari_segcam.network.output.final_activation import (
    MAXIMUM_RETURNED,
    FinalActivation,
    check_activation,
    detect_activation,
)
from napari_segcam.network.output.output_choice import OutputChoice, choose_output
from napari_segcam.network.running.dry_run import dry_run

_LEFT_OUT = "The network ends in a {}, which is left out: logits are wanted."
_INVERTED = (
    "The network ends in a {}, which is undone by its inverse: logits are wanted. Where a probability rounds to 0 or 1 "
    "its logit is not known, and has no gradient."
)
_TAKEN = "The network ends in a {}, whose values are taken for logits: their softmax is the same."


@dataclass(frozen=True)
class OutputReading:
    """Which output of a network is read, and how it becomes logits.

    Attributes:
        name: of the output; empty where the network returns but one tensor.
        choices: names of all outputs that could be read.
        finding: what it ends in.
        assumed: as ``Network.assumed``.
    """

    name: str
    choices: tuple[str, ...]
    finding: FinalActivation
    assumed: dict[str, str]

    @property
    def activation(self) -> Activation:
        """What the output ends in, which is undone: ``"sigmoid"``, ``"softmax"`` …; ``"none"`` where it is logits."""
        return self.finding.activation

    @property
    def final_activation(self) -> Literal["sigmoid", "softmax"] | None:
        """Whether each class has an activation of its own, or one over all of them; None where it ends in logits."""
        if self.activation == "none":
            return None
        return "softmax" if self.activation in ("softmax", "log_softmax") else "sigmoid"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know of it, in sentences."""
        finding = self.finding
        if finding.activation == "none":
            return (finding.doubt,) if finding.doubt else ()
        words = _LEFT_OUT if finding.exact else _TAKEN if finding.activation == "log_softmax" else _INVERTED
        return (words.format(finding.title),)

    def as_dict(self) -> dict[str, Any]:
        """In plain values: which output is read, of which, and what of its end is undone."""
        return {
            "name": self.name,
            "choices": list(self.choices),
            "activation": self.activation,
            "undone": "" if self.activation == "none" else "exactly" if self.finding.exact else "by its inverse",
        }


def read_output(module: nn.Module, card: ModelCard) -> OutputReading:
    """Make a module return logits, ``(B, C, H, W)`` or the class scores ``(B, C)``, whatever it returned before.

    Args:
        module: in eval mode and frozen, on the CPU. From now on it, and each copy of it, returns that.
        card: says which output is read and what that ends in, where the user has set it.

    Raises:
        SegcamError: if the module does not run, returns no such output, the card names one that is not there, or
            nothing tells which of several it is.
    """
    if isinstance(module.__dict__.get("forward"), _Read):  # it came from another network: read it as it was
        del module.forward
    # What a module keeps of a run with a graph could not be copied later.
    tried = copy.deepcopy(module)
    look = dry_run(tried, card.input_channels, lambda x: _look(tried, x), size=card.size.fixed)
    chosen = _chosen(look, card)
    place = chosen.output.place
    before = look.before(place)
    varied = partial(_varied, tried, place, look.x)
    find_ending = (chosen.output.map, before, varied)
    finding = (
        detect_activation(*find_ending)
        if card.output_activation is None
        else check_activation(card.output_activation, *find_ending)
    )
    watches = finding.exact and before is not None and not remove_activation(module, tried, place, look.x)
    is_plain = not place.path and place.stacked is None and place.form in ("map", "scores")
    undoes = finding.activation != "none" and (watches or not finding.exact)
    if undoes or not is_plain:
        module.forward = _Read(module, place, finding.activation if undoes else "none", watches=watches)
    choices = tuple(one.name for one in look.found)
    assumed = {}
    if chosen.why:
        others = ", ".join(name for name in choices if name != place.name)
        assumed["output"] = f"{place.name}, not {others}: {chosen.why}"
    if finding.assumed:
        assumed["output_activation"] = finding.assumed
    return OutputReading(place.name, choices, finding, assumed)


class _Read:
    """The forward of a module whose output is read: it gives logits instead."""

    def __init__(self, module: nn.Module, place: OutputLocation, activation: Activation, *, watches: bool) -> None:
        self._module, self._place, self._activation, self._watches = module, place, activation, watches
        self._own = module.__dict__.get("forward")

    def __call__(self, image: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        forward = self._own or partial(type(self._module).forward, self._module)
        if self._activation == "none":
            return self._inverse(forward(image, *args, **kwargs), image)
        with ActivationTracker(copies=not self._watches) as watch:
            output = forward(image, *args, **kwargs)
        before = watch.before(self._place.tensor(output))
        if self._watches and before is not None and before[0] == self._activation:
            return self._place.map_of(before[1], image)
        return self._inverse(output, image)

    def _inverse(self, output: Any, image: torch.Tensor) -> torch.Tensor:
        given = self._place.map_of(self._place.tensor(output), image)
        if not can_come_from(given, self._activation):
            low, high = (float(one) for one in given.detach().aminmax())
            raise ValueError(f"its output, from {low:.3g} to {high:.3g}, does not come from a {self._activation}")
        return invert_activation(given, self._activation)


@dataclass(frozen=True)
class _Look:
    """A dry run with a graph, where the network allows one."""

    x: torch.Tensor
    output: Any
    found: Sequence[OutputCandidate]
    watch: ActivationTracker

    def before(self, place: OutputLocation) -> tuple[Activation, torch.Tensor] | None:
        """The activation that gave the map at a place, and the map it was given."""
        before = self.watch.before(place.tensor(self.output))
        return None if before is None else (before[0], place.map_of(before[1], self.x))


def _look(module: nn.Module, x: torch.Tensor) -> _Look:
    try:
        with torch.enable_grad():
            return _run(module, x.clone().requires_grad_())
    except (RuntimeError, TypeError):  # it may leave torch in between
        with torch.no_grad():
            return _run(module, x)


def _run(module: nn.Module, x: torch.Tensor) -> _Look:
    watch = ActivationTracker()
    with watch:
        output = module(x.clone())
    names = module.output_names if isinstance(module, GraphNetwork | KerasNetwork) else ()
    return _Look(x, output, find_candidates(output, x, names), watch)


def _chosen(look: _Look, card: ModelCard) -> OutputChoice:
    if not look.found:
        if isinstance(look.output, torch.Tensor) and not look.output.is_floating_point():
            raise SegcamError(
                f"This network returns {describe_output(look.output)}: the numbers of classes, not their scores. "
                "Return what it takes the largest of (before argmax)."
            )
        raise SegcamError(
            "This network returns neither a segmentation nor class scores: a tensor of (batch, classes, height, width) "
            f"or of (batch, classes) was expected, but it gave {describe_output(look.output)}."
        )
    chosen = choose_output(look.found, (look.x.shape[-2], look.x.shape[-1]), card.output, len(card.class_names))
    _refuse_by_company(chosen.output, look)
    return chosen


def _refuse_by_company(chosen: OutputCandidate, look: _Look) -> None:
    """Refuse a map that what is returned with it tells to be no scores of classes.

    Raises:
        SegcamError: if it is the score of the class whose number is given, or one map for each of several objects.
    """
    others = list(all_tensors(look.output))
    has_numbers = any(not one.is_floating_point() and one.shape[-2:] == look.x.shape[-2:] for one in others)
    if chosen.is_map and chosen.channels == 1 and has_numbers and find_ending(chosen.map).largest:
        raise SegcamError(MAXIMUM_RETURNED)
    if (
        chosen.is_map
        and chosen.channels > 1
        and any(one.ndim == 3 and one.is_floating_point() and one.shape[:2] == (1, chosen.channels) for one in others)
    ):
        raise SegcamError(
            f"The network gives {chosen.channels} maps and, for each of them, the scores of its classes: a map for "
            "each object that it looks for, not for each class. Put it into a module that returns one map for each "
            "class."
        )


@torch.no_grad()
def _varied(module: nn.Module, place: OutputLocation, x: torch.Tensor) -> list[torch.Tensor]:
    """The output for images that have nothing in common with each other."""
    x = x.detach()
    ramp = torch.linspace(-2, 2, x.shape[-1], device=x.device, dtype=x.dtype).expand_as(x)
    outputs = []
    for image in (torch.zeros_like(x), torch.ones_like(x), ramp, x.abs() * 100, x * -30, x.sign() * 3):
        try:
            outputs.append(place.map_of(place.tensor(module(image.clone())), image).detach())
        except (RuntimeError, ValueError, IndexError, AssertionError):
            continue
    return outputs
