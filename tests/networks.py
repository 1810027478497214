"""Networks for tests and benchmarks; this module does not import the package."""

from __future__ import annotations

import torch
from torch import nn


def with_fitted_norms(module: nn.Module, side: int, images: int = 2) -> nn.Module:
    """Fit the batch norms of a module to noise ``(images, 3, side, side)``, and return it in training mode.

    Otherwise activations and gradients of random weights grow or vanish from layer to layer.
    """
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.7, 1.3)
            nn.init.uniform_(part.bias, -0.2, 0.2)
            part.momentum = None  # the mean of all batches, of which there is one
    with torch.no_grad():
        module.train()(torch.randn(images, 3, side, side))
    return module
