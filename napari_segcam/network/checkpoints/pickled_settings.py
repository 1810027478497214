"""Pickled settings: what a network of SMP that was saved whole tells of how it was built, without being rebuilt.

Where the classes of another version of SMP cannot be rebuilt, the network is rebuilt around its weights. What leaves
no trace in these, such as the dilation of a convolution, stands in the attributes that were saved with each layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.files.pickled_module import named_parts

# Attributes of torch's layers that decide what they compute, and no weight's shape tells.
_TELLING = (
    *("stride", "padding", "dilation", "output_padding", "_reversed_padding_repeated_twice", "padding_mode"),
    *("scale_factor", "mode", "align_corners", "ceil_mode", "count_include_pad"),
    *("divisor_override", "output_size", "eps", "negative_slope"),
)
_PLAIN = int | float | str | bool | None

# Numbers beyond these are no network's: a layer that is set so would fill the memory.
_LARGEST, _LARGEST_SCALE = 128, 32

# What newer versions call a part → what older ones did.
_FORMER_PLACES = (("decoder.aspp.", "decoder.0."), ("encoder.model.", "encoder."))

_ACTIVATIONS = ("Sigmoid", "Softmax", "LogSoftmax")


def read_settings(record: InertObject) -> dict[str, Any]:
    """The arguments of SMP's constructor that the record of a network tells, as an SMP folder's ``config.json``."""
    parts = dict(named_parts(record))
    told: dict[str, Any] = {"_model_class": record.name.rpartition(".")[2]}
    name = record.state.get("name")
    if isinstance(name, str) and "-" in name:
        encoder = name.partition("-")[2]
        # DPT notes timm's own name.
        told["encoder_name"] = f"tu-{encoder}" if told["_model_class"] == "DPT" else encoder
    depth = _attribute(parts.get("encoder"), "_depth")
    if isinstance(depth, int):
        told["encoder_depth"] = depth
    told |= _of_head(parts)
    for place, part in parts.items():
        if place.startswith("decoder") and isinstance(
            way := part.state.get("interpolation_mode", part.state.get("interpolation")), str
        ):
            told["decoder_interpolation"] = way
            break
    rates = tuple(_dilations(parts))
    if len(rates) == 3:
        told["decoder_atrous_rates"] = rates
        # What brings the deepest maps to the size of those that they are joined to, or to the image's.
        scale = _number(_attribute(parts.get("decoder.up"), "scale_factor"))
        if told["_model_class"] == "DeepLabV3Plus" and scale in (2, 4):
            told["encoder_output_stride"] = 4 * scale
        elif told["_model_class"] == "DeepLabV3" and told.get("upsampling") in (8, 16):
            told["encoder_output_stride"] = told["upsampling"]
    if told["_model_class"] == "PAN":
        # The encoder's last stages look further instead of making their maps smaller.
        dilations = (_number(part.state.get("dilation")) for name, part in parts.items() if name.startswith("encoder."))
        told["encoder_output_stride"] = 32 // min(2, max((known for known in dilations if known), default=1))
    return told


def restore_layer_settings(record: InertObject, module: nn.Module) -> tuple[str, ...]:
    """Set the layers of a network that was rebuilt as they were saved, where they are of the same class.

    Args:
        record: of the network.
        module: it, rebuilt; its layers are set.

    Returns:
        Names of the layers that were set otherwise than they were built.
    """
    parts = dict(named_parts(record))
    changed = []
    for name, layer in module.named_modules():
        saved = next((parts[place] for place in _places(name) if place in parts), None)
        if saved is None or saved.name.rpartition(".")[2] != type(layer).__name__:
            continue
        if not type(layer).__module__.startswith("torch.nn."):
            continue
        told = {key: _tupled(saved.state[key]) for key in _TELLING if key in saved.state and hasattr(layer, key)}
        told = {key: value for key, value in told.items() if _is_sensible(key, value)}
        before = {key: getattr(layer, key) for key in told}
        if told == before:
            continue
        grew = _grows(layer)
        for key, value in told.items():
            setattr(layer, key, value)
        if _grows(layer) and not grew:
            for key, value in before.items():
                setattr(layer, key, value)
        else:
            changed.append(name)
    return tuple(changed)


def _places(name: str) -> Iterator[str]:
    yield name
    for now, then in _FORMER_PLACES:
        if name.startswith(now):
            yield then + name.removeprefix(now)


def _of_head(parts: Mapping[str, InertObject]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    resizing, last = parts.get("segmentation_head.1"), parts.get("segmentation_head.2")
    if resizing is not None:
        scale = _number(resizing.state.get("scale_factor", 1))
        if scale is not None and 1 <= scale <= _LARGEST_SCALE:
            told["upsampling"] = scale
    for part in (last, parts.get("segmentation_head.2.activation")):
        kind = "" if part is None else part.name.rpartition(".")[2]
        if kind in _ACTIVATIONS:
            told["activation"] = kind.lower()
    return told


def _dilations(parts: Mapping[str, InertObject]) -> Iterator[int]:
    """Of the three convolutions of the pyramid that look ever further, the dilation of the first layer."""
    for place in parts:
        if not re.fullmatch(r"decoder\.(.+\.)?convs\.[123]", place):
            continue
        inner = (part for where, part in parts.items() if f"{where}.".startswith(f"{place}."))
        found = next((part.state["dilation"] for part in inner if "dilation" in part.state), None)
        rate = _number(found)
        if rate is not None and 1 <= rate <= _LARGEST:
            yield rate


def _attribute(part: InertObject | None, name: str) -> Any:
    return None if part is None else part.state.get(name)


def _number(value: Any) -> int | None:
    if isinstance(value, tuple | list) and value:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


def _is_sensible(key: str, value: Any) -> bool:
    if isinstance(value, tuple | list):
        return len(value) <= 4 and all(_is_sensible(key, one) for one in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value <= (_LARGEST_SCALE if key == "scale_factor" else _LARGEST)
    return isinstance(value, _PLAIN)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _grows(layer: nn.Module) -> bool:
    """Whether a convolution gives larger maps than it takes, for its padding."""
    if not isinstance(layer, nn.Conv2d) or isinstance(layer.padding, str):
        return False
    try:
        spans = list(zip(layer.padding, layer.dilation, layer.kernel_size, strict=True))
        return any(2 * padding > dilation * (kernel - 1) for padding, dilation, kernel in spans)
    except (TypeError, ValueError):  # these make no sense
        return True
