"""UNeXt, TransUNet and UNet 3+, written as functions of their weights, after the repositories' definitions."""

from __future__ import annotations

import math

import torch
from torch.nn import functional
from written_network import Written, bilinear, halve, join

Tensor = torch.Tensor


def layer_norm(net: Written, name: str, x: Tensor, eps: float = 1e-5) -> Tensor:
    """A layer norm over the last axis."""
    channels = x.shape[-1]
    weight = net.draw(f"{name}.weight", channels, scale=0.1, shift=1)
    return functional.layer_norm(x, (channels,), weight, net.draw(f"{name}.bias", channels, scale=0.1), eps)


def group_norm(net: Written, name: str, x: Tensor, groups: int, eps: float) -> Tensor:
    """A group norm."""
    weight = net.draw(f"{name}.weight", x.shape[1], scale=0.1, shift=1)
    return functional.group_norm(x, groups, weight, net.draw(f"{name}.bias", x.shape[1], scale=0.1), eps)


def unet_3plus(
    net: Written, x: Tensor, widths: tuple[int, int, int, int, int], classes: int, *, deep: bool = False
) -> Tensor:
    """UNet 3+ of ZJUGiveLab/UNet-Version, before its sigmoid; with deep supervision, its finest output."""

    def block(name: str, x: Tensor, channels: int) -> Tensor:
        x = net.conv_norm_relu(f"{name}.conv1.0", f"{name}.conv1.1", x, channels)
        return net.conv_norm_relu(f"{name}.conv2.0", f"{name}.conv2.1", x, channels)

    def layer(name: str, x: Tensor) -> Tensor:
        return net.conv_norm_relu(f"{name}_conv", f"{name}_bn", x, widths[0])

    def pooled(x: Tensor, factor: int) -> Tensor:
        return functional.max_pool2d(x, factor, factor, ceil_mode=True)

    def grown(x: Tensor, factor: int) -> Tensor:
        return bilinear(x, factor, corners=False)

    def fused(level: int, *maps: Tensor) -> Tensor:
        return net.conv_norm_relu(f"conv{level}d_1", f"bn{level}d_1", join(*maps), widths[0] * 5)

    h1 = block("conv1", x, widths[0])
    h2 = block("conv2", halve(h1), widths[1])
    h3 = block("conv3", halve(h2), widths[2])
    h4 = block("conv4", halve(h3), widths[3])
    hd5 = block("conv5", halve(h4), widths[4])
    hd4 = fused(
        4,
        layer("h1_PT_hd4", pooled(h1, 8)),
        layer("h2_PT_hd4", pooled(h2, 4)),
        layer("h3_PT_hd4", pooled(h3, 2)),
        layer("h4_Cat_hd4", h4),
        layer("hd5_UT_hd4", grown(hd5, 2)),
    )
    hd3 = fused(
        3,
        layer("h1_PT_hd3", pooled(h1, 4)),
        layer("h2_PT_hd3", pooled(h2, 2)),
        layer("h3_Cat_hd3", h3),
        layer("hd4_UT_hd3", grown(hd4, 2)),
        layer("hd5_UT_hd3", grown(hd5, 4)),
    )
    hd2 = fused(
        2,
        layer("h1_PT_hd2", pooled(h1, 2)),
        layer("h2_Cat_hd2", h2),
        layer("hd3_UT_hd2", grown(hd3, 2)),
        layer("hd4_UT_hd2", grown(hd4, 4)),
        layer("hd5_UT_hd2", grown(hd5, 8)),
    )
    hd1 = fused(
        1,
        layer("h1_Cat_hd1", h1),
        layer("hd2_UT_hd1", grown(hd2, 2)),
        layer("hd3_UT_hd1", grown(hd3, 4)),
        layer("hd4_UT_hd1", grown(hd4, 8)),
        layer("hd5_UT_hd1", grown(hd5, 16)),
    )
    if deep:
        for level, map_ in ((2, hd2), (3, hd3), (4, hd4), (5, hd5)):
            net.conv(f"outconv{level}", map_, classes)
    return net.conv("outconv1", hd1, classes)


def unext(net: Written, x: Tensor, widths: tuple[int, int, int, int, int], classes: int) -> Tensor:
    """UNext of jeya-maria-jose/UNeXt-pytorch."""

    def shift(x: Tensor, height: int, width: int, axis: int) -> Tensor:
        maps = x.transpose(1, 2).reshape(len(x), -1, height, width)
        pieces = torch.chunk(functional.pad(maps, (2, 2, 2, 2)), 5, 1)
        rolled = [torch.roll(piece, step, axis) for piece, step in zip(pieces, (-2, -1, 0, 1, 2), strict=False)]
        cut = torch.narrow(torch.narrow(torch.cat(rolled, 1), 2, 2, height), 3, 2, width)
        return cut.reshape(len(x), -1, height * width).transpose(1, 2)

    def block(name: str, x: Tensor, height: int, width: int) -> Tensor:
        channels = x.shape[-1]
        y = net.linear(f"{name}.mlp.fc1", shift(layer_norm(net, f"{name}.norm2", x), height, width, 2), channels)
        y = y.transpose(1, 2).reshape(len(x), channels, height, width)
        y = net.conv(f"{name}.mlp.dwconv.dwconv", y, channels, groups=channels).flatten(2).transpose(1, 2)
        return x + net.linear(f"{name}.mlp.fc2", shift(functional.gelu(y), height, width, 3), channels)

    def tokens(name: str, norm: str, x: Tensor, height: int, width: int) -> Tensor:
        x = layer_norm(net, norm, block(f"{name}.0", x, height, width))
        return x.reshape(len(x), height, width, -1).permute(0, 3, 1, 2).contiguous()

    def embed(name: str, x: Tensor, channels: int) -> tuple[Tensor, int, int]:
        x = net.conv(f"{name}.proj", x, channels, stride=2)
        height, width = x.shape[2:]
        return layer_norm(net, f"{name}.norm", x.flatten(2).transpose(1, 2)), height, width

    skips = []
    for level in (1, 2, 3):
        x = torch.relu(halve(net.norm(f"ebn{level}", net.conv(f"encoder{level}", x, widths[level - 1]))))
        skips.append(x)
    x, height, width = embed("patch_embed3", x, widths[3])
    x = tokens("block1", "norm3", x, height, width)
    skips.append(x)
    x, height, width = embed("patch_embed4", x, widths[4])
    x = tokens("block2", "norm4", x, height, width)
    for level in (1, 2, 3, 4):
        skip = skips[4 - level]
        x = net.norm(f"dbn{level}", net.conv(f"decoder{level}", x, skip.shape[1]))
        x = torch.relu(bilinear(x, corners=False)) + skip
        if level < 3:
            height, width = x.shape[2:]
            x = tokens(f"dblock{level}", f"dnorm{level + 2}", x.flatten(2).transpose(1, 2), height, width)
    x = torch.relu(bilinear(net.conv("decoder5", x, widths[0]), corners=False))
    return net.conv("final", x, classes, 1)


def transunet(
    net: Written,
    x: Tensor,
    width: int,
    hidden: int,
    classes: int,
    *,
    blocks: tuple[int, int, int],
    depth: int,
    heads: int = 12,
) -> Tensor:
    """TransUNet of Beckschen/TransUNet with a ResNet of this width and a transformer of this depth."""
    root = "transformer.embeddings.hybrid_model"

    def conv(name: str, x: Tensor, channels: int, kernel: int, stride: int = 1) -> Tensor:
        weight = net.draw(f"{name}.weight", channels, x.shape[1], kernel, kernel)
        spread, mean = torch.var_mean(weight, dim=[1, 2, 3], keepdim=True, unbiased=False)
        return functional.conv2d(x, (weight - mean) / torch.sqrt(spread + 1e-5), None, stride, kernel // 2)

    def unit(name: str, x: Tensor, channels: int, stride: int) -> Tensor:
        middle = channels // 4
        shortcut = x
        if stride > 1 or x.shape[1] != channels:
            shortcut = conv(f"{name}.downsample", x, channels, 1, stride)
            shortcut = group_norm(net, f"{name}.gn_proj", shortcut, channels, 1e-5)
        x = torch.relu(group_norm(net, f"{name}.gn1", conv(f"{name}.conv1", x, middle, 1), 32, 1e-6))
        x = torch.relu(group_norm(net, f"{name}.gn2", conv(f"{name}.conv2", x, middle, 3, stride), 32, 1e-6))
        return torch.relu(shortcut + group_norm(net, f"{name}.gn3", conv(f"{name}.conv3", x, channels, 1), 32, 1e-6))

    def block(level: int, x: Tensor) -> Tensor:
        for number in range(1, blocks[level - 1] + 1):
            stride = 2 if level > 1 and number == 1 else 1
            x = unit(f"{root}.body.block{level}.unit{number}", x, width * 4 * 2 ** (level - 1), stride)
        return x

    def double(name: str, x: Tensor, channels: int) -> Tensor:
        for number in (1, 2):
            x = net.conv_norm_relu(f"{name}.conv{number}.0", f"{name}.conv{number}.1", x, channels, bias=False)
        return x

    if x.shape[1] == 1:
        x = torch.cat([x, x, x], 1)
    side = x.shape[2]
    skip1 = torch.relu(group_norm(net, f"{root}.root.gn", conv(f"{root}.root.conv", x, width, 7, 2), 32, 1e-6))
    one = block(1, functional.max_pool2d(skip1, 3, 2))
    skip2 = torch.zeros(len(x), one.shape[1], side // 4, side // 4)
    skip2[:, :, : one.shape[2], : one.shape[3]] = one
    skip3 = block(2, one)
    x = net.conv("transformer.embeddings.patch_embeddings", block(3, skip3), hidden, 1)
    x = x.flatten(2).transpose(1, 2)
    x = x + net.draw("transformer.embeddings.position_embeddings", 1, x.shape[1], hidden)
    for number in range(depth):
        name = f"transformer.encoder.layer.{number}"
        y = layer_norm(net, f"{name}.attention_norm", x, 1e-6)
        parts = []
        for part in ("query", "key", "value"):
            z = net.linear(f"{name}.attn.{part}", y, hidden)
            parts.append(z.view(len(z), -1, heads, hidden // heads).permute(0, 2, 1, 3))
        scores = torch.matmul(parts[0], parts[1].transpose(-1, -2)) / math.sqrt(hidden // heads)
        y = torch.matmul(torch.softmax(scores, -1), parts[2]).permute(0, 2, 1, 3).reshape(x.shape)
        x = net.linear(f"{name}.attn.out", y, hidden) + x
        y = functional.gelu(net.linear(f"{name}.ffn.fc1", layer_norm(net, f"{name}.ffn_norm", x, 1e-6), hidden * 2))
        x = net.linear(f"{name}.ffn.fc2", y, hidden) + x
    x = layer_norm(net, "transformer.encoder.encoder_norm", x, 1e-6)
    grid = side // 16
    x = x.permute(0, 2, 1).reshape(len(x), hidden, grid, grid)
    x = net.conv_norm_relu("decoder.conv_more.0", "decoder.conv_more.1", x, 24, bias=False)
    for number, skip in enumerate((skip3, skip2, skip1, None)):
        x = bilinear(x)
        x = double(f"decoder.blocks.{number}", x if skip is None else join(x, skip), 16 - 4 * number)
    return net.conv("segmentation_head.0", x, classes)


def swin_unet(net: Written, x: Tensor, width: int, classes: int, *, heads: tuple[int, ...], window: int) -> Tensor:
    """Swin-Unet of HuCaoFighting/Swin-Unet with two blocks a stage, for images whose deepest level is one window."""
    depth, batch = len(heads), len(x)

    def partition(x: Tensor, side: int) -> Tensor:
        x = x.view(len(x), side // window, window, side // window, window, -1)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window * window, x.shape[-1])

    def attention(name: str, x: Tensor, count: int, mask: Tensor | None) -> Tensor:
        tokens, channels = x.shape[1:]
        qkv = net.linear(f"{name}.qkv", x, channels * 3)
        q, k, v = qkv.reshape(len(x), tokens, 3, count, channels // count).permute(2, 0, 3, 1, 4)
        scores = (q * (channels // count) ** -0.5) @ k.transpose(-2, -1)
        table = net.draw(f"{name}.relative_position_bias_table", (2 * window - 1) ** 2, count)
        rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
        index = (rows[:, None] - rows + window - 1) * (2 * window - 1) + columns[:, None] - columns + window - 1
        net.weights[f"{name}.relative_position_index"] = index
        scores = scores + table[index.view(-1)].view(tokens, tokens, count).permute(2, 0, 1).contiguous()
        if mask is not None:
            scores = scores.view(batch, -1, count, tokens, tokens) + mask[None, :, None]
            scores = scores.view(-1, count, tokens, tokens)
        x = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(x.shape)
        return net.linear(f"{name}.proj", x, channels)

    def block(name: str, x: Tensor, side: int, count: int, *, shifted: bool) -> Tensor:
        shift, mask = (window // 2 if shifted and side > window else 0), None
        if shift:
            zones = torch.zeros(1, side, side, 1)
            cuts = (slice(0, -window), slice(-window, -shift), slice(-shift, None))
            for number, (rows, columns) in enumerate((r, c) for r in cuts for c in cuts):
                zones[:, rows, columns] = number
            flat = partition(zones, side)[..., 0]
            mask = torch.where(flat[:, None] == flat[:, :, None], 0.0, -100.0)
            net.weights[f"{name}.attn_mask"] = mask
        y = layer_norm(net, f"{name}.norm1", x).view(batch, side, side, -1)
        y = torch.roll(y, (-shift, -shift), (1, 2))
        y = attention(f"{name}.attn", partition(y, side), count, mask)
        y = y.view(batch, side // window, side // window, window, window, -1).permute(0, 1, 3, 2, 4, 5)
        y = torch.roll(y.reshape(batch, side, side, -1), (shift, shift), (1, 2))
        x = x + y.view(x.shape)
        y = functional.gelu(net.linear(f"{name}.mlp.fc1", layer_norm(net, f"{name}.norm2", x), x.shape[2] * 2))
        return x + net.linear(f"{name}.mlp.fc2", y, x.shape[2])

    def stage(name: str, x: Tensor, side: int, count: int) -> Tensor:
        for number in (0, 1):
            x = block(f"{name}.blocks.{number}", x, side, count, shifted=number == 1)
        return x

    def expand(name: str, x: Tensor, side: int, factor: int, channels: int) -> Tensor:
        x = net.linear(f"{name}.expand", x, channels * factor * factor, bias=False)
        x = x.view(batch, side, side, factor, factor, channels).permute(0, 1, 3, 2, 4, 5)
        return layer_norm(net, f"{name}.norm", x.reshape(batch, -1, channels))

    x = net.conv("patch_embed.proj", x, width, 4, stride=4, padding=0)
    side = x.shape[2]
    x = layer_norm(net, "patch_embed.norm", x.flatten(2).transpose(1, 2))
    skips = []
    for level in range(depth):
        skips.append(x)
        x = stage(f"layers.{level}", x, side // 2**level, heads[level])
        if level < depth - 1:
            y = x.view(batch, side // 2**level, side // 2**level, -1)
            y = torch.cat([y[:, 0::2, 0::2], y[:, 1::2, 0::2], y[:, 0::2, 1::2], y[:, 1::2, 1::2]], -1)
            y = layer_norm(net, f"layers.{level}.downsample.norm", y.view(batch, -1, y.shape[-1]))
            x = net.linear(f"layers.{level}.downsample.reduction", y, x.shape[2] * 2, bias=False)
    x = layer_norm(net, "norm", x)
    x = expand("layers_up.0", x, side // 2 ** (depth - 1), 2, x.shape[2] // 2)
    for number in range(1, depth):
        level = depth - 1 - number
        x = net.linear(f"concat_back_dim.{number}", torch.cat([x, skips[level]], -1), x.shape[2])
        x = stage(f"layers_up.{number}", x, side // 2**level, heads[level])
        if level:
            x = expand(f"layers_up.{number}.upsample", x, side // 2**level, 2, x.shape[2] // 2)
    x = expand("up", layer_norm(net, "norm_up", x), side, 4, width)
    x = x.view(batch, side * 4, side * 4, width).permute(0, 3, 1, 2)
    return net.conv("output", x, classes, 1, bias=False)
