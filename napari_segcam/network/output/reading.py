"""Read a network's output: turn what it returns into logits, the same wherever the network runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from napari_segcam.errors import SegcamError
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
from napari_segcam.network.whole_network import WholeNetwork

_LEFT_OUT = "The network ends in a {}, which is left out to get logits."
_INVERTED = (
    "The network ends in a {}, which is undone by its inverse to get logits. If a probability rounds to 0 or 1, its "
    "logit is unknown and has no gradient."
)
_USED_AS_LOGITS = "The network ends in a {}, whose values are used as logits: their softmax is the same."


@dataclass(frozen=True)
class OutputReading:
    """Which output of a network is read, and how it becomes logits.

    Attributes:
        name: of the output; empty if the network returns only one tensor.
        choices: names of all outputs that could be read.
        detected: the activation that the output ends in.
        assumed: as ``Network.assumed``.
    """

    name: str
    choices: tuple[str, ...]
    detected: FinalActivation
    assumed: dict[str, str]

    @property
    def activation(self) -> Activation:
        """Activation of the output, which is undone: ``"sigmoid"``, ``"softmax"`` …; ``"none"`` for logits."""
        return self.detected.activation

    @property
    def final_activation(self) -> Literal["sigmoid", "softmax"] | None:
        """Whether the classes have a sigmoid each, or a softmax over all; None if the output is logits."""
        if self.activation == "none":
            return None
        return "softmax" if self.activation in ("softmax", "log_softmax") else "sigmoid"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the user, in sentences."""
        detected = self.detected
        if detected.activation == "none":
            return (detected.doubt,) if detected.doubt else ()
        words = _LEFT_OUT if detected.exact else _USED_AS_LOGITS if detected.activation == "log_softmax" else _INVERTED
        return (words.format(detected.title),)

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the output that is read, the choices, and how its activation is undone."""
        return {
            "name": self.name,
            "choices": list(self.choices),
            "activation": self.activation,
            "undone": "" if self.activation == "none" else "exactly" if self.detected.exact else "by its inverse",
        }


def read_output(module: nn.Module, card: ModelCard) -> OutputReading:
    """Make a module return logits, ``(B, C, H, W)`` or the class scores ``(B, C)``.

    Args:
        module: in eval mode and frozen, on the CPU. It is changed: it and its copies return logits from now on.
        card: which output is read and what it ends in, if the user has set it.

    Raises:
        SegcamError: if the module does not run, returns no such output, the card names one that is not there, or it is
            not clear which of several outputs is meant.
    """
    if isinstance(module.__dict__.get("forward"), _LogitsForward):  # it was used in another network: restore it first
        del module.forward
    # A module may keep tensors with a graph, which cannot be copied later.
    trial = copy.deepcopy(module)
    run = dry_run(trial, card.input_channels, lambda x: _traced_run(trial, x), size=card.size.fixed)
    chosen = _choose(run, card)
    location = chosen.output.location
    before = run.before(location)
    varied_outputs = partial(_outputs_of_varied_images, trial, location, run.x)
    evidence = (chosen.output.map, before, varied_outputs)
    detected = (
        detect_activation(*evidence)
        if card.output_activation is None
        else check_activation(card.output_activation, *evidence)
    )
    records_input = detected.exact and before is not None and not remove_activation(module, trial, location, run.x)
    is_plain = not location.path and location.stacked is None and location.form in ("map", "scores")
    undoes_activation = detected.activation != "none" and (records_input or not detected.exact)
    if undoes_activation or not is_plain:
        module.forward = _LogitsForward(
            module, location, detected.activation if undoes_activation else "none", records_input=records_input
        )
    choices = tuple(candidate.name for candidate in run.candidates)
    assumed = {}
    if chosen.reason:
        others = ", ".join(name for name in choices if name != location.name)
        assumed["output"] = f"{location.name}, not {others}: {chosen.reason}"
    if detected.assumed:
        assumed["output_activation"] = detected.assumed
    return OutputReading(location.name, choices, detected, assumed)


class _LogitsForward:
    """Replaces the forward of a module, to return logits."""

    def __init__(
        self, module: nn.Module, location: OutputLocation, activation: Activation, *, records_input: bool
    ) -> None:
        self._module, self._location = module, location
        self._activation, self._records_input = activation, records_input
        self._original = module.__dict__.get("forward")

    def __call__(self, image: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        forward = self._original or partial(type(self._module).forward, self._module)
        if self._activation == "none":
            return self._inverse(forward(image, *args, **kwargs), image)
        with ActivationTracker(copies=not self._records_input) as tracker:
            output = forward(image, *args, **kwargs)
        before = tracker.before(self._location.tensor(output))
        if self._records_input and before is not None and before[0] == self._activation:
            return self._location.map_of(before[1], image)
        return self._inverse(output, image)

    def _inverse(self, output: Any, image: torch.Tensor) -> torch.Tensor:
        map_ = self._location.map_of(self._location.tensor(output), image)
        if not can_come_from(map_, self._activation):
            low, high = (float(value) for value in map_.detach().aminmax())
            raise ValueError(f"its output, from {low:.3g} to {high:.3g}, does not come from a {self._activation}")
        return invert_activation(map_, self._activation)


@dataclass(frozen=True)
class _TracedRun:
    """A dry run, with a graph if the network allows one."""

    x: torch.Tensor
    output: Any
    candidates: Sequence[OutputCandidate]
    tracker: ActivationTracker

    def before(self, location: OutputLocation) -> tuple[Activation, torch.Tensor] | None:
        """The activation that made the map at a location, and its input."""
        before = self.tracker.before(location.tensor(self.output))
        return None if before is None else (before[0], location.map_of(before[1], self.x))


def _traced_run(module: nn.Module, x: torch.Tensor) -> _TracedRun:
    try:
        with torch.enable_grad():
            return _run(module, x.clone().requires_grad_())
    except (RuntimeError, TypeError):  # it may use something other than torch in between
        with torch.no_grad():
            return _run(module, x)


def _run(module: nn.Module, x: torch.Tensor) -> _TracedRun:
    tracker = ActivationTracker()
    with tracker:
        output = module(x.clone())
    names = module.output_names if isinstance(module, WholeNetwork) else ()
    return _TracedRun(x, output, find_candidates(output, x, names), tracker)


def _choose(run: _TracedRun, card: ModelCard) -> OutputChoice:
    if not run.candidates:
        if isinstance(run.output, torch.Tensor) and not run.output.is_floating_point():
            raise SegcamError(
                f"This network returns {describe_output(run.output)}: class indices, not scores. "
                "Return the scores (before argmax)."
            )
        raise SegcamError(
            "This network returns neither a segmentation nor class scores: a tensor of (batch, classes, height, width) "
            f"or of (batch, classes) was expected, but it gave {describe_output(run.output)}."
        )
    chosen = choose_output(run.candidates, (run.x.shape[-2], run.x.shape[-1]), card.output, len(card.class_names))
    _refuse_by_other_outputs(chosen.output, run)
    return chosen


def _refuse_by_other_outputs(chosen: OutputCandidate, run: _TracedRun) -> None:
    """Refuse a map if the other outputs show that it does not hold the scores of classes.

    Raises:
        SegcamError: if it is the score of the class whose index is another output, or one map for each of several
            objects.
    """
    others = list(all_tensors(run.output))
    has_class_indices = any(not other.is_floating_point() and other.shape[-2:] == run.x.shape[-2:] for other in others)
    if chosen.is_map and chosen.channels == 1 and has_class_indices and find_ending(chosen.map).largest:
        raise SegcamError(MAXIMUM_RETURNED)
    if (
        chosen.is_map
        and chosen.channels > 1
        and any(
            other.ndim == 3 and other.is_floating_point() and other.shape[:2] == (1, chosen.channels)
            for other in others
        )
    ):
        raise SegcamError(
            f"The network gives {chosen.channels} maps and, for each of them, the scores of its classes: a map for "
            "each object, not for each class. Wrap it in a module that returns one map for each class."
        )


@torch.no_grad()
def _outputs_of_varied_images(module: nn.Module, location: OutputLocation, x: torch.Tensor) -> list[torch.Tensor]:
    """Outputs for images that are quite different from each other."""
    x = x.detach()
    ramp = torch.linspace(-2, 2, x.shape[-1], device=x.device, dtype=x.dtype).expand_as(x)
    outputs = []
    for image in (torch.zeros_like(x), torch.ones_like(x), ramp, x.abs() * 100, x * -30, x.sign() * 3):
        try:
            outputs.append(location.map_of(location.tensor(module(image.clone())), image).detach())
        except (RuntimeError, ValueError, IndexError, AssertionError):
            continue
    return outputs
