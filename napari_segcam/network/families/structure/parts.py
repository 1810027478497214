"""Group convolutions into the parts that a network runs at one place: single ones, residual blocks, gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch

from napari_segcam.network.families.structure.layers import Form, Unit, common_length, read_units, with_bias_shape

_MOST_IMAGE_CHANNELS = 4

PartKind = Literal["unit", "residual", "gate", "excitation"]


@dataclass(frozen=True)
class Part:
    """What is run at one place.

    Attributes:
        kind: a single convolution, also a depthwise separable one; a block with a shortcut; an attention gate (two
            projections and their sum's score); or the excitation of channels by their means (squeeze and excitation).
        units: in order; of a residual block without the shortcut.
        forms: channels in and out; of a gate the channels of its two inputs.
        order: in the file.
        tokens: of the name.
        shortcut: the convolution beside a residual block; None for the input itself.
        excitation: of a residual block's output, before the sum.
    """

    kind: PartKind
    units: tuple[Unit, ...]
    forms: tuple[Form, ...]
    order: int
    tokens: tuple[str, ...]
    shortcut: Unit | None = None
    excitation: tuple[Unit, ...] = ()

    @property
    def kernel(self) -> int:
        return self.units[0].kernel

    @property
    def is_normed(self) -> bool:
        return any(unit.is_normed for unit in self.units)

    @property
    def size(self) -> int:
        """How many layers count as a block of their own: a separable convolution counts as one."""
        return 1 if self.kind == "unit" else len(self.units) + len(self.excitation) + (self.shortcut is not None)


def read_parts(weights: Mapping[str, torch.Tensor]) -> list[Part]:
    """Return the parts of a network in the order of the file.

    Raises:
        UnreadableError: as ``read_units``.
    """
    units = [
        with_bias_shape(unit, bias.shape[0] if (bias := weights.get(f"{unit.layer.name}.bias")) is not None else None)
        for unit in read_units(weights)
    ]
    units = [_with_known_depth(unit, units[index + 1 :]) for index, unit in enumerate(units)]
    taken: dict[int, Part] = {}  # by the index of the part's first unit
    used: set[int] = set()
    shortcuts: set[str] = set()
    containers = list(_containers(units))
    for _ in range(2):  # the shortcut's name, once known, shows the blocks whose channels alone do not
        for name, indices in containers:
            free = [index for index in indices if index not in used]
            if len(free) < 2 or len(free) != len(indices):
                continue
            part = _gate(units, free) or _excitation(units, free) or _residual(units, free, name, shortcuts)
            if part is not None:
                taken[free[0]] = part
                used.update(free)
    parts = [*taken.values(), *_singles([unit for index, unit in enumerate(units) if index not in used])]
    return _with_identity_shortcuts(sorted(parts, key=lambda part: part.order))


def _with_known_depth(unit: Unit, following: Sequence[Unit]) -> Unit:
    """Return a unit that is depthwise if a convolution follows that mixes its channels, and is not otherwise."""
    depthwise = tuple(form for form in unit.forms if form.operation == "depthwise")
    if not depthwise:
        return unit
    channels = depthwise[0].inputs
    is_first = unit.layer.order == 0 and channels > _MOST_IMAGE_CHANNELS
    mixes = bool(following) and following[0].kernel == 1 and following[0].layer.shape[1] == channels
    if mixes and not is_first:
        return replace(unit, forms=depthwise)
    return replace(unit, forms=tuple(form for form in unit.forms if form.operation != "depthwise") or unit.forms)


def _containers(units: Sequence[Unit]) -> Iterator[tuple[str, list[int]]]:
    """Yield the dotted names around units, the deepest first, and the units in them."""
    inside: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        names = unit.layer.name.split(".")
        for length in range(1, len(names)):
            inside.setdefault(".".join(names[:length]), []).append(index)
    yield from sorted(inside.items(), key=lambda item: -item[0].count("."))


def _singles(units: Sequence[Unit]) -> Iterator[Part]:
    """Yield single convolutions, and pairs of a depthwise one with the one that mixes its channels."""
    left = list(units)
    while left:
        unit, *left = left
        following = left[0] if left else None
        depthwise = next((form for form in unit.forms if form.operation == "depthwise"), None)
        if following is not None and depthwise is not None and following.kernel == 1:
            form = plain_form(following)
            if form.inputs == depthwise.inputs:
                left = left[1:]
                tokens = _shared_tokens((unit, following))
                form = Form("convolution", depthwise.inputs, form.outputs)
                yield Part(
                    "unit", (unit, following), (form,), unit.layer.order, (*tokens, *unit.tokens[len(tokens) :][:1])
                )
                continue
        yield Part("unit", (unit,), unit.forms, unit.layer.order, unit.tokens)


def plain_form(unit: Unit) -> Form:
    """Return a unit's form as a convolution that is not transposed; channels of -1 if it is none."""
    forms = [form for form in unit.forms if form.operation != "transposed"]
    return forms[-1] if forms else Form("convolution", -1, -1)


def _gate(units: Sequence[Unit], indices: Sequence[int]) -> Part | None:
    if len(indices) != 3:
        return None
    left, right, score = (units[index] for index in indices)
    inner = plain_form(left).outputs
    if not (inner == plain_form(right).outputs == plain_form(score).inputs and plain_form(score).outputs == 1):
        return None
    if inner < 2 or any(unit.kernel != 1 for unit in (left, right, score)):
        return None
    form = Form("convolution", plain_form(left).inputs, plain_form(right).inputs)
    return Part("gate", (left, right, score), (form,), left.layer.order, _shared_tokens((left, right, score)))


def _excitation(units: Sequence[Unit], indices: Sequence[int]) -> Part | None:
    if len(indices) != 2:
        return None
    first, second = (units[index] for index in indices)
    squeezed, outer = plain_form(first).outputs, plain_form(first).inputs
    fits = plain_form(second).inputs == squeezed and plain_form(second).outputs == outer and 2 * squeezed <= outer
    if not fits or any(unit.kernel != 1 or unit.is_normed for unit in (first, second)):
        return None
    form = Form("convolution", outer, outer)
    return Part("excitation", (first, second), (form,), first.layer.order, _shared_tokens((first, second)))


def _residual(units: Sequence[Unit], indices: Sequence[int], name: str, shortcuts: set[str]) -> Part | None:
    if not 2 <= len(indices) <= 8:
        return None
    for candidate in sorted(indices, key=lambda index: units[index].kernel):
        relative = units[candidate].layer.name.removeprefix(f"{name}.")
        body = [index for index in indices if index != candidate]
        body, excitation = _without_excitation(units, body)
        if not body or any(units[index].layer.kind == "linear" for index in body):
            continue
        first, last, beside = plain_form(units[body[0]]), plain_form(units[body[-1]]), plain_form(units[candidate])
        is_beside = (beside.inputs, beside.outputs) == (first.inputs, last.outputs) and beside.inputs > 0
        if not is_beside or not _is_chain(units, body):
            continue
        is_chain = _is_chain(units, indices)
        if is_chain and relative not in shortcuts:
            continue
        if units[candidate].kernel > max(units[index].kernel for index in body):
            continue
        shortcuts.add(relative)
        chosen = tuple(units[index] for index in body)
        return Part(
            "residual",
            chosen,
            (Form("convolution", first.inputs, last.outputs),),
            units[indices[0]].layer.order,
            _shared_tokens([units[index] for index in indices]),
            units[candidate],
            tuple(units[index] for index in excitation),
        )
    return None


def _without_excitation(units: Sequence[Unit], body: list[int]) -> tuple[list[int], list[int]]:
    """Split off two layers at the end that squeeze and excite the channels."""
    if len(body) >= 3 and (part := _excitation(units, body[-2:])) is not None:
        before = plain_form(units[body[-3]])
        if before.outputs == part.forms[0].inputs:
            return body[:-2], body[-2:]
    return body, []


def _is_chain(units: Sequence[Unit], indices: Sequence[int]) -> bool:
    forms = [plain_form(units[index]) for index in indices]
    return all(left.outputs == right.inputs for left, right in pairwise(forms))


def _with_identity_shortcuts(parts: list[Part]) -> list[Part]:
    """Make residual blocks of containers that have the same layers as one with a shortcut, except the shortcut."""
    bodies = {_relative_names(part) for part in parts if part.kind == "residual"}
    if not bodies:
        return parts
    result: list[Part] = []
    index = 0
    while index < len(parts):
        for names in bodies:
            group = parts[index : index + len(names)]
            if len(group) == len(names) and all(part.kind == "unit" for part in group):
                units = tuple(unit for part in group for unit in part.units)
                container = _container(units[0].layer.name, names[0])
                fits = container is not None and tuple(u.layer.name for u in units) == tuple(
                    f"{container}{name}" for name in names
                )
                first, last = plain_form(units[0]), plain_form(units[-1])
                if fits and first.inputs == last.outputs and _is_chain(units, range(len(units))):
                    form = Form("convolution", first.inputs, last.outputs)
                    result.append(Part("residual", units, (form,), group[0].order, _shared_tokens(units)))
                    index += len(names)
                    break
        else:
            result.append(parts[index])
            index += 1
    return result


def _container(name: str, relative: str) -> str | None:
    return name[: -len(relative)] if name.endswith(relative) else None


def _relative_names(part: Part) -> tuple[str, ...]:
    names = [unit.layer.name.split(".") for unit in (*part.units, *([part.shortcut] if part.shortcut else []))]
    shared = min(common_length(names[0], other) for other in names)
    return tuple(".".join(unit.layer.name.split(".")[shared:]) for unit in part.units)


def _shared_tokens(units: Sequence[Unit]) -> tuple[str, ...]:
    tokens = units[0].tokens
    return tokens[: min(common_length(tokens, unit.tokens) for unit in units)]
