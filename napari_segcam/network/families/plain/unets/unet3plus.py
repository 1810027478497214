"""UNet 3+, with and without deep supervision: ``conv1 …``, ``h1_PT_hd4_conv …`` and ``outconv1``.

Source: https://github.com/ZJUGiveLab/UNet-Version (Huang et al. 2020, arXiv:2004.08790).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence


class _Block(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv1, self.conv2 = (
            sequence(layers.conv(f"{name}.0"), layers.norm(f"{name}.1"), nn.ReLU(inplace=True))
            for name in ("conv1", "conv2")
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv2(self.conv1(x))
        return features


class UNet3Plus(nn.Module):
    """U-Net in which each node of the decoder gets a map from every level: finer ones pooled, coarser ones enlarged.

    With deep supervision, each level has a head, and the outputs are named as in the repository: ``d1 …``. The first
    is the finest.
    """

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._deepest = layers.count("conv{}.conv1", 1)
        self.pool = nn.MaxPool2d(kernel_size=2)
        for level in range(1, self._deepest + 1):
            self.add_module(f"conv{level}", _Block(layers.at(f"conv{level}")))
        for level in range(1, self._deepest):
            for source in range(1, self._deepest + 1):
                self._add_layer(layers, self._name(source, level), "_conv", "_bn", "_relu")
            for kind, part in (("conv", layers.conv), ("bn", layers.norm)):
                self.add_module(f"{kind}{level}d_1", part(f"{kind}{level}d_1"))
            self.add_module(f"relu{level}d_1", nn.ReLU(inplace=True))
        self._supervised = layers.has("outconv2")
        self.main_output = "d1" if self._supervised else ""
        for level in range(1, (self._deepest if self._supervised else 1) + 1):
            self.add_module(f"outconv{level}", layers.conv(f"outconv{level}"))
        self.stage_layers = (
            *((f"encoder_{level}", "encoder", f"conv{level}") for level in range(1, self._deepest + 1)),
            *((f"decoder_hd{level}", "decoder", f"relu{level}d_1") for level in range(self._deepest - 1, 0, -1)),
            ("seg_head", "head", "outconv1"),
        )

    def _add_layer(self, layers: LayerShapes, name: str, conv: str, norm: str, relu: str) -> None:
        self.add_module(f"{name}{conv}", layers.conv(f"{name}{conv}"))
        self.add_module(f"{name}{norm}", layers.norm(f"{name}{norm}"))
        self.add_module(f"{name}{relu}", nn.ReLU(inplace=True))

    @staticmethod
    def _name(source: int, level: int) -> str:
        """The repository's name for the layer that brings the map of one level to another."""
        if source < level:
            return f"h{source}_PT_hd{level}"
        return f"h{level}_Cat_hd{level}" if source == level else f"hd{source}_UT_hd{level}"

    def _bring(self, map_: torch.Tensor, source: int, level: int) -> torch.Tensor:
        factor = 2 ** abs(source - level)
        if source < level:
            map_ = functional.max_pool2d(map_, factor, factor, ceil_mode=True)
        elif source > level:
            map_ = functional.interpolate(map_, scale_factor=factor, mode="bilinear", align_corners=False)
        name = self._name(source, level)
        for part in ("conv", "bn", "relu"):
            map_ = getattr(self, f"{name}_{part}")(map_)
        return map_

    def _head(self, decoded: dict[int, torch.Tensor], level: int) -> torch.Tensor:
        logits: torch.Tensor = getattr(self, f"outconv{level}")(decoded[level])
        return logits

    def forward(self, x: torch.Tensor) -> torch.Tensor | dict[str, torch.Tensor]:
        """Return the probabilities ``(B, C, H, W)``, or those of each head by name."""
        maps: dict[int, torch.Tensor] = {}
        for level in range(1, self._deepest + 1):
            maps[level] = getattr(self, f"conv{level}")(self.pool(maps[level - 1]) if maps else x)
        decoded = {self._deepest: maps[self._deepest]}
        for level in range(self._deepest - 1, 0, -1):
            sources = {**maps, **decoded}  # levels below are decoded already
            x = torch.cat([self._bring(sources[source], source, level) for source in sorted(sources)], 1)
            for part in ("conv", "bn", "relu"):
                x = getattr(self, f"{part}{level}d_1")(x)
            decoded[level] = x
        if not self._supervised:
            return torch.sigmoid(self._head(decoded, 1))
        outputs = {}
        for level in range(1, self._deepest + 1):
            x = self._head(decoded, level)
            if level > 1:
                x = functional.interpolate(x, scale_factor=2 ** (level - 1), mode="bilinear", align_corners=False)
            outputs[f"d{level}"] = torch.sigmoid(x)
        return outputs


FAMILIES = (
    PlainFamily(
        "UNet 3+ (ZJUGiveLab/UNet-Version)",
        ("conv1.conv1.0.weight", "h1_PT_hd2_conv.weight", "conv1d_1.weight", "outconv1.weight"),
        UNet3Plus,
        card={"normalization": "unit"},
    ),
)
