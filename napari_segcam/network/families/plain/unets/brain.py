"""The U-Net for brain MRI with ``encoder1 …``, ``bottleneck``, ``upconv4 …`` and ``decoder4 …``.

Source: https://github.com/mateuszbuda/brain-segmentation-pytorch. Its forward ends in a sigmoid.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, add_parts


def _block(layers: LayerShapes, name: str) -> nn.Sequential:
    block = nn.Sequential()
    for number in (1, 2):
        add_parts(
            block,
            (
                (f"{name}conv{number}", layers.conv(f"{name}conv{number}", bias=False)),
                (f"{name}norm{number}", layers.norm(f"{name}norm{number}")),
                (f"{name}relu{number}", nn.ReLU(inplace=True)),
            ),
        )
    return block


class BrainUNet(nn.Module):
    """U-Net in which the decoder's map comes before the skip when both are concatenated."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._levels = layers.count("encoder{}", 1)
        for level in range(1, self._levels + 1):
            self.add_module(f"encoder{level}", _block(layers.at(f"encoder{level}"), f"enc{level}"))
            self.add_module(f"pool{level}", nn.MaxPool2d(kernel_size=2, stride=2))
        self.bottleneck = _block(layers.at("bottleneck"), "bottleneck")
        for level in range(self._levels, 0, -1):
            self.add_module(f"upconv{level}", layers.up(f"upconv{level}"))
            self.add_module(f"decoder{level}", _block(layers.at(f"decoder{level}"), f"dec{level}"))
        self.conv = layers.conv("conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)``, one sigmoid per class."""
        skips = []
        for level in range(1, self._levels + 1):
            skips.append(getattr(self, f"encoder{level}")(x))
            x = getattr(self, f"pool{level}")(skips[-1])
        x = self.bottleneck(x)
        for level in range(self._levels, 0, -1):
            x = torch.cat((getattr(self, f"upconv{level}")(x), skips.pop()), dim=1)
            x = getattr(self, f"decoder{level}")(x)
        return torch.sigmoid(self.conv(x))


FAMILIES = (
    PlainFamily(
        "UNet (mateuszbuda/brain-segmentation-pytorch)",
        ("encoder1.enc1conv1.weight", "bottleneck.bottleneckconv1.weight", "conv.weight"),
        BrainUNet,
        card={"normalization": "zscore"},
    ),
)
