"""The U-Net of many tutorials, with ``e1 …``, ``b``, ``d1 …`` and ``outputs``.

Source: https://github.com/nikhilroxtomar/Retina-Blood-Vessel-Segmentation-in-PyTorch. Other tutorials write its blocks
as one sequence, so that the last layer of the first decoder block is ``d1.conv.conv.5``.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import (
    NamedDoubleConvolution,
    NumberedDoubleConvolution,
)
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes


def _block(layers: LayerShapes, bias: bool) -> nn.Module:
    if layers.has("conv.0"):
        return NamedDoubleConvolution(layers, "conv", bias=bias)
    return NumberedDoubleConvolution(layers, bias=bias)


class _Encoder(nn.Module):
    def __init__(self, layers: LayerShapes, bias: bool) -> None:
        super().__init__()
        self.conv = _block(layers.at("conv"), bias)
        self.pool = nn.MaxPool2d((2, 2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.conv(x)
        return features, self.pool(features)


class _Decoder(nn.Module):
    def __init__(self, layers: LayerShapes, bias: bool) -> None:
        super().__init__()
        self.up = layers.up("up")
        self.conv = _block(layers.at("conv"), bias)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv(torch.cat([self.up(x), skip], dim=1))
        return features


class TutorialUNet(nn.Module):
    """U-Net in which the decoder's map comes before the skip when both are concatenated."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        bias = layers.has("e1.conv.conv1.bias") or layers.has("e1.conv.conv.0.bias")
        self._levels = layers.count("e{}", 1)
        for level in range(1, self._levels + 1):
            self.add_module(f"e{level}", _Encoder(layers.at(f"e{level}"), bias))
        self.b = _block(layers.at("b"), bias)
        for level in range(1, self._levels + 1):
            self.add_module(f"d{level}", _Decoder(layers.at(f"d{level}"), bias))
        self.outputs = layers.conv("outputs", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for level in range(1, self._levels + 1):
            skip, x = getattr(self, f"e{level}")(x)
            skips.append(skip)
        x = self.b(x)
        for level in range(1, self._levels + 1):
            x = getattr(self, f"d{level}")(x, skips.pop())
        logits: torch.Tensor = self.outputs(x)
        return logits


_NAME = "UNet (tutorial, e1 … d4)"

FAMILIES = (
    PlainFamily(
        _NAME,
        ("e1.conv.conv1.weight", "b.conv1.weight", "d1.up.weight", "outputs.weight"),
        TutorialUNet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        _NAME,
        ("e1.conv.conv.0.weight", "b.conv.0.weight", "d1.up.weight", "outputs.weight"),
        TutorialUNet,
        card={"normalization": "unit"},
    ),
)
