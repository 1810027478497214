"""The inference form of a network: a copy that computes the same in less time and memory."""

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

# Relative to the size of the logits and of the gradient. Rounding is a few 1e-6; a gradient also jumps where a ReLU
# switches.
LARGEST_LOGIT_DIFFERENCE = 1e-3
LARGEST_GRADIENT_DIFFERENCE = 0.1

# The order matters: a norm is folded only into an ordinary convolution, and a block is recognized only if its norms are
# folded.
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
        module: a copy in eval mode with frozen weights, channels-last. The layers of the stages keep their dotted names
            and outputs.
        largest_difference: between its logits and those of the plain module on one random input, relative to the
            largest logit.
        applied: names of the rewrites that changed something; empty if the module is a plain copy.
    """

    module: nn.Module = field(repr=False)
    largest_difference: float
    applied: tuple[str, ...]


def inference_form(module: nn.Module, input_channels: int = 3, size: tuple[int, int] | None = None) -> InferenceForm:
    """Rewrite a copy of a network, and compare it with the plain network on one random input.

    If a rewrite fails, or logits or gradients differ, the form is a plain copy.

    Args:
        module: takes ``(B, input_channels, H, W)`` and returns ``(B, classes, H, W)`` logits; it is not changed.
        size: of the random input; None for the first common one that the module accepts.

    Raises:
        SegcamError: if the module accepts no input of a common size.
    """
    form = _frozen(copy.deepcopy(module))
    x = _random_input(form, input_channels, size)
    logits, gradient = _logits_and_gradient(form, x)
    try:
        applied = tuple(name for name, rewrite in _REWRITES.items() if rewrite(form, x))
        rewritten_logits, rewritten_gradient = _logits_and_gradient(_frozen(form), x)
    except Exception:  # the plain network is right, no matter what fails in a rewrite
        return _plain(module)
    difference = float((rewritten_logits - logits).abs().max() / logits.abs().max())
    gradient_difference = float((rewritten_gradient - gradient).norm() / gradient.norm())
    # `not <=` instead of `>`, since NaN must not pass.
    if not (difference <= LARGEST_LOGIT_DIFFERENCE and gradient_difference <= LARGEST_GRADIENT_DIFFERENCE):
        return _plain(module)
    return InferenceForm(form, difference, applied)


def _plain(module: nn.Module) -> InferenceForm:
    return InferenceForm(_frozen(copy.deepcopy(module)), 0.0, ())


def _frozen(module: nn.Module) -> nn.Module:
    module.eval()  # that of another's network may return nothing
    return channels_last(module.requires_grad_(False))


def _random_input(module: nn.Module, input_channels: int, size: tuple[int, int] | None) -> torch.Tensor:
    rows, columns = size or trace_forward(module, input_channels).size
    parameter = image_like(module)
    noise = torch.randn(1, input_channels, rows, columns, generator=torch.Generator().manual_seed(0))
    return noise.to(parameter, memory_format=torch.channels_last)


def _logits_and_gradient(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits and the gradient of their weighted sum with respect to the input."""
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        logits = logits_of(module(x))
        if not logits.requires_grad:  # such as a mask with a hard threshold
            return logits, torch.zeros_like(x)
        weights = torch.linspace(-1, 1, logits.numel(), dtype=x.dtype, device=x.device).view_as(logits)
        try:
            (gradient,) = torch.autograd.grad(logits, x, weights)
        except RuntimeError:  # a tensor that the backward pass needs was overwritten
            gradient = torch.zeros_like(x)
    return logits.detach(), gradient
