"""Two convolutions, each with a batch norm and a ReLU: the block of most U-Nets."""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence


def double_convolution(layers: LayerShapes, *, bias: bool = True, norm: bool = True) -> nn.Sequential:
    """Make the layers 0 to 5: convolution, batch norm and ReLU, twice; without batch norms 0 to 3."""
    second = 3 if norm else 2
    return sequence(
        layers.conv("0", bias=bias),
        layers.norm("1") if norm else None,
        nn.ReLU(inplace=True),
        layers.conv(f"{second}", bias=bias),
        layers.norm(f"{second + 1}") if norm else None,
        nn.ReLU(inplace=True),
    )


class NamedDoubleConvolution(nn.Module):
    """The same block as a module whose only part has a name, such as ``double_conv`` or ``conv``."""

    def __init__(self, layers: LayerShapes, name: str, *, bias: bool = True, norm: bool = True) -> None:
        super().__init__()
        self._name = name
        self.add_module(name, double_convolution(layers.at(name), bias=bias, norm=norm))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, H, W)``."""
        features: torch.Tensor = self._modules[self._name](x)  # type: ignore[misc]
        return features


class NumberedDoubleConvolution(nn.Module):
    """The same block whose layers are ``conv1``, ``bn1``, ``conv2`` and ``bn2``."""

    def __init__(self, layers: LayerShapes, *, bias: bool = True) -> None:
        super().__init__()
        self.conv1, self.bn1 = layers.conv("conv1", bias=bias), layers.norm("bn1")
        self.conv2, self.bn2 = layers.conv("conv2", bias=bias), layers.norm("bn2")
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, H, W)``."""
        features: torch.Tensor = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        return features
