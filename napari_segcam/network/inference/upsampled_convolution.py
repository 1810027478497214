"""The first step of SMP's decoder blocks without enlarged and concatenated maps.

A 3×3 convolution of ``[nearest ×2 enlargement of x, skip, skip, …]`` is the sum of one 3×3 convolution per part. In the
enlarged part the nine weights see only four different pixels, so its convolution is a 4×4 transposed convolution of
stride 2 of the small map, with 16/36 of the arithmetic. The gradient of a skip is computed only if it is needed.
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
from napari_segcam.network.inference.input_gradient import occupied_box, part_gradient, paste
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
        self.skip_convolutions = nn.ModuleList([FrozenConv2d.like(convolution, part) for part in parts[1:]])

    def forward(self, x: torch.Tensor, skips: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        if torch.is_grad_enabled() and any(part.requires_grad for part in (x, *skips)):
            return _UpsampledConvolution.apply(self, x, *skips)
        return self.merge(x, skips)

    def merge(self, x: torch.Tensor, skips: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the output without a graph."""
        total = F.conv_transpose2d(x, self.up_weight, self.bias, stride=2, padding=1)
        for skip, convolution in zip(skips, self.skip_convolutions, strict=True):
            total += convolution(skip)
        return total.relu_()


class _UpsampledConvolution(Function):
    @staticmethod
    def forward(ctx: Any, layer: UpsampledConvolution, x: torch.Tensor, *skips: torch.Tensor) -> torch.Tensor:
        remember_precision(ctx, x)
        output = layer.merge(x, skips)
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
            box = _widen_to_small_pixels(box[0], height), _widen_to_small_pixels(box[1], width)
            gradient, output = gradient[..., *box], output[..., *box]
        sum_gradient = torch.ops.aten.threshold_backward(gradient, output, 0)
        with same_precision(ctx):
            x_gradient = F.conv2d(sum_gradient, layer.up_weight, stride=2, padding=1) if x_needed else None
            if x_gradient is not None and box is not None:
                x_gradient = paste(x_gradient, (_halve(box[0]), _halve(box[1])), height // 2, width // 2)
            skip_gradients = [
                part_gradient(sum_gradient, box, convolution, height, width) if is_needed else None
                for convolution, is_needed in zip(layer.skip_convolutions, skips_needed, strict=True)
            ]
        return None, x_gradient, *skip_gradients


def _widen_to_small_pixels(span: slice, size: int) -> slice:
    """Widen a span to whole small pixels and by one on each side, the reach of the kernel."""
    return slice(max(span.start // 2 * 2 - 2, 0), min((span.stop + 1) // 2 * 2 + 2, size))


def _halve(span: slice) -> slice:
    return slice(span.start // 2, span.stop // 2)


def enlarging_weight(weight: torch.Tensor) -> torch.Tensor:
    """Return the transposed kernel ``(in, out, 4, 4)`` that equals ``(out, in, 3, 3)`` after a nearest ×2 enlargement.

    Each small pixel becomes a 2×2 square, so the kernel is convolved with such a square.
    """
    out_channels, in_channels = weight.shape[:2]
    square = weight.new_ones(1, 1, 2, 2)
    spread = F.conv2d(weight.reshape(-1, 1, 3, 3), square, padding=1).view(out_channels, in_channels, 4, 4)
    return spread.flip(2, 3).transpose(0, 1)


def is_known(block: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a decoder block is of this type and can be rewritten: its norms are folded, and it has no attention."""
    return (
        is_plain(block, kind)
        and block.interpolation_mode == "nearest"
        and _is_conv_relu(block.conv1)
        and _is_conv_relu(block.conv2)
        and _does_nothing(block.attention1)
        and _does_nothing(block.attention2)
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


def _does_nothing(attention: object) -> bool:
    return is_plain(attention, Attention) and is_plain(attention.attention, nn.Identity)
