"""Convolutions whose weights are computed, or whose padding torch's layers do not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, operator

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def window(node: Node, axes: int) -> tuple[list[int], list[int]]:
    """Return strides and dilations of a convolution or pooling over this many axes."""
    return node.integers("strides") or [1] * axes, node.integers("dilations") or [1] * axes


def padding(
    node: Node, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the padding before and after each axis of a map of this size."""
    axes, kind = len(kernel), node.text("auto_pad", "NOTSET")
    if kind == "NOTSET":
        pads = node.integers("pads") or [0] * (2 * axes)
        return pads[:axes], pads[axes:]
    if kind == "VALID":
        return [0] * axes, [0] * axes
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.missing(f"auto_pad {kind}")
    before, after = [], []
    for side, extent, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        total = max((-(-side // stride) - 1) * stride + (extent - 1) * dilation + 1 - side, 0)
        small = total // 2
        before.append(small if kind == "SAME_UPPER" else total - small)
        after.append(total - small if kind == "SAME_UPPER" else small)
    return before, after


def pad_ends(x: torch.Tensor, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> torch.Tensor:
    """Pad the last axes of a tensor."""
    amounts = [amount for ends in zip(reversed(before), reversed(after), strict=True) for amount in ends]
    return F.pad(x, amounts, value=value) if any(amounts) else x


@operator("Conv", "com.microsoft.FusedConv")
def convolution(node: Node) -> Function:
    """A convolution."""
    groups = node.integer("group", 1)
    activation = node.text("activation")
    if activation not in ("", "Relu"):
        raise node.missing(f"activation {activation}")

    def run(x: torch.Tensor, weight: torch.Tensor, bias: Any = None, other: Any = None) -> torch.Tensor:
        axes = weight.ndim - 2
        strides, dilations = window(node, axes)
        before, after = padding(node, x.shape[2:], weight.shape[2:], strides, dilations)
        if before != after:
            x, before = pad_ends(x, before, after), [0] * axes
        result = _CONVOLUTIONS[axes](x, weight, bias, strides, before, dilations, groups)
        result = result if other is None else result + other
        return torch.relu(result) if activation else result

    return run


@operator("ConvTranspose")
def transposed_convolution(node: Node) -> Function:
    """A transposed convolution; padding cuts its ends off."""
    groups = node.integer("group", 1)
    if node.integers("output_shape") is not None or node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise node.missing("output_shape or auto_pad")

    def run(x: torch.Tensor, weight: torch.Tensor, bias: Any = None) -> torch.Tensor:
        axes = weight.ndim - 2
        strides, dilations = window(node, axes)
        before, after = padding(node, x.shape[2:], weight.shape[2:], strides, dilations)
        extra = node.integers("output_padding") or [0] * axes
        function = _TRANSPOSED[axes]
        if before == after and all(
            amount < max(stride, dilation) for amount, stride, dilation in zip(extra, strides, dilations, strict=True)
        ):
            return function(x, weight, bias, strides, before, extra, groups, dilations)
        # Cut or lengthen the whole result at its ends.
        result = pad_ends(function(x, weight, None, strides, 0, 0, groups, dilations), [0] * axes, extra)
        cuts = [slice(low, side - high) for low, high, side in zip(before, after, result.shape[2:], strict=True)]
        result = result[(slice(None), slice(None), *cuts)]
        return result if bias is None else result + bias.reshape(1, -1, *[1] * axes)

    return run
