"""EfficientNet's MBConv block as one differentiable operation.

The block widens a map sixfold, so that almost all its memory lies inside. Here squeeze-and-excite scales the weights of
the last 1×1 convolution instead of the wide map, and of the five wide maps that the single operations would keep for
the way back, the graph keeps at most two: the small ones.
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

# Wide maps of so many bytes or fewer are kept for the way back; larger ones are computed again, which takes no longer
# than fetching fresh memory. These are the early ones, and cheap to compute. Behind a stride the second wide map is a
# quarter as large, and is always kept.
_LARGEST_KEPT = 16 * 2**20

# From so many pixels on, a convolution is faster than a matrix product, though it lays out its weights anew each time.
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
        """The block's output ``(B, D, h, w)`` for ``(B, C, H, W)``; the rate counts in training only."""
        if torch.is_grad_enabled() and x.requires_grad:
            return _MBConvFunction.apply(x, self)
        active = F.silu(self.filtered(self.expanded(x), overwrite=True), inplace=True)
        gate, _ = self.gate(active)
        return self.projected(x, active, gate)

    def expanded(self, x: torch.Tensor) -> torch.Tensor:
        """The wide map ``(B, E, H, W)`` before its activation; the input itself in a block that does not expand."""
        if not self.expands:
            return x
        return F.conv2d(x, self.expand_weight[..., None, None], self.expand_bias)

    def filtered(self, expanded: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        """The depthwise convolution's output ``(B, E, h, w)`` before its activation."""
        return self.depthwise(F.silu(expanded, inplace=overwrite) if self.expands else expanded)

    def gate(self, active: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Squeeze-and-excite's weight of each wide channel ``(B, E)``, and its hidden layer ``(B, R)``."""
        hidden = F.linear(_pixels(active).mean(1), self.reduce_weight, self.reduce_bias)
        return F.linear(F.silu(hidden), self.excite_weight, self.excite_bias).sigmoid_(), hidden

    def projected(self, x: torch.Tensor, active: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
        """The block's output from its input and its active wide map."""
        output = _pointwise(active, self.project_weight * gate[:, None], self.project_bias)
        return output.add_(x) if self.adds_input else output


class _MBConvFunction(Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, block: MBConv) -> torch.Tensor:
        remember_precision(ctx, x)
        expanded = block.expanded(x)
        keeps = expanded.nbytes <= _LARGEST_KEPT
        filtered = block.filtered(expanded, overwrite=not keeps)
        keeps_filtered = keeps or filtered.shape[2] < x.shape[2]
        active = F.silu(filtered, inplace=not keeps_filtered)
        gate, hidden = block.gate(active)
        ctx.block, ctx.keeps_expanded = block, keeps
        ctx.save_for_backward(gate, hidden, expanded if keeps else x, filtered if keeps_filtered else None)
        return block.projected(x, active, gate)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        with same_precision(ctx):
            return _input_gradient(ctx, gradient), None


def _input_gradient(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
    block = ctx.block
    gate, hidden, kept, filtered = ctx.saved_tensors
    expanded = kept if ctx.keeps_expanded else block.expanded(kept)
    if filtered is None:
        filtered = block.filtered(expanded)
    gated = _pixels(_pointwise(gradient, block.project_weight.mT))
    # The gate's gradient is Σ over the pixels of this product.
    product = _pixels(F.silu(filtered)).mul_(gated)
    of_hidden = _silu_backward((product.sum(1) * gate * (1 - gate)) @ block.excite_weight, hidden)
    of_mean = of_hidden @ block.reduce_weight / product.shape[1]
    of_active = torch.addcmul(of_mean[:, None], gated, gate[:, None], out=gated)
    of_filtered = _silu_backward(_map(of_active, filtered.shape), filtered)
    wide = dense_input_gradient(of_filtered, block.depthwise, *expanded.shape[2:])
    if block.expands:
        wide = _pointwise(_silu_backward(wide, expanded), block.expand_weight.mT)
    return wide.add_(gradient) if block.adds_input else wide


def fuse_mbconv(root: nn.Module) -> bool:
    """Replace the MBConv blocks of SMP's EfficientNet; whether there were any."""
    places = [place for place in find_modules(root, MBConvBlock) if _is_known(place[2])]
    for parent, name, block in places:
        setattr(parent, name, MBConv(block))
    return bool(places)


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
    """The weights of a 1×1 convolution as ``(out, in)``, and its bias."""
    assert convolution.bias is not None
    weight, bias = convolution.weight.detach().flatten(1).contiguous(), convolution.bias.detach()
    return nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)


def _pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """The 1×1 convolution of maps ``(B, C, H, W)`` with a matrix ``(out, C)``, or with one for each ``(B, out, C)``."""
    if x.numel() // x.shape[1] >= _MANY_PIXELS and (weight.ndim == 2 or len(weight) == 1):
        return F.conv2d(x, weight.reshape(*weight.shape[-2:], 1, 1), bias)
    product = _pixels(x) @ weight.mT
    return _map(product if bias is None else product.add_(bias), x.shape)


def _pixels(x: torch.Tensor) -> torch.Tensor:
    """A map ``(B, C, H, W)`` as one row per pixel ``(B, H·W, C)``: a view, where its memory is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _map(pixels: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Rows per pixel ``(B, H·W, C)`` as a map of the height and width in ``shape``."""
    return pixels.unflatten(1, tuple(shape[2:])).permute(0, 3, 1, 2)


def _silu_backward(gradient: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The gradient of ``x`` from that of ``silu(x)``, which it overwrites."""
    return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=gradient)
