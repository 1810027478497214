"""What the side-by-side comparison shows: the session's layers at the frame in view, read into pixels of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_segcam.number_format import grouped
from napari_segcam.viewer.drawing.cell_pixels import Window, colored
from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.frames.cine_record import CineRecord

if TYPE_CHECKING:
    from napari_segcam.viewer.review.session import ReviewSession

Pair = tuple[float, float]
MOST_CELLS = 12  # more are too small to be read


@dataclass(frozen=True, eq=False)
class Overlay:
    """Pixels that are laid over the frame.

    Attributes:
        pixels: ``(n, m, 4)`` RGBA.
        opacity: 0–1, of all of them.
    """

    pixels: NDArray[np.uint8]
    opacity: float


@dataclass(frozen=True, eq=False)
class Cell:
    """One stage.

    Attributes:
        stage: its name.
        title: its layer's name.
        figure: its attention ratio in this frame, or what is missing, in words.
        heat: None where there is none.
        is_shown: whether the canvas shows this stage too.
    """

    stage: str
    title: str
    figure: str
    heat: Overlay | None
    is_shown: bool


@dataclass(frozen=True, eq=False)
class Picture:
    """All cells, and what is the same in each of them.

    Attributes:
        frame: ``(n, m, 4)`` RGBA.
        masks: those that are shown, the lowest first.
        cells: in the network's order.
    """

    frame: NDArray[np.uint8]
    masks: list[Overlay]
    cells: list[Cell]


def compared(heatmaps: dict[str, Image]) -> dict[str, Image]:
    """The stages that get a cell: all, or as many as can be read, spread evenly from the first to the last."""
    stages = list(heatmaps)
    at = np.linspace(0, len(stages) - 1, min(len(stages), MOST_CELLS)).round().astype(int)
    return {stages[i]: heatmaps[stages[i]] for i in at}


class PictureReader:
    """Reads pictures of one session's image. It keeps what zooming needs again: the frame, and how layers lie."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session
        self._last: tuple[int, NDArray[Any]] | None = None
        self._laid: dict[Layer, tuple[Pair, Pair]] = {}

    def forget(self) -> None:
        """The image's data have changed, or where a layer lies."""
        self._last = None
        self._laid.clear()

    def read(self, seen: Window) -> Picture | None:
        """The picture of the frame in view, as far as the cells see it; None when there are no heatmaps."""
        image, layers = self._session.image, self._session.layers()
        if image is None or layers is None or not layers.heatmaps:
            return None
        frame = self._session.current_frame()
        cells = []
        for stage, layer in compared(layers.heatmaps).items():
            heat = _heat(layer, frame, layers.heat.limits(stage), seen.on(*self._place(image, layer)))
            figure = "not computed yet" if heat is None else self._ratio(stage, frame)
            cells.append(Cell(stage, layer.name, figure, heat, layer.visible))
        outlines = [
            _outline(mask, frame, seen.on(*self._place(image, mask))) for mask in layers.mask_layers if mask.visible
        ]
        return Picture(self._frame(image, frame, seen), outlines, cells)

    def _frame(self, image: Image, frame: int, seen: Window) -> NDArray[np.uint8]:
        if self._last is None or self._last[0] != frame:
            self._last = (frame, _slice(image, frame))
        data = self._last[1]
        drawn = seen.sample(data)
        if image.rgb:
            pixels = np.full((*drawn.shape[:2], 4), 255, np.uint8)
            top = np.iinfo(data.dtype).max if data.dtype.kind in "ui" else 1.0
            pixels[..., :3] = np.clip(drawn[..., :3] * (255 / top), 0, 255)
        else:
            pixels = colored(drawn, image.contrast_limits, image.colormap, image.gamma)
        pixels[~seen.is_inside(data.shape[:2])] = 0
        return pixels

    def _place(self, image: Image, layer: Layer) -> tuple[Pair, Pair]:
        if layer not in self._laid:
            self._laid[layer] = _laid_on(image, layer)
        return self._laid[layer]

    def _ratio(self, stage: str, frame: int) -> str:
        record = self._session.record
        curve = None if record is None else record.curves.get(CineRecord.ratio_of(stage))
        if curve is None or np.isnan(curve[frame]):
            return ""
        return f"in / out {grouped(curve[frame], digits=2)}"


def _heat(layer: Image, frame: int, limits: Pair | None, seen: Window) -> Overlay | None:
    values = _slice(layer, frame)
    if limits is None or not np.isfinite(values).any():
        return None
    pixels = colored(seen.sample(values), limits, layer.colormap, layer.gamma)
    pixels[~seen.is_inside(values.shape)] = 0
    return Overlay(pixels, layer.opacity)


def _outline(mask: Labels, frame: int, seen: Window) -> Overlay:
    labels = seen.nearest(_slice(mask, frame))
    drawn = outline(labels, mask.contour) if mask.contour else labels
    return Overlay(np.round(255 * np.asarray(mask.colormap.map(drawn))).astype(np.uint8), mask.opacity)


def _slice(layer: Layer, frame: int) -> NDArray[Any]:
    return np.asarray(layer.data[frame] if layer.ndim == 3 else layer.data)


def _laid_on(image: Image, layer: Layer) -> tuple[Pair, Pair]:
    """Scale and translation by which a layer lies on the image, in the image's pixels."""
    lead = (0,) * (layer.ndim - 2)
    origin, diagonal = (image.world_to_data(layer.data_to_world((*lead, at, at)))[-2:] for at in (0, 1))
    scale = np.subtract(diagonal, origin)
    return (float(scale[0]), float(scale[1])), (float(origin[0]), float(origin[1]))
