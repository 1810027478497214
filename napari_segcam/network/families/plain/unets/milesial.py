"""milesial's U-Net, in its present form and in that before 2019.

Source: https://github.com/milesial/Pytorch-UNet.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import NamedDoubleConvolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes


class _Down(nn.Module):
    def __init__(self, layers: LayerShapes, name: str, block: str, bias: bool) -> None:
        super().__init__()
        self._name = name
        convolutions = NamedDoubleConvolution(layers.at(name).at("1"), block, bias=bias)
        self.add_module(name, nn.Sequential(nn.MaxPool2d(2), convolutions))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self._modules[self._name](x)  # type: ignore[misc]
        return features


class _Up(nn.Module):
    def __init__(self, layers: LayerShapes, block: str, bias: bool) -> None:
        super().__init__()
        self.up = (
            layers.up("up") if layers.has("up") else nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        )
        self.conv = NamedDoubleConvolution(layers.at("conv"), block, bias=bias)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = functional.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        features: torch.Tensor = self.conv(torch.cat([skip, x], dim=1))
        return features


class _Out(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv = layers.conv("conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.conv(x)
        return logits


class MilesialUNet(nn.Module):
    """U-Net with ``inc``, ``down1 …``, ``up1 …`` and ``outc``; up-sampling is bilinear or a transposed convolution."""

    def __init__(self, layers: LayerShapes, *, down: str = "maxpool_conv", block: str = "double_conv") -> None:
        super().__init__()
        bias = layers.has(f"inc.{block if block == 'double_conv' else 'conv.conv'}.0.bias")
        first = layers.at("inc")
        # The earlier form has one more module around the first block.
        self.inc: nn.Module = (
            NamedDoubleConvolution(first, block, bias=bias) if block == "double_conv" else _EarlyFirst(first, bias)
        )
        self._levels = layers.count("down{}", 1)
        for level in range(1, self._levels + 1):
            self.add_module(f"down{level}", _Down(layers.at(f"down{level}"), down, block, bias))
        for level in range(1, self._levels + 1):
            self.add_module(f"up{level}", _Up(layers.at(f"up{level}"), block, bias))
        self.outc = _Out(layers.at("outc"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)`` for images of any size."""
        skips = [self.inc(x)]
        for level in range(1, self._levels + 1):
            skips.append(getattr(self, f"down{level}")(skips[-1]))
        x = skips.pop()
        for level in range(1, self._levels + 1):
            x = getattr(self, f"up{level}")(x, skips.pop())
        logits: torch.Tensor = self.outc(x)
        return logits


class _EarlyFirst(nn.Module):
    def __init__(self, layers: LayerShapes, bias: bool) -> None:
        super().__init__()
        self.conv = NamedDoubleConvolution(layers.at("conv"), "conv", bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv(x)
        return features


def _early(layers: LayerShapes) -> MilesialUNet:
    return MilesialUNet(layers, down="mpconv", block="conv")


FAMILIES = (
    PlainFamily(
        "UNet (milesial/Pytorch-UNet)",
        ("inc.double_conv.0.weight", "outc.conv.weight", "down1.maxpool_conv.1.double_conv.0.weight"),
        MilesialUNet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "UNet (milesial/Pytorch-UNet, before 2019)",
        ("inc.conv.conv.0.weight", "outc.conv.weight", "down1.mpconv.1.conv.0.weight"),
        _early,
        card={"normalization": "unit"},
    ),
)
