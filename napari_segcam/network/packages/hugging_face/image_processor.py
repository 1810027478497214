"""Read how a Hugging Face folder prepares images: ``preprocessor_config.json``.

Source: the fields of transformers' image processors: images are resized, multiplied by ``rescale_factor`` and
normalized, in this order, starting from values from 0 to 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.packages.linear_values import linear_fields
from napari_segcam.network.packages.unpacking import read_description
from napari_segcam.remedies import remedy

_NAMES = ("preprocessor_config.json", "processor_config.json")
_WHITE = 255


def processor_fields(root: Path, channels: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the card fields that the folder's image processor gives, and warnings for users.

    Args:
        root: the folder.
        channels: of the image.

    Raises:
        SegcamError: if the file cannot be read or makes no sense.
    """
    file = next((root / name for name in _NAMES if (root / name).is_file()), None)
    if file is None:
        return {}, ()
    settings = read_description(file)
    inner = settings.get("image_processor")
    settings = inner if isinstance(inner, dict) else settings
    try:
        fields = _normalization(settings, channels)
        if settings.get("do_flip_channel_order"):
            fields["channel_order"] = "bgr"
        size, warnings = _size(settings)
    except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise SegcamError(f"{file} does not describe how images are prepared ({error}).") from error
    return fields | size, warnings


def _normalization(settings: Mapping[str, Any], channels: int) -> dict[str, Any]:
    rescales = settings.get("do_rescale", True)
    factor = float(settings.get("rescale_factor", 1 / _WHITE)) if rescales else 1.0
    mean, std = [0.0], [1.0]
    if settings.get("do_normalize", "image_mean" in settings):
        mean, std = (_numbers(settings[name], channels) for name in ("image_mean", "image_std"))
    gains = [_WHITE * factor / number for number in std]
    return linear_fields(gains, [-number / deviation for number, deviation in zip(mean, std, strict=True)])


def _numbers(value: Any, channels: int) -> list[float]:
    numbers = [float(number) for number in value] if isinstance(value, list) else [float(value)] * channels
    if len(numbers) != channels:
        raise ValueError(f"there are {len(numbers)} means or deviations for {channels} channels")
    return numbers


def _size(settings: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    size = settings.get("size")
    if not settings.get("do_resize", size is not None) or size is None:
        return {}, ()
    if isinstance(size, int):
        size = {"height": size, "width": size}
    if isinstance(size, list) and len(size) == 2:
        size = {"height": size[0], "width": size[1]}
    if "height" in size and "width" in size:
        return {"size": {"rule": "resize", "height": int(size["height"]), "width": int(size["width"])}}, ()
    sides = ", ".join(f"{name.replace('_', ' ')} {side}" for name, side in size.items())
    note = (
        f"In training, images were resized to a size that depends on their shape ({sides} pixels). Here they keep "
        f"their size: {remedy('image_size')}."
    )
    return {}, (note,)
