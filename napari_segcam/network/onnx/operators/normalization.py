"""Normalizations: by statistics of the image, of groups of channels, or of the training."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, operator

_EPSILON = 1e-5


@operator("BatchNormalization")
def batch_norm(node: Node) -> Function:
    """By statistics of the training."""
    epsilon = node.number("epsilon", _EPSILON)
    if node.integer("training_mode"):
        raise node.missing("training mode")
    return lambda x, scale, bias, mean, variance: F.batch_norm(x, mean, variance, scale, bias, eps=epsilon)


@operator("InstanceNormalization")
def instance_norm(node: Node) -> Function:
    """By statistics of each channel of each image."""
    epsilon = node.number("epsilon", _EPSILON)
    # Not torch's own function: it refuses maps of one pixel.
    return lambda x, scale, bias: F.group_norm(x, x.shape[1], scale, bias, epsilon)


@operator("GroupNormalization")
def group_norm(node: Node) -> Function:
    """By statistics of groups of channels. Before version 21 there is one scale for each group."""
    groups, epsilon = node.integer("num_groups", 1), node.number("epsilon", _EPSILON)

    def run(x: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if scale.numel() != x.shape[1]:
            scale, bias = (value.repeat_interleave(x.shape[1] // groups) for value in (scale, bias))
        return F.group_norm(x, groups, scale, bias, epsilon)

    return run


@operator("LayerNormalization")
def layer_norm(node: Node) -> Function:
    """By statistics of the last axes of each element."""
    axis, epsilon, several = node.integer("axis", -1), node.number("epsilon", _EPSILON), len(node.outputs) > 1
    if several and any(node.outputs[1:]):
        raise node.missing("several outputs")

    def run(x: torch.Tensor, scale: torch.Tensor, bias: Any = None) -> torch.Tensor:
        sides = x.shape[axis % x.ndim :]
        if scale.shape == sides and (bias is None or bias.shape == sides):
            return F.layer_norm(x, sides, scale, bias, epsilon)
        normal = F.layer_norm(x, sides, eps=epsilon) * scale
        return normal if bias is None else normal + bias

    return run


@operator("RMSNormalization", "SimplifiedLayerNormalization")
def rms_norm(node: Node) -> Function:
    """By the root mean square of the last axes."""
    axis, epsilon = node.integer("axis", -1), node.number("epsilon", _EPSILON)

    def run(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        axes = list(range(axis % x.ndim, x.ndim))
        return x * torch.rsqrt(x.square().mean(axes, keepdim=True) + epsilon) * scale

    return run


@operator("MeanVarianceNormalization")
def mean_variance(node: Node) -> Function:
    """By mean and standard deviation over some axes."""
    axes = node.integers("axes") or [0, 2, 3]

    def run(x: torch.Tensor) -> torch.Tensor:
        centered = x - x.mean(axes, keepdim=True)
        return centered / (centered.square().mean(axes, keepdim=True).sqrt() + 1e-9)

    return run


@operator("LpNormalization")
def lp_norm(node: Node) -> Function:
    """By the norm along an axis."""
    axis, power = node.integer("axis", -1), node.integer("p", 2)

    def run(x: torch.Tensor) -> torch.Tensor:
        norm = x.norm(p=power, dim=axis, keepdim=True)
        return x / torch.where(norm == 0, torch.ones_like(norm), norm)

    return run


@operator("LRN")
def local_response(node: Node) -> Function:
    """By the squares of neighboring channels."""
    alpha, beta, bias, size = (
        node.number("alpha", 1e-4),
        node.number("beta", 0.75),
        node.number("bias", 1.0),
        node.integer("size", 1),
    )

    def run(x: torch.Tensor) -> torch.Tensor:
        before, after = (size - 1) // 2, math.ceil((size - 1) / 2)
        squares = F.pad(x.square().transpose(1, -1), (before, after)).unfold(-1, size, 1).sum(-1).transpose(1, -1)
        return x / (bias + alpha / size * squares) ** beta

    return run
