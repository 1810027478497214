"""Read the settings of a whole pickled SMP network from its attributes.

If its classes are of another version of SMP, the network is rebuilt around its weights. Settings that the weights do
not show, such as the dilation of a convolution, are in the attributes that were saved with each layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.files.pickled_module import named_parts

# Attributes of torch's layers that decide what they compute, and that no weight's shape shows.
_RESTORED = (
    *("stride", "padding", "dilation", "output_padding", "_reversed_padding_repeated_twice", "padding_mode"),
    *("scale_factor", "mode", "align_corners", "ceil_mode", "count_include_pad"),
    *("divisor_override", "output_size", "eps", "negative_slope"),
)
_PLAIN = int | float | str | bool | None

# Larger numbers are in no real network: such a layer would fill the memory.
_LARGEST, _LARGEST_SCALE = 128, 32

# Prefix of a name in newer versions → in older ones.
_OLD_PREFIXES = (("decoder.aspp.", "decoder.0."), ("encoder.model.", "encoder."))

_ACTIVATIONS = ("Sigmoid", "Softmax", "LogSoftmax")


def read_settings(record: InertObject) -> dict[str, Any]:
    """Return the arguments of SMP's constructor that a pickled network shows, as in an SMP folder's ``config.json``."""
    parts = dict(named_parts(record))
    settings: dict[str, Any] = {"_model_class": record.name.rpartition(".")[2]}
    name = record.state.get("name")
    if isinstance(name, str) and "-" in name:
        encoder = name.partition("-")[2]
        # DPT keeps timm's own name.
        settings["encoder_name"] = f"tu-{encoder}" if settings["_model_class"] == "DPT" else encoder
    depth = _attribute(parts.get("encoder"), "_depth")
    if isinstance(depth, int):
        settings["encoder_depth"] = depth
    settings |= _head_settings(parts)
    for part_name, part in parts.items():
        if part_name.startswith("decoder") and isinstance(
            interpolation := part.state.get("interpolation_mode", part.state.get("interpolation")), str
        ):
            settings["decoder_interpolation"] = interpolation
            break
    rates = tuple(_dilations(parts))
    if len(rates) == 3:
        settings["decoder_atrous_rates"] = rates
        # Scale from the deepest maps to those that they are joined with, or to the image.
        scale = _number(_attribute(parts.get("decoder.up"), "scale_factor"))
        if settings["_model_class"] == "DeepLabV3Plus" and scale in (2, 4):
            settings["encoder_output_stride"] = 4 * scale
        elif settings["_model_class"] == "DeepLabV3" and settings.get("upsampling") in (8, 16):
            settings["encoder_output_stride"] = settings["upsampling"]
    if settings["_model_class"] == "PAN":
        # The encoder's last stages are dilated instead of strided.
        dilations = (_number(part.state.get("dilation")) for name, part in parts.items() if name.startswith("encoder."))
        settings["encoder_output_stride"] = 32 // min(
            2, max((dilation for dilation in dilations if dilation), default=1)
        )
    return settings


def restore_layer_settings(record: InertObject, module: nn.Module) -> tuple[str, ...]:
    """Set the attributes of a rebuilt network's layers as they were saved, if the layers are of the same class.

    Args:
        record: the pickled network.
        module: the rebuilt network, which is changed.

    Returns:
        Names of the layers that were changed.
    """
    parts = dict(named_parts(record))
    changed = []
    for name, layer in module.named_modules():
        saved = next((parts[candidate] for candidate in _possible_names(name) if candidate in parts), None)
        if saved is None or saved.name.rpartition(".")[2] != type(layer).__name__:
            continue
        if not type(layer).__module__.startswith("torch.nn."):
            continue
        attributes = {
            key: _as_tuple(saved.state[key]) for key in _RESTORED if key in saved.state and hasattr(layer, key)
        }
        attributes = {key: value for key, value in attributes.items() if _is_sensible(key, value)}
        before = {key: getattr(layer, key) for key in attributes}
        if attributes == before:
            continue
        grew = _enlarges(layer)
        for key, value in attributes.items():
            setattr(layer, key, value)
        if _enlarges(layer) and not grew:
            for key, value in before.items():
                setattr(layer, key, value)
        else:
            changed.append(name)
    return tuple(changed)


def _possible_names(name: str) -> Iterator[str]:
    yield name
    for new_prefix, old_prefix in _OLD_PREFIXES:
        if name.startswith(new_prefix):
            yield old_prefix + name.removeprefix(new_prefix)


def _head_settings(parts: Mapping[str, InertObject]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    resizing, last = parts.get("segmentation_head.1"), parts.get("segmentation_head.2")
    if resizing is not None:
        scale = _number(resizing.state.get("scale_factor", 1))
        if scale is not None and 1 <= scale <= _LARGEST_SCALE:
            settings["upsampling"] = scale
    for part in (last, parts.get("segmentation_head.2.activation")):
        kind = "" if part is None else part.name.rpartition(".")[2]
        if kind in _ACTIVATIONS:
            settings["activation"] = kind.lower()
    return settings


def _dilations(parts: Mapping[str, InertObject]) -> Iterator[int]:
    """Dilations of the three dilated convolutions of the pyramid."""
    for name in parts:
        if not re.fullmatch(r"decoder\.(.+\.)?convs\.[123]", name):
            continue
        inner = (part for inner_name, part in parts.items() if f"{inner_name}.".startswith(f"{name}."))
        dilation = next((part.state["dilation"] for part in inner if "dilation" in part.state), None)
        rate = _number(dilation)
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
        return len(value) <= 4 and all(_is_sensible(key, item) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value <= (_LARGEST_SCALE if key == "scale_factor" else _LARGEST)
    return isinstance(value, _PLAIN)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _enlarges(layer: nn.Module) -> bool:
    """Whether a convolution's padding makes its output larger than its input."""
    if not isinstance(layer, nn.Conv2d) or isinstance(layer.padding, str):
        return False
    try:
        spans = list(zip(layer.padding, layer.dilation, layer.kernel_size, strict=True))
        return any(2 * padding > dilation * (kernel - 1) for padding, dilation, kernel in spans)
    except (TypeError, ValueError):  # senseless values
        return True
