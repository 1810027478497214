"""TransUNet with a ResNet and a vision transformer as encoder.

Source: https://github.com/Beckschen/TransUNet (Chen et al. 2021, arXiv:2102.04306).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence

_STRIDE = 16


class _StandardizedConvolution(nn.Conv2d):
    """A convolution whose weights are standardized for each output channel at every run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        variance, mean = torch.var_mean(self.weight, dim=[1, 2, 3], keepdim=True, correction=0)
        weight = (self.weight - mean) / torch.sqrt(variance + 1e-5)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def _standardized(layers: LayerShapes, name: str, kernel: int, stride: int = 1) -> _StandardizedConvolution:
    plain = layers.conv(name, kernel, stride=stride, bias=False)
    return _StandardizedConvolution(plain.in_channels, plain.out_channels, kernel, stride, kernel // 2, bias=False)


def _group_norm(layers: LayerShapes, name: str, groups: int | None = 32, eps: float = 1e-6) -> nn.GroupNorm:
    shape = layers.weight(f"{name}.weight", lambda shape: len(shape) == 1 and not shape[0] % (groups or 1))
    channels = shape[0] if shape else groups or 1
    layers.weight(f"{name}.bias", lambda shape: shape == (channels,))
    return nn.GroupNorm(groups or channels, channels, eps)


class _Unit(nn.Module):
    def __init__(self, layers: LayerShapes, stride: int) -> None:
        super().__init__()
        self.gn1, self.conv1 = _group_norm(layers, "gn1"), _standardized(layers, "conv1", 1)
        self.gn2, self.conv2 = _group_norm(layers, "gn2"), _standardized(layers, "conv2", 3, stride)
        self.gn3, self.conv3 = _group_norm(layers, "gn3"), _standardized(layers, "conv3", 1)
        self.relu = nn.ReLU(inplace=True)
        self._projects = layers.has("downsample")
        if self._projects:
            self.downsample = _standardized(layers, "downsample", 1, stride)
            self.gn_proj = _group_norm(layers, "gn_proj", None, 1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.gn_proj(self.downsample(x)) if self._projects else x
        x = self.relu(self.gn1(self.conv1(x)))
        x = self.relu(self.gn2(self.conv2(x)))
        features: torch.Tensor = self.relu(shortcut + self.gn3(self.conv3(x)))
        return features


class _ResNet(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.root = nn.Sequential()
        self.root.add_module("conv", _standardized(layers, "root.conv", 7, 2))
        self.root.add_module("gn", _group_norm(layers, "root.gn"))
        self.root.add_module("relu", nn.ReLU(inplace=True))
        self.body = nn.Sequential()
        for level in (1, 2, 3):
            block, inner = nn.Sequential(), layers.at(f"body.block{level}")
            for number in range(1, inner.count("unit{}", 1) + 1):
                stride = 2 if number == 1 and level > 1 else 1
                block.add_module(f"unit{number}", _Unit(inner.at(f"unit{number}"), stride))
            self.body.add_module(f"block{level}", block)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the deepest map and the skips, the deepest first."""
        side = x.shape[2]
        x = self.root(x)
        skips = [x]
        x = functional.max_pool2d(x, 3, stride=2)  # without padding, so that maps lack a row and a column
        blocks = list(self.body)
        for level, block in enumerate(blocks[:-1], start=1):
            x = block(x)
            missing = int(side / 4 / level) - x.shape[2]
            skips.append(functional.pad(x, (0, missing, 0, missing)) if missing else x)
        return blocks[-1](x), skips[::-1]


class _Embeddings(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.hybrid_model = _ResNet(layers.at("hybrid_model"))
        self.patch_embeddings = layers.conv("patch_embeddings", 1)
        shape = layers.weight("position_embeddings", lambda shape: len(shape) == 3 and shape[0] == 1)
        self.position_embeddings = nn.Parameter(torch.zeros(shape or (1, 1, 1)))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        x, skips = self.hybrid_model(x)
        tokens = self.patch_embeddings(x).flatten(2).transpose(-1, -2)
        return tokens + self.position_embeddings, skips


class _Attention(nn.Module):
    def __init__(self, layers: LayerShapes, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.query, self.key, self.value = layers.linear("query"), layers.linear("key"), layers.linear("value")
        self.out = layers.linear("out")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part(tokens).unflatten(-1, (self._heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), dim=-1)
        result: torch.Tensor = self.out((weights @ value).transpose(1, 2).flatten(2))
        return result


class _Mlp(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.fc1, self.fc2 = layers.linear("fc1"), layers.linear("fc2")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return result


class _Block(nn.Module):
    def __init__(self, layers: LayerShapes, heads: int) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = (layers.layer_norm(name, 1e-6) for name in ("attention_norm", "ffn_norm"))
        self.attn, self.ffn = _Attention(layers.at("attn"), heads), _Mlp(layers.at("ffn"))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = self.attn(self.attention_norm(tokens)) + tokens
        result: torch.Tensor = self.ffn(self.ffn_norm(tokens)) + tokens
        return result


class _Encoder(nn.Module):
    def __init__(self, layers: LayerShapes, heads: int) -> None:
        super().__init__()
        count = layers.count("layer.{}")
        self.layer = nn.ModuleList(_Block(layers.at(f"layer.{number}"), heads) for number in range(count))
        self.encoder_norm = layers.layer_norm("encoder_norm", 1e-6)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        for block in self.layer:
            tokens = block(tokens)
        result: torch.Tensor = self.encoder_norm(tokens)
        return result


class _Transformer(nn.Module):
    def __init__(self, layers: LayerShapes, heads: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings(layers.at("embeddings"))
        self.encoder = _Encoder(layers.at("encoder"), heads)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        tokens, skips = self.embeddings(x)
        return self.encoder(tokens), skips


def _convolution(layers: LayerShapes, name: str) -> nn.Sequential:
    inner = layers.at(name)
    return sequence(inner.conv("0", bias=False), inner.norm("1"), nn.ReLU(inplace=True))


class _DecoderBlock(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv1, self.conv2 = _convolution(layers, "conv1"), _convolution(layers, "conv2")
        self.up = nn.UpsamplingBilinear2d(scale_factor=2)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        x = self.up(x)
        # The channels show whether a block gets a skip.
        if skip is not None and self.conv1[0].in_channels > x.shape[1]:  # type: ignore[operator]
            x = torch.cat([x, skip], dim=1)
        features: torch.Tensor = self.conv2(self.conv1(x))
        return features


class _Decoder(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv_more = _convolution(layers, "conv_more")
        count = layers.count("blocks.{}")
        self.blocks = nn.ModuleList(_DecoderBlock(layers.at(f"blocks.{number}")) for number in range(count))

    def forward(self, tokens: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        side = math.isqrt(tokens.shape[1])
        x = self.conv_more(tokens.transpose(1, 2).unflatten(-1, (side, side)))
        for number, block in enumerate(self.blocks):
            x = block(x, skips[number] if number < len(skips) else None)
        return x


class TransUNet(nn.Module):
    """TransUNet for images of one size, which the position embeddings show. It makes three channels of a gray image."""

    def __init__(self, layers: LayerShapes, num_heads: int = 12) -> None:
        super().__init__()
        if not isinstance(num_heads, int) or num_heads < 1:
            raise ValueError(f"num_heads is a whole number from 1, not {num_heads!r}")
        self.transformer = _Transformer(layers.at("transformer"), num_heads)
        self.decoder = _Decoder(layers.at("decoder"))
        self.segmentation_head = sequence(layers.conv("segmentation_head.0"), nn.Identity())
        tokens = self.transformer.embeddings.position_embeddings.shape[1]
        self.image_size = (math.isqrt(tokens) * _STRIDE,) * 2
        hybrid, blocks = "transformer.embeddings.hybrid_model", range(len(self.decoder.blocks))
        self.stage_layers = (
            ("encoder_1", "encoder", f"{hybrid}.root"),
            *((f"encoder_{level + 1}", "encoder", f"{hybrid}.body.block{level}") for level in (1, 2, 3)),
            ("encoder_transformer", "encoder", "transformer.encoder.encoder_norm"),
            ("decoder_conv_more", "decoder", "decoder.conv_more"),
            *((f"decoder_{number}", "decoder", f"decoder.blocks.{number}") for number in blocks),
            ("seg_head", "head", "segmentation_head"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        if x.shape[1] == 1:
            x = x.repeat(1, 3, 1, 1)
        logits: torch.Tensor = self.segmentation_head(self.decoder(*self.transformer(x)))
        return logits


FAMILIES = (
    PlainFamily(
        "TransUNet (Beckschen/TransUNet)",
        (
            "transformer.embeddings.hybrid_model.root.conv.weight",
            "transformer.embeddings.position_embeddings",
            "decoder.conv_more.0.weight",
            "segmentation_head.0.weight",
        ),
        TransUNet,
        options={"num_heads": 12},
        card={"normalization": "unit"},
    ),
)
