"""Small pictures of instances on a PACS: drawn by the server, or of a frame."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.imaging.cine import Frame
from napari_segcam.imaging.compressed_size import refuse_large_picture
from napari_segcam.imaging.dicomweb.watch import ServerError

_FORMATS = ("JPEG", "PNG")


def picture_of(data: bytes, server_title: str) -> Image.Image:
    """Return the picture that a server has drawn, in colors.

    Raises:
        ServerError: if it cannot be read, or is too large.
    """
    try:
        refuse_large_picture("The picture", data)
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            return picture.convert("RGB")
    except Exception as error:  # Pillow raises errors of many types
        raise ServerError(f"{server_title} sends a picture that cannot be read.", status=200) from error


def as_rgb(frame: Frame) -> NDArray[np.uint8]:
    """Return a frame as 8-bit colors, from its darkest to its brightest value unless it is 8-bit."""
    values: NDArray[Any] = np.asarray(frame)
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = np.round((values.astype(np.float64) - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    return np.asarray(values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2), np.uint8)
