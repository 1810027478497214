"""Choice of the image among several arrays in a file: the only possible one, or the one that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_segcam.errors import SegcamError

_SMALLEST = 8  # pixels: narrower arrays are tables of numbers, not frames
_SHOWN = 12


class SeveralImagesError(SegcamError):
    """A file holds several arrays that could be the image, and the user has not chosen one.

    Attributes:
        path: the file.
        shapes: of the arrays by name.
    """

    def __init__(self, path: Path, shapes: Mapping[str, Sequence[int]]) -> None:
        self.path, self.shapes = path, dict(shapes)
        first = next(iter(self.shapes))
        super().__init__(
            f"{path.name} holds several images: {_listed(self.shapes)}. Name the one to open, for instance "
            f"{path.name}::{first}"
        )


def choose_array(path: Path, arrays: Mapping[str, tuple[Sequence[int], str]], name: str | None) -> str:
    """Return the name of the array that is the image.

    Args:
        path: the file.
        arrays: shape and kind of dtype of each array by name.
        name: from the user, None for the only array that could be an image.

    Raises:
        SegcamError: if no array could be an image, there is none of this name, or there are several and no name.
    """
    if name is not None:
        if name in arrays:
            return name
        raise SegcamError(
            f"{path.name} holds no array {name}; it holds "
            f"{_listed({array: shape for array, (shape, _) in arrays.items()}) or 'none at all'}."
        )
    images = {array: shape for array, (shape, kind) in arrays.items() if kind in "buif" and _could_be_image(shape)}
    if not images:
        raise SegcamError(
            f"{path.name} holds no image: an array of numbers of at least {_SMALLEST} × {_SMALLEST} pixels, with axes "
            "for time and colors if it has them."
        )
    if len(images) > 1:
        raise SeveralImagesError(path, images)
    return next(iter(images))


def _could_be_image(shape: Sequence[int]) -> bool:
    long = sorted(length for length in shape if length > 1)
    return 2 <= len(long) <= 4 and bool(np.min(long[-2:]) >= _SMALLEST)


def _listed(shapes: Mapping[str, Sequence[int]]) -> str:
    listed = [f"{name} ({' × '.join(map(str, shape))})" for name, shape in shapes.items()]
    more = [f"and {len(listed) - _SHOWN} more"] if len(listed) > _SHOWN else []
    return ", ".join(listed[:_SHOWN] + more)
