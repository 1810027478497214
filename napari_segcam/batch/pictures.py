"""Pictures of a batch as JPEG files in memory: one small sheet for each image, and overlays."""

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
from napari_segcam.reporting.figures import CLASS_COLORS, display, outline_pixels, with_heat, with_outline
from napari_segcam.reporting.lettering import text_and_font, text_width
from napari_segcam.reporting.sheets import class_name_of
from napari_segcam.reporting.thumbnails import small_heat, with_small_heat

_MAX_BYTES = 45_000  # a report of 500 images holds a sheet of each
_HEADER_BYTES, _CAPTION_BYTES = 620, 800  # of any JPEG, and of a tile's caption in one
_QUALITIES = (80, 60)
_SHEET_PIXELS = 180_000  # of all tiles together: speckle fills a JPEG, so more would have to be shrunk again
_TILE_SIDES = range(84, 225)
_GAP, _CAPTION_HEIGHT, _FONT_SIZE = 4, 15, 11
_BACKGROUND, _TEXT = "#101214", "#d8dde2"

_Tile = tuple[str, Image.Image]
"""A caption, and the picture below it."""


def overlay_jpeg(frame: Frame, value_range: tuple[float, float], explanation: Explanation, heatmap: Heatmap) -> bytes:
    """Return the heat of one stage over the frame, with the outline of the explained class."""
    heated = with_heat(display(frame, value_range), heatmap.on_frame(), signed=heatmap.signed)
    return _jpeg(Image.fromarray(with_outline(heated, explanation.target_mask.astype(np.uint8))), 90)


def sheet_jpeg(frame: Frame, value_range: tuple[float, float], explanations: Sequence[Explanation]) -> bytes:
    """Return a sheet of about 45 kB: for each explanation of a frame, the frame, the mask and the heat of every stage.

    Args:
        frame: the explained frame.
        value_range: its values that are black and white.
        explanations: of this frame, by method and class. They have the same stages, except for methods with a stage of
            their own.
    """
    tile_count = sum(2 + len(explanation.heatmaps) for explanation in explanations)
    picture = display(frame, value_range)
    # A gray frame is shrunk as one channel, which takes a third of the time.
    frame_picture = Image.fromarray(picture[..., 0] if frame.ndim == 2 else picture)
    tile, quality = _tile_and_quality(tile_count, frame_picture, explanations[0].target_mask)
    rows = [_row(tile, explanation, is_alone=len(explanations) == 1) for explanation in explanations]
    return _small_jpeg(_sheet(rows, tile.size), quality)


def _tile_and_quality(count: int, frame_picture: Image.Image, mask: NDArray[np.bool_]) -> tuple[Image.Image, int]:
    """Return a frame at the size of a tile, and the JPEG quality, with which a sheet of so many tiles is small enough.

    A tile with heat takes about as many bytes as the tile with the mask: trying this one tile is far quicker than
    trying whole sheets.
    """
    tile = _shrunk(frame_picture, _SHEET_PIXELS / count)
    with_mask = _outlined(tile, _outline(mask, tile.size))
    max_bytes = _MAX_BYTES / count - _CAPTION_BYTES
    for quality in _QUALITIES:
        size = len(_jpeg(with_mask, quality)) - _HEADER_BYTES
        if size <= max_bytes:
            return tile.convert("RGB"), quality
    return _shrunk(frame_picture, tile.width * tile.height * max(max_bytes, 0) / size).convert("RGB"), quality


def _row(picture: Image.Image, explanation: Explanation, *, is_alone: bool) -> list[_Tile]:
    """Return the tiles of one explanation; ``is_alone`` if the sheet has no other explanation."""
    class_name = class_name_of(explanation)
    outline = _outline(explanation.target_mask, picture.size)  # found once, drawn on every tile
    row = [
        ("frame" if is_alone else class_name, picture),
        (f"mask: {class_name}" if is_alone else explanation.method, _outlined(picture, outline)),
    ]
    for stage, heatmap in explanation.heatmaps.items():
        heat = small_heat(heatmap, (picture.height, picture.width))
        tile = with_small_heat(picture, heat, signed=heatmap.signed)
        tile.paste(CLASS_COLORS[0], mask=outline)
        row.append((f"{stage} (empty)" if heatmap.reason else stage, tile))
    return row


def _outline(mask: NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """Return the outline of a mask, drawn at a size of (columns, rows)."""
    small = Image.fromarray(mask.view(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(outline_pixels(np.asarray(small).view(np.bool_)))


def _outlined(picture: Image.Image, outline: Image.Image) -> Image.Image:
    outlined = picture.convert("RGB")
    outlined.paste(CLASS_COLORS[0], mask=outline)
    return outlined


def _sheet(rows: Sequence[Sequence[_Tile]], size: tuple[int, int]) -> Image.Image:
    """Return a sheet of tiles of (columns, rows) pixels. A single row is wrapped into several."""
    if len(rows) == 1:
        columns = math.ceil(math.sqrt(len(rows[0]) * 1.3))
        rows = [rows[0][start : start + columns] for start in range(0, len(rows[0]), columns)]
    columns = max(map(len, rows))
    width, height = size[0] + _GAP, size[1] + _CAPTION_HEIGHT + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, len(rows) * height + _GAP), _BACKGROUND)
    for row_number, row in enumerate(rows):
        for column, (caption, picture) in enumerate(row):
            x, y = _GAP + column * width, _GAP + row_number * height
            sheet.paste(_caption(caption, size[0]), (x, y))
            sheet.paste(picture, (x, y + _CAPTION_HEIGHT))
    return sheet


@lru_cache(maxsize=256)  # the captions are the same for every image
def _caption(caption: str, width: int) -> Image.Image:
    strip = Image.new("RGB", (width, _CAPTION_HEIGHT), _BACKGROUND)
    text, font = text_and_font(_shortened(caption, width), _FONT_SIZE)
    ImageDraw.Draw(strip).text((0, -1), text, fill=_TEXT, font=font)
    return strip


def _shortened(caption: str, width: int) -> str:
    """Return as much of a caption as fits above a tile."""
    if text_width(caption, _FONT_SIZE) <= width:
        return caption
    while caption and text_width(f"{caption}...", _FONT_SIZE) > width:
        caption = caption[:-1]
    return f"{caption}..."


def _small_jpeg(sheet: Image.Image, quality: int) -> bytes:
    """Return a sheet as a small enough file; if necessary, the sheet is shrunk."""
    data = _jpeg(sheet, quality)
    while len(data) > _MAX_BYTES:
        scale = 0.95 * math.sqrt(_MAX_BYTES / len(data))
        sheet = sheet.resize((round(sheet.width * scale), round(sheet.height * scale)), Image.Resampling.BOX)
        data = _jpeg(sheet, _QUALITIES[-1])
    return data


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return file.getvalue()


def _shrunk(picture: Image.Image, pixels: float) -> Image.Image:
    """Return a frame with about so many pixels, within the sizes of tiles. Frames are never enlarged."""
    side = min(max(math.sqrt(pixels), _TILE_SIDES.start), _TILE_SIDES.stop - 1)
    scale = side / math.sqrt(picture.width * picture.height)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)
