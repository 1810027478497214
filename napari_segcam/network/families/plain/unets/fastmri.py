"""fastMRI's U-Net, whose instance norms have no weights.

Source: https://github.com/facebookresearch/fastMRI.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes

_SLOPE = 0.2


class _Block(nn.Module):
    """Convolution, instance norm and leaky ReLU, twice. Positions 3 and 7 hold dropout in training."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        for position in (0, 4):
            convolution = layers.conv(f"layers.{position}", bias=False)
            self.layers.extend(
                (
                    convolution,
                    nn.InstanceNorm2d(convolution.out_channels),
                    nn.LeakyReLU(_SLOPE, inplace=True),
                    nn.Identity(),
                )
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(x)
        return features


class _Up(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        enlarging = layers.up("layers.0", bias=False)
        self.layers = nn.Sequential(
            enlarging, nn.InstanceNorm2d(enlarging.out_channels), nn.LeakyReLU(_SLOPE, inplace=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(x)
        return features


class FastMRIUNet(nn.Module):
    """U-Net with ``down_sample_layers``, ``conv``, ``up_transpose_conv`` and ``up_conv``, which ends in the head."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        levels = layers.count("down_sample_layers.{}")
        self.down_sample_layers = nn.ModuleList(
            _Block(layers.at(f"down_sample_layers.{level}")) for level in range(levels)
        )
        self.conv = _Block(layers.at("conv"))
        self.up_conv, self.up_transpose_conv = nn.ModuleList(), nn.ModuleList()
        for number in range(levels):
            self.up_transpose_conv.append(_Up(layers.at(f"up_transpose_conv.{number}")))
            at = layers.at(f"up_conv.{number}")
            is_last = number == levels - 1
            self.up_conv.append(nn.Sequential(_Block(at.at("0")), at.conv("1", 1)) if is_last else _Block(at))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the map of the last convolution ``(B, C, H, W)``."""
        skips: list[torch.Tensor] = []
        for block in self.down_sample_layers:
            x = block(x)
            skips.append(x)
            x = functional.avg_pool2d(x, 2)
        x = self.conv(x)
        for enlarge, block in zip(self.up_transpose_conv, self.up_conv, strict=True):
            skip, x = skips.pop(), enlarge(x)
            rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
            if rows or columns:  # of odd sizes
                x = functional.pad(x, [0, columns, 0, rows], mode="reflect")
            x = block(torch.cat([x, skip], 1))
        return x


FAMILIES = (
    PlainFamily(
        "Unet (facebookresearch/fastMRI)",
        (
            "down_sample_layers.0.layers.0.weight",
            "conv.layers.0.weight",
            "up_transpose_conv.0.layers.0.weight",
        ),
        FastMRIUNet,
        card={"normalization": "zscore"},
    ),
)
