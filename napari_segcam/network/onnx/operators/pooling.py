"""Pooling, and its counterpart."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.convolution import pad_ends, padding, window
from napari_segcam.network.onnx.operators.registry import Function, integers, operator


@operator("GlobalAveragePool")
def global_average(_node: Node) -> Function:
    """Mean of each channel."""
    return lambda x: x.mean(list(range(2, x.ndim)), keepdim=True)


@operator("GlobalMaxPool")
def global_maximum(_node: Node) -> Function:
    """Maximum of each channel."""
    return lambda x: x.amax(list(range(2, x.ndim)), keepdim=True)


@operator("MaxPool")
def max_pool(node: Node) -> Function:
    """Maximum in a moving window, and its place on request, counted over the whole tensor."""
    kernel = node.integers("kernel_shape") or []
    ceil = bool(node.integer("ceil_mode"))
    gives_places = len(node.outputs) > 1 and bool(node.outputs[1])
    if len(kernel) != 2 or node.integer("storage_order"):
        raise node.missing(f"{len(kernel)} axes" if len(kernel) != 2 else "storage_order")
    strides, dilations = window(node, 2)

    def run(x: torch.Tensor) -> Any:
        before, after = padding(node, x.shape[2:], kernel, strides, dilations)
        fits = before == after and all(2 * amount <= extent for amount, extent in zip(before, kernel, strict=True))
        if not fits:
            if gives_places:
                raise ValueError(f"{node.title} pads unevenly and returns places, which is not supported")
            x, before = pad_ends(x, before, after, -math.inf), [0, 0]
        if not gives_places:
            return F.max_pool2d(x, kernel, strides, before, dilations, ceil)
        values, places = F.max_pool2d(x, kernel, strides, before, dilations, ceil, return_indices=True)
        planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], 1, 1)
        return values, places + planes * (x.shape[2] * x.shape[3])

    return run


@operator("MaxUnpool", host=(2,))
def max_unpool(node: Node) -> Function:
    """Values at the places that a pooling returned, and 0 elsewhere."""
    kernel, (strides, _) = node.integers("kernel_shape") or [], window(node, 2)
    pads = node.integers("pads") or [0, 0, 0, 0]

    def run(x: torch.Tensor, places: torch.Tensor, shape: Any = None) -> torch.Tensor:
        if shape is not None:
            size = integers(shape)[2:]
        else:
            size = [
                (side - 1) * stride - pads[axis] - pads[axis + 2] + extent
                for axis, (side, stride, extent) in enumerate(zip(x.shape[2:], strides, kernel, strict=True))
            ]
        pixels = size[0] * size[1]
        flat = torch.zeros(*x.shape[:2], pixels, dtype=x.dtype, device=x.device)
        return flat.scatter(2, (places % pixels).flatten(2), x.flatten(2)).reshape(*x.shape[:2], *size)

    return run


@operator("AveragePool")
def average_pool(node: Node) -> Function:
    """Mean in a moving window, with or without the padding."""
    kernel, ceil = node.integers("kernel_shape") or [], bool(node.integer("ceil_mode"))
    counts_padding = bool(node.integer("count_include_pad"))
    strides, dilations = window(node, len(kernel))
    if len(kernel) != 2 or dilations != [1, 1]:
        raise node.missing("dilations" if len(kernel) == 2 else f"{len(kernel)} axes")

    def run(x: torch.Tensor) -> torch.Tensor:
        before, after = padding(node, x.shape[2:], kernel, strides, dilations)
        if before == after and all(2 * amount <= extent for amount, extent in zip(before, kernel, strict=True)):
            return F.avg_pool2d(x, kernel, strides, before, ceil, counts_padding)
        padded = pad_ends(x, before, after)
        mean = F.avg_pool2d(padded, kernel, strides, 0, ceil)
        if counts_padding:
            return mean
        inside = pad_ends(torch.ones_like(x[:1, :1]), before, after)
        return mean / F.avg_pool2d(inside, kernel, strides, 0, ceil)

    return run
