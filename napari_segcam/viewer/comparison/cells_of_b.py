"""The cells of the second checkpoint: the heatmaps of B in the frame in view, with B's mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image
from qtpy.QtGui import QColor

from napari_segcam.number_format import grouped
from napari_segcam.viewer.comparison.cells import Cell, Overlay
from napari_segcam.viewer.drawing.cell_pixels import Window, colored
from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.layers.heatmap_layers import ScaleMode
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.second_checkpoint.second_layers import COLOR_B
from napari_segcam.viewer.second_checkpoint.second_review import SecondReview
from napari_segcam.viewer.second_checkpoint.second_words import state_of_b

if TYPE_CHECKING:  # it imports torch, which the worker imports first
    from napari_segcam.explanation.explanation import Heatmap

_OUTLINE = 2  # pixels of the cell, as thick as that of A
_NO_STAGE = "B has no such stage"
_NO_MAPS = "no heatmaps of B by this method"


class CellsOfB:
    """Reads one cell for each cell of A: of the same stage where B has it, else of B's own stages in their order."""

    def __init__(self) -> None:
        self._peaks: WeakKeyDictionary[Heatmap, float] = WeakKeyDictionary()

    def read(
        self, controller: SecondController, scale: ScaleMode, shown: Mapping[str, Image], frame: int, window: Window
    ) -> list[Cell]:
        """Return the cells of B.

        Args:
            controller: of B, which computes the chosen image.
            scale: whether colors are scaled to the frame in view, or to all frames.
            shown: the layers of A that have a cell, by stage; B's heat is drawn as they are.
            frame: the one in view.
            window: the part of the frame that the cells show.
        """
        second = controller.second
        assert second is not None
        plan, mask = second.plan, _mask(controller, frame, window)
        known = plan.stages if plan is not None else ()
        stages = stages_of_b(known, tuple(shown))
        missing = state_of_b(second, frame) or ("computing …" if stages else _NO_MAPS)
        heatmaps = second.results.heatmaps(frame)
        figures = second.results.figures(frame)
        cells = []
        for stage, layer in zip(stages or tuple(shown), shown.values(), strict=False):
            heatmap = heatmaps.get(stage)
            if heatmap is None:
                words = missing.removeprefix("B: ") if stage in known or not known else _NO_STAGE
                cells.append(Cell(stage, f"B: {stage}", words, None, False, mask))
                continue
            ratio = figures[stage].ratio if stage in figures else None
            words = heatmap.reason.value if heatmap.reason is not None else ""
            figure = words or ("" if ratio is None else f"in / out {grouped(ratio, digits=2)}")
            heat = self._heat(second, heatmap, stage, scale, layer, window)
            cells.append(Cell(stage, f"B: {stage}", figure, heat, False, mask))
        return cells

    def _heat(
        self, second: SecondReview, heatmap: Heatmap, stage: str, scale: ScaleMode, layer: Image, window: Window
    ) -> Overlay | None:
        if heatmap.reason is not None:
            return None
        peak = self._peak(heatmap)
        if scale == "clip":
            others = (second.results.heatmaps(frame).get(stage) for frame in second.results.frames())
            peak = max([peak, *(self._peak(other) for other in others if other is not None)])
        limits = (-(peak or 1.0) if heatmap.signed else 0.0, peak or 1.0)
        on_map = window.on(heatmap.scale, heatmap.translate)
        pixels = colored(on_map.sample(heatmap.values), limits, layer.colormap, layer.gamma)
        pixels[~on_map.is_inside((heatmap.values.shape[0], heatmap.values.shape[1]))] = 0
        return Overlay(pixels, layer.opacity)

    def _peak(self, heatmap: Heatmap) -> float:
        if heatmap not in self._peaks:
            self._peaks[heatmap] = heatmap.peak
        return self._peaks[heatmap]


def stages_of_b(stages: tuple[str, ...], shown: tuple[str, ...]) -> tuple[str, ...]:
    """Return the stage of B in each cell: that of A if B has any of them, else as many of B's own, spread evenly.

    Args:
        stages: that B computes.
        shown: of A.
    """
    if not stages or set(shown) & set(stages):
        return shown if stages else ()
    indices = np.linspace(0, len(stages) - 1, min(len(stages), len(shown))).round().astype(int)
    return tuple(stages[index] for index in indices)


def _mask(controller: SecondController, frame: int, window: Window) -> Overlay:
    """Return the outline of B's mask, solid since no other is drawn there; transparent where there is none."""
    pixels, second = controller.pixels(frame), controller.second
    color = QColor(COLOR_B)
    table = np.array([[0, 0, 0, 0], [color.red(), color.green(), color.blue(), 255]], np.uint8)
    labels = np.zeros((len(window.rows), len(window.columns)), np.uint8)
    if pixels is not None and second is not None:
        image = second.review.image
        rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
        mask = np.zeros((int(rows), int(columns)), np.uint8)
        mask[pixels.rows, pixels.columns] = pixels.b
        labels = outline(window.nearest(mask), _OUTLINE).astype(np.uint8)
    return Overlay(table[labels], 1.0)
