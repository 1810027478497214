"""Operators that reduce axes: sums, means, norms, and the places of the largest numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, axes_of, integers, operator


def _product(x: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


_REDUCTIONS: dict[str, Callable[[torch.Tensor, list[int], bool], torch.Tensor]] = {
    "ReduceSum": lambda x, axes, keep: x.sum(axes, keepdim=keep),
    "ReduceMean": lambda x, axes, keep: x.mean(axes, keepdim=keep),
    "ReduceMax": lambda x, axes, keep: x.amax(axes, keepdim=keep),
    "ReduceMin": lambda x, axes, keep: x.amin(axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceL1": lambda x, axes, keep: x.abs().sum(axes, keepdim=keep),
    "ReduceL2": lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(),
    "ReduceSumSquare": lambda x, axes, keep: x.square().sum(axes, keepdim=keep),
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keepdim=keep).log(),
    "ReduceLogSumExp": lambda x, axes, keep: x.logsumexp(axes, keepdim=keep),
}


@operator(*_REDUCTIONS, host=(1,))
def reduce_axes(node: Node) -> Function:
    """Reduce axes; without any, all of them."""
    reduction, keep = _REDUCTIONS[node.operator], bool(node.integer("keepdims", 1))
    does_nothing = bool(node.integer("noop_with_empty_axes"))

    def run(x: torch.Tensor, axes_input: Any = None) -> torch.Tensor:
        axes = axes_of(node, axes_input) or []
        if not axes and does_nothing:
            return x
        return reduction(x, axes or list(range(x.ndim)), keep) if x.ndim else x

    return run


@operator("ArgMax", "ArgMin")
def argmax(node: Node) -> Function:
    """Places of the largest or smallest numbers along an axis."""
    function = torch.argmax if node.operator == "ArgMax" else torch.argmin
    axis, keep, last = node.integer("axis"), bool(node.integer("keepdims", 1)), node.integer("select_last_index")

    def run(x: torch.Tensor) -> torch.Tensor:
        if not last:
            return function(x, dim=axis, keepdim=keep)
        return x.shape[axis] - 1 - function(x.flip(axis), dim=axis, keepdim=keep)

    return run


@operator("TopK", host=(1,))
def top_k(node: Node) -> Function:
    """The largest or smallest numbers along an axis, and their places."""
    axis, largest, ordered = node.integer("axis", -1), node.integer("largest", 1), node.integer("sorted", 1)

    def run(x: torch.Tensor, count_input: Any = None) -> tuple[torch.Tensor, torch.Tensor]:
        count = node.integer("k") if count_input is None else integers(count_input)[0]
        values, places = torch.topk(x, count, dim=axis, largest=bool(largest), sorted=bool(ordered))
        return values, places

    return run


@operator("CumSum", host=(1,))
def cumulative_sum(node: Node) -> Function:
    """Sums of all numbers up to each place."""
    exclusive, backward = node.integer("exclusive"), node.integer("reverse")

    def run(x: torch.Tensor, axis_input: Any) -> torch.Tensor:
        axis = integers(axis_input)[0]
        ordered = x.flip(axis) if backward else x
        total = ordered.cumsum(axis)
        total = total - ordered if exclusive else total
        return total.flip(axis) if backward else total

    return run
