"""DeepLabV3 and DeepLabV3+ with a ResNet, in two well-known repositories.

Sources: https://github.com/VainF/DeepLabV3Plus-Pytorch and https://github.com/jfzhang95/pytorch-deeplab-xception.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from napari_segcam.network.families.plain.family import PlainFamily
from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes, sequence
from napari_segcam.network.families.plain.parts.resnet import ResidualBlock, first_layer, first_pool, residual_stage

# Stride of the deepest map → strides and dilations of the four stages, and the dilations of the pyramid.
_STRIDES = {16: (1, 2, 2, 1), 8: (1, 2, 1, 1)}
_DILATIONS = {16: (1, 1, 1, 2), 8: (1, 1, 2, 4)}
_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


def _resize(x: torch.Tensor, size: torch.Size, *, corners: bool) -> torch.Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=corners)


def _checked(output_stride: int) -> int:
    if output_stride not in _STRIDES:
        raise ValueError(f"output_stride is 8 or 16, not {output_stride!r}")
    return output_stride


class _ResNet(nn.Module):
    """A ResNet that returns its first and last stage. Later stages have dilations instead of strides."""

    def __init__(self, layers: LayerShapes, output_stride: int, *, multi_grid: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = first_layer(layers)
        self.relu, self.maxpool = nn.ReLU(inplace=True), first_pool()
        strides, dilations = _STRIDES[output_stride], _DILATIONS[output_stride]
        for level in range(4):
            inner = layers.at(f"layer{level + 1}")
            if level == 3 and multi_grid:  # jfzhang95: the dilations of the last stage grow from block to block
                count = inner.count("{}")
                stage: nn.Module = nn.Sequential(
                    *(ResidualBlock(inner.at(f"{number}"), 1, dilations[3] * 2**number) for number in range(count))
                )
            else:
                # As in torchvision, the first block has the dilation of the stage before.
                first = 1 if multi_grid or level == 0 else dilations[level - 1]
                first = dilations[level] if multi_grid else first
                stage = residual_stage(inner, strides[level], dilations[level], first)
            self.add_module(f"layer{level + 1}", stage)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        low: torch.Tensor = self.get_submodule("layer1")(x)
        x = low
        for level in (2, 3, 4):
            x = getattr(self, f"layer{level}")(x)
        return low, x


def _conv_norm_relu(layers: LayerShapes, kernel: int, dilation: int = 1) -> nn.Sequential:
    conv = layers.conv("0", kernel, dilation=dilation, bias=False)
    return sequence(conv, layers.norm("1"), nn.ReLU(inplace=True))


class _PooledBranch(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _resize(super().forward(x), x.shape[2:], corners=False)


class _Pyramid(nn.Module):
    """VainF's pyramid of dilated convolutions."""

    def __init__(self, layers: LayerShapes, rates: Sequence[int]) -> None:
        super().__init__()
        convs = layers.at("convs")
        branches: list[nn.Module] = [_conv_norm_relu(convs.at("0"), 1)]
        branches += [_conv_norm_relu(convs.at(f"{number}"), 3, rate) for number, rate in enumerate(rates, start=1)]
        pooled = convs.at("4")
        branches.append(
            _PooledBranch(
                nn.AdaptiveAvgPool2d(1), pooled.conv("1", 1, bias=False), pooled.norm("2"), nn.ReLU(inplace=True)
            )
        )
        self.convs = nn.ModuleList(branches)
        self.project = _conv_norm_relu(layers.at("project"), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.project(torch.cat([branch(x) for branch in self.convs], dim=1))
        return features


def _classifier(layers: LayerShapes, first: nn.Module | None, start: int) -> nn.Sequential:
    conv = layers.conv(f"{start}", bias=False)
    relu, last = nn.ReLU(inplace=True), layers.conv(f"{start + 3}", 1)
    return sequence(first, conv, layers.norm(f"{start + 1}"), relu, last)


class _Head(nn.Module):
    def __init__(self, layers: LayerShapes, rates: Sequence[int]) -> None:
        super().__init__()
        inner = layers.at("classifier")
        self._uses_low = layers.has("project")
        if self._uses_low:
            self.project = _conv_norm_relu(layers.at("project"), 1)
            self.aspp = _Pyramid(layers.at("aspp"), rates)
            self.classifier = _classifier(inner, None, 0)
        else:
            self.classifier = _classifier(inner, _Pyramid(inner.at("0"), rates), 1)

    def forward(self, low: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        if self._uses_low:
            low = self.project(low)
            x = torch.cat([low, _resize(self.aspp(x), low.shape[2:], corners=False)], dim=1)
        logits: torch.Tensor = self.classifier(x)
        return logits


def _stages(decoder: Iterable[tuple[str, str]], head: str) -> tuple[tuple[str, str, str], ...]:
    """Name the stages: those of the ResNet, these of the decoder, and the layer of the logits."""
    return (
        ("encoder_1", "encoder", "backbone.relu"),
        *((f"encoder_{level + 1}", "encoder", f"backbone.layer{level}") for level in (1, 2, 3, 4)),
        *((f"decoder_{name}", "decoder", layer) for name, layer in decoder),
        ("seg_head", "head", head),
    )


class VainFDeepLab(nn.Module):
    """DeepLabV3+, or DeepLabV3 without the project layer of the first stage."""

    def __init__(self, layers: LayerShapes, output_stride: int = 16) -> None:
        super().__init__()
        self.backbone = _ResNet(layers.at("backbone"), _checked(output_stride), multi_grid=False)
        self.classifier = _Head(layers.at("classifier"), _RATES[output_stride])
        if layers.has("classifier.project"):
            decoder = {"project": "classifier.project", "aspp": "classifier.aspp", "fused": "classifier.classifier.2"}
            self.stage_layers = _stages(decoder.items(), "classifier.classifier.3")
        else:
            decoder = {"aspp": "classifier.classifier.0", "fused": "classifier.classifier.3"}
            self.stage_layers = _stages(decoder.items(), "classifier.classifier.4")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        return _resize(self.classifier(*self.backbone(x)), x.shape[2:], corners=False)


class _AtrousBranch(nn.Module):
    def __init__(self, layers: LayerShapes, kernel: int, dilation: int) -> None:
        super().__init__()
        self.atrous_conv = layers.conv("atrous_conv", kernel, dilation=dilation, bias=False)
        self.bn, self.relu = layers.norm("bn"), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.relu(self.bn(self.atrous_conv(x)))
        return features


class _AtrousPyramid(nn.Module):
    def __init__(self, layers: LayerShapes, rates: Sequence[int]) -> None:
        super().__init__()
        for number, rate in enumerate((1, *rates), start=1):
            kernel = 1 if number == 1 else 3
            self.add_module(f"aspp{number}", _AtrousBranch(layers.at(f"aspp{number}"), kernel, rate))
        pooled = layers.at("global_avg_pool")
        self.global_avg_pool = sequence(
            nn.AdaptiveAvgPool2d((1, 1)), pooled.conv("1", 1, bias=False), pooled.norm("2"), nn.ReLU()
        )
        self.conv1, self.bn1, self.relu = layers.conv("conv1", 1, bias=False), layers.norm("bn1"), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = [getattr(self, f"aspp{number}")(x) for number in (1, 2, 3, 4)]
        branches.append(_resize(self.global_avg_pool(x), x.shape[2:], corners=True))
        features: torch.Tensor = self.relu(self.bn1(self.conv1(torch.cat(branches, dim=1))))
        return features


class _AtrousDecoder(nn.Module):
    def __init__(self, layers: LayerShapes) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = layers.conv("conv1", 1, bias=False), layers.norm("bn1"), nn.ReLU()
        inner = layers.at("last_conv")
        self.last_conv = sequence(
            *(inner.conv("0", bias=False), inner.norm("1"), nn.ReLU(), nn.Dropout(0.5)),
            *(inner.conv("4", bias=False), inner.norm("5"), nn.ReLU(), nn.Dropout(0.1), inner.conv("8", 1)),
        )

    def forward(self, x: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        low = self.relu(self.bn1(self.conv1(low)))
        logits: torch.Tensor = self.last_conv(torch.cat((_resize(x, low.shape[2:], corners=True), low), dim=1))
        return logits


class JfzhangDeepLab(nn.Module):
    """DeepLabV3+ whose up-sampling aligns the corners."""

    def __init__(self, layers: LayerShapes, output_stride: int = 16) -> None:
        super().__init__()
        self.backbone = _ResNet(layers.at("backbone"), _checked(output_stride), multi_grid=True)
        self.aspp = _AtrousPyramid(layers.at("aspp"), _RATES[output_stride])
        self.decoder = _AtrousDecoder(layers.at("decoder"))
        self.stage_layers = _stages((("aspp", "aspp"), ("fused", "decoder.last_conv.6")), "decoder.last_conv.8")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, C, H, W)``."""
        low, features = self.backbone(x)
        return _resize(self.decoder(self.aspp(features), low), x.shape[2:], corners=True)


_family = partial(PlainFamily, options={"output_stride": 16}, card={"normalization": "imagenet"})
_SHARED = ("backbone.conv1.weight", "backbone.layer4.0.conv1.weight")

FAMILIES = (
    _family(
        "DeepLabV3+ (VainF/DeepLabV3Plus-Pytorch)",
        (*_SHARED, "classifier.project.0.weight", "classifier.aspp.project.0.weight"),
        VainFDeepLab,
    ),
    _family(
        "DeepLabV3 (VainF/DeepLabV3Plus-Pytorch)",
        (*_SHARED, "classifier.classifier.0.project.0.weight", "classifier.classifier.4.weight"),
        VainFDeepLab,
    ),
    _family(
        "DeepLabV3+ (jfzhang95/pytorch-deeplab-xception)",
        (*_SHARED, "aspp.aspp1.atrous_conv.weight", "decoder.last_conv.8.weight"),
        JfzhangDeepLab,
    ),
)
