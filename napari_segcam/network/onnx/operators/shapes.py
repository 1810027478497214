"""Operators that change the shape of a tensor, or read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, axes_of, integers, operator


@operator("Shape")
def shape(node: Node) -> Function:
    """Sides of a tensor, as a numpy array."""
    start, end = node.integer("start"), node.attributes.get("end")
    return lambda x: np.array(tuple(x.shape)[start : None if end is None else int(end)], np.int64)


@operator("Size")
def size(_node: Node) -> Function:
    """Number of elements of a tensor, as a numpy array."""
    return lambda x: np.array(x.numel(), np.int64)


@operator("Reshape", host=(1,))
def reshape(node: Node) -> Function:
    """The same elements in another shape, in which 0 stands for the side that was there."""
    keeps_zero = bool(node.integer("allowzero"))

    def run(x: torch.Tensor, shape_input: Any = None) -> torch.Tensor:
        sides = axes_of(node, shape_input, "shape") or []
        if not keeps_zero:
            sides = [x.shape[axis] if side == 0 else side for axis, side in enumerate(sides)]
        return x.reshape(sides)

    return run


@operator("Flatten")
def flatten(node: Node) -> Function:
    """A matrix: the axes before one of them are its rows."""
    axis = node.integer("axis", 1)

    def run(x: torch.Tensor) -> torch.Tensor:
        split = axis % x.ndim if axis < 0 else axis
        rows = int(np.prod(x.shape[:split], dtype=np.int64))
        return x.reshape(rows, -1) if x.numel() else x.reshape(rows, int(np.prod(x.shape[split:], dtype=np.int64)))

    return run


@operator("Squeeze", host=(1,))
def squeeze(node: Node) -> Function:
    """A tensor without some axes of one element; by default without all of them."""

    def run(x: torch.Tensor, axes_input: Any = None) -> torch.Tensor:
        axes = axes_of(node, axes_input)
        if axes is None:
            return x.squeeze()
        if any(x.shape[axis] != 1 for axis in axes):
            raise ValueError(f"{node.title} cannot leave out an axis of more than one element")
        return x.squeeze(tuple(axes))

    return run


@operator("Unsqueeze", host=(1,))
def unsqueeze(node: Node) -> Function:
    """A tensor with further axes of one element."""

    def run(x: torch.Tensor, axes_input: Any = None) -> torch.Tensor:
        axes = axes_of(node, axes_input) or []
        for axis in sorted(axis % (x.ndim + len(axes)) for axis in axes):
            x = x.unsqueeze(axis)
        return x

    return run


@operator("Transpose")
def transpose(node: Node) -> Function:
    """A tensor with its axes in another order; by default reversed."""
    order = node.integers("perm")
    return lambda x: x.permute(order if order is not None else tuple(reversed(range(x.ndim))))


@operator("Concat")
def concat(node: Node) -> Function:
    """Tensors one after the other along an axis."""
    axis = node.integer("axis")
    return lambda *tensors: torch.cat(tensors, dim=axis)


@operator("Split", host=(1,))
def split(node: Node) -> Function:
    """Parts of a tensor along an axis."""
    axis, count = node.integer("axis"), len(node.outputs)

    def run(x: torch.Tensor, sizes_input: Any = None) -> tuple[torch.Tensor, ...]:
        sizes = axes_of(node, sizes_input, "split")
        if sizes is None:
            part = -(-x.shape[axis] // count)
            sizes = [min(part, max(0, x.shape[axis] - part * number)) for number in range(count)]
        return torch.split(x, sizes, dim=axis)

    return run


@operator("Expand", host=(1,))
def expand(_node: Node) -> Function:
    """A tensor repeated along axes of one element."""
    return lambda x, sides: x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(integers(sides))))


@operator("Tile", host=(1,))
def tile(_node: Node) -> Function:
    """A tensor repeated along its axes."""
    return lambda x, counts: x.repeat(integers(counts))


@operator("ConstantOfShape", host=(0,))
def constant_of_shape(node: Node) -> Function:
    """A tensor of one number."""
    value = torch.as_tensor(np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0])
    return lambda sides: torch.full(integers(sides), value.item(), dtype=value.dtype)


@operator("Range")
def number_range(_node: Node) -> Function:
    """Numbers from a start to an end, which is left out, in steps."""
    return lambda start, end, step: torch.arange(start.item(), end.item(), step.item(), dtype=start.dtype)


@operator("EyeLike")
def identity_matrix(_node: Node) -> Function:
    """The identity matrix in the shape of another one."""
    return lambda x: torch.eye(*x.shape, dtype=x.dtype, device=x.device)


@operator("DepthToSpace")
def depth_to_space(node: Node) -> Function:
    """Channels laid out as blocks of pixels."""
    block, is_crd = node.integer("blocksize"), node.text("mode", "DCR") == "CRD"

    def run(x: torch.Tensor) -> torch.Tensor:
        if is_crd:
            return torch.pixel_shuffle(x, block)
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, block, block, channels // block**2, height, width)
        return parts.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels // block**2, height * block, width * block)

    return run


@operator("SpaceToDepth")
def space_to_depth(node: Node) -> Function:
    """Blocks of pixels laid out as channels."""
    block = node.integer("blocksize")

    def run(x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, channels, height // block, block, width // block, block)
        return parts.permute(0, 3, 5, 1, 2, 4).reshape(batch, channels * block**2, height // block, width // block)

    return run
