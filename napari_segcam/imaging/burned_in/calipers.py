"""Calipers: draw measuring marks into a frame, as a scanner burns them in."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_segcam.errors import SegcamError
from napari_segcam.imaging.value_range import value_range_of

CaliperStyle = Literal["plus", "cross"]

_SIZE = 1 / 25  # of the frame's shorter side
_SMALLEST = 7  # pixels
_DOT_SPACING = 5  # pixels


def paste_calipers(
    frame: NDArray[np.generic],
    points: ArrayLike,
    style: CaliperStyle = "plus",
    *,
    size: int | None = None,
    stroke: int = 1,
    line: bool = False,
    label: str = "",
    value_range: tuple[float, float] | None = None,
) -> NDArray[np.generic]:
    """Return a copy of a frame with white calipers, as a scanner draws them.

    With it one can ask whether a network needs calipers, or follows them onto empty tissue.

    Examples:
        >>> with_calipers = sc.paste_calipers(frame, [(120, 80), (120, 160)], line=True, label="1")
        >>> with_calipers.shape, with_calipers.dtype
        ((256, 320), dtype('uint8'))

    Args:
        frame: ``(Y, X)`` or ``(Y, X, 3)``, any real dtype, which the result keeps.
        points: ``(N, 2)`` row and column of each, within the frame.
        style: of each mark: a plus (+) or a cross (×).
        size: width and height of a mark in pixels; by default a twenty-fifth of the frame's shorter side.
        stroke: width of the strokes in pixels.
        line: draw a dotted line from each point to the next.
        label: text beside the last point, such as a number.
        value_range: the values of black and white; by default estimated from the frame.

    Raises:
        SegcamError: if the style is unknown, or a point is not within the frame.
    """
    places = np.asarray(points, dtype=float)
    height, width = frame.shape[:2]
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise SegcamError("The points of calipers must be pairs of a row and a column, one pair or more.")
    if style not in get_args(CaliperStyle):
        raise SegcamError(f"There is no style {style!r}. Choose from: {', '.join(get_args(CaliperStyle))}.")
    for row, column in places:
        if not (0 <= row < height and 0 <= column < width):
            raise SegcamError(f"The point ({row:g}, {column:g}) is not within the frame of {height}×{width} pixels.")
    half = max((size or max(_SMALLEST, round(min(height, width) * _SIZE))) // 2, 1)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    centers = [(round(float(column)), round(float(row))) for row, column in places]
    for x, y in centers:
        if style == "plus":
            draw.line([(x - half, y), (x + half, y)], fill=255, width=stroke)
            draw.line([(x, y - half), (x, y + half)], fill=255, width=stroke)
        else:
            draw.line([(x - half, y - half), (x + half, y + half)], fill=255, width=stroke)
            draw.line([(x - half, y + half), (x + half, y - half)], fill=255, width=stroke)
    if line:
        for start, end in pairwise(centers):
            _dots(draw, start, end, half)
    if label:
        x, y = centers[-1]
        draw.text((x + half + 2, y - half), label, fill=255, font=ImageFont.load_default(max(10, 2 * half)))
    return _blend(frame, np.asarray(image, np.float64) / 255, (value_range or value_range_of(frame))[1])


def _dots(draw: ImageDraw.ImageDraw, start: tuple[int, int], end: tuple[int, int], half: int) -> None:
    """Draw dots between two marks, equally spaced, without those on the marks themselves."""
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    for distance in np.arange(half + 3, length - half - 2, _DOT_SPACING):
        share = distance / length
        draw.point(tuple(round(a + (b - a) * share) for a, b in zip(start, end, strict=True)), fill=255)


def _blend(frame: NDArray[np.generic], cover: NDArray[np.float64], white: float) -> NDArray[np.generic]:
    """Return the frame with white laid over it where the cover ``(Y, X)`` is above 0."""
    drawn = cover > 0
    alpha = cover[drawn] if frame.ndim == 2 else cover[drawn][:, None]
    values = frame[drawn].astype(np.float64) * (1 - alpha) + white * alpha
    result = frame.copy()
    result[drawn] = (np.rint(values) if np.issubdtype(frame.dtype, np.integer) else values).astype(frame.dtype)
    return result
