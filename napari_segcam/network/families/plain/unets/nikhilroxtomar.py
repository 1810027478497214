"""Attention U-Net and ResUNet with ``e1 …``, ``b1`` or ``c11``, ``r2 …``, and ``output``.

Source: https://github.com/nikhilroxtomar/Semantic-Segmentation-Architecture (PyTorch).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.double_convolution import NamedDoubleConvolution
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence


def _upsample() -> nn.Upsample:
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)


class _Encoder(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv = NamedDoubleConvolution(layers.at("conv"), "conv")
        self.pool = nn.MaxPool2d((2, 2))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.conv(x)
        return features, self.pool(features)


class _Gate(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.Wg = sequence(layers.conv("Wg.0", 1), layers.norm("Wg.1"))
        self.Ws = sequence(layers.conv("Ws.0", 1), layers.norm("Ws.1"))
        self.relu = nn.ReLU(inplace=True)
        self.output = sequence(layers.conv("output.0", 1), nn.Sigmoid())

    def forward(self, gate: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        weighted: torch.Tensor = self.output(self.relu(self.Wg(gate) + self.Ws(skip))) * skip
        return weighted


class _AttentionDecoder(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.up = _upsample()
        self.ag = _Gate(layers.at("ag"))
        self.c1 = NamedDoubleConvolution(layers.at("c1"), "conv")

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        rows, columns = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = functional.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        features: torch.Tensor = self.c1(torch.cat([x, self.ag(x, skip)], dim=1))
        return features


class AttentionUNet(nn.Module):
    """U-Net with bilinear up-sampling and an attention gate at each skip."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._levels = layers.count("e{}", 1)
        for level in range(1, self._levels + 1):
            self.add_module(f"e{level}", _Encoder(layers.at(f"e{level}")))
        self.b1 = NamedDoubleConvolution(layers.at("b1"), "conv")
        for level in range(1, self._levels + 1):
            self.add_module(f"d{level}", _AttentionDecoder(layers.at(f"d{level}")))
        self.output = layers.conv("output", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for level in range(1, self._levels + 1):
            skip, x = getattr(self, f"e{level}")(x)
            skips.append(skip)
        x = self.b1(x)
        for level in range(1, self._levels + 1):
            x = getattr(self, f"d{level}")(x, skips.pop())
        logits: torch.Tensor = self.output(x)
        return logits


class _NormRelu(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.bn, self.relu = layers.norm("bn"), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.relu(self.bn(x))
        return features


class _Residual(nn.Module):
    def __init__(self, layers: LayerShapes, stride: int = 1) -> None:
        super().__init__()
        self.b1, self.b2 = _NormRelu(layers.at("b1")), _NormRelu(layers.at("b2"))
        self.c1, self.c2 = layers.conv("c1", stride=stride), layers.conv("c2")
        self.s = layers.conv("s", 1, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.c2(self.b2(self.c1(self.b1(x)))) + self.s(x)
        return features


class _Sum(nn.Module):
    """A sum that is a layer, so that its result is a stage."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


class _ResidualDecoder(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.upsample = _upsample()
        self.r = _Residual(layers.at("r"))

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.r(torch.cat([self.upsample(x), skip], dim=1))
        return features


class ResUNet(nn.Module):
    """U-Net of residual blocks whose encoder halves the map with strides."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.c11, self.c12, self.c13 = layers.conv("c11"), layers.conv("c12"), layers.conv("c13", 1)
        self.br1, self.skip1 = _NormRelu(layers.at("br1")), _Sum()
        self._deepest = 1 + layers.count("r{}", 2)
        for level in range(2, self._deepest + 1):
            self.add_module(f"r{level}", _Residual(layers.at(f"r{level}"), stride=2))
        for level in range(1, self._deepest):
            self.add_module(f"d{level}", _ResidualDecoder(layers.at(f"d{level}")))
        self.output = layers.conv("output", 1)
        self.sigmoid = nn.Sigmoid()
        self.stage_layers = (
            ("encoder_1", "encoder", "skip1"),
            *((f"encoder_{level}", "encoder", f"r{level}") for level in range(2, self._deepest + 1)),
            *((f"decoder_{level}", "decoder", f"d{level}") for level in range(1, self._deepest)),
            ("seg_head", "head", "output"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)``, one sigmoid per class."""
        skips = [self.skip1(self.c12(self.br1(self.c11(x))), self.c13(x))]
        for level in range(2, self._deepest + 1):
            skips.append(getattr(self, f"r{level}")(skips[-1]))
        x = skips.pop()
        for level in range(1, self._deepest):
            x = getattr(self, f"d{level}")(x, skips.pop())
        probabilities: torch.Tensor = self.sigmoid(self.output(x))
        return probabilities


_SOURCE = "(nikhilroxtomar/Semantic-Segmentation-Architecture)"

FAMILIES = (
    PlainFamily(
        f"attention_unet {_SOURCE}",
        ("e1.conv.conv.0.weight", "b1.conv.0.weight", "d1.ag.Wg.0.weight", "output.weight"),
        AttentionUNet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        f"build_resunet {_SOURCE}",
        ("c11.weight", "c13.weight", "r2.c1.weight", "d1.r.c1.weight", "output.weight"),
        ResUNet,
        card={"normalization": "unit"},
    ),
)
