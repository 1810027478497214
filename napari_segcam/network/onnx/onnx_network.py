"""A network that runs the graph of an ONNX file in torch, with layers that take hooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.onnx.blocks import Announcement, Branch, add_modules, announcements, plant
from napari_segcam.network.onnx.graph import Array, Graph, Node
from napari_segcam.network.onnx.image_input import ImageInput
from napari_segcam.network.onnx.operators import find_operator
from napari_segcam.network.onnx.simplifying import on_arrays
from napari_segcam.network.onnx.smp_encoder import NO_MAP, encoder_features, is_smp
from napari_segcam.network.whole_network import WholeNetwork


@dataclass(frozen=True, eq=False)
class _Step:
    """One node: its layer, or its function if it computes sizes; then the values that nobody takes any more."""

    node: Node
    layer: str
    inputs: tuple[str, ...]
    released: tuple[str, ...]
    announcements: tuple[Announcement, ...]


class OnnxNetwork(WholeNetwork):
    """A network that runs a graph. It takes and returns maps ``(B, C, H, W)``.

    Args:
        graph: simplified.
        image: the input that is the image.
        output_names: of the graph's outputs, to show to users.

    Raises:
        MissingOperatorError: naming the first node that has no counterpart in torch.
    """

    def __init__(self, graph: Graph, image: ImageInput, output_names: Sequence[str]) -> None:
        super().__init__()
        self.channels, self.image_size = image.channels, image.size
        self.output_names = tuple(output_names)
        self._image, self._outputs = image, tuple(graph.outputs)
        self._nodes = graph.nodes
        on_host = _host_values(graph)
        layered = [index for index, node in enumerate(graph.nodes) if not _is_host(node, on_host)]
        self._host_constants: dict[str, Array] = {}
        tree = plant(graph.nodes, layered)
        names = add_modules(self, tree, graph.nodes, _weights(graph, layered))
        calls = announcements(tree, graph.nodes, layered, graph.outputs)
        self._steps = self._make_steps(graph, names, calls)
        if is_smp(tree):
            self._steps = self._make_steps(graph, names, self._with_features(tree, calls))

    def _with_features(
        self, tree: Branch, calls: Mapping[int, Sequence[Announcement]]
    ) -> Mapping[int, Sequence[Announcement]]:
        """Return the calls of blocks with that of SMP's encoder, which returns the image and its feature maps."""
        try:
            call = encoder_features(tree, self._nodes, calls, self._widths(), self._image.name)
        except Exception:  # it does not run: this shows where it is needed
            call = None
        if call is None:
            return calls
        return {
            index: [call if other.layer == call.layer else other for other in several]
            for index, several in calls.items()
        }

    @torch.no_grad()
    def _widths(self) -> dict[str, int]:
        """Return the widths of all maps and tokens in one run on an image of a usual size, by the values' names."""
        widths: dict[str, int] = {}

        def record(name: str, value: Any) -> None:
            if isinstance(value, torch.Tensor) and value.ndim in (3, 4):
                is_map = value.ndim == 4
                # Tokens count as minus the width of the square that they fill.
                widths[name] = value.shape[-1] if is_map else -math.isqrt(value.shape[1])

        image = usual_image(self.channels or 3, self.image_size)
        record(self._image.name, image)
        self._run(self._as_input(image), record)
        return widths

    def _make_steps(
        self, graph: Graph, names: Mapping[int, str], calls: Mapping[int, Sequence[Announcement]]
    ) -> list[_Step]:
        last_use: dict[str, int] = {}
        for index, node in enumerate(graph.nodes):
            last_use |= dict.fromkeys([*node.inputs, *node.outputs], index)
            last_use |= {name: index for call in calls.get(index, []) for name in call.values if name}
        released: dict[int, list[str]] = {}
        for name, index in last_use.items():
            if name and name not in graph.constants and name not in self._outputs:
                released.setdefault(index, []).append(name)
        steps = []
        for index, node in enumerate(graph.nodes):
            layer = names.get(index, "")
            if layer:
                inputs = tuple(name for name in node.inputs if name and name not in graph.constants)
            else:
                inputs = node.inputs
                self._host_constants |= {name: graph.constants[name] for name in inputs if name in graph.constants}
                find_operator(node)
            announced = tuple(calls.get(index, ()))
            steps.append(_Step(node, layer, inputs, tuple(released.get(index, ())), announced))
        return steps

    def forward(self, image: torch.Tensor) -> Any:
        """Run the graph.

        Args:
            image: ``(B, C, H, W)``.

        Raises:
            ValueError: if the file is for images of another size.
            RuntimeError: if the graph makes no sense.
        """
        expected = (self.channels, *(self.image_size or (None, None)))
        if self._image.batch == 1 and len(image) > 1:
            raise ValueError("the file is for one image at a time")
        if any(side not in (None, actual) for side, actual in zip(expected, image.shape[1:], strict=True)):
            size = "×".join("any" if side is None else str(side) for side in expected)
            raise ValueError(f"the file is for images of {size} only (channels, height, width)")
        try:
            outputs = self._run(self._as_input(image))
        except (TypeError, KeyError, AttributeError, IndexError, AssertionError, SegcamError) as error:
            raise RuntimeError(f"the graph makes no sense: {error}") from error
        results = tuple(self._as_output(output, image) for output in outputs)
        return results[0] if len(results) == 1 else results

    def run(self, image: torch.Tensor) -> list[Any]:
        """Return the graph's own outputs for an image ``(B, C, H, W)``, in the layout of the file."""
        return self._run(self._as_input(image))

    def _as_input(self, image: torch.Tensor) -> torch.Tensor:
        if self._image.is_integer:  # whole pixels, with the gradient of the pixels as they are
            bounds = np.iinfo(self._image.dtype)
            image = image + (image.detach().round().clamp(bounds.min, bounds.max) - image.detach())
        return image.permute(0, 2, 3, 1) if self._image.channels_last else image

    def _as_output(self, output: Any, image: torch.Tensor) -> Any:
        """Return an output with its channels first, if it is a map with the channels last."""
        if isinstance(output, np.ndarray):
            return torch.as_tensor(output, device=image.device)
        if output.ndim != 4 or not self._image.channels_last:
            return output
        height, width = image.shape[-2:]
        is_last = output.shape[1] * width == output.shape[2] * height
        return output.permute(0, 3, 1, 2) if is_last and output.shape[1] > 1 else output

    def _run(self, image: torch.Tensor, record: Callable[[str, Any], None] | None = None) -> list[Any]:
        values: dict[str, Any] = {self._image.name: image, NO_MAP: image[:, :0]}
        for step in self._steps:
            if step.layer:
                result = self.get_submodule(step.layer)(*(values[name] for name in step.inputs))
            else:
                result = self._on_host(step, values)
            several = result if isinstance(result, tuple | list) else [result]
            values.update((name, value) for name, value in zip(step.node.outputs, several, strict=False) if name)
            if record is not None:
                for name in step.node.outputs:
                    record(name, values.get(name))
            for call in step.announcements:
                result = self.get_submodule(call.layer)(*(values[name] for name in call.values))
                values.update(zip(call.values, result if len(call.values) > 1 else [result], strict=True))
            for name in step.released:
                values.pop(name, None)
        return [values[name] for name in self._outputs]

    def _on_host(self, step: _Step, values: Mapping[str, Any]) -> list[Any]:
        arguments = [
            None if not name else values[name] if name in values else self._host_constants[name] for name in step.inputs
        ]
        operator = find_operator(step.node)
        if step.node.operator in ("Shape", "Size"):
            return [operator.make(step.node)(*arguments)]
        arrays = [value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value for value in arguments]
        return on_arrays(operator.make(step.node), operator.host, arrays)


_USUAL_SIDE = 128


def usual_image(channels: int, size: tuple[int, int] | None) -> torch.Tensor:
    """Return an image of fixed noise: of the only size that a network takes, or of a usual one."""
    sides = size or (_USUAL_SIDE, _USUAL_SIDE)
    return torch.rand(1, channels, *sides, generator=torch.Generator().manual_seed(0))


def _host_values(graph: Graph) -> set[str]:
    """Return the names of the values that are sizes, or are computed from sizes only."""
    found: set[str] = set()
    for node in graph.nodes:
        given = [name for name in node.inputs if name]
        from_sizes = any(name in found for name in given) and all(
            name in found or name in graph.constants for name in given
        )
        if node.operator in ("Shape", "Size") or from_sizes:
            found.update(node.outputs)
    return found


def _is_host(node: Node, on_host: set[str]) -> bool:
    return bool(node.outputs) and node.outputs[0] in on_host


def _weights(graph: Graph, layered: Sequence[int]) -> dict[str, Any]:
    """Return the constants of the layers: real numbers as parameters, single ones and integers as plain tensors."""
    weights: dict[str, Any] = {}
    for index in layered:
        for name in graph.nodes[index].inputs:
            array = graph.constants.get(name)
            if array is None or name in weights:
                continue
            tensor = torch.from_numpy(np.array(array))  # a copy, which can be written to
            is_weight = tensor.is_floating_point() and tensor.numel() > 1
            weights[name] = nn.Parameter(tensor, requires_grad=False) if is_weight else tensor
    return weights
