"""U-Nets of ZJUGiveLab, zijundeng and rishikksh20, written as functions of their weights, after their definitions."""

from __future__ import annotations

import torch
from torch.nn import functional
from written_network import Written, bilinear, halve, join

Tensor = torch.Tensor


def _block(net: Written, name: str, x: Tensor, channels: int, *, norm: bool) -> Tensor:
    for number in (1, 2):
        x = net.conv(f"{name}.conv{number}.0", x, channels)
        x = torch.relu(net.norm(f"{name}.conv{number}.1", x) if norm else x)
    return x


def concat_unet(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, transposed: bool) -> Tensor:
    """UNet of ZJUGiveLab/UNet-Version, before its sigmoid."""
    skips = []
    for level, width in enumerate(widths[:-1], 1):
        skips.append(_block(net, f"conv{level}", x, width, norm=True))
        x = halve(skips[-1])
    x = _block(net, "center", x, widths[-1], norm=True)
    for level in range(len(skips), 0, -1):
        name, skip = f"up_concat{level}", skips[level - 1]
        if transposed:
            x = net.up(f"{name}.up", x, skip.shape[1])
        else:
            x = net.conv(f"{name}.up.1", bilinear(x), skip.shape[1], 1)
        x = _block(net, f"{name}.conv", join(x, skip), skip.shape[1], norm=False)
    return net.conv("outconv1", x, classes)


def concat_nested(
    net: Written,
    x: Tensor,
    widths: tuple[int, int, int, int, int],
    classes: int,
    *,
    mean: bool = True,
    transposed: bool = True,
) -> Tensor:
    """UNet_2Plus of ZJUGiveLab/UNet-Version, before its sigmoid."""

    def up(name: str, x: Tensor, *maps: Tensor) -> Tensor:
        width = maps[0].shape[1]
        x = net.up(f"up_concat{name}.up", x, width, 4, padding=1) if transposed else bilinear(x)
        return _block(net, f"up_concat{name}.conv", join(x, *maps), width, norm=False)

    x00 = _block(net, "conv00", x, widths[0], norm=True)
    x10 = _block(net, "conv10", halve(x00), widths[1], norm=True)
    x20 = _block(net, "conv20", halve(x10), widths[2], norm=True)
    x30 = _block(net, "conv30", halve(x20), widths[3], norm=True)
    x40 = _block(net, "conv40", halve(x30), widths[4], norm=True)
    x01, x11, x21, x31 = up("01", x10, x00), up("11", x20, x10), up("21", x30, x20), up("31", x40, x30)
    x02, x12, x22 = up("02", x11, x00, x01), up("12", x21, x10, x11), up("22", x31, x20, x21)
    x03, x13 = up("03", x12, x00, x01, x02), up("13", x22, x10, x11, x12)
    x04 = up("04", x13, x00, x01, x02, x03)
    heads = [net.conv(f"final_{number}", map_, classes, 1) for number, map_ in enumerate((x01, x02, x03, x04), 1)]
    return (heads[0] + heads[1] + heads[2] + heads[3]) / 4 if mean else heads[3]


def unpadded_unet(net: Written, image: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """UNet of zijundeng/pytorch-semantic-segmentation."""

    def double(name: str, x: Tensor, channels: int) -> Tensor:
        x = net.conv_norm_relu(f"{name}.0", f"{name}.1", x, channels, padding=0)
        return net.conv_norm_relu(f"{name}.3", f"{name}.4", x, channels, padding=0)

    def fit(x: Tensor, like: Tensor) -> Tensor:
        return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)

    x, maps = image, []
    for level, width in enumerate(widths[:-1], 1):
        x = halve(double(f"enc{level}.encode", x, width))
        maps.append(x)
    x = net.up("center.decode.6", double("center.decode", x, widths[-1]), widths[-2])
    for level in range(len(maps), 1, -1):
        x = double(f"dec{level}.decode", join(x, fit(maps[level - 1], x)), widths[level - 1])
        x = net.up(f"dec{level}.decode.6", x, widths[level - 2])
    x = double("dec1", join(x, fit(maps[0], x)), widths[0])
    return fit(net.conv("final", x, classes, 1), image)


def residual_unet(
    net: Written, x: Tensor, widths: tuple[int, int, int, int], classes: int, *, plus: bool = False
) -> Tensor:
    """ResUnet and ResUnet++ of rishikksh20/ResUnet, before the sigmoid."""

    def pre(name: str, first: int, x: Tensor, channels: int, kernel: int = 3, stride: int = 1) -> Tensor:
        x = torch.relu(net.norm(f"{name}.{first}", x))
        return net.conv(f"{name}.{first + 2}", x, channels, kernel, stride=stride)

    def residual(name: str, x: Tensor, channels: int, stride: int = 1) -> Tensor:
        y = pre(f"{name}.conv_block", 3, pre(f"{name}.conv_block", 0, x, channels, stride=stride), channels)
        return y + net.norm(f"{name}.conv_skip.1", net.conv(f"{name}.conv_skip.0", x, channels, stride=stride))

    def squeeze(name: str, x: Tensor) -> Tensor:
        y = net.linear(f"{name}.fc.0", functional.adaptive_avg_pool2d(x, 1).view(x.shape[:2]), 2, bias=False)
        y = torch.sigmoid(net.linear(f"{name}.fc.2", torch.relu(y), x.shape[1], bias=False))
        return x * y.view(*y.shape, 1, 1).expand_as(x)

    def pyramid(name: str, x: Tensor, channels: int) -> Tensor:
        maps = []
        for number, rate in ((1, 6), (2, 12), (3, 18)):
            y = net.conv(f"{name}.aspp_block{number}.0", x, channels, dilation=rate, padding=rate)
            maps.append(net.norm(f"{name}.aspp_block{number}.2", torch.relu(y)))
        return net.conv(f"{name}.output", join(*maps), channels, 1)

    def attention(name: str, skip: Tensor, x: Tensor) -> Tensor:
        y = halve(pre(f"{name}.conv_encoder", 0, skip, 6)) + pre(f"{name}.conv_decoder", 0, x, 6)
        return pre(f"{name}.conv_attn", 0, y, 1, 1) * x

    y = net.conv_norm_relu("input_layer.0", "input_layer.1", x, widths[0])
    maps = [net.conv("input_layer.3", y, widths[0]) + net.conv("input_skip.0", x, widths[0])]
    names = ("residual_conv_1", "residual_conv_2", "bridge")
    names = ("residual_conv1", "residual_conv2", "residual_conv3") if plus else names
    for number, (name, width) in enumerate(zip(names, widths[1:], strict=True), 1):
        x = squeeze(f"squeeze_excite{number}", maps[-1]) if plus else maps[-1]
        maps.append(residual(name, x, width, 2))
    x = pyramid("aspp_bridge", maps[3], 10) if plus else maps[3]
    for number, skip in enumerate((maps[2], maps[1], maps[0]), 1):
        if plus:
            x = bilinear(attention(f"attn{number}", skip, x), corners=False)
        else:
            x = net.up(f"upsample_{number}.upsample", x, x.shape[1])
        x = residual(f"up_residual_conv{number}", join(x, skip), skip.shape[1])
    return net.conv("output_layer.0", pyramid("aspp_out", x, 8) if plus else x, classes, 1)
