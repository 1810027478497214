"""U-Net of torch-em, which most 2-D networks of bioimage.io are: ``encoder.blocks.0 …``, ``base`` and ``decoder``.

Source: https://github.com/constantinpape/torch-em (``torch_em.model.unet``).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence

_MOST_GROUPS = 32


class _Block(nn.Module):
    """Two convolutions. A norm comes before each: instance norm without weights, batch norm or group norm."""

    def __init__(self, layers: LayerShapes, norm: str) -> None:
        super().__init__()
        inner = layers.at("block")
        first, second = ("1", "4") if norm else ("0", "2")
        conv1, conv2 = inner.conv(first), inner.conv(second)
        self.block = sequence(
            _norm(inner, "0", norm, conv1.in_channels),
            conv1,
            nn.ReLU(inplace=True),
            _norm(inner, "3", norm, conv1.out_channels),
            conv2,
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.block(x)
        return features


def _norm(layers: LayerShapes, name: str, norm: str, channels: int) -> nn.Module | None:
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "batch":
            return layers.norm(name)
        case "group":
            for part in ("weight", "bias"):
                layers.weight(f"{name}.{part}", lambda shape: shape == (channels,))
            return nn.GroupNorm(min(_MOST_GROUPS, channels), channels)
    return None


def _norm_kind(first: LayerShapes) -> str:
    """Return which norm a block has: instance norms have no weights, and batch norms have statistics."""
    if first.has("0.running_mean"):
        return "batch"
    if not first.has("0"):
        return "instance"
    return "" if len(first.shape("0.weight")) == 4 else "group"


class _Sampler(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv = layers.conv("conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        features: torch.Tensor = self.conv(x)
        return features


class _Half(nn.Module):
    """The blocks of the encoder, or those of the decoder with their up-sampling."""

    def __init__(self, layers: LayerShapes, norm: str, *, samples: bool) -> None:
        super().__init__()
        count = layers.count("blocks.{}")
        self.blocks = nn.ModuleList(_Block(layers.at(f"blocks.{number}"), norm) for number in range(count))
        if samples:
            self.samplers = nn.ModuleList(_Sampler(layers.at(f"samplers.{number}")) for number in range(count))


class TorchEmUNet(nn.Module):
    """U-Net in which the decoder's map comes before the skip when both are concatenated.

    The repository can end it in an activation, which the weights do not show.
    """

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        norm = _norm_kind(layers.at("encoder.blocks.0.block"))
        self.encoder = _Half(layers.at("encoder"), norm, samples=False)
        self.base = _Block(layers.at("base"), norm)
        self.decoder = _Half(layers.at("decoder"), norm, samples=True)
        self.out_conv = layers.conv("out_conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for block in self.encoder.blocks:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.base(x)
        for sampler, block in zip(self.decoder.samplers, self.decoder.blocks, strict=True):
            x = block(torch.cat([sampler(x), skips.pop()], dim=1))
        logits: torch.Tensor = self.out_conv(x)
        return logits


def _family(first: str) -> PlainFamily:
    marks = (first, "decoder.samplers.0.conv.weight", "out_conv.weight")
    return PlainFamily("UNet2d (constantinpape/torch-em)", marks, TorchEmUNet, card={"normalization": "zscore"})


# Without norms the first convolution is the layer 0, with norms the layer 1.
FAMILIES = (_family("encoder.blocks.0.block.1.weight"), _family("encoder.blocks.0.block.0.weight"))
