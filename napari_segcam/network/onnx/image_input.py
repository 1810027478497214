"""What a graph says about the image it takes: its place among the axes, its channels, size and values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_segcam.errors import SegcamError
from napari_segcam.network.onnx.graph import Graph, GraphInput, Node

# Operations that leave every axis where it is.
_KEEPS_AXES = frozenset({"Cast", "Sub", "Add", "Mul", "Div", "Clip", "BatchNormalization", "Pad", "Resize"})
_MOST_STEPS = 30
_LARGEST_UNIT = 1.5  # means and divisors for pixels from 0 to 1 are smaller


@dataclass(frozen=True)
class ImageInput:
    """The input of a graph that is the image.

    Attributes:
        name: of the value.
        channels: of the image; None if the file leaves them open.
        size: height and width in pixels; None if the file leaves them open.
        batch: number of images that it takes at once; None if the file leaves it open.
        channels_last: whether the channels are its last axis.
        dtype: of its elements.
        normalization: of the model card, if the graph scales the pixels itself; None if it does not.
    """

    name: str
    channels: int | None
    size: tuple[int, int] | None
    batch: int | None
    channels_last: bool
    dtype: np.dtype[Any]
    normalization: Literal["none", "unit"] | None

    @property
    def is_integer(self) -> bool:
        return self.dtype.kind in "iu"


def find_image(graph: Graph) -> ImageInput:
    """Return the input of a graph that is the image.

    Raises:
        SegcamError: if it does not take exactly one image.
    """
    if len(graph.inputs) != 1:
        names = ", ".join(given.name for given in graph.inputs[:5])
        listed = f" ({names})" if names else ""
        raise SegcamError(
            f"takes {len(graph.inputs)} inputs{listed}. Only networks that take one image are supported: "
            "export it with the image as the only input"
        )
    (given,) = graph.inputs
    dtype = given.dtype
    if dtype is None or dtype.kind not in "fiu":
        raise SegcamError("takes values of a type that no image has. Export it for images of float32 or uint8")
    rank = None if given.shape is None else len(given.shape)
    if rank == 5:
        raise SegcamError("is three-dimensional: it takes volumes. A 2-D network is needed, which takes images")
    if rank not in (None, 4):
        raise SegcamError(f"takes a tensor of {rank} dimensions. Only networks that take images are supported")
    path = list(_first_nodes(graph, given.name))
    channels_last = _is_channels_last(given, path)
    batch, *sides = given.shape or (None,) * 4
    channels = sides.pop(-1 if channels_last else 0)
    height, width = sides
    size = None if height is None or width is None else (height, width)
    channels = channels or _convolution_channels(graph, path)
    integer = dtype.kind in "iu"
    normalization = "none" if integer else _scaling(graph, path)
    return ImageInput(given.name, channels, size, batch, channels_last, dtype, normalization)


def _first_nodes(graph: Graph, name: str) -> Iterator[Node]:
    """Yield the nodes that the image runs through, up to the first that does more than scale or move it."""
    consumers = graph.consumers()
    for _ in range(_MOST_STEPS):
        nodes = [node for node in consumers.get(name, []) if node.operator not in ("Shape", "Size")]
        if not nodes:
            return
        yield nodes[0]
        if nodes[0].operator not in _KEEPS_AXES or nodes[0].inputs[0] != name:
            return
        name = nodes[0].outputs[0]


def _is_channels_last(given: GraphInput, path: list[Node]) -> bool:
    last = path[-1] if path else None
    if last is not None and last.operator == "Transpose":
        return last.integers("perm") == [0, 3, 1, 2]
    if last is not None and last.operator in ("Conv", "MaxPool", "AveragePool"):
        return False
    if given.shape is None:
        return False
    _, first, _, channels = given.shape
    return channels is not None and channels <= 4 and (first is None or first > channels)


def _convolution_channels(graph: Graph, path: list[Node]) -> int | None:
    """Return the channels that the first convolution takes, if it comes right after the image."""
    node = path[-1] if path else None
    if node is not None and node.operator == "Transpose":
        following = graph.consumers().get(node.outputs[0], [])
        node = following[0] if following else None
    if node is None or node.operator != "Conv" or node.inputs[1] not in graph.constants:
        return None
    return int(graph.constants[node.inputs[1]].shape[1]) * node.integer("group", 1)


def _scaling(graph: Graph, path: list[Node]) -> Literal["none", "unit"] | None:
    """Return which pixels the graph takes if it subtracts a mean or divides first; None if it does not."""
    numbers = []
    for node in path:
        if node.operator in ("Sub", "Div", "Mul", "Add"):
            constants = [graph.constants[name] for name in node.inputs if name in graph.constants]
            if len(constants) != 1 or constants[0].size > 64:
                return None
            value = float(np.abs(constants[0]).max(initial=0.0))
            numbers.append(1 / value if node.operator == "Mul" and value else value)
        elif node.operator not in ("Cast", "Transpose"):
            break
    if not numbers:
        return None
    # A mean or a divisor above 1.5 is one for pixels up to 255; so is a factor below two thirds, such as 1/255.
    return "none" if numbers[0] > _LARGEST_UNIT else "unit"
