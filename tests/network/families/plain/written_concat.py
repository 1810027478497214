"""U-Nets of ZJUGiveLab and zijundeng, written as functions of their weights, after the repositories' definitions."""

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
