"""UNeXt and its small form: convolutions, then shifted fully connected layers on tokens.

Source: https://github.com/jeya-maria-jose/UNeXt-pytorch (Valanarasu & Patel 2022, arXiv:2203.04967).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes

_SHIFTS = 5


def _to_map(tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *size)


def _to_tokens(map_: torch.Tensor) -> torch.Tensor:
    return map_.flatten(2).transpose(1, 2)


def _shifted(tokens: torch.Tensor, size: torch.Size, axis: int) -> torch.Tensor:
    """Shift five groups of channels by -2 … 2 pixels along an axis; zeros come in at the border."""
    reach = _SHIFTS // 2
    padded = functional.pad(_to_map(tokens, size), (reach, reach, reach, reach))
    groups = torch.chunk(padded, _SHIFTS, 1)
    shifted = [torch.roll(group, step, axis) for group, step in zip(groups, range(-reach, reach + 1), strict=False)]
    moved = torch.cat(shifted, 1)[:, :, reach : reach + size[0], reach : reach + size[1]]
    return _to_tokens(moved.contiguous())


class _Depthwise(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.dwconv = layers.depthwise("dwconv")

    def forward(self, tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
        return _to_tokens(self.dwconv(_to_map(tokens, size)))


class _ShiftedMlp(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.fc1, self.fc2 = layers.linear("fc1"), layers.linear("fc2")
        self.dwconv, self.act = _Depthwise(layers.at("dwconv")), nn.GELU()

    def forward(self, tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
        tokens = self.act(self.dwconv(self.fc1(_shifted(tokens, size, 2)), size))
        result: torch.Tensor = self.fc2(_shifted(tokens, size, 3))
        return result


class _Block(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.norm2, self.mlp = layers.layer_norm("norm2"), _ShiftedMlp(layers.at("mlp"))

    def forward(self, tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
        result: torch.Tensor = tokens + self.mlp(self.norm2(tokens), size)
        return result


class _Embedding(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.proj, self.norm = layers.conv("proj", stride=2), layers.layer_norm("norm")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Size]:
        x = self.proj(x)
        return self.norm(_to_tokens(x)), x.shape[2:]


class UNeXt(nn.Module):
    """Three levels of convolutions and two of tokens; skips are added."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        for level in (1, 2, 3):
            self.add_module(f"encoder{level}", layers.conv(f"encoder{level}"))
            self.add_module(f"ebn{level}", layers.norm(f"ebn{level}"))
            self.add_module(f"relu{level}", nn.ReLU())
        for name in ("norm3", "norm4", "dnorm3", "dnorm4"):
            self.add_module(name, layers.layer_norm(name))
        for name in ("block1", "block2", "dblock1", "dblock2"):
            count = layers.count(f"{name}.{{}}")
            self.add_module(name, nn.ModuleList(_Block(layers.at(f"{name}.{number}")) for number in range(count)))
        self.patch_embed3, self.patch_embed4 = (
            _Embedding(layers.at("patch_embed3")),
            _Embedding(layers.at("patch_embed4")),
        )
        for level in (1, 2, 3, 4, 5):
            self.add_module(f"decoder{level}", layers.conv(f"decoder{level}"))
            if level < 5:
                self.add_module(f"dbn{level}", layers.norm(f"dbn{level}"))
            self.add_module(f"drelu{level}", nn.ReLU())
        self.final = layers.conv("final", 1)
        encoders = ("relu1", "relu2", "relu3", "norm3", "norm4")
        decoders = ("dnorm3", "dnorm4", "drelu3", "drelu4", "drelu5")
        self.stage_layers = (
            *((f"encoder_{level}", "encoder", layer) for level, layer in enumerate(encoders, start=1)),
            *((f"decoder_{level}", "decoder", layer) for level, layer in enumerate(decoders, start=1)),
            ("seg_head", "head", "final"),
        )

    def _tokens(self, blocks: str, norm: str, tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
        for block in getattr(self, blocks):
            tokens = block(tokens, size)
        return _to_map(getattr(self, norm)(tokens), size).contiguous()

    def _enlarge(self, level: int, x: torch.Tensor) -> torch.Tensor:
        x = getattr(self, f"decoder{level}")(x)
        if level < 5:
            x = getattr(self, f"dbn{level}")(x)
        x = functional.interpolate(x, scale_factor=(2, 2), mode="bilinear", align_corners=False)
        enlarged: torch.Tensor = getattr(self, f"drelu{level}")(x)
        return enlarged

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        skips = []
        for level in (1, 2, 3):
            x = getattr(self, f"ebn{level}")(getattr(self, f"encoder{level}")(x))
            x = getattr(self, f"relu{level}")(functional.max_pool2d(x, 2, 2))
            skips.append(x)
        tokens, size = self.patch_embed3(x)
        x = self._tokens("block1", "norm3", tokens, size)
        skips.append(x)
        tokens, size = self.patch_embed4(x)
        x = self._tokens("block2", "norm4", tokens, size)
        for level in (1, 2, 3, 4):
            x = self._enlarge(level, x) + skips.pop()
            if level < 3:
                x = self._tokens(f"dblock{level}", f"dnorm{level + 2}", _to_tokens(x), x.shape[2:])
        logits: torch.Tensor = self.final(self._enlarge(5, x))
        return logits


FAMILIES = (
    PlainFamily(
        "UNext (jeya-maria-jose/UNeXt-pytorch)",
        ("encoder1.weight", "block1.0.mlp.dwconv.dwconv.weight", "patch_embed3.proj.weight", "final.weight"),
        UNeXt,
        card={"normalization": "imagenet"},
    ),
)
