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
from napari_segcam.reporting.figures import CLASS_COLORS, color_heat, display, outline_pixels, with_heat, with_outline
from napari_segcam.reporting.lettering import text_and_font, text_width

_LARGEST = 45_000  # bytes: a report of 500 images holds a sheet of each
_JPEG_HEADER, _CAPTION_BYTES = 620, 800  # bytes of any JPEG, and of a tile's caption in one
_QUALITIES = (80, 60)
_PIXELS = 180_000  # of all tiles of a sheet: of speckle, which fills a JPEG, more would be shrunk again
_TILES = range(84, 225)
_TINY = 1e-7  # lest nothing is divided by 0
_GAP, _CAPTION, _LETTERS = 4, 15, 11
_BACKGROUND, _INK = "#101214", "#d8dde2"


def overlay_jpeg(frame: Frame, value_range: tuple[float, float], explanation: Explanation, heatmap: Heatmap) -> bytes:
    """One stage's heat over the whole frame, with the outline of the explained class."""
    heated = with_heat(display(frame, value_range), heatmap.on_frame(), signed=heatmap.signed)
    return _jpeg(Image.fromarray(with_outline(heated, explanation.target_mask.astype(np.uint8))), 90)


def sheet_jpeg(frame: Frame, value_range: tuple[float, float], explanations: Sequence[Explanation]) -> bytes:
    """The frame, the mask and every stage's heat, for each method and class of one frame, in about 45 kB.

    Args:
        frame: as it was explained.
        value_range: its values that mean black and white.
        explanations: of this frame, with the same stages but for methods that have a stage of their own.
    """
    tiles = sum(2 + len(explanation.heatmaps) for explanation in explanations)
    shown = display(frame, value_range)
    whole = Image.fromarray(shown[..., 0] if frame.ndim == 2 else shown)  # one channel is shrunk in a third of the time
    picture, quality = _fit_for(tiles, whole, explanations[0].target_mask)
    rows = [_row(picture, explanation, many=len(explanations) > 1) for explanation in explanations]
    return _small_jpeg(_laid_out(rows, picture.size), quality)


def _fit_for(tiles: int, whole: Image.Image, found: NDArray[np.bool_]) -> tuple[Image.Image, int]:
    """A frame at the size of a tile, and the JPEG quality, by which so many tiles make a sheet that is small enough.

    A tile with heat takes about as many bytes as the mask's: one tile, tried alone, tells what takes far longer to find
    out with whole sheets.
    """
    tile = _shrunk(whole, _PIXELS / tiles)
    with_mask = _outlined(tile, _outline(found, tile.size))
    room = _LARGEST / tiles - _CAPTION_BYTES
    for quality in _QUALITIES:
        size = len(_jpeg(with_mask, quality)) - _JPEG_HEADER
        if size <= room:
            return tile.convert("RGB"), quality
    return _shrunk(whole, tile.width * tile.height * max(room, 0) / size).convert("RGB"), quality


_Tile = tuple[str, Image.Image]


def _row(picture: Image.Image, explanation: Explanation, *, many: bool) -> list[_Tile]:
    name = explanation.class_names[explanation.target.class_index or 0]
    outline = _outline(explanation.target_mask, picture.size)  # searched for once, drawn on every tile
    row = [
        (name if many else "frame", picture),
        (explanation.method if many else f"mask: {name}", _outlined(picture, outline)),
    ]
    for stage, heatmap in explanation.heatmaps.items():
        heated = _heated(picture, _small_heat(heatmap, picture.size), signed=heatmap.signed)
        heated.paste(CLASS_COLORS[0], mask=outline)
        row.append((f"{stage} (empty)" if heatmap.reason else stage, heated))
    return row


def _outline(found: NDArray[np.bool_], size: tuple[int, int]) -> Image.Image:
    """The outline of what was found, in a tile of (columns, rows)."""
    small = Image.fromarray(found.view(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(outline_pixels(np.asarray(small).view(np.bool_)))


def _outlined(picture: Image.Image, outline: Image.Image) -> Image.Image:
    drawn = picture.convert("RGB")
    drawn.paste(CLASS_COLORS[0], mask=outline)
    return drawn


def _heated(picture: Image.Image, heat: NDArray[np.float32], *, signed: bool) -> Image.Image:
    """As ``with_heat``, in 256 steps."""
    low = -1 if signed else 0
    steps = np.round((heat - low) * (255 / (1 - low))).astype(np.uint8)
    colors, opacities = _steps(signed=signed)
    painted = Image.fromarray(steps)
    painted.putpalette(colors)
    heated = picture.copy()
    heated.paste(painted.convert("RGB"), mask=Image.fromarray(opacities.take(steps)))
    return heated


@lru_cache
def _steps(*, signed: bool) -> tuple[bytes, NDArray[np.uint8]]:
    """The colors of 256 steps of heat and how opaque each is, 0–255, as ``with_heat`` draws them."""
    heat = np.linspace(-1 if signed else 0, 1, 256, dtype=np.float32)[None]
    black, white = (with_heat(np.full((1, 256, 3), value, np.uint8), heat, signed=signed) for value in (0, 255))
    return color_heat(heat, signed=signed).tobytes(), 255 - (white - black)[0, :, 0]


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
    has_cap = heatmap.has_outliers and not heatmap.signed
    values = heatmap.values.clip(max=heatmap.peak) if has_cap else heatmap.values
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
    text, font = text_and_font(_cut(caption, width), _LETTERS)
    ImageDraw.Draw(strip).text((0, -1), text, fill=_INK, font=font)
    return strip


def _cut(caption: str, width: int) -> str:
    """As much of a caption as goes over a tile."""
    if text_width(caption, _LETTERS) <= width:
        return caption
    while caption and text_width(f"{caption}...", _LETTERS) > width:
        caption = caption[:-1]
    return f"{caption}..."


def _small_jpeg(sheet: Image.Image, quality: int) -> bytes:
    """A sheet as a file that is small enough, if need be by being smaller itself."""
    data = _jpeg(sheet, quality)
    while len(data) > _LARGEST:
        scale = 0.95 * math.sqrt(_LARGEST / len(data))
        sheet = sheet.resize((round(sheet.width * scale), round(sheet.height * scale)), Image.Resampling.BOX)
        data = _jpeg(sheet, _QUALITIES[-1])
    return data


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return file.getvalue()


def _shrunk(picture: Image.Image, pixels: float) -> Image.Image:
    """A frame with about so many pixels, within the sizes of tiles, or as it is where it has no more."""
    side = min(max(math.sqrt(pixels), _TILES.start), _TILES.stop - 1)
    scale = side / math.sqrt(picture.width * picture.height)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BOX)
