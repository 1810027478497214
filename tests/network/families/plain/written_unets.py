"""U-Nets of well-known repositories, written as functions of their weights, after the repositories' definitions."""

from __future__ import annotations

import torch
from torch.nn import functional
from written_network import Written, bilinear, halve, join, nearest

Tensor = torch.Tensor


def milesial(
    net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, transposed: bool, bias: bool = True
) -> Tensor:
    """milesial/Pytorch-UNet; with bilinear up-sampling, the deepest map has half the channels."""
    maps = [net.double("inc.double_conv", x, widths[0], bias=bias)]
    for level, width in enumerate(widths[1:], 1):
        last = level == len(widths) - 1
        channels = width if transposed or not last else width // 2
        maps.append(net.double(f"down{level}.maxpool_conv.1.double_conv", halve(maps[-1]), channels, bias=bias))
    x = maps[-1]
    for number, level in enumerate(range(len(widths) - 2, -1, -1), 1):
        if transposed:
            x = net.up(f"up{number}.up", x, widths[level])
            x = net.double(f"up{number}.conv.double_conv", join(maps[level], x), widths[level], bias=bias)
        else:
            channels = widths[level] // 2 if level else widths[0]
            x = join(maps[level], bilinear(x))
            x = net.double(f"up{number}.conv.double_conv", x, channels, x.shape[1] // 2, bias=bias)
    return net.conv("outc.conv", x, classes, 1)


def early_milesial(net: Written, x: Tensor, width: int, classes: int, *, transposed: bool) -> Tensor:
    """milesial/Pytorch-UNet before 2019, whose two deepest levels have the same width."""
    widths = (width, width * 2, width * 4, width * 8, width * 8)
    maps = [net.double("inc.conv.conv", x, widths[0])]
    for level in (1, 2, 3, 4):
        maps.append(net.double(f"down{level}.mpconv.1.conv", halve(maps[-1]), widths[level]))
    x = maps[4]
    for number, channels in enumerate((width * 4, width * 2, width, width), 1):
        x = net.up(f"up{number}.up", x, x.shape[1]) if transposed else bilinear(x)
        x = net.double(f"up{number}.conv.conv", join(maps[4 - number], x), channels)
    return net.conv("outc.conv", x, classes, 1)


def tutorial(net: Written, x: Tensor, widths: tuple[int, ...], classes: int, *, sequential: bool) -> Tensor:
    """The tutorial U-Net: the decoder's map comes first when it is joined with the skip."""

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        return net.double(f"{name}.conv", x, channels) if sequential else net.numbered_double(name, x, channels)

    skips = []
    for level, width in enumerate(widths[:-1], 1):
        skips.append(block(f"e{level}.conv", x, width))
        x = halve(skips[-1])
    x = block("b", x, widths[-1])
    for number, skip in enumerate(reversed(skips), 1):
        x = net.up(f"d{number}.up", x, skip.shape[1])
        x = block(f"d{number}.conv", join(x, skip), skip.shape[1])
    return net.conv("outputs", x, classes, 1)


def grid_unet(net: Written, x: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """UNet of 4uiiurz1/pytorch-nested-unet."""
    deepest = len(widths) - 1
    maps = [net.numbered_double("conv0_0", x, widths[0])]
    for row in range(1, deepest + 1):
        maps.append(net.numbered_double(f"conv{row}_0", halve(maps[-1]), widths[row]))
    x = maps[deepest]
    for row in range(deepest - 1, -1, -1):
        x = net.numbered_double(f"conv{row}_{deepest - row}", join(maps[row], bilinear(x)), widths[row])
    return net.conv("final", x, classes, 1)


def nested_unet(net: Written, x: Tensor, widths: tuple[int, int, int, int, int], classes: int, *, deep: bool) -> Tensor:
    """NestedUNet of 4uiiurz1/pytorch-nested-unet; with deep supervision, its last output."""

    def node(name: str, *maps: Tensor) -> Tensor:
        return net.numbered_double(name, join(*maps), widths[int(name[4])])

    x00 = node("conv0_0", x)
    x10 = node("conv1_0", halve(x00))
    x01 = node("conv0_1", x00, bilinear(x10))
    x20 = node("conv2_0", halve(x10))
    x11 = node("conv1_1", x10, bilinear(x20))
    x02 = node("conv0_2", x00, x01, bilinear(x11))
    x30 = node("conv3_0", halve(x20))
    x21 = node("conv2_1", x20, bilinear(x30))
    x12 = node("conv1_2", x10, x11, bilinear(x21))
    x03 = node("conv0_3", x00, x01, x02, bilinear(x12))
    x40 = node("conv4_0", halve(x30))
    x31 = node("conv3_1", x30, bilinear(x40))
    x22 = node("conv2_2", x20, x21, bilinear(x31))
    x13 = node("conv1_3", x10, x11, x12, bilinear(x22))
    x04 = node("conv0_4", x00, x01, x02, x03, bilinear(x13))
    if not deep:
        return net.conv("final", x04, classes, 1)
    outputs = [net.conv(f"final{number}", map_, classes, 1) for number, map_ in enumerate((x01, x02, x03, x04), 1)]
    return outputs[-1]


def leejunhyun(
    net: Written,
    x: Tensor,
    widths: tuple[int, ...],
    classes: int,
    *,
    recurrent: int = 0,
    attention: bool = False,
    bigmb: bool = False,
) -> Tensor:
    """U_Net, R2U_Net, AttU_Net and R2AttU_Net of LeeJunHyun/Image_Segmentation, and bigmb's forks of them."""
    head = "Conv" if bigmb else "Conv_1x1"

    def again(name: str, x: Tensor) -> Tensor:
        def conv(x: Tensor) -> Tensor:
            return net.conv_norm_relu(f"{name}.conv.0", f"{name}.conv.1", x, x.shape[1])

        if bigmb:
            x = conv(x)
            return conv(x + x)
        result = x
        for step in range(recurrent):
            if step == 0:
                result = conv(x)
            result = conv(x + result)
        return result

    def block(prefix: str, level: int, x: Tensor) -> Tensor:
        if not recurrent:
            return net.double(f"{prefix}{'_conv' if prefix else 'Conv'}{level}.conv", x, widths[level - 1])
        name = f"{prefix}{'_' if prefix else ''}RRCNN{level}"
        x = net.conv(f"{name}.{head}", x, widths[level - 1], 1)
        return x + again(f"{name}.RCNN.1", again(f"{name}.RCNN.0", x))

    def gate(level: int, g: Tensor, skip: Tensor) -> Tensor:
        inner = max(1, skip.shape[1] // 2)
        name = f"Att{level}"
        g = net.norm(f"{name}.W_g.1", net.conv(f"{name}.W_g.0", g, inner, 1))
        s = net.norm(f"{name}.W_x.1", net.conv(f"{name}.W_x.0", skip, inner, 1))
        psi = net.norm(f"{name}.psi.1", net.conv(f"{name}.psi.0", torch.relu(g + s), 1, 1))
        return skip * torch.sigmoid(psi)

    maps = [block("", 1, x)]
    for level in range(2, len(widths) + 1):
        maps.append(block("", level, halve(maps[-1])))
    x = maps[-1]
    for level in range(len(widths), 1, -1):
        x = net.conv_norm_relu(f"Up{level}.up.1", f"Up{level}.up.2", nearest(x), widths[level - 2])
        skip = gate(level, x, maps[level - 2]) if attention else maps[level - 2]
        name = f"Up_RRCNN{level}" if recurrent else f"Up_conv{level}"
        x = join(skip, x)
        if recurrent:
            x = net.conv(f"{name}.{head}", x, widths[level - 2], 1)
            x = x + again(f"{name}.RCNN.1", again(f"{name}.RCNN.0", x))
        else:
            x = net.double(f"{name}.conv", x, widths[level - 2])
    return net.conv(head, x, classes, 1)


def brain(net: Written, x: Tensor, width: int, classes: int) -> Tensor:
    """UNet of mateuszbuda/brain-segmentation-pytorch, before its sigmoid."""

    def block(name: str, inner: str, x: Tensor, channels: int) -> Tensor:
        for number in (1, 2):
            conv, norm = f"{name}.{inner}conv{number}", f"{name}.{inner}norm{number}"
            x = net.conv_norm_relu(conv, norm, x, channels, bias=False)
        return x

    skips = []
    for level in (1, 2, 3, 4):
        skips.append(block(f"encoder{level}", f"enc{level}", x, width * 2 ** (level - 1)))
        x = halve(skips[-1])
    x = block("bottleneck", "bottleneck", x, width * 16)
    for level in (4, 3, 2, 1):
        x = join(net.up(f"upconv{level}", x, width * 2 ** (level - 1)), skips[level - 1])
        x = block(f"decoder{level}", f"dec{level}", x, width * 2 ** (level - 1))
    return net.conv("conv", x, classes, 1)


def fastmri(net: Written, x: Tensor, widths: tuple[int, ...], classes: int) -> Tensor:
    """Unet of facebookresearch/fastMRI: each convolution but the last has an instance norm without weights."""

    def activate(x: Tensor) -> Tensor:
        return functional.leaky_relu(functional.instance_norm(x), 0.2)

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        x = activate(net.conv(f"{name}.layers.0", x, channels, bias=False))
        return activate(net.conv(f"{name}.layers.4", x, channels, bias=False))

    skips = []
    for level, width in enumerate(widths):
        skips.append(block(f"down_sample_layers.{level}", x, width))
        x = functional.avg_pool2d(skips[-1], 2)
    x = block("conv", x, 2 * widths[-1])
    for number, width in enumerate(reversed(widths)):
        name = f"up_conv.{number}.0" if number == len(widths) - 1 else f"up_conv.{number}"
        x = activate(net.up(f"up_transpose_conv.{number}.layers.0", x, width, bias=False))
        x = block(name, join(x, skips.pop()), width)
    return net.conv(f"up_conv.{len(widths) - 1}.1", x, classes, 1)
