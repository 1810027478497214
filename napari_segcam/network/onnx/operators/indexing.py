"""Operators that pick elements by their places, or put them there."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, axes_of, integers, operator


@operator("Slice", host=(1, 2, 3, 4))
def slice_axes(node: Node) -> Function:
    """Parts of a tensor from a start to an end along axes, in steps, which may be negative."""

    def run(
        x: torch.Tensor, starts: Any = None, ends: Any = None, axes_input: Any = None, steps_input: Any = None
    ) -> torch.Tensor:
        begins, stops = axes_of(node, starts, "starts") or [], axes_of(node, ends, "ends") or []
        axes = axes_of(node, axes_input) or list(range(len(begins)))
        steps = [1] * len(begins) if steps_input is None else integers(steps_input)
        for begin, stop, axis, step in zip(begins, stops, axes, steps, strict=True):
            x = _part(x, axis % x.ndim, slice(begin, stop, step))
        return x

    return run


def _part(x: torch.Tensor, axis: int, part: slice) -> torch.Tensor:
    length = x.shape[axis]
    start, stop, step = part.start, part.stop, part.step
    if step < 0:
        start = min(start + length if start < 0 else start, length - 1)
        stop = max(stop + length if stop < 0 else stop, -1)
        return x.index_select(axis, torch.arange(start, stop, step, device=x.device))
    start, stop, step = slice(start, stop, step).indices(length)
    return x[(slice(None),) * axis + (slice(start, max(start, stop), step),)]


@operator("Gather")
def gather(node: Node) -> Function:
    """Elements at places along an axis; the places may be of any shape, and count from the end if negative."""
    axis = node.integer("axis")

    def run(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        dimension = axis % x.ndim
        places = torch.where(places < 0, places + x.shape[dimension], places).long()
        if places.ndim == 0:
            return x.select(dimension, int(places))
        chosen = x.index_select(dimension, places.reshape(-1))
        return chosen.reshape(*x.shape[:dimension], *places.shape, *x.shape[dimension + 1 :])

    return run


@operator("GatherElements")
def gather_elements(node: Node) -> Function:
    """For each place of an index tensor, the element that it names along an axis."""
    axis = node.integer("axis")
    return lambda x, places: x.gather(axis, torch.where(places < 0, places + x.shape[axis], places).long())


@operator("GatherND")
def gather_nd(node: Node) -> Function:
    """Elements at places given by several numbers each."""
    batch = node.integer("batch_dims")
    if batch:
        raise node.missing("batch_dims")
    return lambda x, places: x[tuple(places.long().unbind(-1))]


@operator("ScatterND")
def scatter_nd(node: Node) -> Function:
    """A tensor with other elements at places given by several numbers each."""
    if node.text("reduction", "none") != "none":
        raise node.missing(f"reduction {node.text('reduction')}")
    return lambda x, places, values: x.index_put(tuple(places.long().unbind(-1)), values)


@operator("ScatterElements")
def scatter_elements(node: Node) -> Function:
    """A tensor with other elements at the places of an index tensor along an axis."""
    axis = node.integer("axis")
    if node.text("reduction", "none") != "none":
        raise node.missing(f"reduction {node.text('reduction')}")
    return lambda x, places, values: x.scatter(
        axis, torch.where(places < 0, places + x.shape[axis], places).long(), values
    )


@operator("NonZero")
def non_zero(_node: Node) -> Function:
    """Places of the elements that are not 0, one row for each axis."""
    return lambda x: torch.nonzero(x).T


@operator("Trilu", host=(1,))
def triangle(node: Node) -> Function:
    """Upper or lower triangle of a matrix."""
    function = torch.triu if node.integer("upper", 1) else torch.tril
    return lambda x, offset=None: function(x, 0 if offset is None else integers(offset)[0])


@operator("OneHot", host=(1,))
def one_hot(node: Node) -> Function:
    """A new axis with one value at the place that a number names, and another value elsewhere."""
    axis = node.integer("axis", -1)

    def run(places: torch.Tensor, depth_input: Any, values: torch.Tensor) -> torch.Tensor:
        depth = integers(depth_input)[0]
        places = torch.where(places < 0, places + depth, places)
        new_axis = axis % (places.ndim + 1)
        sides = [1] * (places.ndim + 1)
        sides[new_axis] = depth
        numbers = torch.arange(depth, device=places.device).reshape(sides)
        return torch.where(places.unsqueeze(new_axis) == numbers, values[1], values[0])

    return run


_PAD_MODES = ("constant", "reflect", "edge", "wrap")


@operator("Pad", host=(1, 2, 3))
def pad(node: Node) -> Function:
    """A tensor with further elements at the ends of its axes, or fewer where the numbers are negative."""
    mode = node.text("mode", "constant")
    if mode not in _PAD_MODES:
        raise node.missing(f"mode {mode}")

    def run(x: torch.Tensor, pads_input: Any = None, value: Any = None, axes_input: Any = None) -> torch.Tensor:
        pads = axes_of(node, pads_input, "pads") or []
        axes = list(range(len(pads) // 2)) if axes_input is None else integers(axes_input)
        fill = node.number("value") if value is None else float(np.asarray(value).reshape(-1)[0])
        for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
            if before or after:
                x = _padded(x, axis % x.ndim, before, after, mode, fill)
        return x

    return run


def _padded(x: torch.Tensor, axis: int, before: int, after: int, mode: str, fill: float) -> torch.Tensor:
    if mode == "constant":
        amounts = [0, 0] * (x.ndim - 1 - axis) + [before, after]
        return torch.nn.functional.pad(x, amounts, value=fill if x.is_floating_point() else int(fill))
    length = x.shape[axis]
    places = torch.arange(-before, length + after, device=x.device)
    if mode == "edge":
        places = places.clamp(0, length - 1)
    elif mode == "wrap":
        places = places % length
    else:
        period = max(2 * (length - 1), 1)
        places = places % period
        places = torch.where(places > length - 1, period - places, places)
    return x.index_select(axis, places)
