"""EfficientNet's MBConv block as one differentiable operation.

The block widens a map sixfold, so that almost all of its memory is for the wide maps inside. Here squeeze-and-excite
scales the weights of the last 1×1 convolution instead of the wide map. Single operations would keep five wide maps for
the backward pass; the graph keeps at most two, and only small ones.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders._efficientnet import MBConvBlock
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from napari_segcam.network.inference.input_gradient import dense_input_gradient
from napari_segcam.network.inference.module_patterns import find_modules, is_plain, is_pointwise
from napari_segcam.network.inference.same_precision import remember_precision, same_precision

# Wide maps of up to so many bytes are kept for the backward pass. Larger ones are computed again, which takes no longer
# than allocating memory: they are those of early blocks, and quick to compute. After a stride the second wide map is a
# quarter as large, and always kept.
_LARGEST_KEPT = 16 * 2**20

# From so many pixels on, a convolution is faster than a matrix product, although it copies its weights into another
# layout each time.
_MANY_PIXELS = 1024


class MBConv(nn.Module):
    """A 1×1 expansion, a depthwise convolution, squeeze-and-excite and a 1×1 projection; E channels inside.

    Args:
        block: of SMP's EfficientNet, its batch norms and paddings folded.
    """

    def __init__(self, block: MBConvBlock) -> None:
        super().__init__()
        self.expands = block._has_expansion
        self.adds_input = block._has_drop_connect
        if self.expands:
            self.expand_weight, self.expand_bias = _matrix(block._expand_conv)  # (E, C)
        self.depthwise = block._depthwise_conv
        self.reduce_weight, self.reduce_bias = _matrix(block._se_reduce)  # (R, E)
        self.excite_weight, self.excite_bias = _matrix(block._se_expand)  # (E, R)
        self.project_weight, self.project_bias = _matrix(block._project_conv)  # (D, E)

    def forward(self, x: torch.Tensor, drop_connect_rate: float | None = None) -> torch.Tensor:  # noqa: ARG002
        """Return the output ``(B, D, h, w)`` for ``(B, C, H, W)``; the rate is used in training only."""
        if torch.is_grad_enabled() and x.requires_grad:
            return _MBConvFunction.apply(x, self)
        active = F.silu(self.filter(self.expand(x), overwrite=True), inplace=True)
        gate, _ = self.gate(active)
        return self.project(x, active, gate)

    def expand(self, x: torch.Tensor) -> torch.Tensor:
        """Return the wide map ``(B, E, H, W)`` before its activation; the input itself if the block does not expand."""
        if not self.expands:
            return x
        return F.conv2d(x, self.expand_weight[..., None, None], self.expand_bias)

    def filter(self, expanded: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        """Return the depthwise convolution's output ``(B, E, h, w)`` before its activation."""
        return self.depthwise(F.silu(expanded, inplace=overwrite) if self.expands else expanded)

    def gate(self, active: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weight of each wide channel ``(B, E)`` by squeeze-and-excite, and its hidden layer ``(B, R)``."""
        hidden = F.linear(_pixels(active).mean(1), self.reduce_weight, self.reduce_bias)
        return F.linear(F.silu(hidden), self.excite_weight, self.excite_bias).sigmoid_(), hidden

    def project(self, x: torch.Tensor, active: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """Return the output of the block from its input, its wide map after the activation, and the gate."""
        output = _pointwise(active, self.project_weight * gate[:, None], self.project_bias)
        return output.add_(x) if self.adds_input else output


class _MBConvFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, block: MBConv) -> torch.Tensor:
        remember_precision(ctx, x)
        expanded = block.expand(x)
        keeps_expanded = expanded.nbytes <= _LARGEST_KEPT
        filtered = block.filter(expanded, overwrite=not keeps_expanded)
        keeps_filtered = keeps_expanded or filtered.shape[2] < x.shape[2]
        active = F.silu(filtered, inplace=not keeps_filtered)
        gate, hidden = block.gate(active)
        ctx.block, ctx.keeps_expanded = block, keeps_expanded
        ctx.save_for_backward(gate, hidden, expanded if keeps_expanded else x, filtered if keeps_filtered else None)
        return block.project(x, active, gate)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        with same_precision(ctx):
            return _input_gradient(ctx, gradient), None


def _input_gradient(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
    block = ctx.block
    gate, hidden, expanded_or_input, filtered = ctx.saved_tensors
    expanded = expanded_or_input if ctx.keeps_expanded else block.expand(expanded_or_input)
    if filtered is None:
        filtered = block.filter(expanded)
    gated_gradient = _pixels(_pointwise(gradient, block.project_weight.mT))
    # The gradient of the gate is the sum of this product over the pixels.
    product = _pixels(F.silu(filtered)).mul_(gated_gradient)
    hidden_gradient = _silu_backward((product.sum(1) * gate * (1 - gate)) @ block.excite_weight, hidden)
    mean_gradient = hidden_gradient @ block.reduce_weight / product.shape[1]
    active_gradient = torch.addcmul(mean_gradient[:, None], gated_gradient, gate[:, None], out=gated_gradient)
    filtered_gradient = _silu_backward(_map(active_gradient, filtered.shape), filtered)
    input_gradient = dense_input_gradient(filtered_gradient, block.depthwise, *expanded.shape[2:])
    if block.expands:
        input_gradient = _pointwise(_silu_backward(input_gradient, expanded), block.expand_weight.mT)
    return input_gradient.add_(gradient) if block.adds_input else input_gradient


def fuse_mbconv(root: nn.Module) -> bool:
    """Replace the MBConv blocks of SMP's EfficientNet; return whether there were any."""
    blocks = [(parent, name, block) for parent, name, block in find_modules(root, MBConvBlock) if _is_known(block)]
    for parent, name, block in blocks:
        setattr(parent, name, MBConv(block))
    return bool(blocks)


def _is_known(block: MBConvBlock) -> bool:
    pointwise = [block._project_conv]
    norms = [block._bn1, block._bn2]
    if block._has_expansion:
        pointwise.append(block._expand_conv)
        norms.append(block._bn0)
    return (
        block._has_se
        and all(map(is_pointwise, [*pointwise, block._se_reduce, block._se_expand]))
        and all(convolution.bias is not None for convolution in pointwise)
        and all(is_plain(norm, nn.Identity) for norm in norms)  # folded
        and is_plain(block._depthwise_conv, nn.Conv2d)
        and block._depthwise_conv.groups == block._depthwise_conv.in_channels
        and is_plain(block._swish, nn.SiLU)
    )


def _matrix(convolution: nn.Conv2d) -> tuple[nn.Parameter, nn.Parameter]:
    """Return the weights of a 1×1 convolution as ``(out, in)``, and its bias."""
    assert convolution.bias is not None
    weight, bias = convolution.weight.detach().flatten(1).contiguous(), convolution.bias.detach()
    return nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)


def _pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Return the 1×1 convolution of maps ``(B, C, H, W)`` with one matrix ``(out, C)`` or one each ``(B, out, C)``."""
    if x.numel() // x.shape[1] >= _MANY_PIXELS and (weight.ndim == 2 or len(weight) == 1):
        return F.conv2d(x, weight.reshape(*weight.shape[-2:], 1, 1), bias)
    product = _pixels(x) @ weight.mT
    return _map(product if bias is None else product.add_(bias), x.shape)


def _pixels(x: torch.Tensor) -> torch.Tensor:
    """Return a map ``(B, C, H, W)`` with one row per pixel ``(B, H·W, C)``, as a view if it is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _map(pixels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Return rows per pixel ``(B, H·W, C)`` as a map with the height and width in ``shape``."""
    return pixels.unflatten(1, tuple(shape[2:])).permute(0, 3, 1, 2)


def _silu_backward(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the gradient of ``x`` from that of ``silu(x)``, which is overwritten."""
    return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=gradient)
