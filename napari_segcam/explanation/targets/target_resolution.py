"""Target resolution: the class and the region of a target, for a given network and frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.classes import class_mask
from napari_segcam.explanation.targets.frozen_region import FrozenRegion
from napari_segcam.explanation.targets.region import REGION_NAMES
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.geometry import Geometry
from napari_segcam.network.network import Network


def resolve_target(target: Target, network: Network, probabilities: torch.Tensor) -> Target:
    """Return the target with its class; for a network that classifies, by default the likeliest, of the whole frame.

    Args:
        target: the user's choice.
        network: the explained network.
        probabilities: ``(C, H, W)``, or ``(C, 1, 1)`` from a network that classifies.

    Raises:
        SegcamError: if there is no such class, or a region is chosen for a network with one score a frame.
    """
    index = network.class_index(target.class_index)
    if network.segments:
        return replace(target, class_index=index)
    if target.region not in REGION_NAMES:
        raise SegcamError("This network has one score for the whole frame: there is no region of it to choose.")
    if target.class_index is None:
        index = int(probabilities.argmax())
    return replace(target, class_index=index, region="image")


def resolve_references(target: Target, network: Network, probabilities: torch.Tensor, region: torch.Tensor) -> Target:
    """Return a resolved target with the numbers of the classes that its class is explained against.

    Args:
        target: from ``resolve_target``.
        network: the explained network.
        probabilities: on the grid of the logits ``(C, H, W)``.
        region: M on that grid ``(H, W)``. Without a choice, the class with the highest mean probability in it counts;
            in an empty region, there is none.

    Raises:
        SegcamError: if there is no such class, or only the explained one is named.
    """
    if target.against is None:
        if not region.any():
            return replace(target, against=())
        means = probabilities[:, region.to(probabilities.device)].mean(1)
        means[target.class_index or 0] = -1
        return replace(target, against=(int(means.argmax()),))
    chosen = target.against if isinstance(target.against, tuple) else (target.against,)
    named = dict.fromkeys(network.class_index(name) for name in chosen)
    others = tuple(index for index in named if index != target.class_index)
    if named and not others:
        raise SegcamError(
            f"The class {network.class_names[target.class_index or 0]} cannot be explained against itself. Choose "
            "another class to compare it with."
        )
    return replace(target, against=others)


def region_on_input(
    target: Target,
    frame_region: NDArray[np.bool_],
    network: Network,
    probabilities: torch.Tensor,
    threshold: float,
    geometry: Geometry,
) -> torch.Tensor:
    """Return M on the grid of the logits ``(H, W)``, without the padding.

    Args:
        target: from ``resolve_target``.
        frame_region: M on the frame's grid ``(Y, X)``.
        network: the explained network.
        probabilities: on the grid of the logits ``(C, H, W)``.
        threshold: cuts the probability of a single class, and of each of several that overlap.
        geometry: where the frame is in the input.
    """
    if not network.segments:
        return torch.ones(1, 1, dtype=torch.bool)
    if isinstance(target.region, FrozenRegion) and target.region.on_input is not None:
        return torch.from_numpy(target.region.on_input)
    if target.region != "mask":
        return torch.from_numpy(geometry.to_input(frame_region))
    # The mask on the network's own grid is the predicted one, without resizing.
    mask = class_mask(probabilities.cpu().numpy(), target.class_index or 0, threshold, overlap=network.classes_overlap)
    return torch.from_numpy(mask & geometry.content)
