"""Read how images were preprocessed in training, if an SMP folder says so.

SMP's examples save the transforms of albumentations next to the weights, with ``transform.save_pretrained(folder)``.
The size and the normalization are read from these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD, ModelCard, make_card
from napari_segcam.network.settings_text import read_json

# For inference, then for training, which adds augmentations.
_NAMES = ("albumentations_config_eval.json", "albumentations_config_train.json")


def read_preprocessing(checkpoint: Path, input_channels: int) -> ModelCard | None:
    """Return the card fields that the transforms next to a checkpoint show; None if there are no transforms.

    Args:
        checkpoint: an SMP folder, or the weights file in it.
        input_channels: of the image.

    Raises:
        SegcamError: if they cannot be read, or do what a model card cannot describe.
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
            "Move it elsewhere to load the network without it."
        ) from error


def _transforms(saved: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield saved
    for transform in saved.get("transforms", ()):
        yield from _transforms(transform)


def _card_fields(transform: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(transform["__class_fullname__"]).rpartition(".")[2]
    if kind == "Resize":
        return {"size": {"rule": "resize", "height": transform["height"], "width": transform["width"]}}
    if kind == "Normalize" and transform.get("normalization", "standard") == "standard":
        # Albumentations has pixels from 0 to this value, a card from 0 to 1.
        white = transform.get("max_pixel_value", 255.0)
        scale = 1.0 if white in (1, 255, 65535) else white / 255
        mean, std = (tuple(float(number) * scale for number in _numbers(transform[key])) for key in ("mean", "std"))
        if (mean, std) == (IMAGENET_MEAN, IMAGENET_STD):
            return {"normalization": "imagenet"}
        return {"normalization": "custom", "mean": mean, "std": std}
    return {}


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)
