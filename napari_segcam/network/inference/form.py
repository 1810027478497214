"""The inference form of a network: a private copy that computes the same with less time and memory."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from napari_segcam.network.device import channels_last, image_like
from napari_segcam.network.inference.batch_norm import fold_batch_norms
from napari_segcam.network.inference.frozen_convolution import freeze_convolutions
from napari_segcam.network.inference.mbconv import fuse_mbconv
from napari_segcam.network.inference.same_padding import fold_same_padding
from napari_segcam.network.inference.unet import merge_unet
from napari_segcam.network.inference.unetplusplus import merge_unetplusplus
from napari_segcam.network.stages.forward_trace import logits_of, trace_forward

# Of the logits' and the gradient's own size. Rounding is a few 1e-6; a gradient also jumps where a ReLU flips.
LARGEST_LOGIT_DIFFERENCE = 1e-3
LARGEST_GRADIENT_DIFFERENCE = 0.1

# In this order: a norm can be folded once its convolution is an ordinary one, a block recognized once its norms are.
_REWRITES: dict[str, Callable[[nn.Module, torch.Tensor], bool]] = {
    "same padding": lambda module, _: fold_same_padding(module),
    "batch norms": fold_batch_norms,
    "MBConv blocks": lambda module, _: fuse_mbconv(module),
    "U-Net decoder": lambda module, _: merge_unet(module),
    "U-Net++ decoder": lambda module, _: merge_unetplusplus(module),
    "frozen convolutions": lambda module, _: freeze_convolutions(module),
}


@dataclass(frozen=True)
class InferenceForm:
    """A network rewritten for inference and for gradients of its maps.

    Attributes:
        module: a private copy in eval mode, its weights frozen, channels-last; of its modules, those that make the
            stages keep their dotted names and their outputs.
        largest_difference: of its logits from the plain module's, over the largest of those, on one random input.
        applied: names of the rewrites that found something; empty where the module is the plain one.
    """

    module: nn.Module = field(repr=False)
    largest_difference: float
    applied: tuple[str, ...]


def inference_form(module: nn.Module, input_channels: int = 3, size: tuple[int, int] | None = None) -> InferenceForm:
    """Rewrite a copy of a network, and compare it with the plain network on one random input.

    Where a rewrite fails, or logits or gradients are not the same, the form is a plain copy.

    Args:
        module: takes ``(B, input_channels, H, W)`` and returns ``(B, classes, H, W)`` logits; it is not changed.
        size: as for ``trace_forward``.

    Raises:
        SegcamError: if the module does not run at all.
    """
    plain = _private(module)
    x = _random_input(plain, input_channels, size)
    logits, gradient = _logits_and_gradient(plain, x)
    try:
        rewritten, applied = _rewritten(plain, x)
        own_logits, own_gradient = _logits_and_gradient(rewritten, x)
    except Exception:  # whatever goes wrong in a rewrite, the plain network is right
        return InferenceForm(plain, 0.0, ())
    difference = float((own_logits - logits).abs().max() / logits.abs().max())
    gradient_difference = float((own_gradient - gradient).norm() / gradient.norm())
    # Written so that NaN does not pass.
    if not (difference <= LARGEST_LOGIT_DIFFERENCE and gradient_difference <= LARGEST_GRADIENT_DIFFERENCE):
        return InferenceForm(plain, 0.0, ())
    return InferenceForm(rewritten, difference, applied)


def _private(module: nn.Module) -> nn.Module:
    private = copy.deepcopy(module)
    private.eval()
    return channels_last(private.requires_grad_(False))


def _rewritten(plain: nn.Module, x: torch.Tensor) -> tuple[nn.Module, tuple[str, ...]]:
    rewritten = copy.deepcopy(plain)
    applied = tuple(name for name, rewrite in _REWRITES.items() if rewrite(rewritten, x))
    return _private(rewritten), applied


def _random_input(module: nn.Module, input_channels: int, size: tuple[int, int] | None) -> torch.Tensor:
    seen = trace_forward(module, input_channels, size=size)
    parameter = image_like(module)
    noise = torch.randn(1, input_channels, *seen.size, generator=torch.Generator().manual_seed(0))
    return noise.to(parameter, memory_format=torch.channels_last)


def _logits_and_gradient(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits, and the gradient of their weighted sum with respect to the input."""
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        logits = logits_of(module(x))
        if not logits.requires_grad:  # a mask that was cut, for example
            return logits, torch.zeros_like(x)
        weights = torch.linspace(-1, 1, logits.numel(), dtype=x.dtype, device=x.device).view_as(logits)
        try:
            (gradient,) = torch.autograd.grad(logits, x, weights)
        except RuntimeError:  # what the way back needs was overwritten
            gradient = torch.zeros_like(x)
    return logits.detach(), gradient
