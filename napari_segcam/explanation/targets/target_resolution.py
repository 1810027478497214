"""Aiming: what a target means for a network and a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.classes import class_mask
from napari_segcam.explanation.targets.region import WORDS
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.network import Network


def resolve_target(target: Target, network: Network, probabilities: torch.Tensor) -> Target:
    """The target with its class; of a network that classifies, by default the likeliest, and the whole frame.

    Args:
        target: as the user gave it.
        network: whose class it is.
        probabilities: ``(C, H, W)``, or ``(C, 1, 1)`` of a network that classifies.

    Raises:
        SegcamError: if there is no such class, or a region of a single score is wanted.
    """
    index = network.class_index(target.class_index)
    if network.segments:
        return replace(target, class_index=index)
    if target.region not in WORDS:
        raise SegcamError("This network has one score for the whole frame: there is no region of it to choose.")
    if target.class_index is None:
        index = int(probabilities.argmax())
    return replace(target, class_index=index, region="image")


def region_on_input(
    target: Target,
    drawn: NDArray[np.bool_],
    network: Network,
    probabilities: torch.Tensor,
    threshold: float,
    geometry: Geometry,
) -> torch.Tensor:
    """M on the grid of the logits ``(H, W)``, never reaching into the padding.

    Args:
        target: settled.
        drawn: M on the frame's grid ``(Y, X)``.
        network: that is explained.
        probabilities: on the grid of the logits ``(C, H, W)``.
        threshold: that cuts the probability of a single class, and of each of several that overlap.
        geometry: how the frame lies in the input.
    """
    if not network.segments:
        return torch.ones(1, 1, dtype=torch.bool)
    if target.region != "mask":
        return torch.from_numpy(geometry.to_input(drawn))
    # The network's own grid has the mask as it was predicted, not as it was resized.
    found = class_mask(probabilities.cpu().numpy(), target.class_index or 0, threshold, overlap=network.classes_overlap)
    return torch.from_numpy(found & geometry.content)
