"""U-Net and nested U-Net (U-Net++) with ``conv0_0 …``, with and without deep supervision.

Source: https://github.com/4uiiurz1/pytorch-nested-unet.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import NumberedDoubleConvolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes


def _upsample() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class GridUNet(nn.Module):
    """U-Net whose node in row r (how often the map was halved) and column c is ``conv{r}_{c}``."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.pool, self.up = nn.MaxPool2d(2, 2), _upsample()
        self._deepest = layers.count("conv{}_0") - 1
        for row in range(self._deepest + 1):
            self.add_module(f"conv{row}_0", NumberedDoubleConvolution(layers.at(f"conv{row}_0")))
        for row in reversed(range(self._deepest)):
            name = f"conv{row}_{self._deepest - row}"
            self.add_module(name, NumberedDoubleConvolution(layers.at(name)))
        self.final = layers.conv("final", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips: list[torch.Tensor] = []
        for row in range(self._deepest + 1):
            skips.append(getattr(self, f"conv{row}_0")(self.pool(skips[-1]) if skips else x))
        x = skips.pop()
        for row in reversed(range(self._deepest)):
            x = getattr(self, f"conv{row}_{self._deepest - row}")(torch.cat([skips[row], self.up(x)], 1))
        logits: torch.Tensor = self.final(x)
        return logits


class NestedUNet(nn.Module):
    """Nested U-Net: each node gets all earlier maps of its row and the node below, enlarged.

    With deep supervision, every node of the first row has a head, and the outputs are named as in the repository:
    ``output1 …``. The last is the one that the repository evaluates. ``stage_layers`` names the nodes.
    """

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.pool, self.up = nn.MaxPool2d(2, 2), _upsample()
        self._deepest = layers.count("conv{}_0") - 1
        for column in range(self._deepest + 1):
            for row in range(self._deepest + 1 - column):
                name = f"conv{row}_{column}"
                self.add_module(name, NumberedDoubleConvolution(layers.at(name)))
        self._supervised = layers.has("final1")
        self.main_output = f"output{self._deepest}" if self._supervised else ""
        if self._supervised:
            for column in range(1, self._deepest + 1):
                self.add_module(f"final{column}", layers.conv(f"final{column}", 1))
        else:
            self.final = layers.conv("final", 1)
        self.stage_layers = tuple(self._stages())

    def _stages(self) -> Iterator[tuple[str, str, str]]:
        for row in range(self._deepest + 1):
            yield f"encoder_{row + 1}", "encoder", f"conv{row}_0"
        for column in range(1, self._deepest + 1):
            for row in range(self._deepest - column, -1, -1):
                yield f"decoder_conv{row}_{column}", "decoder", f"conv{row}_{column}"
        yield "seg_head", "head", f"final{self._deepest}" if self._supervised else "final"

    def forward(self, x: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return logits ``(B, C, H, W)``, or those of each head by name."""
        rows: list[list[torch.Tensor]] = []
        for row in range(self._deepest + 1):
            rows.append([getattr(self, f"conv{row}_0")(self.pool(rows[-1][0]) if rows else x)])
        # Column by column, so that the encoder runs first; the result is the same in any order.
        for column in range(1, self._deepest + 1):
            for row in range(self._deepest + 1 - column):
                maps = [*rows[row], self.up(rows[row + 1][column - 1])]
                rows[row].append(getattr(self, f"conv{row}_{column}")(torch.cat(maps, 1)))
        if self._supervised:
            return {
                f"output{column}": getattr(self, f"final{column}")(rows[0][column])
                for column in range(1, self._deepest + 1)
            }
        logits: torch.Tensor = self.final(rows[0][-1])
        return logits


_SOURCE = "(4uiiurz1/pytorch-nested-unet)"

FAMILIES = (
    PlainFamily(
        f"NestedUNet {_SOURCE}",
        ("conv0_0.conv1.weight", "conv0_1.conv1.weight", "final.weight"),
        NestedUNet,
        card={"normalization": "imagenet"},
    ),
    PlainFamily(
        f"NestedUNet with deep supervision {_SOURCE}",
        ("conv0_0.conv1.weight", "conv0_1.conv1.weight", "final1.weight"),
        NestedUNet,
        card={"normalization": "imagenet"},
    ),
    PlainFamily(
        f"UNet {_SOURCE}",
        ("conv0_0.conv1.weight", "conv1_0.conv1.weight", "final.weight"),
        GridUNet,
        card={"normalization": "imagenet"},
    ),
)
