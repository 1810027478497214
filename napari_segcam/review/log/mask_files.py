"""Masks of a log: one small PNG each, named by the checksum of its content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import whole_file

Labels = NDArray[np.uint8]

# Index 0 is black; the others are bright, so that a person who opens the file sees the mask. The values are the labels.
_COLORS = ((0, 0, 0), (255, 255, 255), (102, 204, 238), (238, 102, 119), (34, 136, 51), (204, 187, 68), (170, 51, 119))


def checksum(labels: Labels) -> str:
    """Return the SHA-256 of a mask ``(Y, X)``: of its size and its labels."""
    rows, columns = labels.shape
    return hashlib.sha256(f"{rows} {columns} ".encode() + np.ascontiguousarray(labels).tobytes()).hexdigest()


def mask_path(folder: Path, sha256: str) -> Path:
    """Return the file of a mask."""
    return folder / f"{sha256}.png"


def write_mask(folder: Path, sha256: str, labels: Labels) -> None:
    """Write a mask losslessly, unless it is there already.

    Raises:
        SegcamError: if it cannot be written.
    """
    path = mask_path(folder, sha256)
    if path.exists():
        return
    image = Image.fromarray(labels).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    colors = [_COLORS[label] if label < len(_COLORS) else (label, 255 - label, 128) for label in range(256)]
    image.putpalette([value for color in colors for value in color])
    with whole_file(path) as temporary, temporary.open("wb") as file:
        image.save(file, format="PNG")
        file.flush()
        os.fsync(file.fileno())


def read_mask(folder: Path, sha256: str) -> Labels:
    """Return a mask ``(Y, X)``.

    Raises:
        SegcamError: if it is missing or is not the mask that its name says.
    """
    path = mask_path(folder, sha256)
    try:
        with Image.open(path) as image:
            refuse_large_frame(path.name, image.size[::-1])
            labels = np.array(image) if image.mode in ("P", "L") else None
    except FileNotFoundError:
        raise SegcamError(f"The mask {path} is missing: copy the whole folder of the review.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SegcamError(f"The mask {path} cannot be read: {error_text(error)}.") from error
    if labels is None or checksum(labels) != sha256:
        raise SegcamError(f"The mask {path} has been changed: it is not the one that the log names.")
    return labels
