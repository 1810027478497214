"""True masks: files whose pixels hold the numbers of classes, or their colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_segcam.batch.color_tables.color_table import Color, hex_color
from napari_segcam.budget import refuse_large_frame
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import ArrayCine, Cine, Frame, name_of
from napari_segcam.imaging.file_kind import FileKind, kind_of, read_head
from napari_segcam.imaging.file_part import file_part
from napari_segcam.imaging.opening import open_cine
from napari_segcam.network.network import Network

# A mask with more values than this, one of them at least so large, holds grays and not numbers of classes.
_MOST_NUMBERS, _WHITE = 8, 128
_NEAR_WHITE = 16  # difference from white that JPEG makes

HOW_TO_GIVE_OVERLAPPING = (
    "Give a file for each class (NAME_CLASS.png, or a folder for each class), or a stack (TIFF, DICOM) with one mask "
    "for each class in this order, or list in the model card which numbers each class has in the true masks "
    "(class_values)."
)


class MergedMasks(Cine):
    """Several masks of one image as one: a pixel has the value of the mask that is not black there.

    Args:
        parts: of the same shape and length.

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
            labeled = foreground(mask, part.name)
            overlap = labeled & foreground(merged)
            if (merged[overlap] != mask[overlap]).any():
                raise SegcamError(
                    f"The true masks {self.name} disagree about some pixels. Name one mask for the image, in a CSV "
                    "list with the columns image and truth."
                )
            merged[labeled] = mask[labeled]
        return merged


def open_masks(path: Path, *more_paths: Path, in_colors: bool = False) -> Cine:
    """Open a file of true masks.

    Args:
        path: of the file.
        more_paths: files with more masks of the same images.
        in_colors: whether classes are given by color: an image with a palette is then read as colors, else as numbers.

    Raises:
        SegcamError: if a file cannot be read, or the files do not fit together.
    """
    if more_paths:
        return MergedMasks([open_masks(part, in_colors=in_colors) for part in (path, *more_paths)])
    file = file_part(path).path
    if not in_colors and not file.is_dir() and kind_of(read_head(file)) is FileKind.STILL:
        try:
            with Image.open(path) as image:
                if image.mode == "P":
                    refuse_large_frame(path.name, (image.height, image.width))
                    return ArrayCine(np.asarray(image), name=name_of(path), path=path)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise SegcamError(
                f"The true mask {path.name} is damaged and cannot be decoded: {error_text(error)}."
            ) from error
    return open_cine(path)


def true_mask(
    masks: Cine | None,
    number: int,
    class_index: int | None,
    network: Network,
    colors: Mapping[str, Color] | None = None,
) -> NDArray[np.bool_] | None:
    """Return the true mask ``(Y, X)`` of a class in a frame; None if there are no masks.

    If the network has one class, or one and the background, or classifies the whole frame, every pixel that is not
    black belongs to the class. Otherwise a pixel holds the number of its class, or its color, or one of the numbers
    that the model card lists for the class in ``class_values``. For overlapping
    classes without ``class_values``, the masks are a stack with one mask for each class.

    Args:
        masks: one for each frame, or one for all; see ``check_masks``.
        number: of the frame.
        class_index: output channel of the class.
        network: that the classes belong to.
        colors: by class name, for masks in color; None for those of the model card. A ``ColorTable`` with numbers also
            says which number each class has, in masks of numbers.

    Raises:
        SegcamError: if there is no mask of this frame, or its classes cannot be distinguished.
    """
    if masks is None:
        return None
    index = class_index or 0
    overlap = network.classes_overlap and network.segments
    if overlap and colors is not None:
        raise SegcamError(
            f"The true mask {masks.name} is in color, so that a pixel has one class, but the network's classes "
            f"overlap. {HOW_TO_GIVE_OVERLAPPING}"
        )
    if overlap and not network.card.class_values:
        _check_stack(masks, network)
        return foreground(masks[index], masks.name)
    mask = mask_of_frame(masks, number)
    if colors is not None:
        is_gray = mask.ndim == 2 or bool((mask == mask[..., :1]).all())
        if getattr(colors, "numbers", None) and is_gray:
            return _mask_by_number(mask, colors, network.class_names[index], masks.name)
        return _mask_by_color(mask, colors, network.class_names[index], masks.name)
    has_values = network.segments and network.card.class_values
    if not has_values and (network.classes == 1 or not network.segments):
        return foreground(mask, masks.name)
    if mask.ndim == 3 and (mask == mask[..., :1]).all():  # numbers, saved as a color image
        mask = mask[..., 0]
    if has_values:
        return _mask_by_values(mask, network.card.class_values, index, masks.name)
    if mask.ndim == 3:
        if not network.card.class_colors:
            raise SegcamError(
                f"The true mask {masks.name} is a color image: its pixels must hold the numbers of classes, or a color "
                "table must say which color each class has."
            )
        card_colors = dict(zip(network.class_names, map(hex_color, network.card.class_colors), strict=True))
        return _mask_by_color(mask, card_colors, network.class_names[index], masks.name)
    if network.classes == 2:
        return np.asarray(foreground(mask, masks.name) == bool(index))
    if mask.max() >= network.classes:
        raise SegcamError(
            f"The true mask {masks.name} holds the number {mask.max()}, but the network's classes are 0 to "
            f"{network.classes - 1}."
        )
    return np.asarray(mask == class_index)


def mask_of_frame(masks: Cine, number: int) -> NDArray[Any]:
    """Return the mask of a frame, from one mask for each frame or one for all.

    Raises:
        SegcamError: if there is no mask of this frame.
    """
    if len(masks) > 1 and number >= len(masks):
        raise SegcamError(f"The true mask {masks.name} has {len(masks)} frames, and none for frame {number}.")
    return masks[number if len(masks) > 1 else 0]


def check_mask_frames(masks: Cine, cine: Cine) -> None:
    """Check that masks have the size of a cine's frames, and that there is one for all frames or one for each.

    Raises:
        SegcamError: if not.
    """
    _check_size(masks, cine)
    if len(masks) not in (1, len(cine)):
        raise SegcamError(f"The true mask {masks.name} has {len(masks)} frames, but the image has {len(cine)}.")


def check_masks(masks: Cine, cine: Cine, network: Network) -> None:
    """Check that masks suit the frames of a cine.

    Raises:
        SegcamError: if they have another size, or if there is neither one for all frames nor one for each; or if, with
            overlapping classes, it is unclear whether there is one for each frame or for each class.
    """
    _check_size(masks, cine)
    if network.classes_overlap and network.segments and not network.card.class_values:
        _check_stack(masks, network)
        if len(cine) == len(masks):
            raise SegcamError(
                f"The true mask {masks.name} has {len(masks)} masks, as many as the image has frames and the network "
                f"has classes: it is unclear which of the two they belong to. {HOW_TO_GIVE_OVERLAPPING}"
            )
    else:
        check_mask_frames(masks, cine)


def _check_size(masks: Cine, cine: Cine) -> None:
    if masks.frame_shape[:2] != cine.frame_shape[:2]:
        (height, width), (mask_height, mask_width) = cine.frame_shape[:2], masks.frame_shape[:2]
        raise SegcamError(
            f"The true mask {masks.name} has {mask_width}×{mask_height} pixels, but the image {width}×{height}."
        )


def _check_stack(masks: Cine, network: Network) -> None:
    if len(masks) != network.classes:
        raise SegcamError(
            f"The true mask {masks.name} has {'one mask' if len(masks) == 1 else f'{len(masks)} masks'}, but the "
            f"network has {network.classes} overlapping classes ({', '.join(network.class_names)}). "
            f"{HOW_TO_GIVE_OVERLAPPING}"
        )


def foreground(mask: NDArray[Any], name: str = "the mask") -> NDArray[np.bool_]:
    """Return the pixels ``(Y, X)`` that are not black in a mask ``(Y, X)`` or ``(Y, X, 3)`` of one class.

    JPEG and smooth scaling leave soft edges: in such a mask, the foreground is brighter than half of its white.

    Raises:
        SegcamError: if it has more grays than a mask should: it may be the image itself.
    """
    levels = mask.max(axis=-1) if mask.ndim == 3 else mask
    if levels.dtype == bool or not _is_soft(levels):
        return np.asarray(levels > 0)
    white = float(levels.max())
    bright = levels > white / 2
    if np.count_nonzero((levels > white / 4) & (levels < 3 * white / 4)) > np.count_nonzero(bright) / 2:
        raise SegcamError(f"The true mask {name} has too many grays: it is unclear which pixels belong to the class.")
    return np.asarray(bright)


def _is_soft(levels: NDArray[Any]) -> bool:
    """Return whether values are grays between black and white, not numbers of classes."""
    values = np.unique(levels)
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        return True
    white = values[-1]
    # Compression leaves values near white, even if there are few values.
    return bool(white >= _WHITE) and (len(values) > _MOST_NUMBERS or bool((values[:-1] > white - _NEAR_WHITE).any()))


def _mask_by_values(
    mask: NDArray[Any], class_values: Sequence[Sequence[int]], index: int, name: str
) -> NDArray[np.bool_]:
    """Return where a mask holds a number of a class. A number that belongs to no class, except 0, is an error."""
    if mask.ndim == 3:
        raise SegcamError(f"The true mask {name} is a color image, but the class_values of the model card are numbers.")
    listed = np.array([0, *(value for values in class_values for value in values)])
    unlisted = ~np.isin(mask, listed)
    if unlisted.any():
        raise SegcamError(
            f"The true mask {name} holds the number {mask[unlisted][0]}, which belongs to no class in the class_values "
            f"of the model card ({np.count_nonzero(unlisted)} pixels hold such numbers)."
        )
    return np.isin(mask, class_values[index])


def _mask_by_number(mask: NDArray[Any], table: Mapping[str, Color], class_name: str, name: str) -> NDArray[np.bool_]:
    """Return where a mask holds the number that a table gives a class. A number of no class, except 0, is an error."""
    numbers: Mapping[str, int] = getattr(table, "numbers", {})
    if class_name not in numbers:
        raise SegcamError(f"The color table has no class {class_name!r}: it has {', '.join(numbers)}.")
    values = mask[..., 0] if mask.ndim == 3 else mask
    unlisted = ~np.isin(values, [0, *numbers.values()])
    if unlisted.any():
        raise SegcamError(
            f"The true mask {name} holds the number {values[unlisted][0]}, which no class of the color table has "
            f"({np.count_nonzero(unlisted)} pixels hold such numbers)."
        )
    return np.asarray(values == numbers[class_name])


def _mask_by_color(mask: NDArray[Any], colors: Mapping[str, Color], class_name: str, name: str) -> NDArray[np.bool_]:
    """Return where a mask has the color of a class. A color that belongs to no class is an error."""
    if class_name not in colors:
        raise SegcamError(f"The color table has no class {class_name!r}: it has {', '.join(colors)}.")
    if mask.dtype != np.uint8:
        raise SegcamError(f"The true mask {name} has no colors from 0 to 255: its values are {mask.dtype}.")
    channels = (mask if mask.ndim == 3 else np.repeat(mask[..., None], 3, axis=2)).astype(np.uint32)
    packed = channels @ np.array([65536, 256, 1], np.uint32)
    packed_colors = {key: red << 16 | green << 8 | blue for key, (red, green, blue) in colors.items()}
    unlisted = ~np.isin(packed, [0, *packed_colors.values()])  # black is the background unless the table lists it
    if unlisted.any():
        raise SegcamError(
            f"The true mask {name} has the color #{packed[unlisted][0]:06x}, which belongs to no class "
            f"({np.count_nonzero(unlisted)} pixels have such colors). Complete the table. Masks saved as JPEG lose "
            "their colors."
        )
    return np.asarray(packed == packed_colors[class_name])
