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

Layout = Literal["channels_last", "channels_first"]

# By class: layers that only act in training, that move values or make new ones between them, and so on.
_ACTS_IN_TRAINING = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Identity"),
    *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom"),
    "SpatialDropout2D",
)
_MOVES_VALUES = ("CenterCrop", "Cropping2D", "Permute", "Reshape", "Resizing", "UpSampling2D")
_HANDS_ON = (*_ACTS_IN_TRAINING, *_MOVES_VALUES, "Activation")
_ONLY_PREPARES = (
    *("AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D", "CenterCrop", "Cropping2D", "Normalization", "Permute"),
    *("Rescaling", "Reshape", "ZeroPadding2D"),
)
_IS_ACTIVATION = ("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Sigmoid", "Softmax")

# Below the smallest step of float32 under 1, so that no logit becomes infinite.
_SMALLEST = 1e-7


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
        variables = [operation.trainable_variables, operation.non_trainable_variables] if self._is_layer else []
        self._names = [[self._hold(variable) for variable in one] for one in variables]

    def _hold(self, variable: Any) -> str:
        name, tensor = str(variable.name), variable.value.detach()
        if hasattr(self, name):
            name = f"{name}_{len(self._parameters) + len(self._buffers)}"
        if tensor.is_floating_point():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        else:
            self.register_buffer(name, tensor)
        return name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        operation = self._operation.of
        if self._is_layer:
            weights = [[getattr(self, name) for name in names] for names in self._names]
            given, _ = operation.stateless_call(*weights, *args, **kwargs)
        else:
            given = operation(*args, **kwargs)
        return tree_map(channels_first, given) if self._layout == "channels_last" else given

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

    It takes what Keras gives it, and gives maps as ``(B, C, H, W)``.

    Attributes:
        unclear: the layer that gives the output, where ``drop_final`` could not tell whether that is a logit; else
            empty.
    """

    def __init__(self, inputs: Any, outputs: Any, layout: Layout) -> None:
        super().__init__()
        self._layout = layout
        self._undone: str | None = None
        self.unclear = ""
        self._run_from_to(inputs, outputs)

    def _run_from_to(self, inputs: Any, outputs: Any) -> None:
        function = importlib.import_module("keras").Function(list(inputs), list(outputs))
        self._function = _Shared(function)
        self._places: dict[str, str] = {}
        self._modules.clear()
        for operation in function.operations:
            if type(operation).__name__ != "InputLayer":
                name = operation.name
                place = f"{name}_layer" if hasattr(self, name) else name
                self.add_module(place, _module_of(operation, self._layout))
                self._places[name] = place

    @property
    def has_one_output(self) -> bool:
        return len(self._function.of.outputs) == 1

    def drop_final(self, *names: str) -> str | None:
        """Leave the last activation out if it is one of these (``"sigmoid"``, ``"softmax"``).

        Where the probabilities are moved or resized afterwards, it is undone at the end instead.

        Returns:
            Its name; None where nothing was left out. See ``unclear`` for what is none of these and no logit either.
        """
        function = self._function.of
        tensor, at_the_end = function.outputs[0], True
        while True:
            operation, call, _ = tensor._keras_history
            inner = self._modules.get(self._places.get(operation.name, ""))
            if isinstance(inner, KerasGraph) and inner.has_one_output and at_the_end:
                dropped = inner.drop_final(*names)
                self.unclear = inner.unclear
                return dropped
            before = operation._inbound_nodes[call].input_tensors
            kind, activation = type(operation).__name__, _activation_of(operation)
            if activation in names:
                break
            if activation != "linear" or kind not in _HANDS_ON or not before:
                if activation != "linear" or not getattr(operation, "weights", ()):
                    self.unclear = f"{operation.name} ({kind})"
                return None
            at_the_end = at_the_end and kind not in _MOVES_VALUES
            tensor = before[0]
        if not at_the_end:
            self._undone = activation
        elif kind in _IS_ACTIVATION:
            self._run_from_to(function.inputs, before[:1])
        else:
            _holder_of_activation(operation).activation = importlib.import_module("keras").activations.linear
            self._run_from_to(function.inputs, [tensor])
        return activation

    def forward(self, given: Any, **_kwargs: Any) -> Any:
        # Keras has no public way to run a graph with other things in the place of its layers.
        outputs = self._function.of._run_through_graph(given, operation_fn=self._runner)
        if self._layout == "channels_last":
            outputs = tree_map(channels_first, outputs)
        if not self.has_one_output:
            return outputs
        if self._undone == "sigmoid":
            return torch.logit(outputs[0], _SMALLEST)
        return outputs[0] if self._undone is None else outputs[0].clamp_min(_SMALLEST).log()

    def _runner(self, operation: Any) -> Callable[..., Any]:
        module = self.get_submodule(self._places[operation.name])

        def run(*args: Any, **kwargs: Any) -> Any:
            outputs = module(*args, **kwargs)
            return tree_map(channels_last, outputs) if self._layout == "channels_last" else outputs

        return run


def _module_of(operation: Any, layout: Layout) -> nn.Module:
    if hasattr(operation, "layers") and hasattr(operation, "inputs"):  # a network within the network
        return KerasGraph(operation.inputs, operation.outputs, layout)
    if type(operation).__name__ in _ACTS_IN_TRAINING:
        return ActsInTraining(layout)
    return KerasLayer(operation, layout)


def _holder_of_activation(operation: Any) -> Any:
    """The layer itself, or the one that it wraps."""
    return getattr(operation, "layer", operation)


def _activation_of(operation: Any) -> str:
    """The name of what a layer does to its output in the end, in lower case."""
    kind = type(operation).__name__
    if kind in _IS_ACTIVATION and kind != "Activation":
        return kind.lower()
    activation = getattr(_holder_of_activation(operation), "activation", None)
    return "linear" if activation is None else str(getattr(activation, "__name__", type(activation).__name__)).lower()


def channels_first(given: Any) -> Any:
    return given.permute(0, 3, 1, 2) if isinstance(given, torch.Tensor) and given.ndim == 4 else given


def channels_last(given: Any) -> Any:
    return given.permute(0, 2, 3, 1) if isinstance(given, torch.Tensor) and given.ndim == 4 else given
