"""A whole Keras network as a module that is fed and explained like any other."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.keras.graph import KerasGraph, Layout, channels_last
from napari_segcam.network.whole_network import WholeNetwork


class KerasNetwork(KerasGraph, WholeNetwork):
    """A whole Keras network, which takes and returns ``(B, C, H, W)``.

    Attributes:
        channels: of the images it takes.
        image_size: height and width of these images in pixels, if it takes only one size.
        output_names: of the layers that make its outputs.
        card_fields: the normalization, which is assumed: "none" if a layer of the network scales the pixels, else
            "unit", as is usual with Keras.

    Args:
        model: a ``keras.Model``, functional or sequential, which may be changed.

    Raises:
        SegcamError: if it does not take one image with a fixed number of channels.
    """

    def __init__(self, model: Any) -> None:
        operations = list(_operations(model))
        layouts = {operation.data_format for operation in operations if hasattr(operation, "data_format")}
        if len(layouts) > 1:
            raise SegcamError("has layers with channels first and others with channels last, which is not supported")
        layout: Layout = "channels_first" if layouts == {"channels_first"} else "channels_last"
        shapes = [tuple(tensor.shape) for tensor in model.inputs]
        if [len(shape) for shape in shapes] != [4]:
            raise SegcamError("does not take one image. Only networks that do are supported")
        _, *sides = shapes[0]
        channels = sides.pop(0 if layout == "channels_first" else -1)
        if channels is None:
            raise SegcamError("does not say how many channels its images have. Save it with a fixed number")
        super().__init__(model.inputs, model.outputs, layout)
        self.channels = int(channels)
        self.image_size = None if None in sides else (sides[0], sides[1])
        self.output_names = tuple(tensor._keras_history.operation.name for tensor in model.outputs)
        axis = 1 if layout == "channels_first" else -1
        scales = any(_scales_an_image(operation, channels, axis) for operation in operations)
        self.card_fields = {"normalization": "none" if scales else "unit"}
        self.assumed_fields = frozenset(self.card_fields)
        self.add_layers()

    def forward(self, inputs: torch.Tensor, **_kwargs: Any) -> Any:
        """Run the network.

        Args:
            inputs: the image ``(B, C, H, W)``.
        """
        image = channels_last(inputs) if self._layout == "channels_last" else inputs
        with importlib.import_module("keras").device(str(inputs.device)):
            return super().forward(image)


def _operations(model: Any) -> Iterator[Any]:
    """All layers of a model, and of the networks in it."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _operations(layer)
        else:
            yield layer


def _scales_an_image(operation: Any, channels: int, axis: int) -> bool:
    """Whether this layer scales the image: it is at the beginning of a network, not inside."""
    if type(operation).__name__ not in ("Normalization", "Rescaling"):
        return False
    return any(node.input_tensors[0].shape[axis] == channels for node in operation._inbound_nodes)
