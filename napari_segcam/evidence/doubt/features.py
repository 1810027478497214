"""Feature distance: how far a frame's deepest features are from those of reference frames."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.doubt.feature_space import LEAST_REFERENCES, squared_distances
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.passes.forward_pass import forward
from napari_segcam.explanation.passes.transfer import to_device
from napari_segcam.explanation.tiles.rule import parts_of
from napari_segcam.imaging.preprocessing import prepare
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.network import Network
from napari_segcam.network.stages.stage import Stage

_NEIGHBORS = 3

NO_STAGES = "the layers of the network cannot be read"


def deepest_stage(network: Network) -> Stage | None:
    """Return the encoder stage with the largest stride; without encoder stages, the stage with the largest one."""
    encoders = [stage for stage in network.stages if stage.kind == "encoder"]
    return max(encoders or network.stages, key=lambda stage: stage.stride, default=None)


def pooled_features(
    network: Network,
    explanation: Explanation,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
) -> NDArray[np.float32] | None:
    """Return the mean of each channel of the deepest encoder stage, ``(K,)``, at the cost of one forward pass.

    Args:
        network: the explained network.
        explanation: of the frame.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.

    Returns:
        Of an ensemble, the channels of all members; None if the network has no stages that can be read.
    """
    if isinstance(network, Ensemble):
        found = [pooled_features(member, explanation, frame, value_range) for member in network.members]
        known = [features for features in found if features is not None]
        return np.concatenate(known) if known else None
    stage = deepest_stage(network)
    if stage is None or network.no_hooks_reason:
        return None
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    x, _ = prepare(frame, network.card, network.stride, value_range, crop, geometry.pixel_aspect)
    module, (tapped,) = network.module_for([stage])
    with network.lock:
        means = [
            forward(module, to_device(part, network.device, network.dtype), [tapped], graph=False)
            .activations[tapped.name][0]
            .float()
            .mean((1, 2))
            for part in parts_of(network, x)
        ]
    return np.asarray(torch.stack(means).mean(0).cpu().numpy(), np.float32)


def feature_distances(features: NDArray[np.floating], references: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far features are from reference frames, 0–1.

    The distance is the mean one to the 3 nearest references, in units of each feature's spread among them (Sun et al.
    2022, arXiv:2204.06507). With d₀ the median such distance among the references themselves, it is d / (d + d₀).

    Args:
        features: ``(N, K)``.
        references: ``(R, K)``, R at least 5. A frame that is itself a reference is not compared with itself.

    Raises:
        SegcamError: if there are too few references.
    """
    if len(references) < LEAST_REFERENCES:
        raise SegcamError(f"A feature distance needs at least {LEAST_REFERENCES} reference frames.")
    typical = float(np.median(_nearest(references, references)))
    distances = _nearest(features, references)
    return distances / np.maximum(distances + typical, 1e-12)


def _nearest(points: NDArray[np.floating], references: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean distance of each point to its nearest references, itself left out."""
    squares = squared_distances(points, references)
    for row, point in zip(squares, points, strict=True):
        same = np.flatnonzero((references == point).all(1))
        row[same[:1]] = np.inf
    count = min(_NEIGHBORS, len(references) - 1)
    return np.asarray(np.sqrt(np.sort(squares, axis=1)[:, :count]).mean(1), np.float64)
