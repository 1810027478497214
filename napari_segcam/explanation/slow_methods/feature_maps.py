"""Feature maps: the output of a stage for one image."""

from __future__ import annotations

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages.stage import Stage


def feature_map(stage: Stage, output: object, x: torch.Tensor) -> torch.Tensor:
    """Return the image's map ``(K, h, w)`` from a stage's output for the input ``(1, C, H, W)``.

    Raises:
        SegcamError: if the output is not a feature map.
    """
    kind = f"a {type(output).__name__}"
    if isinstance(output, torch.Tensor):
        maps = stage.layout.map_of(output, (x.shape[-2], x.shape[-1]), stage.stride)
        if maps.ndim == 4:
            return maps[0]
        kind = str(tuple(maps.shape))
    raise SegcamError(
        f"The layer {stage.layer} gives no feature map, but {kind}. Choose another stage.", action="show_stages"
    )


def never_runs(stage: Stage) -> SegcamError:
    """Return the error for a stage whose layer exists but does not run."""
    return SegcamError(
        f"The layer {stage.layer} does not run in this network. Choose another stage.", action="show_stages"
    )
