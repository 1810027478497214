"""The arguments of a training run that a checkpoint holds, as far as they say how to use the network.

Lightning saves them as ``hyper_parameters``; other training code saves an argparse Namespace, an OmegaConf or a plain
dict under names such as ``args`` or ``config``. They are read as data; objects stay inert.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_segcam.errors import SegcamError, is_unprintable
from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.model_card import ModelCard, make_card

_PLACES = ("hyper_parameters", "hparams", "args", "config", "cfg", "opt", "settings")
_ENCODERS = ("encoder_name", "encoder", "backbone")
_ARCHITECTURES = ("arch", "architecture", "model_name", "model", "net")
_CLASS_NAMES = ("class_names", "classes", "labels", "label_names")
_MEANS, _STDS = ("mean", "image_mean", "norm_mean", "pixel_mean"), ("std", "image_std", "norm_std", "pixel_std")
_SIZES = ("image_size", "img_size", "input_size", "crop_size", "patch_size", "resize")
_ACTIVATIONS = ("activation", "final_activation")
_DEEPEST, _MOST = 16, 5_000


def training_settings(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by name, those of nested groups too; the first of several with one name.

    Args:
        extra: what a checkpoint holds besides its weights: plain data, and inert objects.
    """
    found: dict[str, Any] = {}
    for place in _PLACES:
        if place in extra:
            _gather(_plain(extra[place], 0), found, 0)
    return found


def stated_encoder(extra: Mapping[str, Any]) -> str | None:
    """Return the encoder that the settings name, such as ``"resnet34"``."""
    return _text(training_settings(extra), _ENCODERS)


def settings_card(extra: Mapping[str, Any], channels: int, classes: int) -> tuple[ModelCard | None, tuple[str, ...]]:
    """Return the card fields that the settings give, and a note for users on all that they say.

    Args:
        extra: as for ``training_settings``.
        channels: of the image.
        classes: of the output; names of another number of classes are not used.
    """
    settings = training_settings(extra)
    fields: dict[str, Any] = {}
    names = _list(settings, _CLASS_NAMES)
    if names is not None and len(names) == classes and all(_is_name(name) for name in names):
        fields["class_names"] = tuple(names)
    mean, std = _list(settings, _MEANS), _list(settings, _STDS)
    if mean is not None and std is not None and {len(mean), len(std)} <= {1, channels}:
        numbers = [*mean, *std]
        if all(isinstance(number, int | float) and 0 <= number <= 1 for number in numbers) and min(std) > 0:
            fields |= {"normalization": "custom", "mean": tuple(mean), "std": tuple(std)}
    activation = _text(settings, _ACTIVATIONS)
    if classes > 1 and activation is not None and activation.lower() in ("sigmoid", "softmax", "softmax2d"):
        fields["classes_overlap"] = activation.lower() == "sigmoid"
    said = {name: settings[name] for name in (*_ARCHITECTURES, *_ENCODERS, *_SIZES) if _is_short(settings.get(name))}
    if not fields and not said:
        return None, ()
    try:
        card = make_card({"input_channels": channels, **fields}) if fields else None
    except SegcamError:
        card, fields = None, {}
    parts = [f"{name} {value}" for name, value in said.items()]
    parts += [name.replace("_", " ") for name in ("class_names", "normalization", "classes_overlap") if name in fields]
    return card, (f"From the checkpoint's training settings: {', '.join(parts)}.",)


def _plain(value: Any, depth: int) -> Any:
    """Return an inert object as plain data: the attributes of a Namespace, the content of an OmegaConf."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, InertObject):
        state = value.state if isinstance(value.state, Mapping) else {}
        if "_content" in state:
            return _plain(state["_content"], depth + 1)
        if "_val" in state:
            return _plain(state["_val"], depth + 1)
        return {**_mapping(state, depth), **_mapping(value.entries, depth)}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple):
        return [_plain(part, depth + 1) for part in value[:1000]]
    return value if isinstance(value, str | int | float | bool) else None


def _mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {key: _plain(value, depth + 1) for key, value in values.items() if isinstance(key, str)}


def _gather(value: Any, found: dict[str, Any], depth: int) -> None:
    """Add the settings of a group and those of the groups in it."""
    if not isinstance(value, Mapping) or depth > _DEEPEST or len(found) > _MOST:
        return
    for name, part in value.items():
        if not isinstance(part, Mapping):
            found.setdefault(name, part)
    for part in value.values():
        _gather(part, found, depth + 1)


def _text(settings: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((settings[name] for name in names if _is_name(settings.get(name))), None)


def _list(settings: Mapping[str, Any], names: tuple[str, ...]) -> list[Any] | None:
    for name in names:
        value = settings.get(name)
        if isinstance(value, list) and value:
            return value
        if isinstance(value, float) and name in (*_MEANS, *_STDS):
            return [value]
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= 100 and not any(map(is_unprintable, value))


def _is_short(value: object) -> bool:
    if isinstance(value, list):
        return 0 < len(value) <= 3 and all(isinstance(part, int) for part in value)
    return _is_name(value) or (isinstance(value, int) and not isinstance(value, bool))
