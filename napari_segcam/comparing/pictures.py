"""Pictures of a frame with the outlines of both masks: A solid, B dashed, so that color alone tells nothing apart."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.comparing.ranking import DifferentFrame
from napari_segcam.reporting.figures import display, fit_to_tile
from napari_segcam.reporting.lettering import text_and_font, text_width

COLOR_A, COLOR_B, COLOR_TRUTH = "#56B4E9", "#E69F00", "#FFFFFF"  # of Okabe & Ito, and white
LEGEND = "Only the part around the masks is shown. A: solid blue line. B: dashed orange line."
LEGEND_TRUTH = f"{LEGEND} Truth: dotted white line."

_SIDE = 480
_WIDTH = 2
_MARGIN = 2.0  # the part shown is so many times as large as the masks
_SMALLEST_PART = 0.4  # of the frame's side
_DASHES = {"A": (1, 0), "B": (9, 6), "truth": (2, 5)}  # pixels drawn, pixels left out
_STRIP, _FONT_SIZE = 18, 12
_QUALITY = 85


def difference_jpeg(different: DifferentFrame) -> bytes:
    """Return a frame with the outlines of A, B and the truth, and their legend, as JPEG."""
    part = _part(different)
    shown = display(different.frame[part], different.value_range)
    tile = fit_to_tile(shown, smallest=_SIDE, largest=_SIDE, pixel_aspect=different.pixel_aspect)
    picture = Image.new("RGB", (tile.shape[1], tile.shape[0] + _STRIP), "#101214")
    picture.paste(Image.fromarray(tile))
    drawing = ImageDraw.Draw(picture)
    masks = {"truth": (different.truth, COLOR_TRUTH), "A": (different.a, COLOR_A), "B": (different.b, COLOR_B)}
    scale = tile.shape[0] / shown.shape[0], tile.shape[1] / shown.shape[1]
    for name, (mask, color) in masks.items():
        if mask is not None:
            for outline in _outlines(mask[part], scale):
                for dash in _dashes(outline, *_DASHES[name]):
                    drawing.line([tuple(point) for point in dash], fill=color, width=_WIDTH)
    _draw_legend(drawing, tile.shape[0], different)
    content = io.BytesIO()
    picture.save(content, format="JPEG", quality=_QUALITY)
    return content.getvalue()


def _part(different: DifferentFrame) -> tuple[slice, slice]:
    """Return the rows and columns to show: all masks, with as much around them, in the shape of the frame."""
    shape = different.a.shape
    masks = [mask for mask in (different.a, different.b, different.truth) if mask is not None]
    rows, columns = np.nonzero(np.logical_or.reduce(masks))
    ends = ((rows.min(), rows.max() + 1), (columns.min(), columns.max() + 1))
    share = max(_MARGIN * (last - first) / side for (first, last), side in zip(ends, shape, strict=True))
    sides = [round(side * min(1.0, max(share, _SMALLEST_PART))) for side in shape]
    starts = [
        min(max(0, round((first + last - side) / 2)), whole - side)
        for (first, last), side, whole in zip(ends, sides, shape, strict=True)
    ]
    row_part, column_part = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    return row_part, column_part


def _outlines(mask: NDArray[np.bool_], scale: tuple[float, float]) -> Iterator[NDArray[np.float64]]:
    """Give the closed outlines of a mask as points ``(N, 2)`` in x and y on the picture."""
    from skimage.measure import find_contours

    padded = np.pad(mask.astype(np.float32), 1)
    for contour in find_contours(padded, 0.5):
        rows, columns = (contour - 0.5).T  # pixel centers are at half numbers, the padding is 1
        yield np.column_stack([columns * scale[1], rows * scale[0]])


def _dashes(outline: NDArray[np.float64], drawn: float, left_out: float) -> Iterator[NDArray[np.float64]]:
    """Give the parts of an outline that are drawn, by its length in pixels."""
    if not left_out:
        yield outline
        return
    steps = np.hypot(*np.diff(outline, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    for start in np.arange(0, along[-1], drawn + left_out):
        places = np.array([start, start + drawn / 2, min(start + drawn, along[-1])])
        yield np.column_stack([np.interp(places, along, outline[:, axis]) for axis in (0, 1)])


def _draw_legend(drawing: ImageDraw.ImageDraw, top: int, different: DifferentFrame) -> None:
    middle, x = top + _STRIP // 2, 6
    for name, color in (("A", COLOR_A), ("B", COLOR_B), ("truth", COLOR_TRUTH)):
        if name == "truth" and different.truth is None:
            continue
        for part in _dashes(np.array([[x, middle], [x + 30, middle]], np.float64), *_DASHES[name]):
            drawing.line([tuple(point) for point in part], fill=color, width=_WIDTH)
        text, font = text_and_font(name, _FONT_SIZE)
        drawing.text((x + 35, top + 1), text, fill=color, font=font)
        x += 35 + text_width(name, _FONT_SIZE) + 14
