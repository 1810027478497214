"""Pictures of a batch: one small sheet for each image, and overlays, as JPEG files in memory."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_segcam.explanation.explanation import Explanation, Heatmap
from napari_segcam.imaging.cine import Frame
from napari_segcam.reporting.figures import Picture, coloured, display, with_heat, with_outline
from napari_segcam.reporting.lettering import lettered, width_of

_LARGEST = 45_000  # bytes: a report of 500 images holds a sheet of each
_QUALITIES = (80, 60)
_PIXELS = 180_000  # of all tiles of a sheet: of speckle, which fills a JPEG, more would be shrunk again
_TILES = range(96, 225)
_TINY = 1e-7  # lest nothing is divided by 0
_GAP, _CAPTION, _LETTERS = 4, 15, 11
_BACKGROUND, _INK = "#101214", "#d8dde2"


def overlay_jpeg(frame: Frame, value_range: tuple[float, float], explanation: Explanation, heatmap: Heatmap) -> bytes:
    """One stage's heat over the whole frame, with the outline of the explained class."""
    heated = with_heat(display(frame, value_range), heatmap.on_frame(), signed=heatmap.signed)
    return _jpeg(Image.fromarray(with_outline(heated, _found(explanation))), 90)


def sheet_jpeg(frame: Frame, value_range: tuple[float, float], explanations: Sequence[Explanation]) -> bytes:
    """The frame, the mask and every stage's heat, for each method and class of one frame, in about 45 kB.

    Args:
        frame: as it was explained.
        value_range: its values that mean black and white.
        explanations: of this frame, with the same stages but for methods that have a stage of their own.
    """
    tiles = sum(2 + len(explanation.heatmaps) for explanation in explanations)
    height, width = frame.shape[:2]
    side = min(max(math.sqrt(_PIXELS / tiles), _TILES.start), _TILES.stop - 1)
    scale = min(1.0, side / math.sqrt(height * width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = _shrunk(display(frame, value_range), size)
    rows = [_row(picture, explanation, many=len(explanations) > 1) for explanation in explanations]
    return _small_jpeg(_laid_out(rows, size))


_Tile = tuple[str, Image.Image]


def _row(picture: Picture, explanation: Explanation, *, many: bool) -> list[_Tile]:
    size = (picture.shape[1], picture.shape[0])
    name = explanation.class_names[explanation.target.class_index or 0]
    mask = np.asarray(Image.fromarray(_found(explanation)).resize(size, Image.Resampling.NEAREST))
    with_mask = with_outline(picture, mask)
    outline = Image.fromarray((with_mask != picture).any(-1))  # searched for once, drawn on every tile
    plain, outlined = Image.fromarray(picture), Image.fromarray(with_mask)
    row = [(name if many else "frame", plain), (explanation.method if many else f"mask: {name}", outlined)]
    for stage, heatmap in explanation.heatmaps.items():
        heated = _heated(plain, _small_heat(heatmap, size), signed=heatmap.signed)
        heated.paste(outlined, mask=outline)
        row.append((f"{stage} (empty)" if heatmap.reason else stage, heated))
    return row


def _heated(picture: Image.Image, heat: NDArray[np.float32], *, signed: bool) -> Image.Image:
    """As ``with_heat``, in 256 steps."""
    low = -1 if signed else 0
    steps = np.round((heat - low) * (255 / (1 - low))).astype(np.uint8)
    colours, opacities = _steps(signed=signed)
    painted = Image.fromarray(steps)
    painted.putpalette(colours)
    return Image.composite(painted.convert("RGB"), picture, Image.fromarray(opacities[steps]))


@lru_cache
def _steps(*, signed: bool) -> tuple[bytes, NDArray[np.uint8]]:
    """The colours of 256 steps of heat and how opaque each is, 0–255, as ``with_heat`` draws them."""
    heat = np.linspace(-1 if signed else 0, 1, 256, dtype=np.float32)[None]
    black, white = (with_heat(np.full((1, 256, 3), value, np.uint8), heat, signed=signed) for value in (0, 255))
    return coloured(heat, signed=signed).tobytes(), 255 - (white - black)[0, :, 0]


def _small_heat(heatmap: Heatmap, size: tuple[int, int]) -> NDArray[np.float32]:
    """As ``Heatmap.on_frame``, but drawn at the size of a tile at once, which costs the same for a frame of any size.

    Args:
        heatmap: of one stage.
        size: of the whole frame in the tile, (columns, rows).
    """
    geometry = heatmap.geometry
    (top, bottom), (left, right) = (
        _part_of_tile(part, length, pixels)
        for part, length, pixels in zip(geometry.window, geometry.frame_shape, reversed(size), strict=True)
    )
    strides = [whole / length for whole, length in zip(geometry.input_shape, heatmap.values.shape, strict=True)]
    y, x = (at / stride for at, stride in zip(geometry.offset, strides, strict=True))
    height, width = (length / stride for length, stride in zip(geometry.content_shape, strides, strict=True))
    values = heatmap.values if heatmap.signed else heatmap.values.clip(max=heatmap.peak)
    box = (x, y, min(x + width, values.shape[1]), min(y + height, values.shape[0]))  # lest rounding leads out of it
    drawn = np.asarray(Image.fromarray(values).resize((right - left, bottom - top), Image.Resampling.BILINEAR, box))
    whole = np.zeros((size[1], size[0]), np.float32)
    whole[top:bottom, left:right] = _signed(drawn, heatmap) if heatmap.signed else _from_0_to_1(drawn)
    return whole


def _part_of_tile(part: slice, length: int, pixels: int) -> tuple[int, int]:
    """Where a part of a frame's rows or columns begins and ends in a tile, of which it has at least one."""
    begin = min(round(part.start * pixels / length), pixels - 1)
    return begin, max(begin + 1, round(part.stop * pixels / length))


def _signed(heat: NDArray[np.float32], heatmap: Heatmap) -> NDArray[np.float32]:
    largest = heatmap.peak if heatmap.has_outliers else np.abs(heat).max()
    return np.clip(heat / (_TINY + largest), -1, 1, dtype=np.float32)


def _from_0_to_1(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    lifted = heat - heat.min()
    return lifted / (_TINY + lifted.max())


def _laid_out(rows: Sequence[Sequence[_Tile]], size: tuple[int, int]) -> Image.Image:
    """Rows of tiles; a single row is broken into several."""
    if len(rows) == 1:
        columns = math.ceil(math.sqrt(len(rows[0]) * 1.3))
        rows = [rows[0][at : at + columns] for at in range(0, len(rows[0]), columns)]
    columns = max(map(len, rows))
    width, height = size[0] + _GAP, size[1] + _CAPTION + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, len(rows) * height + _GAP), _BACKGROUND)
    for row_number, row in enumerate(rows):
        for column, (caption, picture) in enumerate(row):
            x, y = _GAP + column * width, _GAP + row_number * height
            sheet.paste(_caption(caption, size[0]), (x, y))
            sheet.paste(picture, (x, y + _CAPTION))
    return sheet


@lru_cache(maxsize=256)  # the same for image after image
def _caption(caption: str, width: int) -> Image.Image:
    strip = Image.new("RGB", (width, _CAPTION), _BACKGROUND)
    text, font = lettered(_cut(caption, width), _LETTERS)
    ImageDraw.Draw(strip).text((0, -1), text, fill=_INK, font=font)
    return strip


def _cut(caption: str, width: int) -> str:
    """As much of a caption as goes over a tile."""
    if width_of(caption, _LETTERS) <= width:
        return caption
    while caption and width_of(f"{caption}...", _LETTERS) > width:
        caption = caption[:-1]
    return f"{caption}..."


def _small_jpeg(sheet: Image.Image) -> bytes:
    """A sheet in good quality where that is small, else in a lower one, and at last smaller itself."""
    for quality in _QUALITIES:
        data = _jpeg(sheet, quality)
        if len(data) <= _LARGEST:
            return data
    while len(data) > _LARGEST:
        scale = 0.95 * math.sqrt(_LARGEST / len(data))
        sheet = sheet.resize((round(sheet.width * scale), round(sheet.height * scale)), Image.Resampling.BOX)
        data = _jpeg(sheet, _QUALITIES[-1])
    return data


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return file.getvalue()


def _shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    image = Image.fromarray(picture)
    return picture if image.size == size else np.asarray(image.resize(size, Image.Resampling.BOX))


def _found(explanation: Explanation) -> NDArray[np.uint8]:
    return (explanation.mask == explanation.label).astype(np.uint8)
