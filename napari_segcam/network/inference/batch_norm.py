"""Batch norms in eval mode folded into the convolution or linear layer before them.

Which layer comes before is not read from the network's code but seen in a dry run, so that it works for every
architecture: the norm's input is the very tensor that the layer gave, and no other operation reads that tensor.
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
    """Fold every batch norm that can be; whether there were any.

    Args:
        root: in eval mode; changed in place.
        x: an input ``(B, C, H, W)`` that it accepts.
    """
    layers = {id(layer): layer for kind in _LAYERS for _, _, layer in find_modules(root, kind)}
    norms = [place for kind in _NORMS for place in find_modules(root, kind) if place[2].track_running_stats]
    seen = _watched_run(root, x, [*layers.values(), *(norm for _, _, norm in norms)])
    folded = False
    for parent, name, norm in norms:
        maker = seen.layer_before(norm, layers)
        if maker is not None:
            _fold(layers[maker], norm)
            setattr(parent, name, nn.Identity())
            folded = True
    return folded


@dataclass
class _DryRun(TorchDispatchMode):
    """What is noted of each call: which tensor a module took, which it gave, and how often operations read each."""

    reads: Counter[int] = field(default_factory=Counter)
    calls: Counter[int] = field(default_factory=Counter)
    given: dict[int, int] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    kept: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Tensor):
                self.reads[id(value)] += 1
                self.kept.append(value)  # while a tensor is kept, its id is its own
        return func(*args, **(kwargs or {}))

    def note(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self.calls[id(module)] += 1
        self.taken[id(module)], self.given[id(module)] = id(inputs[0]), id(output)

    def layer_before(self, norm: nn.Module, layers: dict[int, nn.Module]) -> int | None:
        """The id of the one layer whose output this norm alone reads."""
        if self.calls[id(norm)] != 1 or self.reads[self.taken[id(norm)]] != 1:
            return None
        makers = [maker for maker in layers if self.given.get(maker) == self.taken[id(norm)]]
        return makers[0] if len(makers) == 1 and self.calls[makers[0]] == 1 else None


def _watched_run(root: nn.Module, x: torch.Tensor, modules: Sequence[nn.Module]) -> _DryRun:
    run = _DryRun()
    handles = [module.register_forward_hook(run.note) for module in modules]
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
