"""The pass over the tiles of an image: one output for the whole image, and one score over all tiles.

The logits of the tiles are blended, so the score S = Σ_M logits is one sum over the whole image, however many tiles the
region M crosses. Its gradient in a tile is that of the tile's share: the blending weights within M. Logits are blended
and not probabilities, because S must be a sum of logits.

The feature map of a stage is stitched with the same Gaussian on the stage's own grid. Its gradient is the sum of the
gradients of the tiles there. So every CAM method works on the whole image: Grad-CAM has one weight for each channel,
which is the gradients of all tiles added up, over the number of cells of the whole grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from napari_segcam.budget import STITCHED_BYTES
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.passes.forward_pass import ForwardPass
from napari_segcam.explanation.tiles.grid import StageGrid
from napari_segcam.explanation.tiles.layout import Tile, TileLayout
from napari_segcam.network.stages.stage import Stage
from napari_segcam.preferences.memory import within_budget

Forward = Callable[[torch.Tensor, Sequence[Stage], bool], ForwardPass]
Step = Callable[[str, int, int], None]

MASK, FEATURES, GRADIENTS = "mask", "heatmaps", "gradients"
"""What a step over a tile is for."""


class TiledPass:
    """The forward passes of all tiles of a batch of images, which give the maps and gradients of any score.

    Only one tile's graph is in memory at a time, and the stitched maps of as many stages as ``limit`` allows. The
    others are made from further runs.

    Attributes:
        layout: where the tiles are.
        logits: of the whole images ``(B, C, H, W)``, blended.
        grids: of the stages that ran, by name.

    Args:
        forward: runs the network on tiles ``(B, C, h, w)``, with these stages tapped and with a graph or without.
        x: the images ``(B, C, H, W)``.
        layout: as above.
        stages: those whose maps will be needed.
        step: called after each tile with what it is for, the tiles done and their total; may raise ``Cancelled``.
        limit: bytes of stitched maps in memory at the same time; by default ``budget.STITCHED_BYTES``.

    Raises:
        SegcamError: if a stage gives no feature map.
    """

    def __init__(
        self,
        forward: Forward,
        x: torch.Tensor,
        layout: TileLayout,
        stages: Sequence[Stage],
        step: Step,
        limit: int | None = None,
    ) -> None:
        self.layout = layout
        self.grids: dict[str, StageGrid] = {}
        self._forward, self._x, self._step = forward, x, step
        self._limit = within_budget(STITCHED_BYTES) if limit is None else limit
        self._bytes: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._pixels = StageGrid(layout, layout.tile_shape, layout.smallest_weight)
        self._weights = self._pixels.weights(x.to(torch.float32))
        self._kept: dict[str, torch.Tensor] = {}
        self.logits = self._blend_logits(stages)

    @property
    def shares(self) -> torch.Tensor:
        """Sum of the blending weights at each pixel ``(H, W)``."""
        summed = self._weights.new_zeros(self.layout.input_shape)
        for tile in self.layout:
            self._pixels.add(summed, tile, self._weights)
        return summed

    def groups(self, stages: Sequence[Stage], copies: int) -> Iterator[list[Stage]]:
        """Yield the stages that ran, in groups whose stitched maps fit in memory together.

        Args:
            stages: in any order.
            copies: how many tensors of a stage's size are needed at the same time.
        """
        kept = [stage for stage in stages if stage.name in self._kept]
        group: list[Stage] = []
        for stage in [*kept, *(stage for stage in stages if stage.name in self.grids and stage not in kept)]:
            if group and copies * sum(self._bytes[member.name] for member in [*group, stage]) > self._limit:
                yield group
                group = []
            group.append(stage)
        if group:
            yield group

    @torch.no_grad()
    def activations(self, stages: Sequence[Stage]) -> dict[str, torch.Tensor]:
        """Return the stitched maps of stages, ``(B, K, h, w)`` each, by name."""
        missing = [stage for stage in stages if stage.name not in self._kept]
        stitched = {stage.name: self._kept[stage.name] for stage in stages if stage.name in self._kept}
        if missing:
            totals: dict[str, torch.Tensor] = {}
            for number, tile in enumerate(self.layout, start=1):
                self._add_maps(totals, tile, self._forward(self._part(tile), missing, False).activations)
                self._step(FEATURES, number, len(self.layout))
            stitched |= {name: self.grids[name].blended(total) for name, total in totals.items()}
        return stitched

    def gradients(
        self, stages: Sequence[Stage], weights: torch.Tensor, *, only_means: bool
    ) -> dict[str, torch.Tensor | None]:
        """Return the gradients of y = Σ weights · logits with respect to the stitched maps, by stage name.

        Tiles in which all weights are zero are not run.

        Args:
            stages: that ran.
            weights: ``(B, C, H, W)``.
            only_means: whether only each channel's mean matters. Every cell then has the mean, which takes no memory.

        Returns:
            ``(B, K, h, w)`` each; None for a stage on which the score does not depend.
        """
        weights = weights / self.shares
        involved = [tile for tile in self.layout if bool(weights[(..., *self.layout.window(tile))].any())]
        totals: dict[str, torch.Tensor] = {}
        for number, tile in enumerate(involved, start=1):
            forward_pass = self._forward(self._part(tile), stages, True)
            share = weights[(..., *self.layout.window(tile))] * self._weights
            for name, gradient in forward_pass.gradients(share).items():
                if gradient is None:
                    continue
                gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
                grid = self.grids[name]
                if name not in totals:
                    shape = (1, 1) if only_means else grid.shape
                    totals[name] = gradient.new_zeros(*gradient.shape[:2], *shape)
                if only_means:
                    totals[name] += gradient.sum((2, 3), keepdim=True) / (grid.shape[0] * grid.shape[1])
                else:
                    grid.add(totals[name], tile, gradient)
            del forward_pass
            self._step(GRADIENTS, number, len(involved))
        found: dict[str, torch.Tensor | None] = {}
        for stage in stages:
            total = totals.get(stage.name)
            found[stage.name] = total.expand(-1, -1, *self.grids[stage.name].shape) if total is not None else None
        return found if involved else self._zeros(stages)

    def _zeros(self, stages: Sequence[Stage]) -> dict[str, torch.Tensor | None]:
        """Return gradients of zero, of a score without any pixels."""
        zero = self._weights.new_zeros(1, 1, 1, 1)
        return {
            stage.name: zero.expand(len(self._x), self._channels[stage.name], *self.grids[stage.name].shape)
            for stage in stages
        }

    @torch.no_grad()
    def _blend_logits(self, stages: Sequence[Stage]) -> torch.Tensor:
        """Run all tiles once; return the blended logits and keep the maps of the first stages, as many as fit."""
        totals: dict[str, torch.Tensor] = {}
        blended: torch.Tensor | None = None
        tapped = list(stages)
        for number, tile in enumerate(self.layout, start=1):
            forward_pass = self._forward(self._part(tile), tapped, False)
            logits = forward_pass.logits
            if logits.shape[-2:] != self.layout.tile_shape:
                raise SegcamError("A network with one score for the whole image cannot run in tiles.")
            if blended is None:
                blended = logits.new_zeros(*logits.shape[:2], *self.layout.input_shape)
                tapped = self._lay_out(forward_pass, stages)
            self._pixels.add(blended, tile, logits * self._weights)
            self._add_maps(totals, tile, {stage.name: forward_pass.activations[stage.name] for stage in tapped})
            self._step(MASK, number, len(self.layout))
        assert blended is not None  # there is at least one tile
        self._kept = {name: self.grids[name].blended(total) for name, total in totals.items()}
        return self._pixels.blended(blended)

    def _lay_out(self, forward_pass: ForwardPass, stages: Sequence[Stage]) -> list[Stage]:
        """Lay out the grids of the stages that ran in the first tile; return those whose maps are kept."""
        kept: list[Stage] = []
        for stage in stages:
            activations = forward_pass.activations.get(stage.name)
            if activations is None:
                continue
            if activations.ndim != 4:
                raise SegcamError(f"The layer {stage.layer} gives no feature map, but {tuple(activations.shape)}.")
            grid = self.grids[stage.name] = StageGrid(self.layout, (activations.shape[-2], activations.shape[-1]))
            self._channels[stage.name] = activations.shape[1]
            size = activations.shape[0] * activations.shape[1] * grid.shape[0] * grid.shape[1]
            self._bytes[stage.name] = size * max(4, activations.element_size())
            if sum(self._bytes[other.name] for other in [*kept, stage]) <= self._limit:
                kept.append(stage)
        return kept

    def _add_maps(self, totals: dict[str, torch.Tensor], tile: Tile, maps: dict[str, torch.Tensor]) -> None:
        for name, values in maps.items():
            values = values.to(torch.promote_types(values.dtype, torch.float32))
            grid = self.grids[name]
            if name not in totals:
                totals[name] = values.new_zeros(*values.shape[:2], *grid.shape)
            grid.add(totals[name], tile, values * grid.weights(values))

    def _part(self, tile: Tile) -> torch.Tensor:
        part = self._x[(..., *self.layout.window(tile))]
        return part.contiguous(memory_format=torch.channels_last)
