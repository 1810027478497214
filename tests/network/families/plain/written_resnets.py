"""Networks with a well-known encoder, written as functions of their weights, after the repositories' definitions."""

from __future__ import annotations

import torch
from torch.nn import functional
from written_network import Written, bilinear, halve, join

Tensor = torch.Tensor
VGG11 = {1: (0,), 2: (3,), 3: (6, 8), 4: (11, 13), 5: (16, 18)}
VGG16 = {1: (0, 2), 2: (5, 7), 3: (10, 12, 14), 4: (17, 19, 21), 5: (24, 26, 28)}


def residual_stage(
    net: Written,
    name: str,
    x: Tensor,
    width: int,
    blocks: int,
    stride: int,
    *,
    bottleneck: bool = False,
    dilations: tuple[int, ...] = (),
) -> Tensor:
    """A stage of torchvision's ResNets."""
    for number in range(blocks):
        step = stride if number == 0 else 1
        dilation = dilations[number] if dilations else 1
        block = f"{name}.{number}"
        spread = {"dilation": dilation, "padding": dilation, "bias": False}
        if bottleneck:
            y = net.conv_norm_relu(f"{block}.conv1", f"{block}.bn1", x, width, 1, bias=False)
            y = net.conv_norm_relu(f"{block}.conv2", f"{block}.bn2", y, width, stride=step, **spread)
            y = net.norm(f"{block}.bn3", net.conv(f"{block}.conv3", y, width * 4, 1, bias=False))
        else:
            y = net.conv_norm_relu(f"{block}.conv1", f"{block}.bn1", x, width, stride=step, **spread)
            y = net.norm(f"{block}.bn2", net.conv(f"{block}.conv2", y, width, **spread))
        if step != 1 or x.shape[1] != y.shape[1]:
            x = net.conv(f"{block}.downsample.0", x, y.shape[1], 1, stride=step, bias=False)
            x = net.norm(f"{block}.downsample.1", x)
        x = torch.relu(y + x)
    return x


def first(net: Written, conv: str, norm: str, x: Tensor, width: int) -> Tensor:
    """The first convolution of a ResNet, with batch norm and ReLU."""
    return net.conv_norm_relu(conv, norm, x, width, 7, stride=2, bias=False)


def pool(x: Tensor) -> Tensor:
    """The pooling of a ResNet."""
    return functional.max_pool2d(x, 3, 2, 1)


def resnet_unet(net: Written, x: Tensor, width: int, classes: int, *, blocks: tuple[int, ...]) -> Tensor:
    """ResNetUNet of usuyama/pytorch-unet."""

    def conv(name: str, x: Tensor, channels: int, kernel: int = 3) -> Tensor:
        return torch.relu(net.conv(f"{name}.0", x, channels, kernel))

    image = conv("conv_original_size1", conv("conv_original_size0", x, width), width)
    layer0 = first(net, "layer0.0", "layer0.1", x, width)
    layer1 = residual_stage(net, "layer1.1", pool(layer0), width, blocks[0], 1)
    layer2 = residual_stage(net, "layer2", layer1, width * 2, blocks[1], 2)
    layer3 = residual_stage(net, "layer3", layer2, width * 4, blocks[2], 2)
    layer4 = residual_stage(net, "layer4", layer3, width * 8, blocks[3], 2)
    x = conv("layer4_1x1", layer4, width * 8, 1)
    for level, map_, channels in ((3, layer3, 8), (2, layer2, 4), (1, layer1, 4), (0, layer0, 2)):
        skip = conv(f"layer{level}_1x1", map_, map_.shape[1], 1)
        x = conv(f"conv_up{level}", join(bilinear(x), skip), width * channels)
    x = conv("conv_original_size2", join(bilinear(x), image), width)
    return net.conv("conv_last", x, classes, 1)


def _ternaus_decoder(net: Written, name: str, x: Tensor, middle: int, channels: int, kind: str) -> Tensor:
    if kind == "bilinear":
        x = torch.relu(net.conv(f"{name}.block.1.conv", bilinear(x, corners=False), middle))
        return torch.relu(net.conv(f"{name}.block.2.conv", x, channels))
    x = torch.relu(net.conv(f"{name}.block.0.conv", x, middle))
    how = {"kernel": 3, "padding": 1, "output_padding": 1} if kind == "3" else {"kernel": 4, "padding": 1}
    return torch.relu(net.up(f"{name}.block.1", x, channels, **how))


def ternaus_vgg(
    net: Written,
    x: Tensor,
    width: int,
    classes: int,
    *,
    vgg: dict[int, tuple[int, ...]],
    kind: str,
    named: bool = False,
) -> Tensor:
    """UNet11 and UNet16 of ternaus/TernausNet; in one of them, convolutions have names of their own."""
    maps = []
    for level, indices in vgg.items():
        x = halve(maps[-1]) if maps else x
        for position, index in enumerate(indices):
            x = torch.relu(net.conv(f"encoder.{index}", x, width * min(8, 2 ** (level - 1))))
            alias = f"conv{level}.{2 * position}"
            if named:
                alias = f"conv{level}" if position == len(indices) - 1 else f"conv{level}s"
            for part in ("weight", "bias"):
                net.weights[f"{alias}.{part}"] = net.weights[f"encoder.{index}.{part}"].clone()
        maps.append(x)
    x = _ternaus_decoder(net, "center", halve(maps[4]), width * 8, width * 4, kind)
    for level, channels in ((5, 4), (4, 4), (3, 2), (2, 1)):
        x = _ternaus_decoder(net, f"dec{level}", join(x, maps[level - 1]), width * channels * 2, width * channels, kind)
    x = torch.relu(net.conv("dec1.conv", join(x, maps[0]), width))
    return net.conv("final", x, classes, 1)


def albunet(net: Written, x: Tensor, width: int, classes: int, *, kind: str, blocks: tuple[int, ...]) -> Tensor:
    """AlbuNet of ternaus/TernausNet."""
    maps = [halve(first(net, "encoder.conv1", "encoder.bn1", x, width))]
    for stage, count in enumerate(blocks, start=1):
        name = f"encoder.layer{stage}"
        maps.append(residual_stage(net, name, maps[-1], width * 2 ** (stage - 1), count, 1 if stage == 1 else 2))
    aliases = {"encoder.conv1.": "conv1.0.", "encoder.bn1.": "conv1.1."}
    aliases |= {f"encoder.layer{stage}.": f"conv{stage + 1}." for stage in (1, 2, 3, 4)}
    for name, alias in aliases.items():
        for key in [key for key in net.weights if key.startswith(name)]:
            net.weights[alias + key.removeprefix(name)] = net.weights[key].clone()
    net.linear("encoder.fc", maps[-1].mean((2, 3)), 10)
    x = _ternaus_decoder(net, "center", halve(maps[4]), width * 8, width * 4, kind)
    for level, channels in ((5, 4), (4, 4), (3, 2), (2, 1)):
        x = _ternaus_decoder(net, f"dec{level}", join(x, maps[level - 1]), width * channels * 2, width * channels, kind)
    x = _ternaus_decoder(net, "dec1", x, width, width, kind)
    x = torch.relu(net.conv("dec0.conv", x, width))
    return net.conv("final", x, classes, 1)


def linknet(
    net: Written, x: Tensor, width: int, classes: int, *, center: str = "", blocks: tuple[int, ...] = (1, 1, 1, 1)
) -> Tensor:
    """LinkNet34, D-LinkNet (center ``dilated``) and CE-Net (center ``atrous``), before a sigmoid."""

    def decoder(name: str, x: Tensor, channels: int) -> Tensor:
        inner = x.shape[1] // 4
        x = net.conv_norm_relu(f"{name}.conv1", f"{name}.norm1", x, inner, 1)
        if center:
            x = net.up(f"{name}.deconv2", x, inner, 3, padding=1, output_padding=1)
        else:
            x = net.up(f"{name}.deconv2", x, inner, 4, padding=1)
        x = torch.relu(net.norm(f"{name}.norm2", x))
        return net.conv_norm_relu(f"{name}.conv3", f"{name}.norm3", x, channels, 1)

    def spread(name: str, x: Tensor, dilation: int) -> Tensor:
        return net.conv(f"dblock.{name}", x, x.shape[1], dilation=dilation, padding=dilation)

    x = pool(first(net, "firstconv", "firstbn", x, width))
    e1 = residual_stage(net, "encoder1", x, width, blocks[0], 1)
    e2 = residual_stage(net, "encoder2", e1, width * 2, blocks[1], 2)
    e3 = residual_stage(net, "encoder3", e2, width * 4, blocks[2], 2)
    x = residual_stage(net, "encoder4", e3, width * 8, blocks[3], 2)
    if center == "dilated":
        total = x
        for number, dilation in ((1, 1), (2, 2), (3, 4)):
            x = torch.relu(spread(f"dilate{number}", x, dilation))
            total = total + x
        x = total
    elif center == "atrous":
        one = spread("dilate1", x, 1)
        two = torch.relu(net.conv("dblock.conv1x1", spread("dilate2", x, 3), x.shape[1], 1))
        three = torch.relu(net.conv("dblock.conv1x1", spread("dilate2", one, 3), x.shape[1], 1))
        four = spread("dilate3", spread("dilate2", one, 3), 5)
        four = torch.relu(net.conv("dblock.conv1x1", four, x.shape[1], 1))
        x = x + torch.relu(one) + two + three + four
        pooled = [net.conv("spp.conv", functional.max_pool2d(x, size, size), 1, 1) for size in (2, 3, 5, 6)]
        x = join(*(functional.interpolate(map_, x.shape[2:], mode="bilinear") for map_ in pooled), x)
    x = decoder("decoder4", x, width * 4) + e3
    x = decoder("decoder3", x, width * 2) + e2
    x = decoder("decoder2", x, width) + e1
    x = decoder("decoder1", x, width)
    if center:
        x = torch.relu(net.up("finaldeconv1", x, 8, 4, padding=1))
        x = torch.relu(net.conv("finalconv2", x, 8))
        return net.conv("finalconv3", x, classes)
    x = torch.relu(net.up("finaldeconv1", x, 8, 3))
    x = torch.relu(net.conv("finalconv2", x, 8, padding=0))
    return net.conv("finalconv3", x, classes, 2, padding=1)
