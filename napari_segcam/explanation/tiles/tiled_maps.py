"""Maps of the stages of an image that runs in tiles, by the CAM methods."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.methods import GradientMethod
from napari_segcam.explanation.registry import Method, SlowMethod
from napari_segcam.explanation.stage_maps import StageMap
from napari_segcam.explanation.targets.objective import Objective
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.explanation.tiles.tiled_pass import TiledPass
from napari_segcam.network.stages.stage import Stage


def tiled_maps(
    method: GradientMethod, tiled_pass: TiledPass, stages: Sequence[Stage], objectives: Sequence[Objective]
) -> dict[str, StageMap]:
    """Return the maps of all stages, without stages that the score does not depend on.

    Args:
        method: a CAM method.
        tiled_pass: the pass over the tiles.
        stages: those that it taps.
        objectives: one a frame.
    """
    weights = None
    if method.needs_gradient:
        frames = zip(objectives, tiled_pass.logits.split(1), strict=True)
        weights = torch.cat([objective.gradient(logits) for objective, logits in frames])
    maps: dict[str, StageMap] = {}
    means: dict[str, torch.Tensor | None] = {}
    ran = [stage for stage in stages if stage.name in tiled_pass.grids]
    if weights is not None and method.only_channel_means:
        means = tiled_pass.gradients(ran, weights, only_means=True)
    copies = 1 if method.only_channel_means or weights is None else 2
    for group in tiled_pass.groups(ran, copies):
        gradients = means
        if weights is not None and not method.only_channel_means:
            gradients = tiled_pass.gradients(group, weights, only_means=False)
        activations = tiled_pass.activations(group)
        for stage in group:
            features = activations.pop(stage.name)
            gradient = features if weights is None else gradients[stage.name]
            if gradient is None:
                continue
            values = method.compute(features, gradient)
            depends = gradient.amax((1, 2, 3)).ne(0) | gradient.amin((1, 2, 3)).ne(0)
            maps[stage.name] = StageMap(
                values if method.signed else values.relu_(),
                depends.tolist(),
                covered=tiled_pass.grids[stage.name].covered,
            )
    return maps


def refuse_in_tiles(method: Method, layout: TileLayout) -> None:
    """Raise a SegcamError if a method does not work on an image that runs in tiles."""
    if isinstance(method, GradientMethod) or (isinstance(method, SlowMethod) and method.stage is not None):
        return
    raise SegcamError(
        f"{method.title} runs the network again with other values at one stage. That is not possible for an image that "
        f"runs in {layout.words} ({layout.reason}). Choose a CAM method such as gradcam or layercam, or occlusion, or "
        "let the network see a smaller part of the image."
    )
