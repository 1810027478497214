"""Read weights of unknown names as layers: convolutions with the norms around them, in the order of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

LayerKind = Literal["convolution", "norm", "linear", "prelu"]
Operation = Literal["convolution", "transposed", "depthwise"]

_LEAVES = frozenset({"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
_MOST_LAYERS = 400
_MOST_CHANNELS = 4096
_LARGEST_KERNEL = 11


class UnreadableError(Exception):
    """Weights that do not belong to a network of convolution blocks; the text says why, as part of a sentence."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: dotted, as in the file.
        kind: of layer; a norm may be a batch, group or instance norm.
        shape: of the weight; of the statistics if there is no weight.
        parts: names of its tensors.
        order: in the file.
    """

    name: str
    kind: LayerKind
    shape: tuple[int, ...]
    parts: frozenset[str]
    order: int

    @property
    def has_statistics(self) -> bool:
        return "running_mean" in self.parts

    @property
    def tokens(self) -> tuple[str, ...]:
        """Parts of the name, also within words, so that ``enc1.conv2`` is (enc, 1, conv, 2)."""
        return tuple(re.findall(r"[A-Za-z]+|\d+", self.name))


@dataclass(frozen=True)
class Form:
    """What a convolution's weight can be, since the shapes of some kinds are the same.

    Attributes:
        operation: of the layer.
        inputs: channels.
        outputs: channels.
        cost: how unusual this is.
    """

    operation: Operation
    inputs: int
    outputs: int
    cost: float = 0.0


@dataclass(frozen=True)
class Unit:
    """A convolution or linear layer with its norms, and a PReLU if there is one.

    Attributes:
        layer: the convolution.
        forms: what it can be.
        before: norm that the input passes first.
        after: norm of the output.
        prelu: the activation, if it has weights.
    """

    layer: Layer
    forms: tuple[Form, ...]
    before: Layer | None = None
    after: Layer | None = None
    prelu: Layer | None = None
    tokens: tuple[str, ...] = field(default=(), compare=False)

    @property
    def kernel(self) -> int:
        return self.layer.shape[-1] if self.layer.kind == "convolution" else 1

    @property
    def is_normed(self) -> bool:
        return self.before is not None or self.after is not None

    def outputs(self, operation: Operation = "convolution") -> int:
        return next((form.outputs for form in self.forms if form.operation == operation), -1)


def read_units(weights: Mapping[str, torch.Tensor]) -> list[Unit]:
    """Return the convolutions of a network with their norms, in the order of the file.

    Raises:
        UnreadableError: if there are other layers, too many, or norms that belong to no convolution.
    """
    layers = _read_layers(weights)
    units: list[Unit | None] = []
    runs = _runs(layers)
    waiting: list[Layer] = []  # norms before the next convolution
    for index, run in enumerate(runs):
        if run[0].kind in ("convolution", "linear"):
            units += [_unit(layer) for layer in run]
            if waiting:
                _put_before(units, len(units) - len(run), waiting)
                waiting = []
            continue
        following = runs[index + 1][0] if index + 1 < len(runs) else None
        convolutions = len(runs[index - 1]) if index else 0
        waiting = _put_after(units, convolutions, run, following)
    if waiting:
        raise UnreadableError(f"the norm {waiting[0].name} belongs to no convolution")
    return [unit for unit in units if unit is not None]


def _read_layers(weights: Mapping[str, torch.Tensor]) -> list[Layer]:
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in weights.items():
        path, _, leaf = name.rpartition(".")
        if leaf not in _LEAVES:
            raise UnreadableError(f"{name} is no tensor of a convolution or norm")
        shapes.setdefault(path, {})[leaf] = tuple(tensor.shape)
    if len(shapes) > _MOST_LAYERS:
        raise UnreadableError(f"there are {len(shapes)} layers, more than a U-Net has")
    return [_layer(path, parts, order) for order, (path, parts) in enumerate(shapes.items())]


def _layer(path: str, parts: Mapping[str, tuple[int, ...]], order: int) -> Layer:
    weight = parts.get("weight")
    shape = weight or parts.get("running_mean") or ()
    names = frozenset(parts)
    if any(size > _MOST_CHANNELS for size in shape) or 0 in shape:
        raise UnreadableError(f"{path} has {' × '.join(map(str, shape))} values")
    if weight is not None and len(shape) == 4 and not names & {"running_mean", "running_var"}:
        if shape[2] != shape[3] or shape[2] > _LARGEST_KERNEL:
            raise UnreadableError(f"{path} is a convolution of {shape[2]} × {shape[3]} pixels")
        return Layer(path, "convolution", shape, names, order)
    if weight is not None and len(shape) == 2 and not names & {"running_mean", "running_var"}:
        return Layer(path, "linear", shape, names, order)
    if (len(shape) == 1 and {"weight", "bias"} <= names) or names >= {"running_mean", "running_var"}:
        if len(shape) != 1 or any(size not in (shape, ()) for size in parts.values()):
            raise UnreadableError(f"{path} has tensors of different sizes")
        if ("weight" in names) != ("bias" in names) or ("running_mean" in names) != ("running_var" in names):
            raise UnreadableError(f"{path} lacks a tensor")
        return Layer(path, "norm", shape, names, order)
    if len(shape) == 1 and names == {"weight"}:
        return Layer(path, "prelu", shape, names, order)
    raise UnreadableError(f"{path} is neither a 2-D convolution nor a norm")


def _runs(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Return the layers as runs of convolutions and runs of norms (with PReLUs)."""
    runs: list[list[Layer]] = []
    for layer in layers:
        is_convolution = layer.kind in ("convolution", "linear")
        if runs and (runs[-1][0].kind in ("convolution", "linear")) == is_convolution:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return runs


def _unit(layer: Layer) -> Unit:
    return Unit(layer, tuple(_forms(layer)), tokens=layer.tokens)


def _forms(layer: Layer) -> list[Form]:
    first, second = layer.shape[:2]
    if layer.kind == "linear":
        return [Form("convolution", second, first)]
    kernel = layer.shape[-1]
    forms = [Form("convolution", second, first)]
    if second == 1 and kernel > 1:
        forms.append(Form("depthwise", first, first))
    if kernel in (2, 3, 4):
        forms.append(Form("transposed", first, second, cost=0.3 if kernel == 3 else 0.0))
    return forms


def with_bias_shape(unit: Unit, bias: int | None) -> Unit:
    """Return the unit with the forms that a bias of this length, or the norm after it, allows."""
    lengths = {length for length in (bias, unit.after.shape[0] if unit.after else None) if length is not None}
    forms = tuple(form for form in unit.forms if lengths <= {form.outputs})
    if not forms:
        raise UnreadableError(f"the tensors of {unit.layer.name} do not fit each other")
    return replace(unit, forms=forms)


def _can_output(unit: Unit, channels: int) -> bool:
    return any(form.outputs == channels for form in unit.forms)


def _can_take(unit: Unit, channels: int) -> bool:
    return any(form.inputs == channels for form in unit.forms)


def _put_after(
    units: list[Unit | None], convolutions: int, norms: Sequence[Layer], following: Layer | None
) -> list[Layer]:
    """Give norms and PReLUs to the convolutions before them; return those that belong to the next convolution."""
    start = len(units) - convolutions
    waiting: list[Layer] = []
    several = sum(norm.kind == "norm" for norm in norms) > 1
    for norm in norms:
        previous = units[-1] if units else None
        if norm.kind == "prelu":
            if previous is None or norm.shape[0] not in (1, *(form.outputs for form in previous.forms)):
                raise UnreadableError(f"{norm.name} belongs to no convolution")
            units[-1] = replace(previous, prelu=norm)
            continue
        free = [
            index
            for index in range(start, len(units))
            if (unit := units[index]) is not None and unit.after is None and _can_output(unit, norm.shape[0])
        ]
        next_takes = following is not None and _can_take(_unit(following), norm.shape[0])
        is_next = (
            next_takes and following is not None and previous is not None and _is_closer(norm, following, previous)
        )
        if free and not (is_next and not several):
            index = max(free, key=lambda place: (_shared_with(norm, units[place]), -place)) if several else free[-1]
            unit = units[index]
            assert unit is not None
            units[index] = replace(unit, after=norm)
        else:
            waiting.append(norm)
    return waiting


def _shared_with(norm: Layer, unit: Unit | None) -> int:
    return 0 if unit is None else common_length(norm.tokens, unit.tokens)


def _is_closer(norm: Layer, following: Layer, previous: Unit) -> bool:
    """Whether a norm's name has more in common with the next convolution's than with that of the one before."""
    return common_length(norm.tokens, following.tokens) > common_length(norm.tokens, previous.tokens)


def _put_before(units: list[Unit | None], start: int, norms: Sequence[Layer]) -> None:
    for norm in norms:
        for index in range(start, len(units)):
            unit = units[index]
            if unit is not None and unit.before is None and _can_take(unit, norm.shape[0]):
                units[index] = replace(unit, before=norm)
                break
        else:
            raise UnreadableError(f"the norm {norm.name} belongs to no convolution")


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many parts two names have in common, from the beginning."""
    length = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        length += 1
    return length
