"""Transpose a convolutional network that was trained on images with their columns first: it then takes rows first."""

from __future__ import annotations

import copy

import torch
from torch import nn

_SIDES = (64, 96)
_ATTRIBUTES = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "scale_factor", "size")
_TOLERANCE = 1e-3


def transposed(module: nn.Module, channels: int) -> nn.Module | None:
    """Return the network that gives for each image the transposed output of the original for the transposed image.

    Kernels are transposed; all else in a convolutional network is the same along rows and columns. This is checked with
    an image of noise.

    Args:
        module: in eval mode, on the CPU.
        channels: of the image.

    Returns:
        The network; None if it differs, such as one with positions of its patches, or does not run.
    """
    result = copy.deepcopy(module)
    with torch.no_grad():
        for part in result.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                part.weight.data = part.weight.transpose(-1, -2).contiguous()
                padding = getattr(part, "_reversed_padding_repeated_twice", None)
                if isinstance(padding, list) and len(padding) == 4:
                    part._reversed_padding_repeated_twice = [*padding[2:], *padding[:2]]
            for name in _ATTRIBUTES:
                value = getattr(part, name, None)
                if isinstance(value, tuple) and len(value) == 2:
                    setattr(part, name, (value[1], value[0]))
        x = torch.randn(1, channels, *_SIDES, generator=torch.Generator().manual_seed(0))
        try:
            expected, found = module(x.mT), result(x)
        except RuntimeError:
            return None
    if not isinstance(expected, torch.Tensor) or not isinstance(found, torch.Tensor) or expected.ndim != 4:
        return None
    difference = (expected.mT - found).abs().max()
    return result if bool(difference <= _TOLERANCE * expected.abs().max().clamp_min(1e-6)) else None
