"""Graphs of Keras layers as modules: Keras runs them one by one, and each can be tapped under its Keras name.

Keras keeps channels last, ``(B, H, W, C)``. Inside a graph that stays so; what a hook on a layer gets is torch's
``(B, C, H, W)``: the same memory seen in another order.
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

# By class: layers that only act in training, and those that make no map of their own.
_ACTS_IN_TRAINING = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity"),
    *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
    "SpatialDropout2D",
)
_ONLY_PREPARES = (
    *("AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D", "CenterCrop", "Cropping2D", "Normalization", "Permute"),
    *("Rescaling", "Reshape", "ZeroPadding2D"),
)


class _Shared:
    """Something of Keras that a module and its copies have in common: it holds no weights that are used."""

    def __init__(self, of: Any) -> None:
        self.of = of

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Shared:
        return self


class KerasLayer(nn.Module):
    """One layer of Keras, with weights of its own in the place of Keras' variables.

    It takes what Keras gives it, and gives maps as ``(B, C, H, W)``.

    Attributes:
        only_prepares: whether it makes no map of its own, but cuts, pads or scales one for the next layer, or brings
            it to a size that has nothing to do with the image's.
    """

    def __init__(self, operation: Any, layout: Layout) -> None:
        super().__init__()
        self._operation, self._layout = _Shared(operation), layout
        self.only_prepares = type(operation).__name__ in _ONLY_PREPARES
        # An operation without state, such as the sum of two maps written with a plus, is no layer to Keras.
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
        operation = self._operation.of
        if self._is_layer:
            weights = [[getattr(self, name) for name in names] for names in self._weight_names]
            given, _ = operation.stateless_call(*weights, *args, **kwargs)
        else:
            given = operation(*args, **kwargs)
        return tree_map(channels_first, given) if self._layout == "channels_last" else given

    def without_activation(self) -> Callable[[], None]:
        """Leave out the activation that ends this layer, in all its copies too; what is returned puts it back."""
        holder = getattr(self._operation.of, "layer", self._operation.of)  # the layer itself, or the one that it wraps
        own = getattr(holder, "activation", None)
        if own is None:
            return lambda: None
        holder.activation = importlib.import_module("keras").activations.linear
        return lambda: setattr(holder, "activation", own)

    def extra_repr(self) -> str:
        return type(self._operation.of).__name__


class ActsInTraining(nn.Identity):
    """A layer of Keras that hands its map on, when the network is not being trained."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout

    def forward(self, input: torch.Tensor, **_kwargs: Any) -> torch.Tensor:
        return channels_first(input) if self._layout == "channels_last" else input


class KerasGraph(nn.Module):
    """A graph of Keras layers, each a submodule by its name; a network within a network is a graph of its own.

    It takes what Keras gives it, and gives maps as ``(B, C, H, W)``. It has no layers before ``add_layers`` is called.
    """

    def __init__(self, inputs: Any, outputs: Any, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self._function = _Shared(importlib.import_module("keras").Function(list(inputs), list(outputs)))
        self._child_names: dict[str, str] = {}  # by Keras' name of the layer

    def add_layers(self) -> None:
        """Add the layers, as the last thing: the file names them, and a name must not be that of an attribute."""
        for operation in self._function.of.operations:
            if type(operation).__name__ != "InputLayer":
                name = free_child_name(self, operation.name, "layer")
                self.add_module(name, _module_of(operation, self._layout))
                self._child_names[operation.name] = name

    @property
    def has_one_output(self) -> bool:
        return len(self._function.of.outputs) == 1

    def forward(self, given: Any, **_kwargs: Any) -> Any:
        # Keras has no public way to run a graph with other things in the place of its layers.
        outputs = self._function.of._run_through_graph(given, operation_fn=self._runner)
        if self._layout == "channels_last":
            outputs = tree_map(channels_first, outputs)
        return outputs[0] if self.has_one_output else outputs

    def _runner(self, operation: Any) -> Callable[..., Any]:
        module = self.get_submodule(self._child_names[operation.name])

        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = module(*args, **kwargs)
            return tree_map(channels_last, outputs) if self._layout == "channels_last" else outputs

        return run


def _module_of(operation: Any, layout: Layout) -> nn.Module:
    if hasattr(operation, "layers") and hasattr(operation, "inputs"):  # a network within the network
        graph = KerasGraph(operation.inputs, operation.outputs, layout)
        graph.add_layers()
        return graph
    if type(operation).__name__ in _ACTS_IN_TRAINING:
        return ActsInTraining(layout)
    return KerasLayer(operation, layout)


def channels_first(given: Any) -> Any:
    return given.permute(0, 3, 1, 2) if isinstance(given, torch.Tensor) and given.ndim == 4 else given


def channels_last(given: Any) -> Any:
    return given.permute(0, 2, 3, 1) if isinstance(given, torch.Tensor) and given.ndim == 4 else given
