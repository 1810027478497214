"""LinkNet, D-LinkNet and CE-Net with a ResNet as encoder: ``firstconv``, ``encoder1 …``, ``decoder4 …``.

Sources: https://github.com/ternaus/robot-surgery-segmentation (LinkNet34),
https://github.com/zlckanata/DeepGlobe-Road-Extraction-Challenge (D-LinkNet) and
https://github.com/Guzaiwang/CE-Net.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes
from napari_segcam.network.families.plain.parts.resnet import first_layer, first_pool, residual_stage


class _Decoder(nn.Module):
    """Two 1×1 convolutions with a transposed convolution in between; all have a batch norm and a ReLU."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv1, self.norm1 = layers.conv("conv1", 1), layers.norm("norm1")
        small = layers.shape("deconv2.weight")[2:] == (3, 3)
        kernel, output_padding = (3, 1) if small else (4, 0)
        self.deconv2 = layers.up("deconv2", kernel, padding=1, output_padding=output_padding)
        self.norm2 = layers.norm("norm2")
        self.conv3, self.norm3 = layers.conv("conv3", 1), layers.norm("norm3")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        x = torch.relu(self.norm2(self.deconv2(x)))
        return torch.relu(self.norm3(self.conv3(x)))


class _DilatedBlock(nn.Module):
    """The center of D-LinkNet: convolutions of growing dilation in a row, whose results are added."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self._count = layers.count("dilate{}", 1)
        for number in range(1, self._count + 1):
            self.add_module(f"dilate{number}", layers.conv(f"dilate{number}", dilation=2 ** (number - 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = x
        for number in range(1, self._count + 1):
            x = torch.relu(getattr(self, f"dilate{number}")(x))
            total = total + x
        return total


class _DenseAtrous(nn.Module):
    """The first part of CE-Net's center: dilated convolutions in four branches."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.dilate1, self.dilate2 = layers.conv("dilate1"), layers.conv("dilate2", dilation=3)
        self.dilate3, self.conv1x1 = layers.conv("dilate3", dilation=5), layers.conv("conv1x1", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.dilate1(x)
        third = self.dilate2(first)
        branches = (
            torch.relu(first),
            torch.relu(self.conv1x1(self.dilate2(x))),
            torch.relu(self.conv1x1(third)),
            torch.relu(self.conv1x1(self.dilate3(third))),
        )
        for branch in branches:
            x = x + branch
        return x


class _MultiKernelPooling(nn.Module):
    """The second part of CE-Net's center: the map pooled with four sizes, with one channel each, and the map itself."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv = layers.conv("conv", 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = (self.conv(functional.max_pool2d(x, size, stride=size)) for size in (2, 3, 5, 6))
        size = x.shape[2:]
        maps = [functional.interpolate(map_, size, mode="bilinear", align_corners=False) for map_ in pooled]
        return torch.cat([*maps, x], 1)


class LinkNet(nn.Module):
    """LinkNet, and with a center between encoder and decoder D-LinkNet and CE-Net. Skips are added."""

    def __init__(self, layers: LayerShapes, *, ends_in_sigmoid: bool = False) -> None:
        super().__init__()
        self._ends_in_sigmoid = ends_in_sigmoid
        self.firstconv, self.firstbn = first_layer(layers, "firstconv", "firstbn")
        self.firstrelu, self.firstmaxpool = nn.ReLU(inplace=True), first_pool()
        self.encoder1, self.encoder2 = (
            residual_stage(layers.at("encoder1"), 1),
            residual_stage(layers.at("encoder2"), 2),
        )
        self.encoder3, self.encoder4 = (
            residual_stage(layers.at("encoder3"), 2),
            residual_stage(layers.at("encoder4"), 2),
        )
        self.dblock: nn.Module = nn.Identity()
        self.spp: nn.Module = nn.Identity()
        if layers.has("dblock.conv1x1"):
            self.dblock, self.spp = _DenseAtrous(layers.at("dblock")), _MultiKernelPooling(layers.at("spp"))
        elif layers.has("dblock"):
            self.dblock = _DilatedBlock(layers.at("dblock"))
        self.decoder4, self.decoder3 = _Decoder(layers.at("decoder4")), _Decoder(layers.at("decoder3"))
        self.decoder2, self.decoder1 = _Decoder(layers.at("decoder2")), _Decoder(layers.at("decoder1"))
        if layers.shape("finaldeconv1.weight")[2:] == (3, 3):  # as in LinkNet's paper; the others keep the size
            self.finaldeconv1 = layers.up("finaldeconv1", 3)
            self.finalconv2 = layers.conv("finalconv2", padding=0)
            self.finalconv3 = layers.conv("finalconv3", 2, padding=1)
        else:
            self.finaldeconv1 = layers.up("finaldeconv1", 4, padding=1)
            self.finalconv2, self.finalconv3 = layers.conv("finalconv2"), layers.conv("finalconv3")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``, or probabilities if it ends in a sigmoid."""
        x = self.firstmaxpool(self.firstrelu(self.firstbn(self.firstconv(x))))
        map1 = self.encoder1(x)
        map2 = self.encoder2(map1)
        map3 = self.encoder3(map2)
        x = self.spp(self.dblock(self.encoder4(map3)))
        x = self.decoder4(x) + map3
        x = self.decoder3(x) + map2
        x = self.decoder2(x) + map1
        x = torch.relu(self.finaldeconv1(self.decoder1(x)))
        x = self.finalconv3(torch.relu(self.finalconv2(x)))
        return torch.sigmoid(x) if self._ends_in_sigmoid else x


def _with_sigmoid(layers: LayerShapes) -> LinkNet:
    return LinkNet(layers, ends_in_sigmoid=True)


_SHARED = ("firstconv.weight", "encoder4.0.conv1.weight", "decoder4.deconv2.weight", "finalconv3.weight")

FAMILIES = (
    PlainFamily(
        "CE-Net (Guzaiwang/CE-Net)",
        (*_SHARED, "dblock.conv1x1.weight", "spp.conv.weight"),
        _with_sigmoid,
        card={"normalization": "custom", "mean": (0.5,), "std": (0.3125,)},
    ),
    PlainFamily(
        "D-LinkNet (zlckanata/DeepGlobe-Road-Extraction-Challenge)",
        (*_SHARED, "dblock.dilate1.weight"),
        _with_sigmoid,
        card={"normalization": "custom", "mean": (0.5,), "std": (0.3125,)},
    ),
    PlainFamily("LinkNet34 (ternaus/robot-surgery-segmentation)", _SHARED, LinkNet, card={"normalization": "imagenet"}),
)
