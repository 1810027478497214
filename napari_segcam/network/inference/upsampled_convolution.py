"""The first step of SMP's decoder blocks, without its enlarged and concatenated maps.

A 3×3 convolution of ``[nearest ×2 enlargement of x, skip, skip, …]`` is the sum of one 3×3 convolution per part. On the
enlarged part the nine weights meet only four different pixels: the sum is a 4×4 transposed convolution of stride 2 of
the small map, with 16/36 of the arithmetic. Skips that need no gradient get none computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.base.modules import Attention, Conv2dReLU
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from napari_segcam.network.inference.frozen_convolution import FrozenConv2d
from napari_segcam.network.inference.input_gradient import occupied_box, part_gradient, pasted
from napari_segcam.network.inference.module_patterns import is_plain
from napari_segcam.network.inference.same_precision import remember_precision, same_precision


class UpsampledConvolution(nn.Module):
    """``relu(conv3x3([enlarged x, *skips]))`` for a map ``(B, C, h, w)`` and skips ``(B, Kᵢ, 2h, 2w)``.

    Args:
        convolution: 3×3, stride 1, padding 1, with a bias, over ``C + Σ Kᵢ`` channels.
        skip_channels: Kᵢ of each skip.
    """

    def __init__(self, convolution: nn.Conv2d, skip_channels: Sequence[int]) -> None:
        super().__init__()
        weight = convolution.weight.detach()
        parts = torch.split(weight, [weight.shape[1] - sum(skip_channels), *skip_channels], dim=1)
        self.up_weight = nn.Parameter(enlarging_weight(parts[0]), requires_grad=False)
        self.bias = convolution.bias
        self.of_skips = nn.ModuleList([FrozenConv2d.like(convolution, part) for part in parts[1:]])

    def forward(self, x: torch.Tensor, skips: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        if torch.is_grad_enabled() and any(part.requires_grad for part in (x, *skips)):
            return _UpsampledConvolution.apply(self, x, *skips)
        return self.merged(x, skips)

    def merged(self, x: torch.Tensor, skips: Sequence[torch.Tensor]) -> torch.Tensor:
        total = F.conv_transpose2d(x, self.up_weight, self.bias, stride=2, padding=1)
        for skip, of_skip in zip(skips, self.of_skips, strict=True):
            total += of_skip(skip)
        return total.relu_()


class _UpsampledConvolution(Function):
    @staticmethod
    def forward(ctx: Any, layer: UpsampledConvolution, x: torch.Tensor, *skips: torch.Tensor) -> torch.Tensor:
        remember_precision(ctx, x)
        output = layer.merged(x, skips)
        ctx.layer = layer
        ctx.save_for_backward(output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        layer, (output,) = ctx.layer, ctx.saved_tensors
        _, x_needed, *skips_needed = ctx.needs_input_grad
        height, width = gradient.shape[2:]
        box = occupied_box(gradient)
        if box is not None:
            box = _around_small_pixels(box[0], height), _around_small_pixels(box[1], width)
            gradient, output = gradient[..., *box], output[..., *box]
        of_sum = torch.ops.aten.threshold_backward(gradient, output, 0)
        with same_precision(ctx):
            of_x = F.conv2d(of_sum, layer.up_weight, stride=2, padding=1) if x_needed else None
            if of_x is not None and box is not None:
                of_x = pasted(of_x, (_halved(box[0]), _halved(box[1])), height // 2, width // 2)
            of_skips = [
                part_gradient(of_sum, box, of_skip, height, width) if needed else None
                for of_skip, needed in zip(layer.of_skips, skips_needed, strict=True)
            ]
        return None, of_x, *of_skips


def _around_small_pixels(span: slice, size: int) -> slice:
    """The span widened to whole small pixels, and by one on each side: the kernel reaches no further."""
    return slice(max(span.start // 2 * 2 - 2, 0), min((span.stop + 1) // 2 * 2 + 2, size))


def _halved(span: slice) -> slice:
    return slice(span.start // 2, span.stop // 2)


def enlarging_weight(weight: torch.Tensor) -> torch.Tensor:
    """The transposed 4×4 kernel ``(in, out, 4, 4)`` that does what this 3×3 kernel ``(out, in, 3, 3)`` does to a
    nearest ×2 enlargement: each small pixel becomes a 2×2 square, so that the kernel is spread by such a square."""
    out_channels, in_channels = weight.shape[:2]
    square = weight.new_ones(1, 1, 2, 2)
    spread = F.conv2d(weight.reshape(-1, 1, 3, 3), square, padding=1).view(out_channels, in_channels, 4, 4)
    return spread.flip(2, 3).transpose(0, 1)


def is_known(block: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a decoder block is of this type and of the form that can be rewritten: its norms folded, no attention."""
    return (
        is_plain(block, kind)
        and block.interpolation_mode == "nearest"
        and _is_conv_relu(block.conv1)
        and _is_conv_relu(block.conv2)
        and _is_nothing(block.attention1)
        and _is_nothing(block.attention2)
    )


def _is_conv_relu(layers: object) -> bool:
    if not is_plain(layers, Conv2dReLU) or len(layers) != 3:
        return False
    convolution, norm, activation = layers
    return (
        is_plain(convolution, nn.Conv2d)
        and convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.padding == (1, 1)
        and convolution.dilation == (1, 1)
        and convolution.groups == 1
        and convolution.padding_mode == "zeros"
        and convolution.bias is not None
        and is_plain(norm, nn.Identity)
        and is_plain(activation, nn.ReLU)
    )


def _is_nothing(attention: object) -> bool:
    return is_plain(attention, Attention) and is_plain(attention.attention, nn.Identity)
