"""Further networks of well-known repositories, written as functions of their weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional
from written_network import Written, bilinear, halve, join

Tensor = torch.Tensor


def usuyama(net: Written, x: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """UNet of usuyama/pytorch-unet."""

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        return torch.relu(net.conv(f"{name}.2", torch.relu(net.conv(f"{name}.0", x, channels)), channels))

    maps = []
    for level, width in enumerate(widths, 1):
        x = block(f"dconv_down{level}", x, width)
        maps.append(x)
        if level < len(widths):
            x = halve(x)
    for level in range(len(widths) - 1, 0, -1):
        x = block(f"dconv_up{level}", join(bilinear(x), maps[level - 1]), widths[level - 1])
    return net.conv("conv_last", x, classes, 1)


def jvanvugt(
    net: Written,
    x: Tensor,
    widths: tuple[int, ...],
    classes: int,
    *,
    norm: bool,
    transposed: bool,
    shrink: Callable[[Tensor], Tensor] = halve,
) -> Tensor:
    """UNet of jvanvugt/pytorch-unet with padding; a batch norm comes after the ReLU."""

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        for number in (0, 3) if norm else (0, 2):
            x = torch.relu(net.conv(f"{name}.block.{number}", x, channels))
            x = net.norm(f"{name}.block.{number + 2}", x) if norm else x
        return x

    maps: list[Tensor] = []
    for level, width in enumerate(widths):
        x = shrink(x) if level else x
        x = block(f"down_path.{level}", x, width)
        maps.append(x)
    for number, level in enumerate(range(len(widths) - 2, -1, -1)):
        name = f"up_path.{number}"
        width = widths[level]
        x = (
            net.up(f"{name}.up", x, width)
            if transposed
            else net.conv(f"{name}.up.1", bilinear(x, corners=False), width, 1)
        )
        x = block(f"{name}.conv_block", join(x, maps[level]), width)
    return net.conv("last", x, classes, 1)


def aladdin(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, bias: bool = False) -> Tensor:
    """UNET of aladdinpersson/Machine-Learning-Collection."""
    skips = []
    for level, width in enumerate(widths):
        skips.append(net.double(f"downs.{level}.conv", x, width, bias=bias))
        x = halve(skips[-1])
    x = net.double("bottleneck.conv", x, widths[-1] * 2, bias=bias)
    for number, skip in enumerate(reversed(skips)):
        x = net.up(f"ups.{2 * number}", x, skip.shape[1])
        x = net.double(f"ups.{2 * number + 1}.conv", join(skip, x), skip.shape[1], bias=bias)
    return net.conv("final_conv", x, classes, 1)


def jaxony(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, transposed: bool, adds: bool) -> Tensor:
    """UNet of jaxony/unet-pytorch."""

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        return torch.relu(net.conv(f"{name}.conv2", torch.relu(net.conv(f"{name}.conv1", x, channels)), channels))

    maps = []
    for level, width in enumerate(widths):
        x = block(f"down_convs.{level}", halve(maps[-1]) if maps else x, width)
        maps.append(x)
    for number, level in enumerate(range(len(widths) - 2, -1, -1)):
        name, width = f"up_convs.{number}", widths[level]
        if transposed:
            x = net.up(f"{name}.upconv", x, width)
        else:
            x = net.conv(f"{name}.upconv.1", bilinear(x, corners=False), width, 1)
        x = block(name, x + maps[level] if adds else join(x, maps[level]), width)
    return net.conv("conv_final", x, classes, 1)


def attention_unet(net: Written, x: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """attention_unet of nikhilroxtomar/Semantic-Segmentation-Architecture."""
    skips = []
    for level, width in enumerate(widths[:-1], 1):
        skips.append(net.double(f"e{level}.conv.conv", x, width))
        x = halve(skips[-1])
    x = net.double("b1.conv", x, widths[-1])
    for number, skip in enumerate(reversed(skips), 1):
        x, width = bilinear(x), skip.shape[1]
        g = net.norm(f"d{number}.ag.Wg.1", net.conv(f"d{number}.ag.Wg.0", x, width, 1))
        s = net.norm(f"d{number}.ag.Ws.1", net.conv(f"d{number}.ag.Ws.0", skip, width, 1))
        weights = torch.sigmoid(net.conv(f"d{number}.ag.output.0", torch.relu(g + s), width, 1))
        x = net.double(f"d{number}.c1.conv", join(x, weights * skip), width)
    return net.conv("output", x, classes, 1)


def resunet(net: Written, x: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """build_resunet of nikhilroxtomar/Semantic-Segmentation-Architecture, before its sigmoid."""

    def block(name: str, x: Tensor, channels: int, stride: int) -> Tensor:
        y = net.conv(f"{name}.c1", torch.relu(net.norm(f"{name}.b1.bn", x)), channels, stride=stride)
        y = net.conv(f"{name}.c2", torch.relu(net.norm(f"{name}.b2.bn", y)), channels)
        return y + net.conv(f"{name}.s", x, channels, 1, stride=stride)

    y = net.conv("c12", torch.relu(net.norm("br1.bn", net.conv("c11", x, widths[0]))), widths[0])
    maps = [y + net.conv("c13", x, widths[0], 1)]
    for level, width in enumerate(widths[1:], 2):
        maps.append(block(f"r{level}", maps[-1], width, 2))
    x = maps.pop()
    for number, skip in enumerate(reversed(maps), 1):
        x = block(f"d{number}.r", join(bilinear(x), skip), skip.shape[1], 1)
    return net.conv("output", x, classes, 1)


def segnet(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, counts: tuple[int, ...]) -> Tensor:
    """SegNet of vinceecws/SegNet_PyTorch."""
    stack = []
    for stage, (width, count) in enumerate(zip(widths, counts, strict=True), 1):
        for number in range(1, count + 1):
            x = net.conv_norm_relu(f"ConvEn{stage}{number}", f"BNEn{stage}{number}", x, width)
        x, indices = functional.max_pool2d(x, 2, 2, return_indices=True)
        stack.append(indices)
    for stage in range(len(widths), 0, -1):
        x = functional.max_unpool2d(x, stack.pop(), 2, 2)
        for number in range(counts[stage - 1], 0, -1):
            name = f"{stage}{number}"
            if name == "11":
                x = net.conv("ConvDe11", x, classes)
                net.norm("BNDe11", x)  # in the weights, but not used
            else:
                width = widths[stage - 2] if number == 1 else x.shape[1]
                x = net.conv_norm_relu(f"ConvDe{name}", f"BNDe{name}", x, width)
    return x


def torch_em(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, norm: str) -> Tensor:
    """UNet2d of constantinpape/torch-em."""

    def normalize(name: str, x: Tensor) -> Tensor:
        if norm == "instance":
            return functional.instance_norm(x)
        if norm == "batch":
            return net.norm(name, x)
        groups = min(32, x.shape[1])
        scale = net.draw(f"{name}.weight", x.shape[1], scale=0.1, shift=1)
        return functional.group_norm(x, groups, scale, net.draw(f"{name}.bias", x.shape[1], scale=0.1))

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        for layer, conv in ((0, 1), (3, 4)) if norm else ((0, 0), (0, 2)):
            x = normalize(f"{name}.block.{layer}", x) if norm else x
            x = torch.relu(net.conv(f"{name}.block.{conv}", x, channels))
        return x

    skips = []
    for level, width in enumerate(widths[:-1]):
        skips.append(block(f"encoder.blocks.{level}", x, width))
        x = halve(skips[-1])
    x = block("base", x, widths[-1])
    for number, skip in enumerate(reversed(skips)):
        x = net.conv(f"decoder.samplers.{number}.conv", bilinear(x, corners=False), skip.shape[1], 1)
        x = block(f"decoder.blocks.{number}", join(x, skip), skip.shape[1])
    return net.conv("out_conv", x, classes, 1)


def u2net(net: Written, x: Tensor, middle: int, width: int, classes: int) -> Tensor:
    """U2NETP of xuebinqin/U-2-Net: its fused output before the sigmoid."""

    def conv(name: str, x: Tensor, channels: int, dilation: int = 1) -> Tensor:
        how = {"dilation": dilation, "padding": dilation}
        return net.conv_norm_relu(f"{name}.conv_s1", f"{name}.bn_s1", x, channels, **how)

    def shrink(x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 2, 2, ceil_mode=True)

    def rsu(name: str, x: Tensor, depth: int) -> Tensor:
        start = conv(f"{name}.rebnconvin", x, width)
        maps = [conv(f"{name}.rebnconv1", start, middle)]
        for level in range(2, depth):
            maps.append(conv(f"{name}.rebnconv{level}", shrink(maps[-1]), middle))
        x = conv(f"{name}.rebnconv{depth}", maps[-1], middle, 2)
        for level in range(depth - 1, 0, -1):
            if level < depth - 1:
                x = bilinear(x, corners=False)
            x = conv(f"{name}.rebnconv{level}d", join(x, maps[level - 1]), middle if level > 1 else width)
        return x + start

    def rsu4f(name: str, x: Tensor) -> Tensor:
        start = conv(f"{name}.rebnconvin", x, width)
        one = conv(f"{name}.rebnconv1", start, middle, 1)
        two = conv(f"{name}.rebnconv2", one, middle, 2)
        three = conv(f"{name}.rebnconv3", two, middle, 4)
        four = conv(f"{name}.rebnconv4", three, middle, 8)
        x = conv(f"{name}.rebnconv3d", join(four, three), middle, 4)
        x = conv(f"{name}.rebnconv2d", join(x, two), middle, 2)
        return conv(f"{name}.rebnconv1d", join(x, one), width) + start

    hx1 = rsu("stage1", x, 7)
    hx2 = rsu("stage2", shrink(hx1), 6)
    hx3 = rsu("stage3", shrink(hx2), 5)
    hx4 = rsu("stage4", shrink(hx3), 4)
    hx5 = rsu4f("stage5", shrink(hx4))
    hx6 = rsu4f("stage6", shrink(hx5))
    hx5d = rsu4f("stage5d", join(bilinear(hx6, corners=False), hx5))
    hx4d = rsu("stage4d", join(bilinear(hx5d, corners=False), hx4), 4)
    hx3d = rsu("stage3d", join(bilinear(hx4d, corners=False), hx3), 5)
    hx2d = rsu("stage2d", join(bilinear(hx3d, corners=False), hx2), 6)
    hx1d = rsu("stage1d", join(bilinear(hx2d, corners=False), hx1), 7)
    sides = [net.conv("side1", hx1d, classes)]
    for level, map_ in enumerate((hx2d, hx3d, hx4d, hx5d, hx6), 2):
        sides.append(bilinear(net.conv(f"side{level}", map_, classes), 2 ** (level - 1), corners=False))
    return net.conv("outconv", join(*sides), classes, 1)
