"""Recomputation: a forward pass that keeps little for the way back, and computes the rest again when it is needed.

As gradient checkpointing (Chen et al. 2016, arXiv:1604.06174), by ``torch.utils.checkpoint``: of each block only the
input is kept. The same operations run again on the same values: gradients are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from napari_segcam.network.stages.stage import Stage

# No part is more than this share of the network's layers: what is computed again must fit into memory at once.
_LEAST_PARTS = 12


@contextmanager
def recomputing(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, these blocks keep nothing but their inputs for the way back. Afterwards they are as they were."""
    own = [block.__dict__.get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
        yield
    finally:
        for block, forward in zip(blocks, own, strict=True):
            if forward is not None:
                block.forward = forward
            else:
                del block.forward


@torch.no_grad()
def repeatable_blocks(module: nn.Module, stages: Sequence[Stage], x: torch.Tensor) -> list[nn.Module]:
    """The parts of a network that can be computed again, each as large as pays.

    A tap may begin the graph, and a second run is not tapped: so no part has a tapped layer inside. A part whose input
    is changed in place, by itself or by what follows, has nothing to begin again from, and is left out.

    Args:
        module: frozen and in eval mode.
        stages: that are tapped.
        x: any input ``(B, C, H, W)`` that it accepts, however small.
    """
    tapped = {id(module.get_submodule(stage.layer)) for stage in stages}
    blocks = list(_parts(module, tapped, _count_layers(module) // _LEAST_PARTS))
    taken: list[tuple[nn.Module, torch.Tensor, int]] = []

    def note(block: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        for value in tree_leaves((inputs, named)):
            if isinstance(value, torch.Tensor):
                taken.append((block, value, value._version))

    handles = [block.register_forward_pre_hook(note, with_kwargs=True) for block in blocks]
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    changed = {id(block) for block, value, version in taken if value._version != version}
    return [block for block in blocks if id(block) not in changed]


def _parts(module: nn.Module, tapped: set[int], most: int) -> Iterator[nn.Module]:
    for part in module.children():
        children = list(part.children())
        is_list = isinstance(part, nn.ModuleList | nn.ModuleDict)  # its forward never runs
        if is_list or _count_layers(part) > most or any(id(inner) in tapped for inner in list(part.modules())[1:]):
            yield from _parts(part, tapped, most)
        elif children:  # a single layer keeps little more than its input
            yield part


def _count_layers(module: nn.Module) -> int:
    return sum(not list(part.children()) for part in module.modules())
