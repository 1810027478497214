"""Recomputation: a forward pass that stores little, and computes the rest again in the backward pass.

This is gradient checkpointing (Chen et al. 2016, arXiv:1604.06174), by ``torch.utils.checkpoint``: only the input of
each block is stored. The same operations run again on the same values, so gradients are the same to the last bit.
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

# No block has more than 1/12 of the network's layers: one block must fit into memory when it is computed again.
_MIN_BLOCKS = 12


@contextmanager
def recomputing(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Let these blocks store only their inputs for the backward pass; afterwards they are as they were."""
    replaced = [block.__dict__.get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False)
        yield
    finally:
        for block, forward in zip(blocks, replaced, strict=True):
            if forward is not None:
                block.forward = forward
            else:
                del block.forward


@torch.no_grad()
def recomputable_blocks(module: nn.Module, stages: Sequence[Stage], x: torch.Tensor) -> list[nn.Module]:
    """Return the blocks of a network that can be computed again, each as large as is useful.

    A tap may begin the graph, and a second run is not tapped: so no block has a tapped layer inside. A block whose
    input is changed in place, by itself or by a later layer, cannot start again from it and is left out.

    Args:
        module: frozen and in eval mode.
        stages: those tapped.
        x: any input ``(B, C, H, W)`` that the module accepts; a small one is enough.
    """
    tapped = {id(module.get_submodule(stage.layer)) for stage in stages}
    blocks = list(_blocks(module, tapped, _count_layers(module) // _MIN_BLOCKS))
    block_inputs: list[tuple[nn.Module, torch.Tensor, int]] = []

    def record_inputs(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Tensor):
                block_inputs.append((block, value, value._version))

    handles = [block.register_forward_pre_hook(record_inputs, with_kwargs=True) for block in blocks]
    try:
        module(x)
    finally:
        for handle in handles:
            handle.remove()
    changed = {id(block) for block, value, version in block_inputs if value._version != version}
    return [block for block in blocks if id(block) not in changed]


def _blocks(module: nn.Module, tapped: set[int], max_layers: int) -> Iterator[nn.Module]:
    for child in module.children():
        is_list = isinstance(child, nn.ModuleList | nn.ModuleDict)  # its forward never runs
        has_tap = any(id(inner) in tapped for inner in list(child.modules())[1:])
        if is_list or has_tap or _count_layers(child) > max_layers:
            yield from _blocks(child, tapped, max_layers)
        elif list(child.children()):  # a single layer stores little more than its input
            yield child


def _count_layers(module: nn.Module) -> int:
    return sum(not list(layer.children()) for layer in module.modules())
