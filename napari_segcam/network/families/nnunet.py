"""Networks of nnU-Net v2 in two dimensions, built as the plans say that nnU-Net keeps in and beside its checkpoints.

Plans name classes. These names are looked up in lists that stand here, and nothing else is ever imported for them.
Sources: the formats of ``plans.json`` and ``dataset.json`` as nnU-Net v2 documents them; the networks themselves are of
the package ``dynamic-network-architectures``, which is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.encoders import empty_weights, shapes_of
from napari_segcam.network.families.network_spec import NetworkSpec, network_shapes
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.settings_text import read_json
from napari_segcam.optional import needed

_ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet")

# What plans may name as the parts of a network: by the name of the class's own module, and by that of torch.nn.
_PARTS = {
    f"{module}.{part.__name__}": part
    for part in (
        *(nn.Conv2d, nn.InstanceNorm2d, nn.BatchNorm2d, nn.Dropout2d, nn.Dropout),
        *(nn.LeakyReLU, nn.ReLU, nn.GELU, nn.SiLU, nn.PReLU, nn.ELU),
    )
    for module in (part.__module__, "torch.nn")
}

# How nnU-Net's encoders begin: of the plain network and of the residual ones.
_MARKS = ("encoder.stages.0.0.convs.0.conv.weight", "encoder.stem.convs.0.conv.weight")

# The weights tell the channels; deep supervision is for training.
_NOT_FROM_PLANS = ("input_channels", "num_classes", "deep_supervision")
_MOST_STAGES, _MOST_BLOCKS = 16, 64

_NORMALIZATIONS = {"ZScoreNormalization": "zscore", "RGBTo01Normalization": "unit", "NoNormalization": "none"}


def nnunet_spec(checkpoint: Checkpoint) -> NetworkSpec | None:
    """How nnU-Net builds the network of these weights; None if they are not nnU-Net's.

    Raises:
        SegcamError: if they are and the plans are missing or not usable, the network is three-dimensional, or
            ``dynamic-network-architectures`` is not installed.
    """
    shapes = next((own for mark in _MARKS if (own := network_shapes(shapes_of(checkpoint.weights), mark))), {})
    heads = [name for name in shapes if name.startswith("decoder.seg_layers.") and name.endswith(".weight")]
    if not heads:
        return None
    first = next(shapes[mark] for mark in _MARKS if mark in shapes)
    what = f"{checkpoint.path} is a network of nnU-Net"
    if len(first) == 5:
        raise SegcamError(f"{what} for volumes (3-D). Only its 2d configuration can be explained here.")
    plans, dataset, configuration = _plans(checkpoint)
    if not plans:
        raise SegcamError(f"{what}, but how it was built is not there: put nnU-Net's plans.json beside it.")
    try:
        planned = _configuration(plans, configuration)
        architecture, arguments = _architecture(planned)
        card = _card(planned, dataset, first[1], shapes[heads[-1]][0], what)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SegcamError(f"{what}, but its plans are not as nnU-Net v2 writes them ({error!r}).") from error
    needed("dynamic-network-architectures", what)
    assumed = {} if "normalization" in card.model_fields_set else {"normalization": card.normalization}
    return NetworkSpec(
        architecture, "", first[1], shapes[heads[-1]][0], arguments, assumed, library="nnU-Net", card=card
    )


def construct(blueprint: NetworkSpec) -> nn.Module:
    """The network without deep supervision, its weights without values."""
    unet = importlib.import_module("dynamic_network_architectures.architectures.unet")
    with empty_weights():
        network: nn.Module = getattr(unet, blueprint.architecture)(
            input_channels=blueprint.in_channels,
            num_classes=blueprint.classes,
            deep_supervision=False,
            **blueprint.options,
        )
    return network


def _plans(checkpoint: Checkpoint) -> tuple[Mapping[str, Any], Mapping[str, Any], str]:
    """Plans, data set and configuration: nnU-Net saves them with the weights, and as files above the fold's folder."""
    arguments = checkpoint.extra.get("init_args")
    arguments = arguments if isinstance(arguments, Mapping) else {}
    plans, dataset = arguments.get("plans"), arguments.get("dataset_json")
    configuration = arguments.get("configuration")
    return (
        plans if isinstance(plans, Mapping) else _json_beside(checkpoint.path, "plans.json"),
        dataset if isinstance(dataset, Mapping) else _json_beside(checkpoint.path, "dataset.json"),
        configuration if isinstance(configuration, str) else "2d",
    )


def _json_beside(path: Path, name: str) -> Mapping[str, Any]:
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
    """A configuration with all that it inherits."""
    planned = dict(plans["configurations"][name])
    parent = planned.pop("inherits_from", None)
    others = {key: value for key, value in plans.items() if key != "configurations"}
    inherited = others if parent is None else _configuration(_without(plans, name), parent)
    return inherited | planned


def _without(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The plans without a configuration, so that none can inherit from itself."""
    kept = {key: value for key, value in plans["configurations"].items() if key != name}
    return dict(plans) | {"configurations": kept}


def _architecture(planned: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class and its arguments. Plans before nnU-Net 2.5 have them in another form."""
    if "architecture" in planned:
        name = planned["architecture"]["network_class_name"]
        arguments = dict(planned["architecture"]["arch_kwargs"])
    else:
        name = planned["UNet_class_name"]
        arguments = _earlier_arguments(planned)
    architecture = name.rpartition(".")[2]
    if architecture not in _ARCHITECTURES:
        raise SegcamError(f"nnU-Net's plans name the network {name!r}. Those known here: {', '.join(_ARCHITECTURES)}.")
    for key in ("conv_op", "norm_op", "dropout_op", "nonlin"):
        if isinstance(arguments.get(key), str):
            arguments[key] = _part(arguments[key])
    if arguments["n_stages"] > _MOST_STAGES or any(count > _MOST_BLOCKS for count in _counts(arguments)):
        raise ValueError("far more layers than any network has")
    return architecture, {key: value for key, value in arguments.items() if key not in _NOT_FROM_PLANS}


def _counts(arguments: Mapping[str, Any]) -> Iterator[int]:
    for key in ("n_conv_per_stage", "n_blocks_per_stage", "n_conv_per_stage_decoder"):
        count = arguments.get(key, 0)
        yield from [count] if isinstance(count, int) else count


def _earlier_arguments(planned: Mapping[str, Any]) -> dict[str, Any]:
    stages = len(planned["conv_kernel_sizes"])
    residual = planned["UNet_class_name"] != "PlainConvUNet"
    widths = (planned["UNet_base_num_features"] * 2**stage for stage in range(stages))
    return {
        "n_stages": stages,
        "features_per_stage": [min(width, planned["unet_max_num_features"]) for width in widths],
        "conv_op": "torch.nn.Conv2d",
        "kernel_sizes": planned["conv_kernel_sizes"],
        "strides": planned["pool_op_kernel_sizes"],
        ("n_blocks_per_stage" if residual else "n_conv_per_stage"): planned["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": planned["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _part(name: str) -> type[nn.Module]:
    if name not in _PARTS:
        raise SegcamError(
            f"nnU-Net's plans name the part {name!r}, which is none of those known here: "
            f"{', '.join(dict.fromkeys(part.__name__ for part in _PARTS.values()))}."
        )
    return _PARTS[name]


def _card(
    planned: Mapping[str, Any], dataset: Mapping[str, Any], in_channels: int, classes: int, what: str
) -> ModelCard:
    told: dict[str, Any] = {"input_channels": in_channels}
    schemes = {_NORMALIZATIONS.get(scheme) for scheme in planned.get("normalization_schemes", ())}
    if len(schemes) == 1 and (scheme := schemes.pop()) is not None:
        told["normalization"] = scheme
    labels = _labels(dataset)
    regions = {name: numbers for name, numbers in labels.items() if set(numbers) != {0}}
    overlap = any(len(numbers) > 1 for numbers in regions.values())  # nnU-Net's own rule for a sigmoid each
    names = tuple(regions if overlap else sorted(labels, key=labels.__getitem__))
    if len(names) == classes:
        told["class_names"] = names
        if overlap:
            told["class_values"] = tuple(regions.values())
    elif overlap:
        raise SegcamError(
            f"{what} with {classes} outputs, but its dataset.json names {len(regions)} overlapping regions "
            f"({', '.join(regions)}). Put the dataset.json beside it that it was trained with."
        )
    if labels and classes > 1:
        told["classes_overlap"] = overlap
    patch = "×".join(map(str, planned.get("patch_size", ())))
    spacing = "×".join(f"{float(length):g}" for length in planned.get("spacing", ()))
    if patch and spacing:
        told["notes"] = f"nnU-Net, trained on patches of {patch} pixels at a spacing of {spacing}."
    return ModelCard(**told)


def _labels(dataset: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The numbers in true masks that each class or region stands for, in the order of the file."""
    labels = {name: label for name, label in dataset.get("labels", {}).items() if name != "ignore"}
    numbers = {name: tuple(label) if isinstance(label, list) else (label,) for name, label in labels.items()}
    if not all(type(number) is int for several in numbers.values() for number in several):
        return {}
    return numbers
