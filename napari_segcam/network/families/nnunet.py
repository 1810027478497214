"""Build two-dimensional networks of nnU-Net v2 from the plans that nnU-Net saves in and next to its checkpoints.

Plans name classes. The names are looked up in the lists in this file, and nothing else is imported for them.
Sources: the formats of ``plans.json`` and ``dataset.json`` as nnU-Net v2 documents them. The networks are those of the
package ``dynamic-network-architectures``, which must be installed.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from napari_segcam.budget import INPUT_SIDE
from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.settings_text import read_json
from napari_segcam.optional import needed

_ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet")

# Layers that plans may name, by the module of the class and as part of torch.nn.
_LAYERS = {
    f"{module}.{layer.__name__}": layer
    for layer in (
        *(nn.Conv2d, nn.InstanceNorm2d, nn.BatchNorm2d, nn.Dropout2d, nn.Dropout),
        *(nn.LeakyReLU, nn.ReLU, nn.GELU, nn.SiLU, nn.PReLU, nn.ELU),
    )
    for module in (layer.__module__, "torch.nn")
}

# First weights of nnU-Net's encoders: of the plain network and of the residual ones.
_MARKS = ("encoder.stages.0.0.convs.0.conv.weight", "encoder.stem.convs.0.conv.weight")

# The weights show the channels; deep supervision is for training.
_NOT_FROM_PLANS = ("input_channels", "num_classes", "deep_supervision")
_MOST_STAGES, _MOST_BLOCKS = 16, 64

_NORMALIZATIONS = {
    "ZScoreNormalization": "zscore",
    "RGBTo01Normalization": "unit",
    "Rescale0To1Normalization": "percentile",
    "NoNormalization": "none",
}
_WHITE = 255  # of the images of 8 bits that ultrasound is stored in


def nnunet_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """Return how nnU-Net builds the network of these weights; None if they are not nnU-Net's.

    Raises:
        SegcamError: if the plans are missing or not usable, the network is three-dimensional, or
            ``dynamic-network-architectures`` is not installed.
    """
    candidates = (network_shapes(shapes_of(checkpoint.weights), mark) for mark in _MARKS)
    shapes = next((candidate for candidate in candidates if candidate), {})
    heads = [name for name in shapes if name.startswith("decoder.seg_layers.") and name.endswith(".weight")]
    if not heads:
        return None
    first = next(shapes[mark] for mark in _MARKS if mark in shapes)
    description = f"{checkpoint.path} is a network of nnU-Net"
    if len(first) == 5:
        raise SegcamError(f"{description} for volumes (3-D). Only its 2d configuration can be explained here.")
    plans, dataset, configuration = _plans(checkpoint)
    if not plans:
        raise SegcamError(f"{description}, but its plans are missing. Put nnU-Net's plans.json next to it.")
    try:
        settings = _configuration(plans, configuration)
        architecture, arguments = _architecture(settings)
        card = _card(settings, dataset, first[1], shapes[heads[-1]][0], description)
        card = make_card(_tiles(settings, arguments["strides"]), card)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SegcamError(f"{description}, but its plans are not as nnU-Net v2 writes them ({error!r}).") from error
    needed("dynamic-network-architectures", description)
    assumed = {} if "normalization" in card.model_fields_set else {"normalization": card.normalization}
    return NetworkSpec(
        architecture, "", first[1], shapes[heads[-1]][0], arguments, assumed, library="nnU-Net", card=card
    )


def construct(spec: NetworkSpec) -> nn.Module:
    """Build the network without deep supervision and without values of its weights."""
    unet = importlib.import_module("dynamic_network_architectures.architectures.unet")
    with empty_weights():
        network: nn.Module = getattr(unet, spec.architecture)(
            input_channels=spec.in_channels,
            num_classes=spec.classes,
            deep_supervision=False,
            **spec.options,
        )
    return network


def _plans(checkpoint: Checkpoint) -> tuple[Mapping[str, Any], Mapping[str, Any], str]:
    """Return plans, dataset and name of the configuration, from the checkpoint or from files next to it or above it."""
    arguments = checkpoint.extra.get("init_args")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    plans, dataset = arguments.get("plans"), arguments.get("dataset_json")
    configuration = arguments.get("configuration")
    return (
        plans if isinstance(plans, Mapping) else _json_near(checkpoint.path, "plans.json"),
        dataset if isinstance(dataset, Mapping) else _json_near(checkpoint.path, "dataset.json"),
        configuration if isinstance(configuration, str) else "2d",
    )


def _json_near(path: Path, name: str) -> Mapping[str, Any]:
    for folder in (path.parent, path.parent.parent):
        file = folder / name
        if file.is_file():
            try:
                content = read_json(file)
            except (OSError, ValueError) as error:
                raise SegcamError(f"{file} cannot be read: {error}.") from error
            if isinstance(content, Mapping):
                return content
    return {}


def _configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with the settings that it inherits."""
    settings = dict(plans["configurations"][name])
    parent = settings.pop("inherits_from", None)
    shared = {key: value for key, value in plans.items() if key != "configurations"}
    inherited = shared if parent is None else _configuration(_without(plans, name), parent)
    return inherited | settings


def _without(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the plans without a configuration, so that it cannot inherit from itself."""
    configurations = {key: value for key, value in plans["configurations"].items() if key != name}
    return dict(plans) | {"configurations": configurations}


def _architecture(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the class and its arguments. Plans before nnU-Net 2.5 have another form."""
    if "architecture" in settings:
        name = settings["architecture"]["network_class_name"]
        arguments = dict(settings["architecture"]["arch_kwargs"])
    else:
        name = settings["UNet_class_name"]
        arguments = _old_arguments(settings)
    architecture = name.rpartition(".")[2]
    if architecture not in _ARCHITECTURES:
        raise SegcamError(f"nnU-Net's plans name the network {name!r}. Supported: {', '.join(_ARCHITECTURES)}.")
    for key in ("conv_op", "norm_op", "dropout_op", "nonlin"):
        if isinstance(arguments.get(key), str):
            arguments[key] = _layer(arguments[key])
    if arguments["n_stages"] > _MOST_STAGES or any(count > _MOST_BLOCKS for count in _counts(arguments)):
        raise ValueError("far more layers than any real network has")
    return architecture, {key: value for key, value in arguments.items() if key not in _NOT_FROM_PLANS}


def _counts(arguments: Mapping[str, Any]) -> Iterator[int]:
    for key in ("n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder"):
        count = arguments.get(key, 0)
        yield from [count] if isinstance(count, int) else count


def _old_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    stages = len(settings["conv_kernel_sizes"])
    residual = settings["UNet_class_name"] != "PlainConvUNet"
    widths = (settings["UNet_base_num_features"] * 2**stage for stage in range(stages))
    return {
        "n_stages": stages,
        "features_per_stage": [min(width, settings["unet_max_num_features"]) for width in widths],
        "conv_op": "torch.nn.Conv2d",
        "kernel_sizes": settings["conv_kernel_sizes"],
        "strides": settings["pool_op_kernel_sizes"],
        ("n_blocks_per_stage" if residual else "n_conv_per_stage"): settings["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": settings["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _layer(name: str) -> type[nn.Module]:
    if name not in _LAYERS:
        raise SegcamError(
            f"nnU-Net's plans name the layer {name!r}, which is not supported. Supported: "
            f"{', '.join(dict.fromkeys(layer.__name__ for layer in _LAYERS.values()))}."
        )
    return _LAYERS[name]


def _card(
    settings: Mapping[str, Any], dataset: Mapping[str, Any], in_channels: int, classes: int, description: str
) -> ModelCard:
    fields: dict[str, Any] = {"input_channels": in_channels}
    schemes = set(settings.get("normalization_schemes", ()))
    if len(schemes) == 1:
        fields |= _normalization(schemes.pop(), settings, in_channels)
    labels = _labels(dataset)
    regions = {name: numbers for name, numbers in labels.items() if set(numbers) != {0}}
    overlap = any(len(numbers) > 1 for numbers in regions.values())  # nnU-Net's rule for one sigmoid per class
    names = tuple(regions if overlap else sorted(labels, key=labels.__getitem__))
    if len(names) == classes:
        fields["class_names"] = names
        if overlap:
            fields["class_values"] = tuple(regions.values())
    elif overlap:
        raise SegcamError(
            f"{description} with {classes} outputs, but its dataset.json names {len(regions)} overlapping regions "
            f"({', '.join(regions)}). Put the dataset.json that it was trained with next to it."
        )
    if labels and classes > 1:
        fields["classes_overlap"] = overlap
    patch = "×".join(map(str, settings.get("patch_size", ())))
    spacing = "×".join(f"{float(length):g}" for length in settings.get("spacing", ()))
    if patch and spacing:
        fields["notes"] = (
            f"nnU-Net, trained on patches of {patch} pixels at a spacing of {spacing}. Mirrored copies of the image "
            "are not run, as with nnU-Net's option disable_tta."
        )
    return ModelCard(**fields)


def _tiles(settings: Mapping[str, Any], strides: Sequence[int | Sequence[int]]) -> dict[str, Any]:
    """Return the size rule as a field of the card: tiles of the patch size that overlap by half, as nnU-Net runs."""
    patch = settings.get("patch_size")
    if not isinstance(patch, list | tuple) or len(patch) != 2 or not all(type(side) is int for side in patch):
        return {}
    steps = [(stride, stride) if isinstance(stride, int) else stride for stride in strides]
    largest = max(math.prod(step[axis] for step in steps) for axis in (0, 1))
    if any(side % largest or not max(8, largest) <= side <= INPUT_SIDE for side in patch):
        return {}
    return {"size": {"rule": "tiles", "height": patch[0], "width": patch[1]}}


def _normalization(scheme: str, settings: Mapping[str, Any], in_channels: int) -> dict[str, Any]:
    """Return the card fields of a normalization scheme; none if a card cannot hold it.

    ``CTNormalization`` limits the stored values to percentiles of the training set, then subtracts its mean and divides
    by its standard deviation. The card has these for images of 8 bits.
    """
    if scheme in _NORMALIZATIONS:
        return {"normalization": _NORMALIZATIONS[scheme]}
    properties = settings.get("foreground_intensity_properties_per_channel", {})
    channels = [properties.get(str(channel), {}) for channel in range(in_channels)]
    names = ("percentile_00_5", "percentile_99_5", "mean", "std")
    if scheme != "CTNormalization" or not all(name in channel for channel in channels for name in names):
        return {}
    low, high, mean, std = ([float(channel[name]) for channel in channels] for name in names)
    if len(set(zip(low, high, strict=True))) > 1 or not 0 <= low[0] < high[0] <= _WHITE or high[0] <= 1:
        return {}
    return {
        "normalization": "custom",
        "clip": (low[0] / _WHITE, high[0] / _WHITE),
        "mean": tuple(number / _WHITE for number in mean),
        "std": tuple(max(number, 1e-3) / _WHITE for number in std),
    }


def _labels(dataset: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the values in true masks of each class or region, in the order of the file."""
    labels = {name: label for name, label in dataset.get("labels", {}).items() if name != "ignore"}
    numbers = {name: tuple(label) if isinstance(label, list) else (label,) for name, label in labels.items()}
    if not all(type(number) is int for values in numbers.values() for number in values):
        return {}
    return numbers
