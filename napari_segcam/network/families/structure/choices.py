"""What the shapes of weights leave open: pooling, activation, enlarging, the order of concatenation and of norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional as F

from napari_segcam.errors import SegcamError
from napari_segcam.network.families.structure.layers import Unit
from napari_segcam.network.families.structure.parts import Part
from napari_segcam.network.families.structure.wiring import Wiring

ACTIVATIONS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "leaky_relu_0.1": partial(F.leaky_relu, negative_slope=0.1),
    "leaky_relu_0.01": partial(F.leaky_relu, negative_slope=0.01),
    "leaky_relu_0.2": partial(F.leaky_relu, negative_slope=0.2),
    "elu": F.elu,
    "silu": F.silu,
    "gelu": F.gelu,
    "selu": F.selu,
    "mish": F.mish,
    "tanh": torch.tanh,
}

ENLARGING = ("bilinear", "nearest", "bilinear_aligned")

_VALUES: Mapping[str, tuple[str, ...]] = {
    "pooling": ("max", "average", "stride", "max_3x3"),
    "activation": tuple(ACTIVATIONS),
    "upsampling": ENLARGING,
    "concatenation": ("skip_first", "skip_last"),
    "norm": ("instance", "group_32", "group_16", "group_8", "group_4", "group_2", "group_1", "none"),
    "norm_place": ("before_activation", "after_activation"),
    "up_activation": ("no", "yes"),
    "unnormed_activation": ("no", "yes"),
    "residual_activation": ("after_sum", "before_sum", "none"),
}


@dataclass(frozen=True)
class Choices:
    """One value for each question; those that do not arise for a network have no effect.

    Attributes:
        pooling: how maps are halved; ``stride`` is a step of two pixels in the convolution that follows, and
            ``max_3x3`` the maximum of windows that overlap.
        activation: after the convolutions.
        upsampling: how maps are doubled where it is not by a transposed convolution; ``bilinear_aligned`` aligns the
            corners.
        concatenation: whether the skip's channels come first.
        norm: of norms without statistics: over each channel (instance), or over groups of them. In a network without
            weights of norms: instance norms that have none, or no norms.
        norm_place: whether norms come before or after the activation.
        up_activation: whether an activation, and a norm without weights if there are such, follows the convolutions
            that enlarge, if they have no norm with weights.
        unnormed_activation: whether one follows other convolutions without a norm, where most have a norm.
        residual_activation: of residual blocks: after the sum, before it, or none.
    """

    pooling: str = "max"
    activation: str = "relu"
    upsampling: str = "bilinear"
    concatenation: str = "skip_first"
    norm: str = "instance"
    norm_place: str = "before_activation"
    up_activation: str = "no"
    unnormed_activation: str = "no"
    residual_activation: str = "after_sum"

    def with_values(self, values: Mapping[str, Any], wiring: Wiring) -> Choices:
        """Return the choices for a wiring with other values.

        Raises:
            SegcamError: if there is no such choice, or the wiring cannot have the value.
        """
        possible = {**_VALUES, **open_choices(wiring)}
        for name, value in values.items():
            if name not in _VALUES:
                raise SegcamError(f"A structure has no option {name!r}. Options: {', '.join(_VALUES)}.")
            if value not in possible[name]:
                raise SegcamError(f"The option {name} is {value!r}, but may be {', '.join(possible[name])}.")
        return replace(self, **values)

    def as_dict(self, wiring: Wiring) -> dict[str, str]:
        """Return the choices that matter for a wiring."""
        values = asdict(self)
        return {name: values[name] for name in open_choices(wiring)}


def all_units(parts: tuple[Part, ...]) -> list[Any]:
    """Return the convolutions of all parts."""
    return [unit for part in parts for unit in (*part.units, *part.excitation, part.shortcut) if unit is not None]


def open_choices(wiring: Wiring) -> dict[str, tuple[str, ...]]:
    """Return the questions that arise for a wiring, and their possible answers."""
    parts = wiring.parts
    units = all_units(parts)
    steps = wiring.steps
    norms = [norm for unit in units for norm in (unit.before, unit.after) if norm is not None]
    names = [] if norms else ["norm"]
    if not _pools_are_strided(wiring):
        names.append("pooling")
    activating = [unit for unit in units if unit.is_normed] or units
    if not all(unit.prelu for unit in activating):
        names.append("activation")
    if any(step.kind in ("up", "up_part") for step in steps) or wiring.final_level:
        names.append("upsampling")
    if any(step.kind == "concat" for step in steps):
        names.append("concatenation")
    if any(not norm.has_statistics for norm in norms):
        names.append("norm")
    if any(unit.after is not None for unit in units) or (not norms and lacks_biases(wiring)):
        names.append("norm_place")
    enlarging = [
        parts[step.part] for step in steps if step.kind in ("up_part", "up_transposed") and step.part is not None
    ]
    if any(not part.is_normed for part in enlarging):
        names.append("up_activation")
    if norms and _plain_unnormed(wiring):
        names.append("unnormed_activation")
    if any(part.kind == "residual" and not part.units[0].before for part in parts):
        names.append("residual_activation")
    return {name: _answers(name, wiring) for name in names}


def _answers(name: str, wiring: Wiring) -> tuple[str, ...]:
    if name != "norm":
        return _VALUES[name]
    if not any(unit.is_normed for unit in all_units(wiring.parts)):
        return ("instance", "none") if lacks_biases(wiring) else ("none", "instance")
    sizes = [
        norm.shape[0]
        for unit in all_units(wiring.parts)
        for norm in (unit.before, unit.after)
        if norm is not None and not norm.has_statistics
    ]
    groups = [value for value in _VALUES[name][1:-1] if all(size % int(value[6:]) == 0 for size in sizes)]
    return ("instance", *groups)


def _pools_are_strided(wiring: Wiring) -> bool:
    """Whether the kernels show that convolutions with a step of two halve all maps."""
    following = [after for step, after in pairwise(wiring.steps) if step.kind == "pool"]
    return all(after.part is not None and wiring.parts[after.part].kernel in (2, 4) for after in following)


def _plain_unnormed(wiring: Wiring) -> bool:
    """Whether convolutions without a norm are inside the network, other than those that enlarge, and the heads."""
    return any(
        step.kind == "part"
        and step.part is not None
        and not wiring.parts[step.part].is_normed
        and wiring.parts[step.part].kind == "unit"
        for step in wiring.steps
    )


def lacks_biases(wiring: Wiring) -> bool:
    """Whether most convolutions inside the network have no bias, as before norms, which make it useless."""
    units = _inner_units(wiring)
    return 2 * sum("bias" not in unit.layer.parts for unit in units) > len(units)


def units_with_hidden_norms(wiring: Wiring, choices: Choices) -> frozenset[str]:
    """Return the names of the convolutions that norms without weights follow."""
    if choices.norm != "instance" or any(unit.is_normed for unit in all_units(wiring.parts)):
        return frozenset()
    inner = _inner_units(wiring)
    if lacks_biases(wiring):
        inner = [unit for unit in inner if "bias" not in unit.layer.parts]
    enlarging = _enlarging(wiring) if choices.up_activation == "yes" else []
    return frozenset(unit.layer.name for unit in (*inner, *(part.units[-1] for part in enlarging)))


def _inner_units(wiring: Wiring) -> list[Unit]:
    """Return the convolutions of the encoder's and the decoder's blocks, of which norms may follow."""
    parts = [wiring.parts[step.part] for step in wiring.steps if step.kind == "part" and step.part is not None]
    blocks = [part for part in parts if part.kind in ("unit", "residual")]
    residual = [unit for part in blocks if part.kind == "residual" for unit in (*part.units, part.shortcut)]
    return [unit for unit in (*residual, *(part.units[-1] for part in blocks if part.kind == "unit")) if unit]


def _enlarging(wiring: Wiring) -> list[Part]:
    """Return the convolutions that enlarge maps, except one that makes the output."""
    return [
        wiring.parts[step.part]
        for step in wiring.steps[: wiring.output_step]
        if step.kind in ("up_part", "up_transposed") and step.part is not None
    ]


def default_choices(wiring: Wiring) -> Choices:
    """Return the usual choices for a wiring."""
    units = all_units(wiring.parts)
    is_normed = any(unit.is_normed for unit in units)
    lone = [
        wiring.parts[after.part]
        for step, after in pairwise(wiring.steps)
        if step.kind == "pool" and after.part is not None
    ]
    pooling = "stride" if lone and all(_is_lone(part, wiring) for part in lone) else "max"
    ups = {step.kind for step in wiring.steps}
    enlarging = _enlarging(wiring)
    have_hidden_norms = lacks_biases(wiring) and all("bias" not in part.units[-1].layer.parts for part in enlarging)
    is_usual = "up_transposed" not in ups or have_hidden_norms
    return Choices(
        pooling=pooling,
        norm=_answers("norm", wiring)[0],
        up_activation="yes" if not is_normed and is_usual else "no",
        unnormed_activation="no" if is_normed else "yes",
    )


def _is_lone(part: Part, wiring: Wiring) -> bool:
    """Whether a convolution keeps its channels and belongs to no block of several layers."""
    form = part.forms[0]
    if part.kind != "unit" or form.inputs != form.outputs:
        return False
    return all(
        other is part or other.tokens[: len(part.tokens) - 1] != part.tokens[:-1] or len(part.tokens) < 2
        for other in wiring.parts
    )


CHOICE_NAMES = tuple(field.name for field in fields(Choices))
