"""Move EfficientNet's "same" padding from a padded copy of the map into the convolution.

The padding was fixed when the network was built. If it is the same on both sides, it becomes the padding of the
convolution. If it is one larger at the bottom and right, as with stride 2, the kernel gets a row and column of zeros
at the top and left. Both compute the same sums for inputs of any size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders._efficientnet import Conv2dStaticSamePadding
from torch import nn

from napari_segcam.network.inference.module_patterns import find_modules


def fold_same_padding(root: nn.Module) -> bool:
    """Replace the static-padding convolutions of SMP's EfficientNet with ordinary ones; return whether any."""
    folded = False
    for parent, name, convolution in find_modules(root, Conv2dStaticSamePadding):
        ordinary = _ordinary(convolution)
        if ordinary is not None:
            setattr(parent, name, ordinary)
            folded = True
    return folded


def _ordinary(convolution: Conv2dStaticSamePadding) -> nn.Conv2d | None:
    left, right, top, bottom = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))
    if tuple(convolution.padding) != (0, 0) or not (right - left == bottom - top and right - left in (0, 1)):
        return None
    extra = right - left
    weight = F.pad(convolution.weight.detach(), (extra, 0, extra, 0))
    # Without memory, since its weights are replaced next.
    ordinary = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        (weight.shape[2], weight.shape[3]),
        stride=tuple(convolution.stride),
        padding=(bottom, right),
        groups=convolution.groups,
        bias=convolution.bias is not None,
        device="meta",
    )
    ordinary.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
    ordinary.bias = convolution.bias
    return ordinary.eval()
