"""Activation functions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from napari_segcam.network.onnx.graph import Node
from napari_segcam.network.onnx.operators.registry import Function, operator


def _plain(name: str, function: Function) -> None:
    operator(name)(lambda _node: function)


_plain("Relu", torch.relu)
_plain("Sigmoid", torch.sigmoid)
_plain("Tanh", torch.tanh)
_plain("Softsign", F.softsign)
_plain("Mish", F.mish)
_plain("HardSwish", F.hardswish)
_plain("com.microsoft.Gelu", F.gelu)


@operator("Softplus")
def softplus(_node: Node) -> Function:
    """log(1 + exp(x)), without torch's threshold."""
    return lambda x: torch.logaddexp(x, torch.zeros_like(x))


@operator("LeakyRelu")
def leaky_relu(node: Node) -> Function:
    """ReLU with a slope below zero."""
    slope = node.number("alpha", 0.01)
    return lambda x: F.leaky_relu(x, slope)


@operator("PRelu")
def prelu(_node: Node) -> Function:
    """ReLU with learned slopes below zero, which are broadcast."""
    return lambda x, slope: torch.where(x < 0, slope * x, x)


@operator("Elu")
def elu(node: Node) -> Function:
    """Exponential linear unit."""
    alpha = node.number("alpha", 1.0)
    return lambda x: F.elu(x, alpha)


@operator("Celu")
def celu(node: Node) -> Function:
    """Continuously differentiable exponential linear unit."""
    alpha = node.number("alpha", 1.0)
    return lambda x: F.celu(x, alpha)


@operator("Selu")
def selu(node: Node) -> Function:
    """Scaled exponential linear unit."""
    alpha, gamma = node.number("alpha", 1.6732632423543772), node.number("gamma", 1.0507009873554805)
    return lambda x: gamma * F.elu(x, alpha)


@operator("ThresholdedRelu")
def thresholded_relu(node: Node) -> Function:
    """The number where it is above a threshold, else 0."""
    alpha = node.number("alpha", 1.0)
    return lambda x: F.threshold(x, alpha, 0.0)


@operator("Shrink")
def shrink(node: Node) -> Function:
    """Soft or hard shrinkage toward zero."""
    bias, limit = node.number("bias"), node.number("lambd", 0.5)
    return lambda x: torch.where(x > limit, x - bias, torch.where(x < -limit, x + bias, torch.zeros_like(x)))


@operator("HardSigmoid")
def hard_sigmoid(node: Node) -> Function:
    """A sigmoid of three straight lines."""
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    return lambda x: (alpha * x + beta).clamp(0.0, 1.0)


@operator("Gelu")
def gelu(node: Node) -> Function:
    """Gaussian error linear unit."""
    approximate = node.text("approximate", "none")
    return lambda x: F.gelu(x, approximate=approximate)


@operator("Swish", "com.microsoft.QuickGelu")
def swish(node: Node) -> Function:
    """x · sigmoid(α x)."""
    alpha = node.number("alpha", 1.0 if node.operator == "Swish" else 1.702)
    return lambda x: x * torch.sigmoid(alpha * x)


@operator("Softmax", "LogSoftmax")
def softmax(node: Node) -> Function:
    """Softmax over one axis; before version 13 over that axis and all later ones together."""
    function = torch.softmax if node.operator == "Softmax" else torch.log_softmax
    if node.version >= 13:
        axis = node.integer("axis", -1)
        return lambda x: function(x, dim=axis)
    first = node.integer("axis", 1)

    def run(x: torch.Tensor) -> torch.Tensor:
        start = first % x.ndim
        if start == x.ndim - 1 or all(side == 1 for side in x.shape[start + 1 :]):
            return function(x, dim=start)
        return function(x.flatten(start), dim=-1).reshape(x.shape)

    return run
