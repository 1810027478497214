"""The batch-norm statistics that training stored: whether there are any, and what they would be without their start.

A batch norm starts with mean 0 and variance 1 and moves towards those of each batch by its momentum. After a few
batches, the start is still a part of the stored values, and must be taken out before it is compared.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

MOMENTA = (0.1, 0.01, 0.05, 0.0)
"""By how much a batch may have moved the statistics; 0 if the start is no part of them."""

_FORGOTTEN = 1e-3  # a start with so small a part does not matter


def has_statistics(weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether the weights hold statistics of batch norms that training has changed."""
    means = [tensor for name, tensor in weights.items() if name.endswith("running_mean")]
    variances = [tensor for name, tensor in weights.items() if name.endswith("running_var")]
    changed = sum(bool((mean.float() != 0).any()) for mean in means)
    return bool(means) and changed == len(means) and any(bool((value.float() != 1).any()) for value in variances)


def possible_momenta(weights: Mapping[str, torch.Tensor]) -> tuple[float, ...]:
    """Return the momenta that make a difference after as many batches as the weights count, the usual one first."""
    batches = _batches(weights)
    if not batches:
        return (0.0,)
    different = tuple(momentum for momentum in MOMENTA if momentum and (1 - momentum) ** batches > _FORGOTTEN)
    return (*different, 0.0)


def without_start(weights: Mapping[str, torch.Tensor], momentum: float) -> dict[str, torch.Tensor]:
    """Return the statistics among the weights as they would be without their start, in float32 and by name."""
    batches = _batches(weights)
    start = (1 - momentum) ** batches if momentum and batches else 0.0
    result = {}
    for name, tensor in weights.items():
        value = tensor.float()
        if name.endswith("running_mean"):
            result[name] = value / (1 - start)
        elif name.endswith("running_var"):
            result[name] = ((value - start) / (1 - start)).clamp_min(0.01 * float(value.median()))
    return result


def _batches(weights: Mapping[str, torch.Tensor]) -> int:
    counts = [int(tensor) for name, tensor in weights.items() if name.endswith("num_batches_tracked")]
    return max(counts, default=0)
