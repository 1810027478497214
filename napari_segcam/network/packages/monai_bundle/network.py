"""Build the network that a MONAI bundle names: a class on a list, with plain arguments."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint
from napari_segcam.network.families.encoders import empty_weights
from napari_segcam.network.families.weight_loading import load_weights
from napari_segcam.network.packages.monai_bundle.config import Config, Expression
from napari_segcam.network.settings_text import refuse_unusual
from napari_segcam.optional import needed

NETWORKS = (
    *("UNet", "Unet", "BasicUNet", "BasicUnet", "BasicUNetPlusPlus", "AttentionUnet", "DynUNet", "DynUnet"),
    *("SegResNet", "VNet", "FlexibleUNet", "FlexUNet", "HighResNet", "UNETR", "SwinUNETR"),
    *("DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetBN", "SEResNet50"),
    *("ResNet18", "ResNet34", "ResNet50"),
)
"""Classes of ``monai.networks.nets`` that are built."""

_PARTS = ("network_def", "network", "net", "model")
_OWN_KEYS = ("_target_", "_requires_", "_disabled_", "_desc_", "_mode_")


def network_definition(config: Config, name: str) -> dict[str, Any]:
    """Return the part that defines the network: class and arguments.

    Raises:
        SegcamError: if there is none, its class is not on the list, an argument is an expression that would have to
            run, or the network is for volumes.
    """
    parts = (config.get(part) for part in _PARTS if part in config)
    definition = next((part for part in parts if isinstance(part, dict) and "_target_" in part), None)
    if definition is None:
        raise SegcamError(f"{name}: configs/inference.json defines no network (network_def with _target_).")
    target = str(definition["_target_"])
    kind = target.rpartition(".")[2]
    if kind not in NETWORKS or not (target == kind or target.startswith("monai.networks.nets.")):
        raise SegcamError(f"{name} names the network {target}, which is not built here. Built: {', '.join(NETWORKS)}.")
    if expression := _expression_in(definition):
        raise SegcamError(
            f"{name}: the network's arguments hold an expression that is not run: {expression.text}. Write the value "
            "that it gives."
        )
    arguments = {key: value for key, value in definition.items() if key not in _OWN_KEYS}
    dimensions = arguments.get("spatial_dims", arguments.get("dimensions"))
    if dimensions is None and kind == "SwinUNETR":
        dimensions = 3
    if dimensions not in (2, None):
        raise SegcamError(
            f"{name} is MONAI's {kind} for volumes ({dimensions}-D). Only networks for images (2-D) can be explained "
            "here."
        )
    try:
        refuse_unusual(arguments, "the network's definition")
    except ValueError as error:
        raise SegcamError(f"{name}: {error}.") from error
    return {"_target_": kind, **arguments}


def _expression_in(value: Any) -> Expression | None:
    if isinstance(value, Expression):
        return value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for part in parts if (found := _expression_in(part)) is not None), None)


def build(definition: Mapping[str, Any], checkpoint: Checkpoint, name: str) -> nn.Module:
    """Build the network and load all weights into it.

    Raises:
        SegcamError: if monai is not installed, the arguments are wrong, or the weights do not fit.
    """
    kind = str(definition["_target_"])
    needed("monai", f"{name} is a bundle of MONAI")
    nets = importlib.import_module("monai.networks.nets")
    if not hasattr(nets, kind):
        raise SegcamError(f"{name} names MONAI's {kind}, which the installed version of MONAI does not have.")
    make = getattr(nets, kind)
    arguments = {key: value for key, value in definition.items() if key != "_target_"}
    if "pretrained" in inspect.signature(make).parameters or "pretrained" in arguments:
        arguments["pretrained"] = False  # the weights are in the bundle; MONAI would download others
    prefix = f"{checkpoint.path}: the weights do not fit MONAI's {kind} as the bundle defines it"
    try:
        with empty_weights():
            module: nn.Module = make(**arguments)
        size = sum(math.prod(tensor.shape) for tensor in module.state_dict().values())
    except Exception as error:  # MONAI raises many types of errors for wrong options
        raise SegcamError(f"{name}: MONAI's {kind} cannot be built: {error_text(error)}.") from error
    stored = sum(tensor.numel() for tensor in checkpoint.weights.values())
    if size > 2 * stored + 1_000_000:
        raise SegcamError(f"{prefix}: it has {size:,} numbers, the file {stored:,}.")
    module = load_weights(module, checkpoint.weights, prefix)
    if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        # Tensors that are computed when the network is made, and not saved.
        module = load_weights(make(**arguments), checkpoint.weights, prefix)
    return module
