"""ResNets as encoders, with torchvision's names of the layers.

Source: ``torchvision.models.resnet`` (He et al., arXiv:1512.03385). They are written here because the import of
torchvision takes seconds.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence


class ResidualBlock(nn.Module):
    """Two convolutions, or three where the first and last have a kernel of one pixel, and a shortcut."""

    def __init__(self, layers: LayerShapes, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self._is_bottleneck = layers.has("conv3")
        if self._is_bottleneck:
            self.conv1 = layers.conv("conv1", 1, bias=False)
            self.conv2 = layers.conv("conv2", stride=stride, dilation=dilation, bias=False)
            self.conv3, self.bn3 = layers.conv("conv3", 1, bias=False), layers.norm("bn3")
        else:
            self.conv1 = layers.conv("conv1", stride=stride, dilation=dilation, bias=False)
            self.conv2 = layers.conv("conv2", dilation=dilation, bias=False)
        self.bn1, self.bn2 = layers.norm("bn1"), layers.norm("bn2")
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if layers.has("downsample"):
            inner = layers.at("downsample")
            self.downsample = sequence(inner.conv("0", 1, stride=stride, bias=False), inner.norm("1"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features ``(B, C, H / stride, W / stride)``."""
        features: torch.Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self._is_bottleneck:
            features = self.bn3(self.conv3(self.relu(features)))
        shortcut = x if self.downsample is None else self.downsample(x)
        relu: torch.Tensor = self.relu(features + shortcut)
        return relu


def residual_stage(
    layers: LayerShapes, stride: int, dilation: int = 1, first_dilation: int | None = None
) -> nn.Sequential:
    """Make the blocks ``0 …`` of a stage; the first has the stride.

    Args:
        layers: of the stage.
        stride: of the first block.
        dilation: of the 3×3 convolutions.
        first_dilation: of those of the first block, if it is another one.
    """
    first = dilation if first_dilation is None else first_dilation
    blocks = (
        ResidualBlock(layers.at(str(number)), stride if number == 0 else 1, dilation if number else first)
        for number in range(layers.count("{}"))
    )
    return nn.Sequential(*blocks)


def first_layer(layers: LayerShapes, conv: str = "conv1", norm: str = "bn1") -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """Make the first convolution, with a kernel of 7 × 7 pixels and stride 2, and its batch norm."""
    return layers.conv(conv, 7, stride=2, bias=False), layers.norm(norm)


def first_pool() -> nn.MaxPool2d:
    """Make the pooling layer after the first convolution."""
    return nn.MaxPool2d(3, stride=2, padding=1)
