"""The layers of an ONNX network: torch's own where there is one, else a layer for one node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_segcam.network.child_names import free_child_name
from napari_segcam.network.onnx.graph import Array, Node
from napari_segcam.network.onnx.operators import find_operator
from napari_segcam.network.onnx.operators.convolution import padding, window
from napari_segcam.network.whole_network import FunctionCall

_NOTHING = slice(0)


class NodeLayer(nn.Module):
    """One node of a graph as a layer, which holds the constants that the node takes.

    It takes the node's other inputs, in their order: tensors, or numpy arrays for sizes and the like.
    """

    def __init__(self, node: Node, constants: Mapping[str, nn.Parameter | torch.Tensor | Array]) -> None:
        super().__init__()
        self.operator = node.operator
        found = find_operator(node)
        self._function, self._host = found.make(node), found.host
        # For each input: the name of a weight of this layer, a value, or nothing for what it is called with.
        self._inputs: list[Any] = []
        for index, name in enumerate(node.inputs):
            value = constants.get(name)
            if not name:
                self._inputs.append((None,))
            elif value is None:
                self._inputs.append(_NOTHING)
            elif isinstance(value, np.ndarray) or index in self._host:
                array = value if isinstance(value, np.ndarray) else value.detach().numpy()
                self._inputs.append((array,))
            else:
                self._inputs.append(self._add(value))

    def _add(self, value: nn.Parameter | torch.Tensor) -> str:
        name = free_child_name(self, "weight" if isinstance(value, nn.Parameter) else "constant", "of_it")
        if isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)
        return name

    def forward(self, *values: Any) -> Any:
        remaining = iter(values)
        device = next((value.device for value in values if isinstance(value, torch.Tensor)), None)
        arguments = []
        for index, source in enumerate(self._inputs):
            if isinstance(source, str):
                value = getattr(self, source)
            elif isinstance(source, tuple):
                value = source[0]
            else:
                value = next(remaining)
            if index in self._host:
                value = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
            elif isinstance(value, np.ndarray):
                value = torch.as_tensor(value, device=device)
            arguments.append(value)
        return self._function(*arguments)

    def extra_repr(self) -> str:
        return self.operator


class FunctionLayer(NodeLayer, FunctionCall):
    """A node that its exporter found in the code of a module, and not in a layer of its own."""


class PaddedConv2d(nn.Conv2d):
    """A convolution whose padding differs from end to end.

    Attributes:
        ends: the padding at left, right, top and bottom, pixels.
    """

    ends = (0, 0, 0, 0)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.pad(input, self.ends))


def make_layer(
    node: Node, constants: Mapping[str, nn.Parameter | torch.Tensor | Array], *, is_function: bool
) -> nn.Module:
    """Return the layer of a node.

    Args:
        node: of a simplified graph.
        constants: by name: weights as parameters, other constants as tensors, sizes and the like as numpy arrays.
        is_function: whether it is in the code of a module, and not a layer of its own.

    Raises:
        MissingOperatorError: if there is no such operator.
    """
    weights = [constants.get(name) if name else None for name in node.inputs[1:]]
    dynamic = [name for name in node.inputs if name and name not in constants]
    is_fed_first = bool(dynamic) and dynamic == [node.inputs[0]]
    if is_fed_first and isinstance(weights[0] if weights else None, nn.Parameter):
        layer = _torch_layer(node, weights)
        if layer is not None:
            return layer.eval()
    return (FunctionLayer if is_function else NodeLayer)(node, constants)


def _torch_layer(node: Node, weights: list[Any]) -> nn.Module | None:
    """Return torch's own layer for a node with these weights; None if there is none."""
    if node.operator == "BatchNormalization":
        return _batch_norm(node, weights)
    if node.operator not in ("Conv", "ConvTranspose") or weights[0].ndim != 4:
        return None
    weight, bias = weights[0], weights[1] if len(weights) > 1 else None
    if node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    kernel = weight.shape[2], weight.shape[3]
    strides, dilations = window(node, 2)
    before, after = padding(node, kernel, kernel, strides, dilations)
    groups = node.integer("group", 1)
    layer: nn.Conv2d | nn.ConvTranspose2d
    if node.operator == "Conv":
        kind = nn.Conv2d if before == after else PaddedConv2d
        layer = kind(
            weight.shape[1] * groups,
            weight.shape[0],
            kernel,
            _pair(strides),
            _pair(before) if before == after else 0,
            _pair(dilations),
            groups,
            bias is not None,
            device="meta",
        )
        if isinstance(layer, PaddedConv2d):
            layer.ends = (before[1], after[1], before[0], after[0])
    else:
        extra = node.integers("output_padding") or [0, 0]
        fits = all(a < max(s, d) for a, s, d in zip(extra, strides, dilations, strict=True))
        if before != after or not fits or node.integers("output_shape") is not None:
            return None
        layer = nn.ConvTranspose2d(
            weight.shape[0],
            weight.shape[1] * groups,
            kernel,
            _pair(strides),
            _pair(before),
            _pair(extra),
            groups,
            bias is not None,
            _pair(dilations),
            device="meta",
        )
    layer.weight = weight
    if bias is not None:
        layer.bias = bias if isinstance(bias, nn.Parameter) else nn.Parameter(bias, requires_grad=False)
    return layer


def _pair(numbers: list[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]


def _batch_norm(node: Node, weights: list[Any]) -> nn.Module | None:
    if node.integer("training_mode") or not all(isinstance(weight, nn.Parameter) for weight in weights):
        return None
    scale, bias, mean, variance = weights
    layer = nn.BatchNorm2d(scale.numel(), node.number("epsilon", 1e-5), device="meta")
    layer.weight, layer.bias = scale, bias
    layer.running_mean, layer.running_var = mean.detach(), variance.detach()
    layer.num_batches_tracked = torch.tensor(0)
    return layer
