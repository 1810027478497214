"""PraNet and DeepLab, written as functions of their weights, after the repositories' definitions."""

from __future__ import annotations

import torch
from torch.nn import functional
from written_network import Written, bilinear, join
from written_resnets import first, pool, residual_stage

Tensor = torch.Tensor


def _backbone(
    net: Written, x: Tensor, width: int, blocks: tuple[int, ...], *, deep: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    x = pool(first(net, "backbone.conv1", "backbone.bn1", x, width))
    low = residual_stage(net, "backbone.layer1", x, width, blocks[0], 1, bottleneck=True)
    x = residual_stage(net, "backbone.layer2", low, width * 2, blocks[1], 2, bottleneck=True)
    x = residual_stage(net, "backbone.layer3", x, width * 4, blocks[2], 2, bottleneck=True)
    return low, residual_stage(net, "backbone.layer4", x, width * 8, blocks[3], 1, bottleneck=True, dilations=deep)


def _resize(x: Tensor, like: Tensor, *, corners: bool) -> Tensor:
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=corners)


def vainf(
    net: Written, image: Tensor, width: int, classes: int, *, plus: bool, blocks: tuple[int, ...] = (1, 1, 1, 2)
) -> Tensor:
    """DeepLabV3 and DeepLabV3+ of VainF/DeepLabV3Plus-Pytorch with output stride 16."""
    low, x = _backbone(net, image, width, blocks, deep=(1, 2, 2))

    def layer(name: str, x: Tensor, kernel: int = 1, dilation: int = 1) -> Tensor:
        padding = dilation if kernel > 1 else 0
        how = {"dilation": dilation, "padding": padding, "bias": False}
        return net.conv_norm_relu(f"{name}.0", f"{name}.1", x, 8, kernel, **how)

    name = "classifier.aspp" if plus else "classifier.classifier.0"
    parts = [layer(f"{name}.convs.0", x)]
    parts += [layer(f"{name}.convs.{number}", x, 3, 6 * number) for number in (1, 2, 3)]
    mean = functional.adaptive_avg_pool2d(x, 1)
    mean = net.conv_norm_relu(f"{name}.convs.4.1", f"{name}.convs.4.2", mean, 8, 1, bias=False)
    x = layer(f"{name}.project", join(*parts, _resize(mean, x, corners=False)))
    start = 1
    if plus:
        low = layer("classifier.project", low)
        x, start = join(low, _resize(x, low, corners=False)), 0
    x = net.conv_norm_relu(f"classifier.classifier.{start}", f"classifier.classifier.{start + 1}", x, 8, bias=False)
    return _resize(net.conv(f"classifier.classifier.{start + 3}", x, classes, 1), image, corners=False)


def jfzhang(net: Written, image: Tensor, width: int, classes: int, *, blocks: tuple[int, ...] = (1, 1, 1, 3)) -> Tensor:
    """DeepLabV3+ of jfzhang95/pytorch-deeplab-xception with output stride 16."""
    low, x = _backbone(net, image, width, blocks, deep=(2, 4, 8))

    def layer(conv: str, norm: str, x: Tensor, kernel: int = 1, dilation: int = 1) -> Tensor:
        how = {"dilation": dilation, "padding": dilation if kernel > 1 else 0, "bias": False}
        return net.conv_norm_relu(conv, norm, x, 8, kernel, **how)

    parts = [layer("aspp.aspp1.atrous_conv", "aspp.aspp1.bn", x)]
    for number, dilation in ((2, 6), (3, 12), (4, 18)):
        parts.append(layer(f"aspp.aspp{number}.atrous_conv", f"aspp.aspp{number}.bn", x, 3, dilation))
    mean = layer("aspp.global_avg_pool.1", "aspp.global_avg_pool.2", functional.adaptive_avg_pool2d(x, 1))
    x = layer("aspp.conv1", "aspp.bn1", join(*parts, _resize(mean, x, corners=True)))
    low = layer("decoder.conv1", "decoder.bn1", low)
    x = layer("decoder.last_conv.0", "decoder.last_conv.1", join(_resize(x, low, corners=True), low), 3)
    x = layer("decoder.last_conv.4", "decoder.last_conv.5", x, 3)
    return _resize(net.conv("decoder.last_conv.8", x, classes, 1), image, corners=True)


def pranet(net: Written, x: Tensor, width: int, channel: int, *, blocks: tuple[int, int, int, int]) -> Tensor:
    """PraNet of DengPingFan/PraNet: its last output."""

    def res2net(name: str, x: Tensor, planes: int, stride: int, *, is_first: bool) -> Tensor:
        part = int(planes * 26 / 64)
        y = net.conv_norm_relu(f"{name}.conv1", f"{name}.bn1", x, part * 4, 1, bias=False)
        pieces = torch.split(y, part, 1)
        results: list[Tensor] = []
        for number in range(3):
            piece = pieces[number] if is_first or number == 0 else results[-1] + pieces[number]
            piece = net.conv(f"{name}.convs.{number}", piece, part, bias=False, stride=stride)
            results.append(torch.relu(net.norm(f"{name}.bns.{number}", piece)))
        results.append(functional.avg_pool2d(pieces[3], 3, stride, 1) if is_first else pieces[3])
        y = net.norm(f"{name}.bn3", net.conv(f"{name}.conv3", join(*results), planes * 4, 1, bias=False))
        if is_first:
            x = functional.avg_pool2d(x, stride, stride, ceil_mode=True, count_include_pad=False)
            x = net.norm(f"{name}.downsample.2", net.conv(f"{name}.downsample.1", x, planes * 4, 1, bias=False))
        return torch.relu(y + x)

    def stage(level: int, x: Tensor) -> Tensor:
        for number in range(blocks[level - 1]):
            first_block = number == 0
            stride = 2 if first_block and level > 1 else 1
            x = res2net(f"resnet.layer{level}.{number}", x, width * 2 ** (level - 1), stride, is_first=first_block)
        return x

    def basic(name: str, x: Tensor, channels: int, kernel: int | tuple[int, int] = 1, dilation: int = 1) -> Tensor:
        rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (rows // 2 * dilation, columns // 2 * dilation)
        how = {"dilation": dilation, "padding": padding, "bias": False}
        return net.norm(f"{name}.bn", net.conv(f"{name}.conv", x, channels, (rows, columns), **how))

    def field(level: int, x: Tensor) -> Tensor:
        name = f"rfb{level}_1"
        parts = [basic(f"{name}.branch0.0", x, channel)]
        for number, size in ((1, 3), (2, 5), (3, 7)):
            y = basic(f"{name}.branch{number}.0", x, channel)
            y = basic(f"{name}.branch{number}.1", y, channel, (1, size))
            y = basic(f"{name}.branch{number}.2", y, channel, (size, 1))
            parts.append(basic(f"{name}.branch{number}.3", y, channel, 3, size))
        return torch.relu(basic(f"{name}.conv_cat", join(*parts), channel, 3) + basic(f"{name}.conv_res", x, channel))

    def grown(x: Tensor, factor: float) -> Tensor:
        return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def reverse(level: int, crop: Tensor, features: Tensor, inner: int, kernels: tuple[int, ...]) -> Tensor:
        y = (-1 * torch.sigmoid(crop) + 1).expand(-1, features.shape[1], -1, -1).mul(features)
        y = basic(f"ra{level}_conv1", y, inner)
        for number, kernel in enumerate(kernels[:-1], 2):
            y = torch.relu(basic(f"ra{level}_conv{number}", y, inner, kernel))
        return basic(f"ra{level}_conv{len(kernels) + 1}", y, 1, kernels[-1]) + crop

    x = net.conv_norm_relu("resnet.conv1.0", "resnet.conv1.1", x, 4, bias=False, stride=2)
    x = net.conv_norm_relu("resnet.conv1.3", "resnet.conv1.4", x, 4, bias=False)
    x = pool(torch.relu(net.norm("resnet.bn1", net.conv("resnet.conv1.6", x, width, bias=False))))
    x2 = stage(2, stage(1, x))
    x3 = stage(3, x2)
    x4 = stage(4, x3)
    net.linear("resnet.fc", x4.mean((2, 3)), 10)  # in the weights, but not used
    r2, r3, r4 = field(2, x2), field(3, x3), field(4, x4)
    y3 = basic("agg1.conv_upsample1", bilinear(r4), channel, 3) * r3
    y2 = basic("agg1.conv_upsample2", bilinear(bilinear(r4)), channel, 3)
    y2 = y2 * basic("agg1.conv_upsample3", bilinear(r3), channel, 3) * r2
    y3 = join(y3, basic("agg1.conv_upsample4", bilinear(r4), channel, 3))
    y3 = basic("agg1.conv_concat2", y3, channel * 2, 3)
    y2 = join(y2, basic("agg1.conv_upsample5", bilinear(y3), channel * 2, 3))
    y2 = basic("agg1.conv4", basic("agg1.conv_concat3", y2, channel * 3, 3), channel * 3, 3)
    coarse = net.conv("agg1.conv5", y2, 1, 1)
    y = reverse(4, grown(coarse, 0.25), x4, 12, (5, 5, 5, 1))
    y = reverse(3, grown(y, 2), x3, 8, (3, 3, 3))
    y = reverse(2, grown(y, 2), x2, 8, (3, 3, 3))
    return grown(y, 8)
