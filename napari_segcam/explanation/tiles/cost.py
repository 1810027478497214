"""Cost of an image that runs in tiles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from napari_segcam.explanation.slow_methods.cost import Cost, wait_for
from napari_segcam.explanation.tiles.layout import TileLayout
from napari_segcam.explanation.tiles.tiled_pass import Forward
from napari_segcam.network.stages.stage import Stage

_MINUTE = 60


@dataclass(frozen=True)
class TiledCost(Cost):
    """Estimated cost of an explanation in tiles, if the region is in all of them.

    Attributes:
        least_seconds: if it is in none of them.
        layout: of the tiles.
    """

    least_seconds: float
    layout: TileLayout

    @property
    def words(self) -> str:
        """The tiles and the time, as in ``"20 tiles of 1024 × 1024 pixels, 40 to 90 s"``."""
        least, most = max(1, round(self.least_seconds)), max(1, round(self.seconds))
        if most < 2 * _MINUTE:
            return f"{self.layout.words}, {f'{least} to ' if least < most else 'about '}{most} s"
        least, most = max(1, round(least / _MINUTE)), max(1, round(most / _MINUTE))
        return f"{self.layout.words}, {f'{least} to ' if least < most else 'about '}{most} min"


def estimate_tiles(
    forward: Forward, x: torch.Tensor, layout: TileLayout, stages: Sequence[Stage], *, graph: bool
) -> TiledCost:
    """Estimate the cost of one target from the tile in the middle.

    Args:
        forward: runs the network on tiles.
        x: the image ``(1, C, H, W)``.
        layout: of the tiles.
        stages: those whose maps are needed; without any, only the mask is made.
        graph: whether these maps need gradients.
    """
    tiles = list(layout)
    part = x[(..., *layout.window(tiles[len(tiles) // 2]))].contiguous(memory_format=torch.channels_last)
    for _ in range(2):  # the first run of a size prepares the layers for it
        start = time.perf_counter()
        forward(part, stages, False)
        wait_for(part.device)
        once = time.perf_counter() - start
    gradients = 0.0
    if stages and graph:
        start = time.perf_counter()
        forward_pass = forward(part, stages, True)
        forward_pass.gradients(torch.ones_like(forward_pass.logits))
        wait_for(part.device)
        gradients = time.perf_counter() - start
    runs = len(layout) * (2 if gradients else 1)
    return TiledCost(runs, len(layout) * (once + gradients), len(layout) * once, layout)
