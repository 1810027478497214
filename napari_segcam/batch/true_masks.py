"""True masks: reading them, whether their pixels hold the classes' numbers or the classes' colors."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.files import refuse_no_file
from napari_segcam.imaging.cine import ArrayCine, Cine, Frame, name_of
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.network import Network

Color = tuple[int, int, int]
"""Red, green and blue, 0–255."""

# A mask of more different values, one of them at least so large, holds grays and not numbers of classes.
_MOST_NUMBERS, _WHITE, _ALMOST = 8, 128, 16

OF_OVERLAPPING = (
    "Give a file for each class (NAME_CLASS.png, or a folder for each class), or a stack (TIFF, DICOM) with one mask "
    "for each class in this order, or say in the model card which numbers in the true masks each class has "
    "(class_values)."
)


class MergedTruth(Cine):
    """Masks of one image that together are its truth: a pixel has the value of the mask that is not black there.

    Args:
        parts: of one shape and length.

    Raises:
        SegcamError: if they differ in shape or length.
    """

    def __init__(self, parts: Sequence[Cine]) -> None:
        first = parts[0]
        for part in parts:
            if (part.frame_shape[:2], len(part)) != (first.frame_shape[:2], len(first)):
                raise SegcamError(f"The true masks {first.name} and {part.name} of one image differ in size.")
        self._parts = parts
        self.name = " + ".join(part.name for part in parts)
        self.frame_shape = (*first.frame_shape[:2], *((3,) if any(part.is_rgb for part in parts) else ()))
        self.dtype = np.result_type(*(part.dtype for part in parts))

    def __len__(self) -> int:
        return len(self._parts[0])

    def _read(self, index: int) -> Frame:
        merged: NDArray[Any] = np.zeros(self.frame_shape, self.dtype)
        for part in self._parts:
            mask = part[index]
            if mask.ndim < merged.ndim:
                mask = mask[..., None].repeat(3, axis=-1)
            new = not_black(mask, part.name)
            both = new & not_black(merged)
            if (merged[both] != mask[both]).any():
                raise SegcamError(
                    f"The true masks {self.name} say different things of the same pixels. Give one mask, by a CSV list "
                    "with the columns image and truth."
                )
            merged[new] = mask[new]
        return merged


def open_truth(path: Path, *more: Path, in_colors: bool = False) -> Cine:
    """Open a file of true masks; of an image with a palette the numbers count, unless it is meant in colors.

    Args:
        path: of the masks.
        more: files whose masks belong to the same images.
        in_colors: whether the colors of a palette count.

    Raises:
        SegcamError: if a file cannot be read, or they do not go together.
    """
    if more:
        return MergedTruth([open_truth(part, in_colors=in_colors) for part in (path, *more)])
    file = file_part(path).path
    if not in_colors and not file.is_dir() and kind_of(read_head(file)) is FileKind.STILL:
        try:
            with Image.open(path) as image:
                if image.mode == "P":
                    refuse_large_frame(path.name, (image.height, image.width))
                    return ArrayCine(np.asarray(image), name=name_of(path), path=path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise SegcamError(
                f"The truth {path.name} is damaged and cannot be decoded: {error_text(error)}."
            ) from error
    return open_cine(path)


def true_mask(
    truth: Cine | None,
    number: int,
    index: int | None,
    network: Network,
    colors: Mapping[str, Color] | None = None,
) -> NDArray[np.bool_] | None:
    """The true mask ``(Y, X)`` of a class in a frame; None where there is no truth.

    For a network with one class, or one that classifies the whole frame, anything that is not black belongs to it; for
    one that tells a single class from the background likewise. Else a pixel holds the class's number, or its color; or
    one of the numbers that the model card gives the class as its ``class_values``. Of classes that overlap, a number
    tells nothing without these: the truth then is a stack of one mask for each class.

    Args:
        truth: one mask per frame, or one for all; see ``check_truth``.
        number: of the frame.
        index: of the class.
        network: whose classes these are.
        colors: by class name, of masks that are painted; by default those of the model card.

    Raises:
        SegcamError: if there is none for this frame, or it cannot tell the classes apart.
    """
    if truth is None:
        return None
    overlap = network.classes_overlap and network.segments
    if overlap and colors is not None:
        raise SegcamError(
            f"The truth {truth.name} is painted, so that a pixel has one class, but those of the network overlap. "
            f"{OF_OVERLAPPING}"
        )
    if overlap and not network.card.class_values:
        _refuse_no_stack(truth, network)
        return not_black(truth[index or 0], truth.name)
    mask = mask_of_frame(truth, number)
    if colors is not None:
        return _painted(mask, colors, network.class_names[index or 0], truth.name)
    has_values = network.segments and network.card.class_values
    if not has_values and (network.classes == 1 or not network.segments):
        return not_black(mask, truth.name)
    if mask.ndim == 3 and (mask == mask[..., :1]).all():  # numbers, saved as an image in color
        mask = mask[..., 0]
    if has_values:
        return _valued(mask, network.card.class_values, index or 0, truth.name)
    if mask.ndim == 3:
        if not network.card.class_colors:
            raise SegcamError(
                f"The truth {truth.name} is a color image: its pixels must hold the classes' numbers, or a table must "
                "say which color is which class."
            )
        painted = map(hex_color, network.card.class_colors)
        table = dict(zip(network.class_names, painted, strict=True))
        return _painted(mask, table, network.class_names[index or 0], truth.name)
    if network.classes == 2:
        return np.asarray(not_black(mask, truth.name) == bool(index))
    if mask.max() >= network.classes:
        raise SegcamError(
            f"The truth {truth.name} holds the number {mask.max()}, but the network's classes are 0 to "
            f"{network.classes - 1}."
        )
    return np.asarray(mask == index)


def mask_of_frame(truth: Cine, number: int) -> NDArray[Any]:
    """What a truth with one mask per frame, or one for all, holds for a frame.

    Raises:
        SegcamError: if there is none for this frame.
    """
    if len(truth) > 1 and number >= len(truth):
        raise SegcamError(f"The truth {truth.name} has {len(truth)} frames: there is none for frame {number}.")
    return truth[number if len(truth) > 1 else 0]


def check_frames(truth: Cine, cine: Cine) -> None:
    """Refuse a truth of another size than an image, or with masks neither for all frames nor for each.

    Raises:
        SegcamError: if so.
    """
    _refuse_size(truth, cine)
    if len(truth) not in (1, len(cine)):
        raise SegcamError(f"The truth {truth.name} has {len(truth)} frames, but the image has {len(cine)}.")


def check_truth(truth: Cine, cine: Cine, network: Network) -> None:
    """Refuse a truth that does not go with the frames of an image.

    Raises:
        SegcamError: if it has another size, or masks neither for all frames nor for each; or if, of classes that
            overlap, it cannot be told whether its masks are of the frames or of the classes.
    """
    _refuse_size(truth, cine)
    if network.classes_overlap and network.segments and not network.card.class_values:
        _refuse_no_stack(truth, network)
        if len(cine) == len(truth):
            raise SegcamError(
                f"The truth {truth.name} has {len(truth)} masks, as many as the image has frames and the network "
                f"classes: which they are of cannot be told. {OF_OVERLAPPING}"
            )
    else:
        check_frames(truth, cine)


def read_colors(path: Path) -> dict[str, Color]:
    """A table of class colors: a CSV file with the columns name, r, g and b.

    Raises:
        SegcamError: if it is no such file, or two classes have one color.
    """
    if path.exists():
        refuse_no_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = [{(key or "").strip().lower(): value for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SegcamError(f"The color table {path} cannot be read: {error_text(error)}.") from error
    colors: dict[str, Color] = {}
    for line, row in enumerate(table, start=2):
        parts = [(row.get(key) or "").strip() for key in ("r", "g", "b")]
        name = (row.get("name") or "").strip()
        if not name or not all(part.isdecimal() and int(part) < 256 for part in parts):
            raise SegcamError(
                f"The color table {path}, line {line}: a class's name and its r, g and b from 0 to 255 are wanted, "
                "under a first line name,r,g,b."
            )
        red, green, blue = map(int, parts)
        if name in colors or (red, green, blue) in colors.values():
            raise SegcamError(f"The color table {path}, line {line}: the class or the color is there already.")
        colors[name] = (red, green, blue)
    if not colors:
        raise SegcamError(f"The color table {path} is empty: its lines are name,r,g,b.")
    return colors


def hex_color(text: str) -> Color:
    """The color written ``#rrggbb``."""
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def _refuse_size(truth: Cine, cine: Cine) -> None:
    if truth.frame_shape[:2] != cine.frame_shape[:2]:
        (height, width), (true_height, true_width) = cine.frame_shape[:2], truth.frame_shape[:2]
        raise SegcamError(
            f"The truth {truth.name} has {true_width}×{true_height} pixels, but the image {width}×{height}."
        )


def _refuse_no_stack(truth: Cine, network: Network) -> None:
    if len(truth) != network.classes:
        raise SegcamError(
            f"The truth {truth.name} has {'one mask' if len(truth) == 1 else f'{len(truth)} masks'}, but the network "
            f"has {network.classes} classes that overlap ({', '.join(network.class_names)}). {OF_OVERLAPPING}"
        )


def not_black(mask: NDArray[Any], name: str = "the mask") -> NDArray[np.bool_]:
    """Where a mask ``(Y, X)`` or ``(Y, X, 3)`` of a single class has it.

    Of a mask with soft edges, as JPEG and smooth scaling leave them, what is brighter than half its white.

    Raises:
        SegcamError: if it has more grays than a mask: it may be the picture itself.
    """
    levels = mask.max(axis=-1) if mask.ndim == 3 else mask
    if levels.dtype == bool or not _is_soft(levels):
        return np.asarray(levels > 0)
    white = float(levels.max())
    bright = levels > white / 2
    if np.count_nonzero((levels > white / 4) & (levels < 3 * white / 4)) > np.count_nonzero(bright) / 2:
        raise SegcamError(f"The truth {name} has too many grays to be a mask: which pixels belong to it is not clear.")
    return np.asarray(bright)


def _is_soft(levels: NDArray[Any]) -> bool:
    """Whether values are grays between black and white rather than numbers of classes."""
    values = np.unique(levels)
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        return True
    white = values[-1]
    # Compression leaves almost-white beside white, even where it leaves few values.
    return bool(white >= _WHITE) and (len(values) > _MOST_NUMBERS or bool((values[:-1] > white - _ALMOST).any()))


def _valued(mask: NDArray[Any], values: Sequence[Sequence[int]], index: int, name: str) -> NDArray[np.bool_]:
    """Where one of a class's numbers stands; any number but 0 that is no class's makes the whole mask doubtful."""
    if mask.ndim == 3:
        raise SegcamError(f"The truth {name} is a color image, but the model card's class_values are of numbers.")
    known = np.array([0, *(number for of_class in values for number in of_class)])
    strange = ~np.isin(mask, known)
    if strange.any():
        raise SegcamError(
            f"The truth {name} holds the number {mask[strange][0]}, which is no class's in the model card's "
            f"class_values ({np.count_nonzero(strange)} pixels hold such numbers)."
        )
    return np.isin(mask, values[index])


def _painted(mask: NDArray[Any], colors: Mapping[str, Color], wanted: str, name: str) -> NDArray[np.bool_]:
    """Where a class's color stands; any color that is no class's makes the whole mask doubtful."""
    if wanted not in colors:
        raise SegcamError(f"The color table has no class {wanted!r}: it has {', '.join(colors)}.")
    if mask.dtype != np.uint8:
        raise SegcamError(f"The truth {name} has no colors of 0 to 255: its values are {mask.dtype}.")
    channels = (mask if mask.ndim == 3 else np.repeat(mask[..., None], 3, axis=2)).astype(np.uint32)
    packed = channels @ np.array([65536, 256, 1], np.uint32)
    known = {key: red << 16 | green << 8 | blue for key, (red, green, blue) in colors.items()}
    strange = ~np.isin(packed, [0, *known.values()])  # black is the background unless the table says otherwise
    if strange.any():
        raise SegcamError(
            f"The truth {name} has the color #{packed[strange][0]:06x}, which is no class's "
            f"({np.count_nonzero(strange)} pixels are of such colors). Complete the table; masks saved as JPEG have "
            "lost their colors."
        )
    return np.asarray(packed == known[wanted])
