"""Batch norms: how far a frame's activations are from what the network remembers of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.explanation.passes.transfer import to_device
from napari_segcam.explanation.tiles.rule import parts_of
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network

NO_NORMS = "the network has no batch norms, which would hold statistics of its training"

_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def has_batch_norms(network: Network) -> bool:
    """Whether the network holds running statistics of its training that can be compared."""
    return not network.no_hooks_reason and any(_is_comparable(part) for part in network.module.modules())


def batch_norm_distance(
    network: Network,
    explanation: Explanation,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
) -> float | None:
    """Return how far the activations of a frame are from those of the training, at the cost of one forward pass.

    A batch norm holds the variance that each of its channels had in training. This is the mean of
    abs(log(variance in the frame / that variance)) over the channels of a norm, and then over the norms: 0 where all
    are as in training, 0.7 where they are double or half of that. Where the frame runs in tiles, it is their mean.

    Returns:
        Of an ensemble, the weighted mean over its members; None if the network has no batch norms with statistics.
    """
    if not has_batch_norms(network):
        return None
    if isinstance(network, Ensemble):
        distances_of = [batch_norm_distance(member, explanation, frame, value_range) for member in network.members]
        weighted = [(known, w) for known, w in zip(distances_of, network.weights, strict=True) if known is not None]
        return sum(known * w for known, w in weighted) / sum(w for _, w in weighted) if weighted else None
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    x, _ = prepare(frame, network.card, network.stride, value_range, crop, geometry.pixel_aspect)
    distances: list[float] = []
    with network.lock, _watched(network.module, distances):
        for part in parts_of(network, x):
            forward(network.module, to_device(part, network.device, network.dtype), [])
    return float(np.mean(distances)) if distances else None


def unfamiliarity(distance: float) -> float:
    """Return the doubt of a distance, 0–1: 1 − exp(−distance / 10)."""
    return float(1 - np.exp(-distance / 10))


def _is_comparable(part: nn.Module) -> bool:
    return isinstance(part, _NORMS) and part.running_var is not None


@contextmanager
def _watched(module: nn.Module, distances: list[float]) -> Iterator[None]:
    """Collect the distance of each batch norm that runs."""
    handles = [
        part.register_forward_pre_hook(_comparison(distances)) for part in module.modules() if _is_comparable(part)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _comparison(distances: list[float]) -> Callable[[Any, Any], None]:
    def compare(norm: nn.BatchNorm2d, inputs: tuple[torch.Tensor, ...]) -> None:
        assert norm.running_var is not None
        variance = inputs[0].float().var((0, 2, 3), unbiased=False)
        ratio = (variance + norm.eps) / (norm.running_var.float() + norm.eps)
        distances.append(float(ratio.log().abs().mean()))

    return compare
