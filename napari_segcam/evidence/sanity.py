"""Sanity: whether a heatmap depends on the trained weights, or only on the image and the padding."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_segcam.evidence.ranks import spearman
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.network import Network

SANITY = 0.5
DRAWS = 3


def sanity(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float | None]:
    """Return Spearman's correlation of each stage's map with the map of the network with shuffled weights.

    It is the mean over the draws (Adebayo et al. 2018, arXiv:1810.03292; its limits: Binder et al. 2022). From 0.5 on
    a map is called much the same in a network that has learned nothing. The region stays the explained one.

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        draws: number of shuffled networks.
        seed: of the shuffling.
        progress: called with the number of draws done and their total.

    Returns:
        By stage name; None where the map is empty or flat, in the explanation or in every draw.

    Raises:
        Cancelled: if the user cancels it.
        SegcamError: if a shuffled network does not run.
    """
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    target = explanation.target
    if explainer.network.segments:
        target = replace(target, region=explanation.region)
    correlations: dict[str, list[float]] = {name: [] for name in explanation.heatmaps}
    for draw in range(draws):
        network = shuffle_weights(explainer.network, seed + draw)
        shuffled = Explainer(
            network, explainer.method.name, tuple(explanation.heatmaps), explanation.threshold, explainer.control
        )
        heatmaps = shuffled(frame, target, value_range, crop, geometry.pixel_aspect).heatmaps
        for name, heatmap in explanation.heatmaps.items():
            if heatmap.reason is None and heatmaps[name].reason is None:
                correlation = spearman(heatmap.values, heatmaps[name].values)
                if correlation is not None:
                    correlations[name].append(correlation)
        if progress is not None:
            progress(draw + 1, draws)
    return {name: fmean(values) if values else None for name, values in correlations.items()}


def shuffle_weights(network: Network, seed: int) -> Network:
    """Return a copy of the network with the values of every weight tensor in random order."""
    module = copy.deepcopy(network.module)
    shuffle(list(module.parameters()), seed)
    return Network.of(
        module,
        network.card,
        network.device,
        rewrite=False,
        name=network.name,
        architecture=network.architecture,
        encoder=network.encoder,
    )


@torch.no_grad()
def shuffle(parameters: Sequence[nn.Parameter], seed: int) -> None:
    """Put the values of each parameter in a random order, in place."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
