"""Sheets: the pictures of a run, made small enough that the report of many images can still be opened and sent."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

BUDGET = 20_000_000
"""Most bytes of all pictures together, before they are embedded as text, which adds a third."""
_FLOOR = 12_000  # a smaller picture shows nothing
_CARD_WIDTH = 560
_STEPS = ((1.0, 80), (1.0, 65), (0.8, 65), (0.65, 60), (0.5, 55))


class Sheets:
    """The sheets of a run, each within its share of ``BUDGET``.

    Args:
        paths: of all sheets to show.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        sizes = [path.stat().st_size for path in paths]
        # Every share is the same, even if some sheets need less, so that the result for a sheet is predictable.
        self._share = float("inf") if sum(sizes) <= BUDGET else max(_FLOOR, BUDGET / len(sizes))

    def fit_share(self, path: Path | None) -> bytes | None:
        """Return a sheet as JPEG, re-encoded and if needed made smaller to fit its share; None if unreadable."""
        if path is None:
            return None
        content = path.read_bytes()
        picture = _open_jpeg(content)
        if picture is None or len(content) <= self._share:
            return content if picture is not None else None
        for scale, quality in _STEPS:
            smaller = _encode_jpeg(picture, round(picture.width * scale), quality)
            if len(smaller) <= self._share:
                break
        return smaller


def card_of(path: Path | None) -> bytes | None:
    """Return a sheet as a small JPEG; None if there is none or it is unreadable."""
    picture = None if path is None else _open_jpeg(path.read_bytes())
    return None if picture is None else _encode_jpeg(picture, min(picture.width, _CARD_WIDTH), 75)


def size_of(content: bytes) -> tuple[int, int]:
    """Return the width and height of a picture."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


def _open_jpeg(content: bytes) -> Image.Image | None:
    """Return the picture; None if it is not a JPEG, or a damaged one."""
    try:
        picture = Image.open(io.BytesIO(content), formats=["JPEG"])
        picture.load()
    except OSError:
        return None
    return picture


def _encode_jpeg(picture: Image.Image, width: int, quality: int) -> bytes:
    height = max(1, round(picture.height * width / picture.width))
    smaller = picture.convert("RGB")
    if width != picture.width:
        smaller = smaller.resize((width, height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    smaller.save(content, format="JPEG", quality=quality, optimize=True)
    return content.getvalue()
