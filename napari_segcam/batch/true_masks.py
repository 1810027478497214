"""True masks: reading them, whether their pixels hold the classes' numbers or the classes' colours."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError
from napari_segcam.imaging.cine import ArrayCine, Cine, name_of
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.network import Network

Colour = tuple[int, int, int]
"""Red, green and blue, 0–255."""


def open_truth(path: Path, *, in_colours: bool = False) -> Cine:
    """Open a file of true masks; of an image with a palette the numbers count, unless it is meant in colours.

    Raises:
        SegcamError: if the file cannot be read.
    """
    if not in_colours and not path.is_dir() and kind_of(read_head(path)) is FileKind.STILL:
        try:
            with Image.open(path) as image:
                if image.mode == "P":
                    refuse_large_frame(path.name, (image.height, image.width))
                    return ArrayCine(np.asarray(image), name=name_of(path), path=path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise SegcamError(f"The truth {path.name} is damaged and cannot be decoded: {error}.") from error
    return open_cine(path)


def true_mask(
    truth: Cine | None,
    number: int,
    index: int | None,
    network: Network,
    colours: Mapping[str, Colour] | None = None,
) -> NDArray[np.bool_] | None:
    """The true mask ``(Y, X)`` of a class in a frame; None where there is no truth.

    For a network with one class, or one that classifies the whole frame, anything that is not black belongs to it; for
    one that tells a single class from the background likewise. Else a pixel holds the class's number, or its colour.

    Args:
        truth: one mask per frame, or one for all.
        number: of the frame.
        index: of the class.
        network: whose classes these are.
        colours: by class name, of masks that are painted; by default those of the model card.

    Raises:
        SegcamError: if there is none for this frame, or it cannot tell the classes apart.
    """
    if truth is None:
        return None
    if len(truth) > 1 and number >= len(truth):
        raise SegcamError(f"The truth {truth.name} has {len(truth)} frames: there is none for frame {number}.")
    mask: NDArray[Any] = truth[number if len(truth) > 1 else 0]
    if colours is not None:
        return _painted(mask, colours, network.class_names[index or 0], truth.name)
    if network.classes == 1 or not network.segments:
        return np.asarray((mask > 0).any(-1) if mask.ndim == 3 else mask > 0)
    if mask.ndim == 3 and (mask == mask[..., :1]).all():  # numbers, saved as an image in colour
        mask = mask[..., 0]
    if mask.ndim == 3:
        if not network.card.class_colours:
            raise SegcamError(
                f"The truth {truth.name} is a colour image: its pixels must hold the classes' numbers, or a table must "
                "say which colour is which class."
            )
        painted = map(hex_colour, network.card.class_colours)
        table = dict(zip(network.class_names, painted, strict=True))
        return _painted(mask, table, network.class_names[index or 0], truth.name)
    if network.classes == 2:
        return np.asarray((mask > 0) == bool(index))
    if mask.max() >= network.classes:
        raise SegcamError(
            f"The truth {truth.name} holds the number {mask.max()}, but the network's classes are 0 to "
            f"{network.classes - 1}."
        )
    return np.asarray(mask == index)


def read_colours(path: Path) -> dict[str, Colour]:
    """A table of class colours: a CSV file with the columns name, r, g and b.

    Raises:
        SegcamError: if it is no such file, or two classes have one colour.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = [{(key or "").strip().lower(): value for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The colour table {path} cannot be read: {error}.") from error
    colours: dict[str, Colour] = {}
    for line, row in enumerate(table, start=2):
        parts = [(row.get(key) or "").strip() for key in ("r", "g", "b")]
        name = (row.get("name") or "").strip()
        if not name or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise SegcamError(
                f"The colour table {path}, line {line}: a class's name and its r, g and b from 0 to 255 are wanted, "
                "under a first line name,r,g,b."
            )
        red, green, blue = map(int, parts)
        if name in colours or (red, green, blue) in colours.values():
            raise SegcamError(f"The colour table {path}, line {line}: the class or the colour is there already.")
        colours[name] = (red, green, blue)
    if not colours:
        raise SegcamError(f"The colour table {path} is empty: its lines are name,r,g,b.")
    return colours


def hex_colour(text: str) -> Colour:
    """The colour written ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def _painted(mask: NDArray[Any], colours: Mapping[str, Colour], wanted: str, name: str) -> NDArray[np.bool_]:
    """Where a class's colour stands; any colour that is no class's makes the whole mask doubtful."""
    if wanted not in colours:
        raise SegcamError(f"The colour table has no class {wanted!r}: it has {', '.join(colours)}.")
    if mask.dtype != np.uint8:
        raise SegcamError(f"The truth {name} has no colours of 0 to 255: its values are {mask.dtype}.")
    channels = (mask if mask.ndim == 3 else np.repeat(mask[..., None], 3, axis=2)).astype(np.uint32)
    packed = channels @ np.array([65536, 256, 1], np.uint32)
    known = {key: red << 16 | green << 8 | blue for key, (red, green, blue) in colours.items()}
    strange = ~np.isin(packed, [0, *known.values()])  # black is the background unless the table says otherwise
    if strange.any():
        raise SegcamError(
            f"The truth {name} has the colour #{packed[strange][0]:06x}, which is no class's "
            f"({np.count_nonzero(strange)} pixels are of such colours). Complete the table; masks saved as JPEG have "
            "lost their colours."
        )
    return np.asarray(packed == known[wanted])
