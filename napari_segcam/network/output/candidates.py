"""Candidates: the tensors in what a network returns that may be its segmentation or its class scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import torch

# A network that returns more than this is not searched to the end.
_MOST, _DEEPEST = 256, 6

# How a tensor holds the map: (B, C, H, W); with channels last; without channels; without batch and channels; no map.
Form = Literal["map", "channels_last", "no_channels", "no_batch", "scores"]


@dataclass(frozen=True)
class OutputLocation:
    """Where a tensor is in what a network returns.

    Attributes:
        name: for people, such as ``"aux"``, ``"1"`` or ``"decoder.0"``; empty where the network returns a tensor.
        path: keys, numbers and attributes that lead to it.
        stacked: of a tensor that holds several outputs: along which dimension, and which of them; else None.
        form: how it holds the map.
    """

    name: str
    path: tuple[tuple[Literal["key", "attribute"], Any], ...]
    stacked: tuple[int, int] | None
    form: Form

    def tensor(self, output: Any) -> torch.Tensor:
        """The tensor that is there, as the network gave it.

        Raises:
            ValueError: if there is none.
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
        """The map ``(B, C, H, W)`` in such a tensor, for the input ``x``; scores are maps of one pixel."""
        if self.stacked is not None:
            tensor = tensor.select(*self.stacked)
        match self.form:
            case "scores":
                return tensor[:, :, None, None]
            case "channels_last":
                return tensor.permute(0, 3, 1, 2)
            case "no_channels":
                return tensor.unsqueeze(1)
            case "no_batch":  # of one image; of several, all dimensions of size 1 being squeezed, (B, H, W)
                return tensor.reshape(len(x), 1, *tensor.shape[-2:])
        return tensor


@dataclass(frozen=True, eq=False)
class OutputCandidate:
    """A tensor that may be the segmentation or the class scores.

    Attributes:
        place: where it is in what the network returned.
        map: it, as ``(1, C, h, w)``.
        step: of the autograd graph, that gave it; None where there is no graph.
    """

    place: OutputLocation
    map: torch.Tensor
    step: Any

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def channels(self) -> int:
        return int(self.map.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.map.shape[-2], self.map.shape[-1]

    @property
    def is_map(self) -> bool:
        """Whether it is more than one score per class."""
        return self.size != (1, 1)

    def in_words(self) -> str:
        """Its name and size, for people."""
        height, width = self.size
        size = f"{height}×{width} pixels" if self.is_map else "the whole image"
        return f"{self.name} ({self.channels} channel{'s' if self.channels > 1 else ''}, {size})"


def find_candidates(output: Any, x: torch.Tensor, names: Sequence[str] = ()) -> list[OutputCandidate]:
    """All tensors of real numbers that may be maps or class scores, in order.

    Args:
        output: what the network returned for ``x``.
        x: ``(1, C, H, W)``.
        names: of the outputs, where it returns a list and they have names.
    """
    found = []
    for place, tensor in _tensors(output, x, names):
        if tensor.is_floating_point() and tensor.numel() and tensor.layout == torch.strided:
            found.append(OutputCandidate(place, place.map_of(tensor, x), _step(tensor, place)))
    return found[:_MOST]


def all_tensors(output: Any) -> Iterator[torch.Tensor]:
    """All tensors in what a network returned, whether or not they can be read."""
    yield from (tensor for _, tensor in _leaves(output, (), set()))


def _step(tensor: torch.Tensor, place: OutputLocation) -> Any:
    step = tensor.grad_fn
    if step is not None and place.stacked is not None and type(step).__name__.startswith("StackBackward"):
        return step.next_functions[place.stacked[1]][0]
    return step


def describe_output(output: Any) -> str:
    """What a network returned, for people."""
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
        for inner, stacked, shape in _unstacked(tensor):
            form = _form(shape, x)
            if form is not None:
                full = ".".join(filter(None, (name, inner)))
                yield OutputLocation(full, path, stacked, form), tensor


def _leaves(output: Any, path: tuple[Any, ...], within: set[int]) -> Iterator[tuple[tuple[Any, ...], torch.Tensor]]:
    if isinstance(output, torch.Tensor):
        yield path, output
    elif len(path) < _DEEPEST:
        within = {*within, id(output)}
        is_indexed = isinstance(output, Mapping | list | tuple)
        named = hasattr(output, "_fields")  # a named tuple: its fields say more than numbers
        for number, (step, value) in enumerate(_children(output)):
            if number >= _MOST:
                return
            kind = "attribute" if named or not is_indexed else "key"
            if id(value) not in within:  # what holds itself has no end
                yield from _leaves(value, (*path, (kind, step)), within)


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
    """The tensor itself; of a stack of several outputs of one image, each of them."""
    shape = tuple(tensor.shape)
    if len(shape) != 5:
        yield "", None, shape
        return
    dimension = 1 if shape[0] == 1 else 0
    for number in range(min(shape[dimension], _MOST)):
        yield str(number), (dimension, number), (*shape[:dimension], *shape[dimension + 1 :])


def _form(shape: tuple[int, ...], x: torch.Tensor) -> Form | None:
    """How an output of this shape, for one image ``x``, holds a map."""
    size = tuple(x.shape[-2:])
    if len(shape) == 4 and shape[0] == 1:
        return "channels_last" if shape[1:3] == size != shape[2:4] else "map"
    if len(shape) == 3 and shape == (1, *size):
        return "no_channels"
    if len(shape) == 2 and shape == size:
        return "no_batch"
    return "scores" if len(shape) == 2 and shape[0] == 1 else None


def words_in(name: str) -> set[str]:
    """The words of a name such as ``"auxLogits_2"``, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
