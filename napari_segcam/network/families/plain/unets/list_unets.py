"""U-Nets whose blocks are in lists: ``down_path.0 …``, ``downs.0 …`` or ``down_convs.0 …``.

Sources: https://github.com/jvanvugt/pytorch-unet, https://github.com/aladdinpersson/Machine-Learning-Collection and
https://github.com/jaxony/unet-pytorch.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import NamedDoubleConvolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence

_POOLS: dict[str, type[nn.MaxPool2d | nn.AvgPool2d]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class _PathBlock(nn.Module):
    """Two convolutions; the batch norm comes after the ReLU."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        inner, norm = layers.at("block"), layers.has("block.2.running_mean")
        second = 3 if norm else 2
        self.block = sequence(
            inner.conv("0"),
            nn.ReLU(),
            inner.norm("2") if norm else None,
            inner.conv(f"{second}"),
            nn.ReLU(),
            inner.norm(f"{second + 2}") if norm else None,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.block(x)
        return features


class _PathUp(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.up: nn.Module = (
            sequence(nn.Upsample(mode="bilinear", scale_factor=2), layers.conv("up.1", 1))
            if layers.has("up.1")
            else layers.up("up")
        )
        self.conv_block = _PathBlock(layers.at("conv_block"))

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv_block(torch.cat([self.up(x), skip], 1))
        return features


class PathUNet(nn.Module):
    """jvanvugt's U-Net with padded convolutions. The repository has unpadded ones too, with the same weights."""

    def __init__(self, layers: LayerShapes, pooling: str = "max", padding: bool = True) -> None:
        super().__init__()
        if padding is not True:
            raise ValueError("without padding its masks are smaller than the image, which is not supported")
        if pooling not in _POOLS:
            raise ValueError(f"pooling is {' or '.join(_POOLS)}, not {pooling!r}")
        self.pool = _POOLS[pooling](2)
        downs, ups = layers.count("down_path.{}"), layers.count("up_path.{}")
        self.down_path = nn.ModuleList(_PathBlock(layers.at(f"down_path.{level}")) for level in range(downs))
        self.up_path = nn.ModuleList(_PathUp(layers.at(f"up_path.{level}")) for level in range(ups))
        self.last = layers.conv("last", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips: list[torch.Tensor] = []
        for down in self.down_path:
            skips.append(down(self.pool(skips[-1]) if skips else x))
        x = skips.pop()
        for up in self.up_path:
            x = up(x, skips.pop())
        logits: torch.Tensor = self.last(x)
        return logits


class AladdinUNet(nn.Module):
    """aladdinpersson's U-Net, whose list ``ups`` alternates transposed convolutions and blocks."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        bias = layers.has("downs.0.conv.0.bias")
        downs, ups = layers.count("downs.{}"), layers.count("ups.{}")
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.downs = nn.ModuleList(
            NamedDoubleConvolution(layers.at(f"downs.{level}"), "conv", bias=bias) for level in range(downs)
        )
        self.ups = nn.ModuleList(
            NamedDoubleConvolution(layers.at(f"ups.{number}"), "conv", bias=bias)
            if number % 2
            else layers.up(f"ups.{number}")
            for number in range(ups)
        )
        self.bottleneck = NamedDoubleConvolution(layers.at("bottleneck"), "conv", bias=bias)
        self.final_conv = layers.conv("final_conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for down in self.downs:
            skips.append(down(x))
            x = self.pool(skips[-1])
        x = self.bottleneck(x)
        for up, block in zip(self.ups[::2], self.ups[1::2], strict=True):
            x, skip = up(x), skips.pop()
            if x.shape[2:] != skip.shape[2:]:
                x = functional.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=False, antialias=True)
            x = block(torch.cat((skip, x), dim=1))
        logits: torch.Tensor = self.final_conv(x)
        return logits


class _JaxonyDown(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv1, self.conv2 = layers.conv("conv1"), layers.conv("conv2")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class _JaxonyUp(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.upconv: nn.Module = (
            sequence(nn.Upsample(mode="bilinear", scale_factor=2), layers.conv("upconv.1", 1))
            if layers.has("upconv.1")
            else layers.up("upconv")
        )
        self.conv1, self.conv2 = layers.conv("conv1"), layers.conv("conv2")

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = self.upconv(x)
        # The repository can add the skip instead of concatenating it, which the channels show.
        x = x + skip if self.conv1.in_channels == x.shape[1] else torch.cat((x, skip), 1)
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))


class JaxonyUNet(nn.Module):
    """jaxony's U-Net without batch norms."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        downs, ups = layers.count("down_convs.{}"), layers.count("up_convs.{}")
        self.down_convs = nn.ModuleList(_JaxonyDown(layers.at(f"down_convs.{level}")) for level in range(downs))
        self.up_convs = nn.ModuleList(_JaxonyUp(layers.at(f"up_convs.{level}")) for level in range(ups))
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv_final = layers.conv("conv_final", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips: list[torch.Tensor] = []
        for down in self.down_convs:
            skips.append(down(self.pool(skips[-1]) if skips else x))
        x = skips.pop()
        for up in self.up_convs:
            x = up(x, skips.pop())
        logits: torch.Tensor = self.conv_final(x)
        return logits


FAMILIES = (
    PlainFamily(
        "UNet (jvanvugt/pytorch-unet)",
        ("down_path.0.block.0.weight", "up_path.0.conv_block.block.0.weight", "last.weight"),
        PathUNet,
        options={"pooling": "max", "padding": True},
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "UNET (aladdinpersson/Machine-Learning-Collection)",
        ("downs.0.conv.0.weight", "ups.0.weight", "bottleneck.conv.0.weight", "final_conv.weight"),
        AladdinUNet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "UNet (jaxony/unet-pytorch)",
        ("down_convs.0.conv1.weight", "up_convs.0.conv1.weight", "conv_final.weight"),
        JaxonyUNet,
        card={"normalization": "unit"},
    ),
)
