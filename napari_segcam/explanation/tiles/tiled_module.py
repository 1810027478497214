"""The network on tiles as one module, for methods that only change the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from napari_segcam.explanation.tiles.grid import StageGrid
from napari_segcam.explanation.tiles.layout import Tile, TileLayout
from napari_segcam.network.stages.forward_trace import logits_of


class TiledModule(nn.Module):
    """Takes whole images ``(B, C, H, W)`` and returns their blended logits ``(B, K, H, W)``.

    Most calls change a small part of one image. So the outputs of that image's tiles are kept, and only tiles whose
    pixels differ run again. In a backward pass each tile is computed again, so that only one is in memory.

    Args:
        module: frozen and in eval mode.
        x: the image ``(1, C, H, W)``.
        layout: of the tiles.
        region: pixels whose logits count, ``(H, W)`` bool: other tiles keep the output of the image. None for all.
        check: called before each run of a tile; may raise ``Cancelled``.
    """

    def __init__(
        self,
        module: nn.Module,
        x: torch.Tensor,
        layout: TileLayout,
        region: torch.Tensor | None,
        check: Callable[[], None],
    ) -> None:
        super().__init__()
        # Not as a child: hooks and devices stay those of the network.
        self._run: Callable[[torch.Tensor], torch.Tensor] = lambda tile: logits_of(module(tile))
        self._x, self._layout, self._region, self._check = x, layout, region, check
        self._grid = StageGrid(layout, layout.tile_shape, layout.smallest_weight)
        self._outputs: dict[Tile, torch.Tensor] = {}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([self._blended(image) for image in images.split(1)])

    def _blended(self, image: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor | None = None
        for tile, logits in self._outputs_of(image):
            if total is None:
                total = logits.new_zeros(*logits.shape[:2], *self._layout.input_shape)
            self._grid.add(total, tile, logits * self._grid.weights(logits))
        assert total is not None  # there is at least one tile
        return self._grid.blended(total)

    def _outputs_of(self, image: torch.Tensor) -> Iterator[tuple[Tile, torch.Tensor]]:
        for tile in self._layout:
            window = self._layout.window(tile)
            part = image[(..., *window)]
            is_seen = self._region is None or bool(self._region[window].any())
            if not is_seen or (not part.requires_grad and torch.equal(part, self._x[(..., *window)])):
                yield tile, self._original(tile)
                continue
            self._check()
            yield tile, checkpoint(self._run, part, use_reentrant=False) if part.requires_grad else self._run(part)

    def _original(self, tile: Tile) -> torch.Tensor:
        if tile not in self._outputs:
            self._check()
            with torch.no_grad():
                self._outputs[tile] = self._run(self._x[(..., *self._layout.window(tile))])
        return self._outputs[tile]
