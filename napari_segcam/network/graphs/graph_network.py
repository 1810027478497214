"""Run the graph of ATen operations that ``torch.export`` writes, with layers that take hooks.

Every operation of the graph is a layer with the name of its result (``relu_3``). So everything that works on the layers
of a module works here too: stages, Grad-CAM, dotted names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.child_names import free_child_name
from napari_segcam.network.graphs.graph_arguments import (
    argument_names,
    fill_in_results,
    find_operation,
    parse_argument,
    result_names,
)
from napari_segcam.network.whole_network import WholeNetwork

_LARGEST_NUMBER = 2**62


@dataclass(frozen=True)
class _Step:
    """One operation of the graph: its layer, its arguments, its results, and those no longer needed after it."""

    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    results: tuple[str, ...]
    is_list: bool
    released: tuple[str, ...]


class Operation(nn.Module):
    """One operation of a graph, as a layer. It holds the weights that no earlier operation takes.

    Attributes:
        operation: of ATen, or Python's arithmetic.
        weight_names: of its weights in this module, by the names of the graph's inputs.
    """

    def __init__(self, operation: Callable[..., Any], weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.operation = operation
        self.weight_names: dict[str, str] = {}
        for name, tensor in weights.items():
            self.weight_names[name] = free = free_child_name(self, name, "weight")
            if tensor.is_floating_point():
                self.register_parameter(free, nn.Parameter(tensor, requires_grad=False))
            else:
                self.register_buffer(free, tensor)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        result = self.operation(*args, **kwargs)
        if isinstance(result, int | float) and abs(result) > _LARGEST_NUMBER:
            raise ValueError("the program computes an absurdly large size")
        return result

    def extra_repr(self) -> str:
        return str(self.operation)


class GraphNetwork(WholeNetwork):
    """A network that runs the graph of an exported program.

    Attributes:
        channels: of the images that it takes; None if it takes any number.
        image_size: height and width of these images in pixels, if it takes only one size.

    Args:
        graph: ``graph_module.graph`` of the program, as JSON.
        weights: by the names of the graph's inputs.
        image: name of the input that is the image.
        outputs: names of the results that the network returns.
        output_names: of the module's outputs, to show to users.

    Raises:
        SegcamError: naming the first unknown operation or argument.
        KeyError, TypeError, ValueError: if the graph breaks the schema.
    """

    def __init__(
        self,
        graph: Mapping[str, Any],
        weights: Mapping[str, torch.Tensor],
        image: str,
        outputs: Sequence[str],
        output_names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.output_names = tuple(output_names)
        sizes = [size.get("as_int") for size in graph["tensor_values"][image]["sizes"]]
        if len(sizes) != 4:
            raise SegcamError(
                f"takes a tensor of {len(sizes)} dimensions. Only networks that take images are supported"
            )
        _, self.channels, *sides = sizes
        self.image_size = None if None in sides else (sides[0], sides[1])
        self._image, self._outputs = image, tuple(outputs)
        # A result is released after the last operation that takes it.
        last_use = {name: index for index, node in enumerate(graph["nodes"]) for name in argument_names(node)}
        self._weights: dict[str, tuple[str, str]] = {}  # name of the graph's input → layer, name in the layer
        self._steps: list[_Step] = []
        known = {image, *weights}
        for index, node in enumerate(graph["nodes"]):
            arguments = argument_names(node)
            if unknown := arguments - known:
                raise ValueError(f"{sorted(unknown)[0]} is used before it is computed")
            first_used = {name: weights[name] for name in sorted(arguments & weights.keys() - self._weights.keys())}
            released = tuple(name for name in arguments if last_use[name] == index and name not in self._outputs)
            step = self._make_step(node, first_used, released)
            known.update(step.results)
            self._steps.append(step)
        if not set(outputs) <= known - weights.keys():
            raise ValueError("nothing computes the output")

    def _make_step(
        self, node: Mapping[str, Any], weights: Mapping[str, torch.Tensor], released: tuple[str, ...]
    ) -> _Step:
        operation = find_operation(node["target"])
        by_name = not node["target"].startswith(("_operator", "math", "torch.sym"))
        args, kwargs = [], {}
        for argument in node["inputs"]:
            value = parse_argument(argument["arg"])
            # Files of older versions do not say which arguments are positional: names work for all.
            if by_name and argument.get("kind") != 1:
                kwargs[argument["name"]] = value
            else:
                args.append(value)
        outputs = [result_names(output) for output in node["outputs"]]
        names = tuple(name for output in outputs for name in ([output] if isinstance(output, str) else output))
        layer = free_child_name(self, names[0] if names else "check", f"of_{len(self._modules)}")
        module = Operation(operation, weights)
        self.add_module(layer, module)
        self._weights |= {name: (layer, attribute) for name, attribute in module.weight_names.items()}
        return _Step(layer, tuple(args), kwargs, names, bool(outputs) and outputs != list(names), released)

    def forward(self, image: torch.Tensor) -> Any:
        """Run the graph.

        Args:
            image: ``(B, C, H, W)``.

        Raises:
            ValueError: if the program was exported for images of another size.
            RuntimeError: if the program makes no sense.
        """
        expected = (self.channels, *(self.image_size or (None, None)))
        if any(side not in (None, actual) for side, actual in zip(expected, image.shape[1:], strict=True)):
            size = "×".join("any" if side is None else str(side) for side in expected)
            raise ValueError(f"the program was exported for images of {size} only (channels, height, width)")
        try:
            return self._run(image)
        except (TypeError, KeyError, AttributeError) as error:  # arguments that do not fit the operation
            raise RuntimeError(f"the program makes no sense: {error}") from error

    def _run(self, image: torch.Tensor) -> Any:
        results: dict[str, Any] = {
            name: getattr(self._modules[layer], attribute) for name, (layer, attribute) in self._weights.items()
        }
        results[self._image] = image
        for step in self._steps:
            result = self.get_submodule(step.layer)(
                *fill_in_results(step.args, results), **fill_in_results(step.kwargs, results)
            )
            if step.results:
                several = result if step.is_list or len(step.results) > 1 else [result]
                results.update(zip(step.results, several, strict=True))
            for name in step.released:
                results.pop(name, None)
        outputs = tuple(results[name] for name in self._outputs)
        return outputs[0] if len(outputs) == 1 else outputs
