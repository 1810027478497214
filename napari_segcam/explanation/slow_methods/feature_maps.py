"""Feature maps: what a stage gives for one image."""

from __future__ import annotations

import torch

from napari_segcam.errors import SegcamError
from napari_segcam.network.stages.stage import Stage


def feature_map(stage: Stage, output: object, x: torch.Tensor) -> torch.Tensor:
    """The one image's map ``(K, h, w)`` in what a stage gave for the input ``(1, C, H, W)``.

    Raises:
        SegcamError: if there is none.
    """
    given = f"a {type(output).__name__}"
    if isinstance(output, torch.Tensor):
        maps = stage.layout.map_of(output, (x.shape[-2], x.shape[-1]), stage.stride)
        if maps.ndim == 4:
            return maps[0]
        given = str(tuple(maps.shape))
    raise SegcamError(f"The layer {stage.layer} gives no feature map, but {given}. Choose another stage.")


def never_runs(stage: Stage) -> SegcamError:
    """The fault of a stage whose layer is there but takes no part."""
    return SegcamError(f"The layer {stage.layer} does not run in this network. Choose another stage.")
