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

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.ranks import spearman
from napari_segcam.evidence.running.same_explainer import same_explainer
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.network.ensemble.ensemble import Ensemble
from napari_segcam.network.graphs.torchscript import ScriptedNetwork, copy_script
from napari_segcam.network.inference import InferenceForm
from napari_segcam.network.network import Network
from napari_segcam.network.running.full_precision import RunLock

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
    cancelled: Callable[[], bool] | None = None,
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
        cancelled: called between runs of the network; True stops it.

    Returns:
        By stage name; None where the map is empty or flat, in the explanation or in every draw.

    Raises:
        Cancelled: if the user cancels it.
        SegcamError: if the network has no weights to shuffle, or does not run with shuffled ones.
    """
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    target = explanation.target
    if explainer.network.segments:
        target = replace(target, region=explanation.region)
    correlations: dict[str, list[float]] = {name: [] for name in explanation.heatmaps}
    for draw in range(draws):
        shuffled = same_explainer(explainer, explanation, cancelled, shuffle_weights(explainer.network, seed + draw))
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
    """Return a copy of the network with the values of every weight tensor in random order.

    All else that is known of the network stays: its stages, its classes and what its output means.

    Raises:
        SegcamError: if it has no weights.
    """
    if isinstance(network, Ensemble):
        return network.with_members([shuffle_weights(member, seed) for member in network.members], network.card)
    module = _copy(network.module)
    parameters = list(module.parameters())
    if not any(parameter.numel() for parameter in parameters):
        raise SegcamError("This network has no weights of its own that could be shuffled: they are part of its code.")
    shuffle(parameters, seed)
    return replace(network, module=module, form=InferenceForm(module, 0.0, ()), rewritten={}, lock=RunLock())


def _copy(module: nn.Module) -> nn.Module:
    if isinstance(module, ScriptedNetwork):
        device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
        return copy_script(module.script).to(device).requires_grad_(False)
    return copy.deepcopy(module)


@torch.no_grad()
def shuffle(parameters: Sequence[nn.Parameter], seed: int) -> None:
    """Put the values of each parameter in a random order, in place."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))
