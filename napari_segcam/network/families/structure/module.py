"""The network of a wiring and its choices, as a module whose layers have the names of the file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.network.families.structure.choices import (
    ACTIVATIONS,
    Choices,
    all_units,
    units_with_hidden_norms,
)
from napari_segcam.network.families.structure.layers import Form, Layer, Unit
from napari_segcam.network.families.structure.parts import Part, plain_form
from napari_segcam.network.families.structure.wiring import Step, Wiring


class FeatureMap(nn.Module):
    """Passes a map on: the place where a stage of the network is explained."""

    def forward(self, map_: torch.Tensor) -> torch.Tensor:
        return map_


class StructureNetwork(nn.Module):
    """A network of unknown names, run as its structure was read.

    Args:
        wiring: the parts and how they are connected.
        choices: what the shapes leave open.
    """

    def __init__(self, wiring: Wiring, choices: Choices) -> None:
        super().__init__()
        self.wiring, self.choices = wiring, choices
        self._activate = ACTIVATIONS[choices.activation]
        self._is_normed = any(unit.is_normed for unit in all_units(wiring.parts))
        self._hidden_norms = units_with_hidden_norms(wiring, choices)
        strided = {
            layer.name
            for layer in _layers_after_pools(wiring)
            if choices.pooling == "stride" or layer.shape[-1] in (2, 4)
        }
        forms = {step.part: step.form for step in wiring.steps if step.part is not None and step.form is not None}
        for index, part in enumerate(wiring.parts):
            for unit in (*part.units, *part.excitation, *([part.shortcut] if part.shortcut else [])):
                form = forms.get(index) if part.kind == "unit" and len(part.units) == 1 else None
                self._add_unit(unit, form or plain_form(unit), 2 if unit.layer.name in strided else 1)
        top = {name.partition(".")[0] for name, _ in self.named_modules()}
        self._taps: list[tuple[int, str]] = [
            (step, name if name not in top else f"{name}_map") for step, name in _level_ends(wiring)
        ]
        for _, name in self._taps:
            self.add_module(name, FeatureMap())

    def forward(self, image: torch.Tensor) -> Any:
        map_, skips, level = image, [], 0
        taps = dict(self._taps)
        outputs: dict[str, torch.Tensor] = {}
        head_source: torch.Tensor | None = None
        for number, step in enumerate(self.wiring.steps):
            if step.kind == "pool":
                skips.append(map_ if number else None)
                level += 1
                map_ = self._pooled(map_, number)
            elif step.kind in ("up", "up_part", "up_transposed"):
                level -= 1
                map_ = self._enlarged(map_, step, is_last=number == self.wiring.output_step)
            elif step.kind in ("concat", "add", "no_skip"):
                map_ = self._joined(map_, skips.pop(), step)
            elif step.kind == "head":
                head_source = map_
                map_ = self._units(self._part(step).units, map_, activate=False)
            else:
                map_ = self._run_part(self._part(step), map_)
            if number in taps:
                map_ = self._modules[taps[number]](map_)  # type: ignore[misc]
        logits = self._full_size(map_)
        if head_source is None or not self.wiring.further_heads:
            return logits
        last = max(number for number, step in enumerate(self.wiring.steps) if step.part is not None) - 1
        for index, source in self.wiring.further_heads:
            if source == last:
                unit = self.wiring.parts[index].units[0]
                outputs[unit.layer.name] = self._full_size(self._unit(unit, head_source, activate=False))
        if not outputs:
            return logits
        name = next(step for step in reversed(self.wiring.steps) if step.kind == "head")
        return {self._part(name).units[0].layer.name: logits, **outputs}

    def _part(self, step: Step) -> Part:
        assert step.part is not None
        return self.wiring.parts[step.part]

    def _full_size(self, logits: torch.Tensor) -> torch.Tensor:
        if not self.wiring.final_level:
            return logits
        return self._interpolated(logits, 2**self.wiring.final_level)

    def _pooled(self, map_: torch.Tensor, number: int) -> torch.Tensor:
        following = self.wiring.steps[number + 1]
        if following.part is not None and self.wiring.parts[following.part].kernel in (2, 4):
            return map_  # its convolution halves the map
        if self.choices.pooling == "max":
            return F.max_pool2d(map_, 2)
        if self.choices.pooling == "max_3x3":
            return F.max_pool2d(map_, 3, stride=2, padding=1)
        return F.avg_pool2d(map_, 2) if self.choices.pooling == "average" else map_

    def _interpolated(self, map_: torch.Tensor, factor: int = 2) -> torch.Tensor:
        if self.choices.upsampling == "nearest":
            return F.interpolate(map_, scale_factor=factor, mode="nearest")
        aligned = self.choices.upsampling == "bilinear_aligned"
        return F.interpolate(map_, scale_factor=factor, mode="bilinear", align_corners=aligned)

    def _enlarged(self, map_: torch.Tensor, step: Step, *, is_last: bool) -> torch.Tensor:
        if step.kind in ("up", "up_part"):
            map_ = self._interpolated(map_)
        if step.kind == "up":
            return map_
        units = self._part(step).units
        activates = units[-1].after is not None or self.choices.up_activation == "yes"
        return self._units(units, map_, activate=activates and not is_last)

    def _joined(self, map_: torch.Tensor, skip: torch.Tensor | None, step: Step) -> torch.Tensor:
        if step.kind == "no_skip" or skip is None:
            return map_
        if step.part is not None:
            skip = self._gated(self._part(step), map_, skip)
        if step.kind == "add":
            return map_ + skip
        pair = (skip, map_) if self.choices.concatenation == "skip_first" else (map_, skip)
        return torch.cat(pair, 1)

    def _run_part(self, part: Part, map_: torch.Tensor) -> torch.Tensor:
        if part.kind == "residual":
            return self._residual(part, map_)
        if part.kind == "excitation":
            return self._excited(part.units, map_)
        return self._units(part.units, map_, activate=self._activates(part.units[-1]))

    def _units(self, units: tuple[Unit, ...], map_: torch.Tensor, *, activate: bool) -> torch.Tensor:
        """Run a convolution, or a depthwise separable one."""
        *depthwise, last = units
        for unit in depthwise:
            map_ = self._unit(unit, map_, activate=unit.is_normed)
        return self._unit(last, map_, activate=activate)

    def _activates(self, unit: Unit) -> bool:
        if unit.after is not None or not self._is_normed:
            return True
        return unit.before is None and self.choices.unnormed_activation == "yes"

    def _unit(self, unit: Unit, map_: torch.Tensor, *, activate: bool) -> torch.Tensor:
        if unit.before is not None:
            map_ = self._activated(self.get_submodule(unit.before.name)(map_), unit)
        if unit.kernel == 2 and self._stride_of(unit) == 1:
            map_ = F.pad(map_, (0, 1, 0, 1))
        map_ = self.get_submodule(unit.layer.name)(map_)
        norm = self._norm_after(unit)
        if norm is None:
            return self._activated(map_, unit) if activate else map_
        if not activate:
            return norm(map_)
        if self.choices.norm_place == "before_activation":
            return self._activated(norm(map_), unit)
        return norm(self._activated(map_, unit))

    def _norm_after(self, unit: Unit) -> Callable[[torch.Tensor], torch.Tensor] | None:
        if unit.after is not None:
            return self.get_submodule(unit.after.name)
        return F.instance_norm if unit.layer.name in self._hidden_norms else None

    def _stride_of(self, unit: Unit) -> int:
        stride = self.get_submodule(unit.layer.name).stride
        return int(stride[0]) if isinstance(stride, tuple) else 1

    def _activated(self, map_: torch.Tensor, unit: Unit) -> torch.Tensor:
        if unit.prelu is not None:
            return self.get_submodule(unit.prelu.name)(map_)
        return self._activate(map_)

    def _residual(self, part: Part, map_: torch.Tensor) -> torch.Tensor:
        is_preactivated = part.units[0].before is not None
        place = "none" if is_preactivated else self.choices.residual_activation
        *inner, last = part.units
        body = map_
        for unit in inner:
            body = self._unit(unit, body, activate=self._activates(unit))
        body = self._unit(last, body, activate=place == "before_sum")
        if part.excitation:
            body = self._excited(part.excitation, body)
        beside = map_ if part.shortcut is None else self._unit(part.shortcut, map_, activate=False)
        total = body + beside
        return self._activated(total, last) if place == "after_sum" else total

    def _gated(self, part: Part, map_: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        gate, signal, score = part.units
        total = self._unit(gate, map_, activate=False) + self._unit(signal, skip, activate=False)
        return skip * torch.sigmoid(self._unit(score, F.relu(total), activate=False))

    def _excited(self, units: tuple[Unit, ...], map_: torch.Tensor) -> torch.Tensor:
        means = map_.mean((2, 3), keepdim=True)
        for number, unit in enumerate(units):
            layer = self.get_submodule(unit.layer.name)
            is_linear = unit.layer.kind == "linear"
            means = layer(means.flatten(1))[..., None, None] if is_linear else layer(means)
            means = F.relu(means) if number == 0 else torch.sigmoid(means)
        return map_ * means

    def _add_unit(self, unit: Unit, form: Form, stride: int) -> None:
        self._add(unit.layer, _convolution(unit.layer, form, stride))
        for norm in (unit.before, unit.after):
            if norm is not None:
                self._add(norm, self._norm(norm))
        if unit.prelu is not None:
            self._add(unit.prelu, nn.PReLU(unit.prelu.shape[0]))

    def _norm(self, layer: Layer) -> nn.Module:
        channels, is_affine = layer.shape[0], "weight" in layer.parts
        if layer.has_statistics:
            return nn.BatchNorm2d(channels, affine=is_affine)
        groups = channels if self.choices.norm == "instance" else int(self.choices.norm.removeprefix("group_"))
        return nn.GroupNorm(groups, channels, affine=is_affine)

    def _add(self, layer: Layer, module: nn.Module) -> None:
        *containers, leaf = layer.name.split(".")
        place: nn.Module = self
        for name in containers:
            inner = place._modules.get(name)
            if inner is None:
                inner = place._modules[name] = nn.Module()
            place = inner
        place._modules[leaf] = module


def _convolution(layer: Layer, form: Form, stride: int) -> nn.Module:
    has_bias = "bias" in layer.parts
    if layer.kind == "linear":
        return nn.Linear(form.inputs, form.outputs, bias=has_bias)
    kernel = layer.shape[-1]
    if form.operation == "transposed":
        padding, extra = {2: (0, 0), 3: (1, 1), 4: (1, 0)}[kernel]
        return nn.ConvTranspose2d(
            form.inputs, form.outputs, kernel, 2, padding=padding, output_padding=extra, bias=has_bias
        )
    groups = form.inputs if form.operation == "depthwise" else 1
    padding = {2: 0, 4: 1}.get(kernel, kernel // 2)
    return nn.Conv2d(form.inputs, form.outputs, kernel, stride, padding=padding, groups=groups, bias=has_bias)


def _layers_after_pools(wiring: Wiring) -> list[Layer]:
    """Return the convolutions that come after a pooling, and may have a step of two instead."""
    layers = []
    for step, following in pairwise(wiring.steps):
        if step.kind == "pool" and following.part is not None:
            part = wiring.parts[following.part]
            layers.append(part.units[0].layer)
            if part.shortcut is not None:
                layers.append(part.shortcut.layer)
    return layers


def _level_ends(wiring: Wiring) -> list[tuple[int, str]]:
    """Return the steps whose maps are the ends of the encoder's and decoder's levels, and the names of the stages."""
    ends: list[tuple[int, str]] = []
    encoder = decoder = 0
    steps = wiring.steps
    is_up = False
    for number, step in enumerate(steps):
        following = steps[number + 1].kind if number + 1 < len(steps) else "head"
        if step.kind != "part":
            is_up = is_up or step.kind in ("up", "up_part", "up_transposed")
            continue
        if not is_up and following in ("pool", "up", "up_part", "up_transposed"):
            encoder += 1
            ends.append((number, f"encoder_{encoder}"))
        elif is_up and following in ("up", "up_part", "up_transposed", "head"):
            decoder += 1
            ends.append((number, f"decoder_{decoder}"))
    return ends
