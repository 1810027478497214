"""PraNet with Res2Net as encoder.

Source: https://github.com/DengPingFan/PraNet (Fan et al. 2020, arXiv:2006.11392). Res2Net: Gao et al. 2019,
arXiv:1904.01169.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence
from napari_segcam.network.families.plain.parts.resnet import first_pool


def _resize(x: torch.Tensor, factor: float) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class _ScaleBlock(nn.Module):
    """A residual block whose 3×3 convolution is split into groups; each adds the result of the one before."""

    def __init__(self, layers: LayerShapes, stride: int, *, is_first: bool) -> None:
        super().__init__()
        self._is_first = is_first
        self.conv1, self.bn1 = layers.conv("conv1", 1, bias=False), layers.norm("bn1")
        self._groups = layers.count("convs.{}")
        self.convs = nn.ModuleList(
            layers.conv(f"convs.{number}", stride=stride, bias=False) for number in range(self._groups)
        )
        self.bns = nn.ModuleList(layers.norm(f"bns.{number}") for number in range(self._groups))
        self.conv3, self.bn3 = layers.conv("conv3", 1, bias=False), layers.norm("bn3")
        self.pool, self.relu = nn.AvgPool2d(3, stride=stride, padding=1), nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if layers.has("downsample"):
            pool = nn.AvgPool2d(stride, stride=stride, ceil_mode=True, count_include_pad=False)
            self.downsample = sequence(pool, layers.conv("downsample.1", 1, bias=False), layers.norm("downsample.2"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        groups = torch.chunk(self.relu(self.bn1(self.conv1(x))), self._groups + 1, 1)
        results: list[torch.Tensor] = []
        for conv, norm, group in zip(self.convs, self.bns, groups[:-1], strict=True):
            group = results[-1] + group if results and not self._is_first else group
            results.append(self.relu(norm(conv(group))))
        results.append(self.pool(groups[-1]) if self._is_first else groups[-1])
        features = self.bn3(self.conv3(torch.cat(results, 1)))
        shortcut = x if self.downsample is None else self.downsample(x)
        relu: torch.Tensor = self.relu(features + shortcut)
        return relu


class _Res2Net(nn.Module):
    """The layers of a Res2Net; PraNet runs them one by one."""

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        first = layers.at("conv1")
        self.conv1 = sequence(
            *(first.conv("0", stride=2, bias=False), first.norm("1"), nn.ReLU(inplace=True)),
            *(first.conv("3", bias=False), first.norm("4"), nn.ReLU(inplace=True), first.conv("6", bias=False)),
        )
        self.bn1, self.relu, self.maxpool = layers.norm("bn1"), nn.ReLU(), first_pool()
        for level in (1, 2, 3, 4):
            inner = layers.at(f"layer{level}")
            blocks = (
                _ScaleBlock(inner.at(f"{number}"), 2 if level > 1 and number == 0 else 1, is_first=number == 0)
                for number in range(inner.count("{}"))
            )
            self.add_module(f"layer{level}", nn.Sequential(*blocks))
        if layers.has("fc"):
            self.fc = layers.linear("fc")

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps of the last three stages."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        maps = []
        for level in (1, 2, 3, 4):
            x = getattr(self, f"layer{level}")(x)
            maps.append(x)
        return maps[1:]


class _Convolution(nn.Module):
    """Convolution and batch norm, without an activation."""

    def __init__(self, layers: LayerShapes, kernel: int | tuple[int, int], dilation: int = 1) -> None:
        super().__init__()
        self.conv, self.bn = layers.conv("conv", kernel, dilation=dilation, bias=False), layers.norm("bn")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.bn(self.conv(x))
        return features


class _ReceptiveField(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(_Convolution(layers.at("branch0.0"), 1))
        for number, width in ((1, 3), (2, 5), (3, 7)):
            inner = layers.at(f"branch{number}")
            branch = nn.Sequential(
                _Convolution(inner.at("0"), 1),
                _Convolution(inner.at("1"), (1, width)),
                _Convolution(inner.at("2"), (width, 1)),
                _Convolution(inner.at("3"), 3, width),
            )
            self.add_module(f"branch{number}", branch)
        self.conv_cat, self.conv_res = _Convolution(layers.at("conv_cat"), 3), _Convolution(layers.at("conv_res"), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = [getattr(self, f"branch{number}")(x) for number in range(4)]
        return torch.relu(self.conv_cat(torch.cat(branches, 1)) + self.conv_res(x))


class _Aggregation(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        names = (*(f"conv_upsample{number}" for number in (1, 2, 3, 4, 5)), "conv_concat2", "conv_concat3", "conv4")
        for name in names:
            self.add_module(name, _Convolution(layers.at(name), 3))
        self.conv5 = layers.conv("conv5", 1)

    def _run(self, name: str, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = getattr(self, name)(x)
        return features

    def forward(self, deep: torch.Tensor, middle: torch.Tensor, shallow: torch.Tensor) -> torch.Tensor:
        up = self.upsample
        middle_1 = self._run("conv_upsample1", up(deep)) * middle
        shallow_1 = self._run("conv_upsample2", up(up(deep))) * self._run("conv_upsample3", up(middle)) * shallow
        middle_2 = self._run("conv_concat2", torch.cat((middle_1, self._run("conv_upsample4", up(deep))), 1))
        shallow_2 = torch.cat((shallow_1, self._run("conv_upsample5", up(middle_2))), 1)
        map_: torch.Tensor = self.conv5(self._run("conv4", self._run("conv_concat3", shallow_2)))
        return map_


class PraNet(nn.Module):
    """PraNet: a coarse map, then three branches that each look at what the map before has left out.

    The outputs are named as in the repository: ``lateral_map_5 … lateral_map_2``. It evaluates the last one.
    """

    main_output = "lateral_map_2"

    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.resnet = _Res2Net(layers.at("resnet"))
        for level in (2, 3, 4):
            self.add_module(f"rfb{level}_1", _ReceptiveField(layers.at(f"rfb{level}_1")))
        self.agg1 = _Aggregation(layers.at("agg1"))
        for name, kernel in (
            *(("ra4_conv1", 1), ("ra4_conv2", 5), ("ra4_conv3", 5), ("ra4_conv4", 5), ("ra4_conv5", 1)),
            *((f"ra{level}_conv{number}", 1 if number == 1 else 3) for level in (3, 2) for number in (1, 2, 3, 4)),
        ):
            self.add_module(name, _Convolution(layers.at(name), kernel))
        self.stage_layers = (
            ("encoder_1", "encoder", "resnet.relu"),
            *((f"encoder_{level + 1}", "encoder", f"resnet.layer{level}") for level in (1, 2, 3, 4)),
            *((f"decoder_rfb{level}", "decoder", f"rfb{level}_1") for level in (4, 3, 2)),
            ("decoder_agg1", "decoder", "agg1"),
            *((f"decoder_{name}", "decoder", name) for name in ("ra4_conv4", "ra3_conv3", "ra2_conv3")),
            ("seg_head", "head", "ra2_conv4"),
        )

    def _attend(self, level: int, map_: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        x = (-1 * torch.sigmoid(map_) + 1).expand(-1, features.shape[1], -1, -1) * features
        last = 5 if level == 4 else 4
        x = getattr(self, f"ra{level}_conv1")(x)
        for number in range(2, last):
            x = torch.relu(getattr(self, f"ra{level}_conv{number}")(x))
        refined: torch.Tensor = getattr(self, f"ra{level}_conv{last}")(x) + map_
        return refined

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the logits of each output, ``(B, C, H, W)``."""
        map2, map3, map4 = self.resnet(x)
        fields = [getattr(self, f"rfb{level}_1")(map_) for level, map_ in ((4, map4), (3, map3), (2, map2))]
        coarse = self.agg1(*fields)
        outputs = {"lateral_map_5": _resize(coarse, 8)}
        x = self._attend(4, _resize(coarse, 0.25), map4)
        outputs["lateral_map_4"] = _resize(x, 32)
        x = self._attend(3, _resize(x, 2), map3)
        outputs["lateral_map_3"] = _resize(x, 16)
        x = self._attend(2, _resize(x, 2), map2)
        outputs["lateral_map_2"] = _resize(x, 8)
        return outputs


FAMILIES = (
    PlainFamily(
        "PraNet (DengPingFan/PraNet)",
        ("resnet.conv1.0.weight", "rfb2_1.branch0.0.conv.weight", "agg1.conv5.weight", "ra2_conv4.conv.weight"),
        PraNet,
        card={"normalization": "imagenet", "size": {"rule": "resize", "height": 352, "width": 352}},
    ),
)
