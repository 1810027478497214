"""Find the tensors in a network's output that may be its segmentation or class scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import torch

# The search stops beyond so many tensors, or so deep.
_MOST, _DEEPEST = 256, 6

# Layout of a tensor: (B, C, H, W); channels last; without channels; without batch and channels; scores, not a map.
Form = Literal["map", "channels_last", "no_channels", "no_batch", "scores"]


@dataclass(frozen=True)
class OutputLocation:
    """Where a tensor is in the output of a network.

    Attributes:
        name: to show to users, such as ``"aux"``, ``"1"`` or ``"decoder.0"``; empty if the network returns a tensor.
        path: keys, indices and attributes that lead to the tensor.
        stacked: dimension and index, if the tensor holds several outputs; else None.
        form: layout of the tensor.
    """

    name: str
    path: tuple[tuple[Literal["key", "attribute"], Any], ...]
    stacked: tuple[int, int] | None
    form: Form

    def tensor(self, output: Any) -> torch.Tensor:
        """Return the tensor at this location.

        Raises:
            ValueError: if there is no tensor.
        """
        try:
            for kind, step in self.path:
                output = output[step] if kind == "key" else getattr(output, step)
        except (KeyError, IndexError, TypeError, AttributeError):
            output = None
        if not isinstance(output, torch.Tensor):
            raise ValueError(f"it did not return its output {self.name!r} this time")
        return output

    def map_of(self, tensor: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Return the tensor as a map ``(B, C, H, W)`` for the input ``x``; scores become maps of one pixel."""
        if self.stacked is not None:
            tensor = tensor.select(*self.stacked)
        match self.form:
            case "scores":
                return tensor[:, :, None, None]
            case "channels_last":
                return tensor.permute(0, 3, 1, 2)
            case "no_channels":
                return tensor.unsqueeze(1)
            case "no_batch":  # squeezed: (H, W) for one image, (B, H, W) for several
                return tensor.reshape(len(x), 1, *tensor.shape[-2:])
        return tensor


@dataclass(frozen=True, eq=False)
class OutputCandidate:
    """A tensor that may be the segmentation or the class scores.

    Attributes:
        location: of the tensor in the output.
        map: the tensor as ``(1, C, h, w)``.
        step: node of the autograd graph that made it; None without a graph.
    """

    location: OutputLocation
    map: torch.Tensor
    step: Any

    @property
    def name(self) -> str:
        return self.location.name

    @property
    def channels(self) -> int:
        return int(self.map.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.map.shape[-2], self.map.shape[-1]

    @property
    def is_map(self) -> bool:
        """Whether it is a map and not one score per class."""
        return self.size != (1, 1)

    def in_words(self) -> str:
        """Name and size, for a message."""
        height, width = self.size
        size = f"{height}×{width} pixels" if self.is_map else "the whole image"
        return f"{self.name} ({self.channels} channel{'s' if self.channels > 1 else ''}, {size})"


def find_candidates(output: Any, x: torch.Tensor, names: Sequence[str] = ()) -> list[OutputCandidate]:
    """Return all floating-point tensors that may be maps or class scores, in order.

    Args:
        output: of the network for ``x``.
        x: ``(1, C, H, W)``.
        names: of the outputs, if the network returns a list and they have names.
    """
    candidates = []
    for location, tensor in _tensors(output, x, names):
        if tensor.is_floating_point() and tensor.numel() and tensor.layout == torch.strided:
            candidates.append(OutputCandidate(location, location.map_of(tensor, x), _step(tensor, location)))
    return candidates[:_MOST]


def all_tensors(output: Any) -> Iterator[torch.Tensor]:
    """All tensors in a network's output, whether or not they can be read."""
    yield from (tensor for _, tensor in _leaves(output, (), set()))


def _step(tensor: torch.Tensor, location: OutputLocation) -> Any:
    step = tensor.grad_fn
    if step is not None and location.stacked is not None and type(step).__name__.startswith("StackBackward"):
        return step.next_functions[location.stacked[1]][0]
    return step


def describe_output(output: Any) -> str:
    """Describe the output of a network, for a message."""
    if isinstance(output, torch.Tensor):
        kind = "" if output.is_floating_point() else f" of {str(output.dtype).removeprefix('torch.')} numbers"
        return f"a tensor of shape {tuple(output.shape)}{kind}"
    inner = [
        f"{name or 'it'}: {describe_output(value)}" for name, value in _children(output) if name and value is not None
    ]
    return f"a {type(output).__name__}" + (f" ({'; '.join(inner[:6])})" if inner else "")


def _tensors(output: Any, x: torch.Tensor, names: Sequence[str]) -> Iterator[tuple[OutputLocation, torch.Tensor]]:
    for path, tensor in _leaves(output, (), set()):
        words = [str(step) for _, step in path]
        if names and len(words) == 1 and words[0].isdigit() and len(names) > int(words[0]):
            words = [names[int(words[0])]]
        name = ".".join(words)
        for part, stacked, shape in _unstacked(tensor):
            form = _form(shape, x)
            if form is not None:
                full_name = ".".join(filter(None, (name, part)))
                yield OutputLocation(full_name, path, stacked, form), tensor


def _leaves(output: Any, path: tuple[Any, ...], ancestors: set[int]) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    if isinstance(output, torch.Tensor):
        yield path, output
    elif len(path) < _DEEPEST:
        ancestors = {*ancestors, id(output)}
        is_indexed = isinstance(output, Mapping | list | tuple)
        has_field_names = hasattr(output, "_fields")  # a named tuple: its field names say more than indices
        for number, (step, value) in enumerate(_children(output)):
            if number >= _MOST:
                return
            kind = "attribute" if has_field_names or not is_indexed else "key"
            if id(value) not in ancestors:  # an object that contains itself has no end
                yield from _leaves(value, (*path, (kind, step)), ancestors)


def _children(output: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(output, Mapping):
        yield from output.items()
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        yield from zip(tuple(output._fields), output, strict=False)
    elif isinstance(output, list | tuple):
        yield from enumerate(output)
    elif is_dataclass(output) and not isinstance(output, type):
        yield from ((field.name, getattr(output, field.name)) for field in fields(output))
    elif hasattr(output, "__dict__") and not isinstance(output, type | torch.nn.Module):
        yield from ((name, value) for name, value in vars(output).items() if not name.startswith("_"))


def _unstacked(tensor: torch.Tensor) -> Iterator[tuple[str, tuple[int, int] | None, tuple[int, ...]]]:
    """Shape of the tensor; for a stack of several outputs, name, location and shape of each."""
    shape = tuple(tensor.shape)
    if len(shape) != 5:
        yield "", None, shape
        return
    dimension = 1 if shape[0] == 1 else 0
    for number in range(min(shape[dimension], _MOST)):
        yield str(number), (dimension, number), (*shape[:dimension], *shape[dimension + 1 :])


def _form(shape: tuple[int, ...], x: torch.Tensor) -> Form | None:
    """Layout of an output of this shape, for one image ``x``; None if it can be neither a map nor scores."""
    size = tuple(x.shape[-2:])
    if len(shape) == 4 and shape[0] == 1:
        return "channels_last" if shape[1:3] == size != shape[2:4] else "map"
    if len(shape) == 3 and shape == (1, *size):
        return "no_channels"
    if len(shape) == 2 and shape == size:
        return "no_batch"
    return "scores" if len(shape) == 2 and shape[0] == 1 else None


def words_in(name: str) -> set[str]:
    """Words of a name such as ``"auxLogits_2"``, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
