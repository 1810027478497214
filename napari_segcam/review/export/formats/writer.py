"""Writer: what every format does with a pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.files import json_bytes, whole_file
from napari_segcam.review.export.pairs import Pair

Gray = NDArray[np.generic]


@dataclass(frozen=True)
class Written:
    """The files of a pair.

    Attributes:
        images: paths relative to the export.
        mask: path relative to the export; of COCO that of the file with all annotations.
        pixels: how the image's values were changed, in words; empty if they are those of the file.
    """

    images: tuple[str, ...]
    mask: str
    pixels: str = ""


class Writer(Protocol):
    """Writes pairs one by one into a folder."""

    def write(self, pair: Pair) -> Written:
        """Write a pair."""

    def finish(self) -> None:
        """Write what describes all pairs, after the last."""


def write_image_png(path: Path, pair: Pair) -> str:
    """Write a frame as PNG, with its own values where they are 8 or 16-bit; return how they were changed, if so.

    Raises:
        SegcamError: if it cannot be written.
    """
    image, pixels = _for_png(pair)
    _save(path, Image.fromarray(image))
    return pixels


def write_mask_png(path: Path, labels: NDArray[np.uint8]) -> None:
    """Write labels ``(Y, X)`` as a gray PNG, whose values every reader gives unchanged.

    Raises:
        SegcamError: if it cannot be written.
    """
    _save(path, Image.fromarray(labels))


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write values as JSON.

    Raises:
        SegcamError: if it cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(json_bytes(content, indent=2) + b"\n")


def _save(path: Path, picture: Image.Image) -> None:
    with whole_file(path) as temporary:
        picture.save(temporary, format="PNG")


def _for_png(pair: Pair) -> tuple[NDArray[np.generic], str]:
    image = pair.image
    if image.dtype == np.uint8 or (image.dtype == np.uint16 and image.ndim == 2):
        return image, ""
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * np.uint8(255), "0 and 1 became 0 and 255"
    black, white = pair.value_range
    bits: type[np.uint8] | type[np.uint16] = (
        np.uint16 if image.ndim == 2 else np.uint8
    )  # PNG of Pillow: color in 8 bits
    most = np.iinfo(bits).max
    scaled = np.clip((image.astype(np.float64) - black) / (white - black), 0, 1) * most
    return np.rint(scaled).astype(bits), f"{black:g} to {white:g} became 0 to {most}; values beyond were cut"
