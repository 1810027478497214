"""Fold batch norms in eval mode into the convolution or linear layer before them.

A dry run shows which layer comes before, so that it works for every architecture: the input of the norm is the same
tensor that the layer returned, and no other operation reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_segcam.network.inference.module_patterns import find_modules

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def fold_batch_norms(root: nn.Module, x: torch.Tensor) -> bool:
    """Fold every batch norm that can be folded; return whether there were any.

    Args:
        root: in eval mode; changed in place.
        x: an input ``(B, C, H, W)`` that it accepts.
    """
    layers = {id(layer): layer for kind in _LAYERS for _, _, layer in find_modules(root, kind)}
    norms = [
        (parent, name, norm)
        for kind in _NORMS
        for parent, name, norm in find_modules(root, kind)
        if norm.track_running_stats
    ]
    run = _recorded_run(root, x, [*layers.values(), *(norm for _, _, norm in norms)])
    folded = False
    for parent, name, norm in norms:
        layer_id = run.layer_before(norm, layers)
        if layer_id is not None:
            _fold(layers[layer_id], norm)
            setattr(parent, name, nn.Identity())
            folded = True
    return folded


@dataclass
class _DryRun(TorchDispatchMode):
    """Record which tensor each module got and returned, and how often operations read each tensor.

    Modules and tensors are recorded by their ids.
    """

    reads: Counter[int] = field(default_factory=Counter)
    calls: Counter[int] = field(default_factory=Counter)
    outputs: dict[int, int] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)
    tensors: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # asked by torch, which would import its compiler to turn it off here
        return False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Tensor):
                self.reads[id(value)] += 1
                self.tensors.append(value)  # while a tensor exists, no other has its id
        return func(*args, **(kwargs or {}))

    def record(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self.calls[id(module)] += 1
        self.inputs[id(module)], self.outputs[id(module)] = id(inputs[0]), id(output)

    def layer_before(self, norm: nn.Module, layers: dict[int, nn.Module]) -> int | None:
        """Return the id of the layer whose output only this norm reads; None if there is no such layer."""
        if self.calls[id(norm)] != 1:
            return None
        norm_input = self.inputs[id(norm)]
        if self.reads[norm_input] != 1:
            return None
        candidates = [layer for layer in layers if self.outputs.get(layer) == norm_input]
        return candidates[0] if len(candidates) == 1 and self.calls[candidates[0]] == 1 else None


def _recorded_run(root: nn.Module, x: torch.Tensor, modules: Sequence[nn.Module]) -> _DryRun:
    run = _DryRun()
    handles = [module.register_forward_hook(run.record) for module in modules]
    try:
        with torch.no_grad(), run:
            root(x)
    finally:
        for handle in handles:
            handle.remove()
    return run


def _fold(layer: Any, norm: Any) -> None:
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    if isinstance(layer, nn.Linear):
        weight, bias = fuse_linear_bn_weights(layer.weight, layer.bias, *statistics)
    else:
        transposed = isinstance(layer, nn.ConvTranspose2d)
        weight, bias = fuse_conv_bn_weights(layer.weight, layer.bias, *statistics, transpose=transposed)
    layer.weight, layer.bias = weight.requires_grad_(False), bias.requires_grad_(False)
