"""Graphs of Keras layers as modules: each layer has its Keras name and takes hooks.

Keras has channels last, ``(B, H, W, C)``, also inside a graph. A hook on a layer gets torch's ``(B, C, H, W)``: a view
of the same memory.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn
from torch.utils._pytree import tree_map

from napari_segcam.network.child_names import free_child_name

Layout = Literal["channels_last", "channels_first"]

# Classes of layers that act only in training, then of layers that make no map of their own.
_ACTS_IN_TRAINING = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity"),
    *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
    "SpatialDropout2D",
)
_ONLY_PREPARES = (
    *("AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D", "CenterCrop", "Cropping2D", "Normalization", "Permute"),
    *("Rescaling", "Reshape", "ZeroPadding2D"),
)


class _SharedReference:
    """A Keras object that a module shares with its copies. Its own weights are not used."""

    def __init__(self, shared: Any) -> None:
        self.shared = shared

    def __deepcopy__(self, _memo: dict[int, Any]) -> _SharedReference:
        return self


class KerasLayer(nn.Module):
    """One layer of Keras, with its own weights instead of Keras' variables.

    It takes inputs as Keras has them and returns maps as ``(B, C, H, W)``.

    Attributes:
        only_prepares: whether it makes no map of its own: it crops, pads or scales one for the next layer, or resizes
            it to a size that does not depend on the image's.
    """

    def __init__(self, operation: Any, layout: Layout) -> None:
        super().__init__()
        self._operation, self._layout = _SharedReference(operation), layout
        self.only_prepares = type(operation).__name__ in _ONLY_PREPARES
        # To Keras an operation without state, such as a sum written with a plus, is not a layer.
        self._is_layer = hasattr(operation, "stateless_call")
        self._weight_names: list[list[str]] = []
        if self._is_layer:
            for variables in (operation.trainable_variables, operation.non_trainable_variables):
                self._weight_names.append([self._add_weight(variable) for variable in variables])

    def _add_weight(self, variable: Any) -> str:
        """Make a variable of Keras a weight of this module; return its name."""
        tensor = variable.value.detach()
        name = free_child_name(self, str(variable.name), str(len(self._parameters) + len(self._buffers)))
        if tensor.is_floating_point():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        else:
            self.register_buffer(name, tensor)
        return name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        operation = self._operation.shared
        if self._is_layer:
            weights = [[getattr(self, name) for name in names] for names in self._weight_names]
            outputs, _ = operation.stateless_call(*weights, *args, **kwargs)
        else:
            outputs = operation(*args, **kwargs)
        return tree_map(channels_first, outputs) if self._layout == "channels_last" else outputs

    def without_activation(self) -> Callable[[], None]:
        """Remove the activation at the end of this layer and its copies; return a function that restores it."""
        holder = getattr(self._operation.shared, "layer", self._operation.shared)  # the layer, or the one that it wraps
        activation = getattr(holder, "activation", None)
        if activation is None:
            return lambda: None
        holder.activation = importlib.import_module("keras").activations.linear
        return lambda: setattr(holder, "activation", activation)

    def extra_repr(self) -> str:
        return type(self._operation.shared).__name__


class ActsInTraining(nn.Identity):
    """A layer of Keras that passes its map on unless the network is trained."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout

    def forward(self, input: torch.Tensor, **_kwargs: Any) -> torch.Tensor:
        return channels_first(input) if self._layout == "channels_last" else input


class KerasGraph(nn.Module):
    """A graph of Keras layers, each a submodule with its name. A network in a network is a graph of its own.

    It takes inputs as Keras has them and returns maps as ``(B, C, H, W)``. ``add_layers`` gives it its layers.
    """

    def __init__(self, inputs: Any, outputs: Any, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self._function = _SharedReference(importlib.import_module("keras").Function(list(inputs), list(outputs)))
        self._child_names: dict[str, str] = {}  # by Keras' name of the layer

    def add_layers(self) -> None:
        """Add the layers, as the last thing: the file names them, and a name must not be that of an attribute."""
        for operation in self._function.shared.operations:
            if type(operation).__name__ != "InputLayer":
                name = free_child_name(self, operation.name, "layer")
                self.add_module(name, _as_module(operation, self._layout))
                self._child_names[operation.name] = name

    @property
    def has_one_output(self) -> bool:
        return len(self._function.shared.outputs) == 1

    def forward(self, inputs: Any, **_kwargs: Any) -> Any:
        # Keras has no public way to run a graph with other modules instead of its layers.
        outputs = self._function.shared._run_through_graph(inputs, operation_fn=self._runner)
        if self._layout == "channels_last":
            outputs = tree_map(channels_first, outputs)
        return outputs[0] if self.has_one_output else outputs

    def _runner(self, operation: Any) -> Callable[..., Any]:
        module = self.get_submodule(self._child_names[operation.name])

        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = module(*args, **kwargs)
            return tree_map(channels_last, outputs) if self._layout == "channels_last" else outputs

        return run


def _as_module(operation: Any, layout: Layout) -> nn.Module:
    if hasattr(operation, "layers") and hasattr(operation, "inputs"):  # a network in the network
        graph = KerasGraph(operation.inputs, operation.outputs, layout)
        graph.add_layers()
        return graph
    if type(operation).__name__ in _ACTS_IN_TRAINING:
        return ActsInTraining(layout)
    return KerasLayer(operation, layout)


def channels_first(value: Any) -> Any:
    """A view ``(B, C, H, W)`` of a map ``(B, H, W, C)``; anything else as it is."""
    return value.permute(0, 3, 1, 2) if isinstance(value, torch.Tensor) and value.ndim == 4 else value


def channels_last(value: Any) -> Any:
    """A view ``(B, H, W, C)`` of a map ``(B, C, H, W)``; anything else as it is."""
    return value.permute(0, 2, 3, 1) if isinstance(value, torch.Tensor) and value.ndim == 4 else value
