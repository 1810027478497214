"""Graph networks: a graph of ATen operations, as torch.export writes it down, run by layers that can be tapped.

Every operation of the graph is a layer of its own, under the name that the graph gives its result (``relu_3``), so that
whatever works on the layers of a module works on it too: stages, Grad-CAM, dotted names.
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

_LARGEST_NUMBER = 2**62


@dataclass(frozen=True)
class _Step:
    """One operation of the graph: its layer and arguments, the names of what it gives, and what is not needed after."""

    layer: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    gives: tuple[str, ...]
    is_list: bool
    done_with: tuple[str, ...]


class Operation(nn.Module):
    """One operation of a graph, as a layer that holds the weights it is the first to take.

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
        given = self.operation(*args, **kwargs)
        if isinstance(given, int | float) and abs(given) > _LARGEST_NUMBER:
            raise ValueError("the program computes a size beyond all measure")
        return given

    def extra_repr(self) -> str:
        return str(self.operation)


class GraphNetwork(nn.Module):
    """A network that runs the graph of an exported program.

    Attributes:
        channels: of the images it takes; None where the program takes any.
        image_size: height and width of these in pixels, where it takes no other.

    Args:
        graph: ``graph_module.graph`` of the program, as JSON.
        weights: by the names of the graph's inputs.
        image: the name of the input that is the image.
        outputs: the names of what the network returns.
        output_names: what the network called these, for people.

    Raises:
        SegcamError: naming the first operation or argument that is not known.
        KeyError, TypeError, ValueError: if the graph is not as the schema says.
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
        _, self.channels, *rest = sizes
        self.image_size: tuple[int, int] | None = None if None in rest else (rest[0], rest[1])
        self._image, self._outputs = image, tuple(outputs)
        # What no later operation takes is let go of after the last one that does.
        last = {name: place for place, node in enumerate(graph["nodes"]) for name in argument_names(node)}
        self._weights: dict[str, tuple[str, str]] = {}  # name of the graph's input → layer, name in the layer
        self._steps: list[_Step] = []
        known = {image, *weights}
        for place, node in enumerate(graph["nodes"]):
            taken = argument_names(node)
            if unknown := taken - known:
                raise ValueError(f"{sorted(unknown)[0]} is taken before anything gives it")
            own = {name: weights[name] for name in sorted(taken & weights.keys() - self._weights.keys())}
            done_with = tuple(name for name in taken if last[name] == place and name not in self._outputs)
            step = self._step(node, own, done_with)
            known.update(step.gives)
            self._steps.append(step)
        if not set(outputs) <= known - weights.keys():
            raise ValueError("nothing gives the output")

    def _step(self, node: Mapping[str, Any], own: Mapping[str, torch.Tensor], done_with: tuple[str, ...]) -> _Step:
        operation = find_operation(node["target"])
        by_name = not node["target"].startswith(("_operator", "math", "torch.sym"))
        args, kwargs = [], {}
        for given in node["inputs"]:
            value = parse_argument(given["arg"])
            # Files of older versions do not tell which arguments go by position: names are right for all.
            if by_name and given.get("kind") != 1:
                kwargs[given["name"]] = value
            else:
                args.append(value)
        gives = [result_names(output) for output in node["outputs"]]
        names = tuple(name for one in gives for name in ([one] if isinstance(one, str) else one))
        layer = free_child_name(self, names[0] if names else "check", f"of_{len(self._modules)}")
        module = Operation(operation, own)
        self.add_module(layer, module)
        self._weights |= {name: (layer, attribute) for name, attribute in module.weight_names.items()}
        return _Step(layer, tuple(args), kwargs, names, bool(gives) and gives != list(names), done_with)

    def forward(self, image: torch.Tensor) -> Any:
        """Run the graph.

        Args:
            image: ``(B, C, H, W)``.

        Raises:
            ValueError: if the program was exported for images of another size.
            RuntimeError: if the program makes no sense.
        """
        wanted = (self.channels, *(self.image_size or (None, None)))
        if any(one not in (None, given) for one, given in zip(wanted, image.shape[1:], strict=True)):
            size = "×".join("any" if side is None else str(side) for side in wanted)
            raise ValueError(f"the program was exported for images of {size} alone (channels, height, width)")
        try:
            return self._run(image)
        except (TypeError, KeyError, AttributeError) as error:  # arguments that do not go with the operation
            raise RuntimeError(f"the program does not make sense: {error}") from error

    def _run(self, image: torch.Tensor) -> Any:
        results: dict[str, Any] = {
            name: getattr(self._modules[layer], attribute) for name, (layer, attribute) in self._weights.items()
        }
        results[self._image] = image
        for step in self._steps:
            given = self.get_submodule(step.layer)(
                *fill_in_results(step.args, results), **fill_in_results(step.kwargs, results)
            )
            if step.gives:
                several = given if step.is_list or len(step.gives) > 1 else [given]
                results.update(zip(step.gives, several, strict=True))
            for name in step.done_with:
                results.pop(name, None)
        outputs = tuple(results[name] for name in self._outputs)
        return outputs[0] if len(outputs) == 1 else outputs
