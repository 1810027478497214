"""Content of the side-by-side comparison: the layers at the current frame, as pixels of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_segcam.number_format import grouped
from napari_segcam.viewer.comparison.cells import Cell, Overlay
from napari_segcam.viewer.comparison.cells_of_b import CellsOfB
from napari_segcam.viewer.drawing.cell_pixels import Window, colored
from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Pair = tuple[float, float]
MOST_CELLS = 12  # more are too small to be read


@dataclass(frozen=True, eq=False)
class Picture:
    """All cells, and the frame and masks that are the same in each cell.

    Attributes:
        frame: ``(n, m, 4)`` RGBA.
        masks: the visible masks, from bottom to top.
        cells: in the order of the network's stages; with a second checkpoint, first those of A and then those of B.
    """

    frame: NDArray[np.uint8]
    masks: list[Overlay]
    cells: list[Cell]


def select_stages(heatmaps: dict[str, Image], most: int = MOST_CELLS) -> dict[str, Image]:
    """Return the heatmaps that get a cell: all, or as many as that, spread evenly from the first to the last."""
    stages = list(heatmaps)
    indices = np.linspace(0, len(stages) - 1, min(len(stages), most)).round().astype(int)
    return {stages[index]: heatmaps[stages[index]] for index in indices}


def shown_stages(session: ReviewSession) -> dict[str, Image]:
    """Return the heatmaps of A that get a cell: with a second checkpoint half as many, since B has as many cells."""
    layers = session.layers()
    is_alone = controller_of(session, SecondController).second is None
    return {} if layers is None else select_stages(layers.heatmaps, MOST_CELLS if is_alone else MOST_CELLS // 2)


class PictureReader:
    """Reads pictures of the session's image. It caches the frame and the position of layers, for zooming."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._cached_frame: tuple[int, NDArray[Any]] | None = None
        self._positions: dict[Layer, tuple[Pair, Pair]] = {}
        self._cells_of_b = CellsOfB()

    def forget(self) -> None:
        """Clear the cache, after a change of the image's data or of the position of a layer."""
        self._cached_frame = None
        self._positions.clear()

    def read(self, window: Window) -> Picture | None:
        """Return the part of the current frame that the cells show; None if there are no heatmaps."""
        image, layers = self._session.image, self._session.layers()
        if image is None or layers is None or not layers.heatmaps:
            return None
        frame = self._session.current_frame()
        cells: list[Cell] = []
        second, shown = controller_of(self._session, SecondController), shown_stages(self._session)
        for stage, layer in shown.items():
            heat = _heat(layer, frame, layers.heat.limits(stage), window.on(*self._position(image, layer)))
            figure = "not computed yet" if heat is None else self._ratio(stage, frame)
            title = layer.name if second.second is None else f"A: {layer.name}"
            cells.append(Cell(stage, title, figure, heat, layer.visible))
        if second.second is not None:
            cells += self._cells_of_b.read(second, self._session.scale, shown, frame, window)
        outlines = [
            _outline(mask, frame, window.on(*self._position(image, mask)))
            for mask in layers.mask_layers
            if mask.visible
        ]
        return Picture(self._frame(image, frame, window), outlines, cells)

    def _frame(self, image: Image, frame: int, window: Window) -> NDArray[np.uint8]:
        if self._cached_frame is None or self._cached_frame[0] != frame:
            self._cached_frame = (frame, _slice(image, frame))
        data = self._cached_frame[1]
        values = window.sample(data)
        if image.rgb:
            pixels = np.full((*values.shape[:2], 4), 255, np.uint8)
            white = np.iinfo(data.dtype).max if data.dtype.kind in "ui" else 1.0
            pixels[..., :3] = np.clip(values[..., :3] * (255 / white), 0, 255)
        else:
            pixels = colored(values, image.contrast_limits, image.colormap, image.gamma)
        pixels[~window.is_inside(data.shape[:2])] = 0
        return pixels

    def _position(self, image: Image, layer: Layer) -> tuple[Pair, Pair]:
        if layer not in self._positions:
            self._positions[layer] = _position_on(image, layer)
        return self._positions[layer]

    def _ratio(self, stage: str, frame: int) -> str:
        record = self._session.record
        curve = None if record is None else record.curves.get(CineRecord.ratio_of(stage))
        if curve is None or np.isnan(curve[frame]):
            return ""
        evidence = controller_of(self._session, EvidenceController)
        chance, known = evidence.chance(stage), evidence.evidence(stage)
        echo = "; repeats the mask" if known is not None and known.repeats_the_mask else ""
        return f"in / out {grouped(curve[frame], digits=2)}" + (f" (chance {chance})" if chance else "") + echo


def _heat(layer: Image, frame: int, limits: Pair | None, window: Window) -> Overlay | None:
    values = _slice(layer, frame)
    if limits is None or not np.isfinite(values).any():
        return None
    pixels = colored(window.sample(values), limits, layer.colormap, layer.gamma)
    pixels[~window.is_inside(values.shape)] = 0
    return Overlay(pixels, layer.opacity)


def _outline(mask: Labels, frame: int, window: Window) -> Overlay:
    labels = window.nearest(_slice(mask, frame))
    if mask.contour:
        labels = outline(labels, mask.contour)
    return Overlay(np.round(255 * np.asarray(mask.colormap.map(labels))).astype(np.uint8), mask.opacity)


def _slice(layer: Layer, frame: int) -> NDArray[Any]:
    return np.asarray(layer.data[frame] if layer.ndim == 3 else layer.data)


def _position_on(image: Image, layer: Layer) -> tuple[Pair, Pair]:
    """Return the scale and the translation of a layer on the image, in pixels of the image."""
    lead = (0,) * (layer.ndim - 2)
    origin, diagonal = (image.world_to_data(layer.data_to_world((*lead, index, index)))[-2:] for index in (0, 1))
    scale = np.subtract(diagonal, origin)
    return (float(scale[0]), float(scale[1])), (float(origin[0]), float(origin[1]))
