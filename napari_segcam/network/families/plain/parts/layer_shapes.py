"""Make the layers of a network from the shapes of its weights, and record which weights they are."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from torch import nn

from napari_segcam.network.families.decoders import Shapes

Shape = tuple[int, ...]

# No network has parts in parts this deep.
_DEEPEST = 32


@dataclass
class Coverage:
    """Which weights a network has used.

    Attributes:
        used: names of weights that fit.
        missing: names that the network needs and the weights lack.
        reshaped: names whose shape does not fit.
    """

    used: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)

    def unexpected(self, shapes: Shapes) -> list[str]:
        """Names of weights that the network has no place for."""
        known = self.used.union(self.missing, self.reshaped)
        return [name for name in shapes if name not in known]


class LayerShapes:
    """Makes the layers of a network from the shapes of its weights.

    A layer whose weights are missing, or have another shape than it takes, is made as small as possible, and its
    weights are recorded in ``coverage``. So a network of a wrong file is built to its end, and can be refused with the
    counts.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes, self._prefix, self._parts = shapes, "", frozenset(_parts(shapes))
        self.coverage = Coverage()

    def at(self, name: str) -> LayerShapes:
        """Return the part of the network with this name, to make its layers."""
        inner = copy(self)
        inner._prefix = f"{self._prefix}{name}."
        return inner

    def has(self, name: str) -> bool:
        """Whether there is a weight of this name, or a part with weights."""
        return self._prefix + name in self._parts

    def shape(self, name: str) -> Shape:
        """Return the shape of a weight; empty if there is none of this name."""
        return self._shapes.get(self._prefix + name, ())

    def count(self, name: str, first: int = 0) -> int:
        """Return how many parts there are whose names have consecutive numbers in place of ``{}``."""
        return next(number for number in count() if not self.has(name.format(first + number)))

    def weight(self, name: str, fits: Callable[[Shape], bool]) -> Shape:
        """Record that a layer has the weight, and return its shape if it fits, else an empty one."""
        shape, full = self.shape(name), self._prefix + name
        if full not in self._shapes:
            self.coverage.missing.append(full)
        elif not fits(shape):
            self.coverage.reshaped.append(full)
        else:
            self.coverage.used.add(full)
            return shape
        return ()

    def alias(self, name: str, original: str) -> None:
        """Record that all weights of a part are in the file a second time, under another name."""
        source = f"{self._prefix}{original}."
        for key, shape in self._shapes.items():
            if key.startswith(source):
                self.weight(f"{name}.{key.removeprefix(source)}", partial(operator.eq, shape))

    def conv(
        self,
        name: str,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | None = None,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> nn.Conv2d:
        """Make a convolution, by default with the padding that keeps the size."""
        size = _pair(kernel)
        shape = self.weight(f"{name}.weight", lambda shape: len(shape) == 4 and shape[2:] == size)
        outputs, inputs = (shape[0], shape[1] * groups) if shape else (groups, groups)
        if bias:
            self.weight(f"{name}.bias", lambda shape: shape == (outputs,))
        if padding is None:
            steps = _pair(dilation)
            padding = (size[0] // 2 * steps[0], size[1] // 2 * steps[1])
        if outputs % groups:
            self.coverage.reshaped.append(f"{self._prefix}{name}.weight")
            outputs = groups
        return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, groups, bias)

    def depthwise(
        self,
        name: str,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        bias: bool = True,
    ) -> nn.Conv2d:
        """Make a convolution of each channel by itself."""
        groups = (self.shape(f"{name}.weight") or (1,))[0]
        return self.conv(name, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=bias)

    def up(
        self,
        name: str,
        kernel: int = 2,
        *,
        stride: int = 2,
        padding: int = 0,
        output_padding: int = 0,
        bias: bool = True,
    ) -> nn.ConvTranspose2d:
        """Make a transposed convolution."""
        shape = self.weight(f"{name}.weight", lambda shape: len(shape) == 4 and shape[2:] == (kernel, kernel))
        inputs, outputs = shape[:2] if shape else (1, 1)
        if bias:
            self.weight(f"{name}.bias", lambda shape: shape == (outputs,))
        return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding, bias=bias)

    def norm(self, name: str, eps: float = 1e-5) -> nn.BatchNorm2d:
        """Make a batch norm."""
        shape = self.weight(f"{name}.weight", lambda shape: len(shape) == 1)
        channels = shape[0] if shape else 1
        for part in ("bias", "running_mean", "running_var"):
            self.weight(f"{name}.{part}", lambda shape: shape == (channels,))
        return nn.BatchNorm2d(channels, eps)

    def layer_norm(self, name: str, eps: float = 1e-5) -> nn.LayerNorm:
        """Make a layer norm over the last axis."""
        shape = self.weight(f"{name}.weight", lambda shape: len(shape) == 1)
        channels = shape[0] if shape else 1
        self.weight(f"{name}.bias", lambda shape: shape == (channels,))
        return nn.LayerNorm(channels, eps)

    def linear(self, name: str, *, bias: bool = True) -> nn.Linear:
        """Make a fully connected layer."""
        shape = self.weight(f"{name}.weight", lambda shape: len(shape) == 2)
        outputs, inputs = shape or (1, 1)
        if bias:
            self.weight(f"{name}.bias", lambda shape: shape == (outputs,))
        return nn.Linear(inputs, outputs, bias)


def sequence(*layers: nn.Module | None) -> nn.Sequential:
    """Return the layers in order, without those that are None."""
    return nn.Sequential(*(layer for layer in layers if layer is not None))


def add_parts(module: nn.Module, parts: Iterable[tuple[str, nn.Module]]) -> None:
    """Give a module parts of these names."""
    for name, part in parts:
        module.add_module(name, part)


def _parts(names: Iterable[str]) -> Iterator[str]:
    """Yield the names, and those of all parts that they are in."""
    for name in names:
        yield name
        if name.count(".") > _DEEPEST:
            continue
        while "." in name:
            name = name.rpartition(".")[0]
            yield name


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
