"""U²-Net and its small form U²-NetP, with ``stage1 …``, ``side1 …`` and ``outconv``.

Source: https://github.com/xuebinqin/U-2-Net (Qin et al. 2020, arXiv:2005.09007).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes

_LEVELS = 6


def _enlarge(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class _Convolution(nn.Module):
    def __init__(self, layers: LayerShapes, dilation: int = 1) -> None:
        super().__init__()
        self.conv_s1, self.bn_s1 = layers.conv("conv_s1", dilation=dilation), layers.norm("bn_s1")
        self.relu_s1 = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.relu_s1(self.bn_s1(self.conv_s1(x)))
        return features


class _ResidualU(nn.Module):
    """A small U-Net whose result is added to its first map. Without pooling, its dilation doubles at each level."""

    def __init__(self, layers: LayerShapes, *, pools: bool) -> None:
        super().__init__()
        self._depth, self._pools = layers.count("rebnconv{}", 1), pools
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.rebnconvin = _Convolution(layers.at("rebnconvin"))
        for level in range(1, self._depth + 1):
            dilation = (2 if level == self._depth else 1) if pools else 2 ** (level - 1)
            self.add_module(f"rebnconv{level}", _Convolution(layers.at(f"rebnconv{level}"), dilation))
        for level in range(self._depth - 1, 0, -1):
            dilation = 1 if pools else 2 ** (level - 1)
            self.add_module(f"rebnconv{level}d", _Convolution(layers.at(f"rebnconv{level}d"), dilation))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = first = self.rebnconvin(x)
        maps: list[torch.Tensor] = []
        for level in range(1, self._depth + 1):
            if self._pools and 1 < level < self._depth:
                x = self.pool(x)
            x = getattr(self, f"rebnconv{level}")(x)
            maps.append(x)
        x = maps.pop()
        for level in range(self._depth - 1, 0, -1):
            skip = maps.pop()
            if x.shape[2:] != skip.shape[2:]:
                x = _enlarge(x, skip.shape[2:])
            x = getattr(self, f"rebnconv{level}d")(torch.cat((x, skip), 1))
        return x + first


class U2Net(nn.Module):
    """U-Net of small U-Nets. Each level of the decoder has a head, and all of these are fused.

    The outputs are named as in the repository: ``d0``, the fused one, and ``d1 …`` from the finest to the coarsest.
    Images of sizes that cannot be halved five times work: in the repository, some of them do not.
    """

    main_output = "d0"

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        for level in range(1, _LEVELS + 1):
            self.add_module(f"stage{level}", _ResidualU(layers.at(f"stage{level}"), pools=level < 5))
        for level in range(_LEVELS - 1, 0, -1):
            self.add_module(f"stage{level}d", _ResidualU(layers.at(f"stage{level}d"), pools=level < 5))
        for level in range(1, _LEVELS + 1):
            self.add_module(f"side{level}", layers.conv(f"side{level}"))
        self.outconv = layers.conv("outconv", 1)
        self.stage_layers = (
            *((f"encoder_{level}", "encoder", f"stage{level}") for level in range(1, _LEVELS + 1)),
            *((f"decoder_stage{level}d", "decoder", f"stage{level}d") for level in range(_LEVELS - 1, 0, -1)),
            ("seg_head", "head", "outconv"),
        )

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the probabilities of each output, ``(B, C, H, W)``."""
        maps: list[torch.Tensor] = []
        for level in range(1, _LEVELS + 1):
            maps.append(getattr(self, f"stage{level}")(self.pool(maps[-1]) if maps else x))
        decoded = [maps.pop()]
        for level in range(_LEVELS - 1, 0, -1):
            skip = maps.pop()
            enlarged = _enlarge(decoded[-1], skip.shape[2:])
            decoded.append(getattr(self, f"stage{level}d")(torch.cat((enlarged, skip), 1)))
        sides = [getattr(self, f"side{level}")(decoded[-level]) for level in range(1, _LEVELS + 1)]
        sides = [side if number == 0 else _enlarge(side, sides[0].shape[2:]) for number, side in enumerate(sides)]
        outputs = [self.outconv(torch.cat(sides, 1)), *sides]
        return {f"d{number}": torch.sigmoid(output) for number, output in enumerate(outputs)}


FAMILIES = (
    PlainFamily(
        "U2NET (xuebinqin/U-2-Net)",
        ("stage1.rebnconvin.conv_s1.weight", "stage1.rebnconv7.conv_s1.weight", "side6.weight", "outconv.weight"),
        U2Net,
        card={"normalization": "imagenet", "size": {"rule": "resize", "height": 320, "width": 320}},
    ),
)
