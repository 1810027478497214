"""Swin-Unet: a U-Net of windowed transformers.

Source: https://github.com/HuCaoFighting/Swin-Unet (Cao et al. 2021, arXiv:2105.05537).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes

_USUAL_SIDE = 56  # tokens in a row of the finest level, for images of 224 pixels


class _Attention(nn.Module):
    """Attention within windows. The index of the position bias is in the weights."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        table = layers.weight("relative_position_bias_table", lambda shape: len(shape) == 2) or (1, 1)
        self.window, self._heads = (math.isqrt(table[0]) + 1) // 2, table[1]
        tokens = self.window**2
        layers.weight("relative_position_index", lambda shape: shape == (tokens, tokens))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(table))
        self.relative_position_index: torch.Tensor
        self.register_buffer("relative_position_index", torch.zeros((tokens, tokens), dtype=torch.long))
        self.qkv, self.proj = layers.linear("qkv", bias=layers.has("qkv.bias")), layers.linear("proj")

    def forward(self, windows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        count, tokens, channels = windows.shape
        query, key, value = self.qkv(windows).reshape(count, tokens, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        scores = (query * (channels // self._heads) ** -0.5) @ key.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        scores = scores + bias.view(tokens, tokens, -1).permute(2, 0, 1).contiguous()
        if mask is not None:
            scores = scores.unflatten(0, (-1, mask.shape[0])) + mask.unsqueeze(1)
            scores = scores.flatten(0, 1)
        result: torch.Tensor = self.proj((scores.softmax(-1) @ value).transpose(1, 2).reshape(count, tokens, channels))
        return result


class _Mlp(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = layers.linear("fc1"), nn.GELU(), layers.linear("fc2")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc2(self.act(self.fc1(tokens)))
        return result


class _Block(nn.Module):
    """Attention and two connected layers. Every second block shifts the windows by half, with a mask in the weights."""

    def __init__(self, layers: LayerShapes, side: int, *, is_second: bool) -> None:
        super().__init__()
        self._side = side
        self.norm1, self.norm2 = layers.layer_norm("norm1"), layers.layer_norm("norm2")
        self.attn, self.mlp = _Attention(layers.at("attn")), _Mlp(layers.at("mlp"))
        self.attn_mask: torch.Tensor | None
        mask = None
        if is_second and side > self.attn.window:
            tokens = self.attn.window**2
            shape = layers.weight("attn_mask", lambda shape: shape == (side * side // tokens, tokens, tokens))
            mask = torch.zeros(shape or (1, 1, 1))
        self.register_buffer("attn_mask", mask)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        side, window = self._side, self.attn.window
        shift = window // 2 if self.attn_mask is not None else 0
        map_ = self.norm1(tokens).unflatten(1, (side, side)).roll((-shift, -shift), (1, 2))
        windows = map_.unflatten(2, (-1, window)).unflatten(1, (-1, window)).transpose(2, 3)
        shape = windows.shape
        attended = self.attn(windows.reshape(-1, window * window, tokens.shape[2]), self.attn_mask)
        map_ = attended.view(shape).transpose(2, 3).reshape(map_.shape).roll((shift, shift), (1, 2))
        tokens = tokens + map_.flatten(1, 2)
        result: torch.Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


class _Merging(nn.Module):
    """Join 2 × 2 tokens to one."""

    def __init__(self, layers: LayerShapes, side: int) -> None:
        super().__init__()
        self._side = side
        self.reduction, self.norm = layers.linear("reduction", bias=False), layers.layer_norm("norm")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        map_ = tokens.unflatten(1, (self._side, self._side))
        corners = [map_[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        merged: torch.Tensor = self.reduction(self.norm(torch.cat(corners, -1).flatten(1, 2)))
        return merged


class _Expanding(nn.Module):
    """Split each token into factor × factor ones."""

    def __init__(self, layers: LayerShapes, side: int, factor: int) -> None:
        super().__init__()
        self._side, self._factor = side, factor
        self.expand, self.norm = layers.linear("expand", bias=False), layers.layer_norm("norm")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        factor = self._factor
        map_ = self.expand(tokens).unflatten(1, (self._side, self._side))
        map_ = map_.unflatten(-1, (factor, factor, -1)).permute(0, 1, 3, 2, 4, 5)
        expanded: torch.Tensor = self.norm(map_.reshape(len(tokens), -1, map_.shape[-1]))
        return expanded


class _Stage(nn.Module):
    def __init__(self, layers: LayerShapes, side: int) -> None:
        super().__init__()
        count = layers.count("blocks.{}")
        self.blocks = nn.ModuleList(
            _Block(layers.at(f"blocks.{number}"), side, is_second=number % 2 == 1) for number in range(count)
        )
        self.downsample = _Merging(layers.at("downsample"), side) if layers.has("downsample") else None
        self.upsample = _Expanding(layers.at("upsample"), side, 2) if layers.has("upsample") else None

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        for part in (self.downsample, self.upsample):
            tokens = tokens if part is None else part(tokens)
        return tokens


class _Embedding(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        size = (layers.shape("proj.weight") or (4,))[-1]
        self.proj = layers.conv("proj", size, stride=size, padding=0)
        self.norm = layers.layer_norm("norm")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens: torch.Tensor = self.norm(self.proj(x).flatten(2).transpose(1, 2))
        return tokens


class SwinUnet(nn.Module):
    """Swin-Unet for images of one size, which the masks of its shifted windows show."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.patch_embed = _Embedding(layers.at("patch_embed"))
        self._side = _side(layers)
        depth = layers.count("layers.{}")
        sides = [max(1, self._side // 2**level) for level in range(depth)]
        self.layers = nn.ModuleList(_Stage(layers.at(f"layers.{level}"), side) for level, side in enumerate(sides))
        self.layers_up, self.concat_back_dim = nn.ModuleList(), nn.ModuleList()
        for number, side in enumerate(reversed(sides)):
            inner = layers.at(f"layers_up.{number}")
            self.layers_up.append(_Stage(inner, side) if number else _Expanding(inner, side, 2))
            self.concat_back_dim.append(layers.linear(f"concat_back_dim.{number}") if number else nn.Identity())
        self.norm, self.norm_up = layers.layer_norm("norm"), layers.layer_norm("norm_up")
        patch = self.patch_embed.proj.kernel_size[0]
        self.up = _Expanding(layers.at("up"), self._side, patch)
        self.output = layers.conv("output", 1, bias=False)
        self.image_size = (self._side * patch, self._side * patch)
        self.stage_layers = (
            ("encoder_1", "encoder", "patch_embed"),
            *((f"encoder_{level + 2}", "encoder", f"layers.{level}") for level in range(depth - 1)),
            (f"encoder_{depth + 1}", "encoder", "norm"),
            *((f"decoder_{number}", "decoder", f"layers_up.{number}") for number in range(depth)),
            ("seg_head", "head", "output"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        if x.shape[1] == 1 and self.patch_embed.proj.in_channels == 3:
            x = x.repeat(1, 3, 1, 1)
        tokens = self.patch_embed(x)
        skips = []
        for stage in self.layers:
            skips.append(tokens)
            tokens = stage(tokens)
        tokens = self.layers_up[0](self.norm(tokens))
        for number in range(1, len(self.layers_up)):
            joined = torch.cat([tokens, skips[len(skips) - 1 - number]], -1)
            tokens = self.layers_up[number](self.concat_back_dim[number](joined))
        tokens = self.up(self.norm_up(tokens))
        side = self.image_size[0]
        logits: torch.Tensor = self.output(tokens.view(len(tokens), side, side, -1).permute(0, 3, 1, 2))
        return logits


def _side(layers: LayerShapes) -> int:
    """Return how many tokens are in a row of the finest level."""
    block = "layers.0.blocks.1"
    windows = layers.shape(f"{block}.attn_mask")
    table = layers.shape(f"{block}.attn.relative_position_bias_table")
    if len(windows) != 3 or len(table) != 2:
        return _USUAL_SIDE
    return math.isqrt(windows[0]) * ((math.isqrt(table[0]) + 1) // 2)


FAMILIES = (
    PlainFamily(
        "Swin-Unet (HuCaoFighting/Swin-Unet)",
        ("patch_embed.proj.weight", "layers_up.0.expand.weight", "concat_back_dim.1.weight", "output.weight"),
        SwinUnet,
        card={"normalization": "unit"},
    ),
)
