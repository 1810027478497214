"""Saved preprocessing: how images were fed in training, where an SMP folder says so.

SMP's own examples save the transforms of albumentations beside the weights, with ``transform.save_pretrained(folder)``.
Of these, the size and the normalization concern the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD, ModelCard, make_card
from napari_segcam.network.settings_text import read_json

# For use, then for training, which adds what only training needs.
_NAMES = ("albumentations_config_eval.json", "albumentations_config_train.json")


def read_preprocessing(checkpoint: Path, input_channels: int) -> ModelCard | None:
    """What the transforms saved beside a checkpoint say of feeding it; None where there are none.

    Args:
        checkpoint: an SMP folder, or the weights in it.
        input_channels: of the image.

    Raises:
        SegcamError: if they cannot be read, or feed images in a way that a model card cannot tell.
    """
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    path = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        transforms = list(_transforms(read_json(path)["transform"]))
        fields = {field: value for transform in transforms for field, value in _card_fields(transform).items()}
        return make_card({"input_channels": input_channels, **fields}) if fields else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SegcamError(
            f"{path} is not preprocessing as albumentations saves it ({type(error).__name__}: {error}). "
            "Put it elsewhere to go on without."
        ) from error


def _transforms(saved: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield saved
    for inner in saved.get("transforms", ()):
        yield from _transforms(inner)


def _card_fields(transform: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(transform["__class_fullname__"]).rpartition(".")[2]
    if kind == "Resize":
        return {"size": {"rule": "resize", "height": transform["height"], "width": transform["width"]}}
    if kind == "Normalize" and transform.get("normalization", "standard") == "standard":
        # Theirs are of pixels up to this value; a card's are of pixels up to 1.
        white = transform.get("max_pixel_value", 255.0)
        share = 1.0 if white in (1, 255, 65535) else white / 255
        mean, std = (tuple(float(one) * share for one in _numbers(transform[key])) for key in ("mean", "std"))
        if (mean, std) == (IMAGENET_MEAN, IMAGENET_STD):
            return {"normalization": "imagenet"}
        return {"normalization": "custom", "mean": mean, "std": std}
    return {}


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)
