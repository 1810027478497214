"""U-Net and U-Net++ with ``conv1 …``, ``center`` and ``up_concat4 …``, and U-Net with ``enc1 …`` and ``dec4 …``.

Sources: https://github.com/ZJUGiveLab/UNet-Version and https://github.com/zijundeng/pytorch-semantic-segmentation.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence


class _Block(nn.Module):
    def __init__(self, layers: LayerShapes, *, norm: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = (
            sequence(layers.conv(f"{name}.0"), layers.norm(f"{name}.1") if norm else None, nn.ReLU(inplace=True))
            for name in ("conv1", "conv2")
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv2(self.conv1(x))
        return features


class _Up(nn.Module):
    """Enlarge a map, join it with others, and run a block without batch norms."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv = _Block(layers.at("conv"), norm=False)
        self.up: nn.Module = nn.UpsamplingBilinear2d(scale_factor=2)
        if layers.has("up.1"):
            self.up = sequence(self.up, layers.conv("up.1", 1))
        elif layers.has("up"):
            is_large = layers.shape("up.weight")[2:] == (4, 4)
            self.up = layers.up("up", 4, padding=1) if is_large else layers.up("up")

    def forward(self, x: torch.Tensor, *maps: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.conv(torch.cat([self.up(x), *maps], 1))
        return features


class ConcatUNet(nn.Module):
    """U-Net whose forward ends in a sigmoid."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._levels = layers.count("conv{}", 1)
        norm = layers.has("conv1.conv1.1")
        self.maxpool = nn.MaxPool2d(kernel_size=2)
        for level in range(1, self._levels + 1):
            self.add_module(f"conv{level}", _Block(layers.at(f"conv{level}"), norm=norm))
        self.center = _Block(layers.at("center"), norm=norm)
        for level in range(self._levels, 0, -1):
            self.add_module(f"up_concat{level}", _Up(layers.at(f"up_concat{level}")))
        self.outconv1 = layers.conv("outconv1")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)``, one sigmoid per class."""
        skips = []
        for level in range(1, self._levels + 1):
            skips.append(getattr(self, f"conv{level}")(x))
            x = self.maxpool(skips[-1])
        x = self.center(x)
        for level in range(self._levels, 0, -1):
            x = getattr(self, f"up_concat{level}")(x, skips.pop())
        return torch.sigmoid(self.outconv1(x))


class ConcatNestedUNet(nn.Module):
    """U-Net++ whose four heads are averaged, or only whose last head is used. Its forward ends in a sigmoid."""

    def __init__(self, layers: LayerShapes, is_ds: bool = True) -> None:
        super().__init__()
        if not isinstance(is_ds, bool):
            raise ValueError(f"is_ds is true or false, not {is_ds!r}")
        self._averages = is_ds
        self._deepest = layers.count("conv{}0") - 1
        norm = layers.has("conv00.conv1.1")
        self.maxpool = nn.MaxPool2d(kernel_size=2)
        for row in range(self._deepest + 1):
            self.add_module(f"conv{row}0", _Block(layers.at(f"conv{row}0"), norm=norm))
        nodes = [(row, column) for column in range(1, self._deepest + 1) for row in range(self._deepest + 1 - column)]
        for row, column in nodes:
            self.add_module(f"up_concat{row}{column}", _Up(layers.at(f"up_concat{row}{column}")))
        for column in range(1, self._deepest + 1):
            self.add_module(f"final_{column}", layers.conv(f"final_{column}", 1))
        self.stage_layers = (
            *((f"encoder_{row + 1}", "encoder", f"conv{row}0") for row in range(self._deepest + 1)),
            *((f"decoder_up_concat{row}{column}", "decoder", f"up_concat{row}{column}") for row, column in nodes),
            ("seg_head", "head", f"final_{self._deepest}"),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(B, C, H, W)``, one sigmoid per class."""
        rows: list[list[torch.Tensor]] = []
        for row in range(self._deepest + 1):
            rows.append([getattr(self, f"conv{row}0")(self.maxpool(rows[-1][0]) if rows else x)])
        for column in range(1, self._deepest + 1):
            for row in range(self._deepest + 1 - column):
                node = getattr(self, f"up_concat{row}{column}")
                rows[row].append(node(rows[row + 1][column - 1], *rows[row]))
        columns = range(1, self._deepest + 1) if self._averages else (self._deepest,)
        heads: list[torch.Tensor] = [getattr(self, f"final_{column}")(rows[0][column]) for column in columns]
        total = heads[0]
        for head in heads[1:]:
            total = total + head
        return torch.sigmoid(total / len(heads) if self._averages else total)


def _unpadded(layers: LayerShapes) -> list[nn.Module]:
    """Make the layers 0 to 5 of a double convolution without padding."""
    return [
        part
        for number in (0, 3)
        for part in (
            layers.conv(f"{number}", padding=0),
            layers.norm(f"{number + 1}"),
            nn.ReLU(inplace=True),
        )
    ]


class _Encode(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.encode = nn.Sequential(*_unpadded(layers.at("encode")), nn.MaxPool2d(kernel_size=2, stride=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.encode(x)
        return features


class _Decode(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        inner = layers.at("decode")
        self.decode = nn.Sequential(*_unpadded(inner), inner.up("6"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.decode(x)
        return features


class UnpaddedUNet(nn.Module):
    """zijundeng's U-Net: no padding, skips after pooling, and skips and scores resized bilinearly."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._levels = layers.count("enc{}", 1)
        for level in range(1, self._levels + 1):
            self.add_module(f"enc{level}", _Encode(layers.at(f"enc{level}")))
        self.center = _Decode(layers.at("center"))
        for level in range(self._levels, 1, -1):
            self.add_module(f"dec{level}", _Decode(layers.at(f"dec{level}")))
        self.dec1 = nn.Sequential(*_unpadded(layers.at("dec1")))
        self.final = layers.conv("final", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        size, skips = x.shape[2:], []
        for level in range(1, self._levels + 1):
            x = getattr(self, f"enc{level}")(x)
            skips.append(x)
        x = self.center(x)
        for level in range(self._levels, 0, -1):
            skip = functional.interpolate(skips.pop(), x.shape[2:], mode="bilinear", align_corners=False)
            x = getattr(self, f"dec{level}")(torch.cat([x, skip], 1))
        return functional.interpolate(self.final(x), size, mode="bilinear", align_corners=False)


FAMILIES = (
    PlainFamily(
        "UNet (ZJUGiveLab/UNet-Version)",
        ("conv1.conv1.0.weight", "center.conv1.0.weight", "up_concat1.conv.conv1.0.weight", "outconv1.weight"),
        ConcatUNet,
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "UNet_2Plus (ZJUGiveLab/UNet-Version)",
        ("conv00.conv1.0.weight", "up_concat01.conv.conv1.0.weight", "final_1.weight"),
        ConcatNestedUNet,
        options={"is_ds": True},
        card={"normalization": "unit"},
    ),
    PlainFamily(
        "UNet (zijundeng/pytorch-semantic-segmentation)",
        ("enc1.encode.0.weight", "center.decode.0.weight", "dec1.0.weight", "final.weight"),
        UnpaddedUNet,
        card={"normalization": "imagenet"},
    ),
)
