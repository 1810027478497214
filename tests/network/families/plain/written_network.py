"""Write a network down as a function of its weights: each weight is drawn at random when the function first needs it.

The functions that are written with it are independent of the package's classes: they know names and operations.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor


class Written:
    """Weights by name, and the operations that use them."""

    def __init__(self, seed: int = 0) -> None:
        self.weights: dict[str, Tensor] = {}
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, name: str, *shape: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
        """Return a weight, which is drawn from a normal distribution at its first use."""
        if name not in self.weights:
            self.weights[name] = torch.randn(*shape, generator=self._generator) * scale + shift
        assert tuple(self.weights[name].shape) == shape, name
        return self.weights[name]

    def conv(
        self,
        name: str,
        x: Tensor,
        channels: int,
        kernel: Any = 3,
        *,
        bias: bool = True,
        groups: int = 1,
        **how: Any,
    ) -> Tensor:
        """Convolve; the padding keeps the size unless it is given."""
        rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        inputs = x.shape[1] // groups
        weight = self.draw(
            f"{name}.weight", channels, inputs, rows, columns, scale=(2 / inputs / rows / columns) ** 0.5
        )
        offset = self.draw(f"{name}.bias", channels, scale=0.1) if bias else None
        how.setdefault("padding", (rows // 2, columns // 2))
        return functional.conv2d(x, weight, offset, groups=groups, **how)

    def up(self, name: str, x: Tensor, channels: int, kernel: int = 2, *, bias: bool = True, **how: Any) -> Tensor:
        """Convolve transposed, with stride 2 unless it is given."""
        weight = self.draw(f"{name}.weight", x.shape[1], channels, kernel, kernel, scale=x.shape[1] ** -0.5)
        offset = self.draw(f"{name}.bias", channels, scale=0.1) if bias else None
        how.setdefault("stride", 2)
        return functional.conv_transpose2d(x, weight, offset, **how)

    def norm(self, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
        """Apply a batch norm with running statistics."""
        channels = x.shape[1]
        mean = self.draw(f"{name}.running_mean", channels, scale=0.2)
        if f"{name}.running_var" not in self.weights:
            self.weights[f"{name}.running_var"] = torch.rand(channels, generator=self._generator) + 0.5
            self.weights[f"{name}.num_batches_tracked"] = torch.tensor(7)
        weight = self.draw(f"{name}.weight", channels, scale=0.1, shift=1)
        offset = self.draw(f"{name}.bias", channels, scale=0.1)
        return functional.batch_norm(x, mean, self.weights[f"{name}.running_var"], weight, offset, eps=eps)

    def linear(self, name: str, x: Tensor, channels: int, *, bias: bool = True) -> Tensor:
        """Apply a fully connected layer to the last axis."""
        weight = self.draw(f"{name}.weight", channels, x.shape[-1], scale=x.shape[-1] ** -0.5)
        offset = self.draw(f"{name}.bias", channels, scale=0.1) if bias else None
        return functional.linear(x, weight, offset)

    def conv_norm_relu(self, conv: str, norm: str, x: Tensor, channels: int, kernel: Any = 3, **how: Any) -> Tensor:
        """Convolution, batch norm, ReLU."""
        return torch.relu(self.norm(norm, self.conv(conv, x, channels, kernel, **how)))

    def double(self, name: str, x: Tensor, channels: int, middle: int = 0, *, bias: bool = True) -> Tensor:
        """The sequence ``0 … 5``: convolution, batch norm, ReLU, twice."""
        x = self.conv_norm_relu(f"{name}.0", f"{name}.1", x, middle or channels, bias=bias)
        return self.conv_norm_relu(f"{name}.3", f"{name}.4", x, channels, bias=bias)

    def numbered_double(self, name: str, x: Tensor, channels: int, *, bias: bool = True) -> Tensor:
        """The layers ``conv1``, ``bn1``, ``conv2`` and ``bn2``."""
        x = self.conv_norm_relu(f"{name}.conv1", f"{name}.bn1", x, channels, bias=bias)
        return self.conv_norm_relu(f"{name}.conv2", f"{name}.bn2", x, channels, bias=bias)


def halve(x: Tensor) -> Tensor:
    """The largest of each 2 × 2 pixels."""
    return functional.max_pool2d(x, 2)


def bilinear(x: Tensor, factor: int = 2, *, corners: bool = True) -> Tensor:
    """Enlarge, with or without aligned corners."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=corners)


def nearest(x: Tensor) -> Tensor:
    """Repeat each pixel."""
    return functional.interpolate(x, scale_factor=2)


def join(*maps: Tensor) -> Tensor:
    """Concatenate the channels."""
    return torch.cat(maps, 1)
