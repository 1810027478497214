"""Open a MONAI bundle: its weights, the network that the configuration defines, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.loaded_module import LoadedModule
from napari_segcam.network.model_card import make_card
from napari_segcam.network.packages.bioimageio.processing import CardSteps
from napari_segcam.network.packages.kinds import MONAI_METADATA
from napari_segcam.network.packages.listing import FolderListing
from napari_segcam.network.packages.monai_bundle.config import Config
from napari_segcam.network.packages.monai_bundle.network import build, network_definition
from napari_segcam.network.packages.monai_bundle.transforms import Preparation, read_transforms, read_window
from napari_segcam.network.packages.monai_bundle.transposition import transposed
from napari_segcam.network.packages.package import Package, PackageWeights
from napari_segcam.network.packages.unpacking import read_description

_CONFIGS = tuple(
    f"configs/{name}.{end}" for name in ("inference", "evaluate", "train") for end in ("json", "yaml", "yml")
)
_SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors", ".ts", ".onnx")
_SCRIPTS = (".ts", ".onnx")

_TRANSPOSED = (
    "MONAI reads images with the columns first, and the network was trained on those: its kernels are transposed, so "
    "that it takes frames as they are shown."
)
_NOT_TRANSPOSED = (
    "MONAI reads images with the columns first, so that this network may expect frames that are mirrored along their "
    "diagonal. It cannot be transposed here, and sees them as they are shown: check its masks."
)


@dataclass(frozen=True)
class _Data:
    """The images and outputs as the metadata describe them."""

    image_key: str
    channels: int | None
    class_names: tuple[str, ...]


def open_folder(root: Path, choice: str) -> Package:
    """Return the bundle as a package.

    Args:
        root: the folder.
        choice: name of a file in ``models``; empty for the first of the usual names.

    Raises:
        SegcamError: if it is for volumes, defines a network that is not built here, or holds no weights.
    """
    data = _read_data(read_description(root / MONAI_METADATA), str(root))
    listing = FolderListing(root)
    names = [name.removeprefix("models/") for name in listing.files("models/") if name.lower().endswith(_SUFFIXES)]
    names.sort(key=lambda name: (name.endswith(_SCRIPTS), not name.startswith("model."), name))
    if choice in names:
        names = [choice]
    if not names:
        raise SegcamError(f"{root} is a bundle of MONAI without weights: a file in models was expected (model.pt).")
    file = next((root / name for name in _CONFIGS if listing.has(name)), None)
    config = None if file is None else Config(read_description(file), str(root))
    preparation = None if config is None else _preparation(config, data, str(root))
    entries = []
    for name in names:
        make = None
        if config is not None and not name.endswith(_SCRIPTS):
            make = partial(_build, config=config, preparation=preparation, name=str(root))
        entries.append(PackageWeights(name, partial(read_checkpoint, root / "models" / name), make))
    fields, warnings = _card(data, preparation, str(root))
    return Package("bundle of MONAI", tuple(entries), fields=fields, warnings=warnings)


def _build(checkpoint: Checkpoint, config: Config, preparation: Preparation | None, name: str) -> LoadedModule:
    definition = network_definition(config, name)
    module = build(definition, checkpoint, name)
    channels = definition.get("in_channels")
    channels = channels if isinstance(channels, int) else 1
    warnings = list(checkpoint.warnings)
    if preparation is not None and preparation.is_transposed:
        turned = transposed(module, channels)
        module = module if turned is None else turned
        warnings.append(_NOT_TRANSPOSED if turned is None else _TRANSPOSED)
    backbone = definition.get("backbone")
    return LoadedModule(
        module,
        channels,
        f"MONAI {definition['_target_']}",
        backbone if isinstance(backbone, str) else "",
        {},
        make_card({"input_channels": channels}),
        tuple(warnings),
    )


def _read_data(metadata: Mapping[str, Any], name: str) -> _Data:
    """Return what the metadata say about images and outputs.

    Raises:
        SegcamError: if they are for volumes, or make no sense.
    """
    try:
        form = metadata.get("network_data_format") or {}
        inputs, outputs = dict(form.get("inputs") or {}), dict(form.get("outputs") or {})
        key: Any = next(iter(inputs), "image")
        image: dict[str, Any] = dict(inputs.get(key) or {})
        result: dict[str, Any] = dict(next(iter(outputs.values()), None) or {})
        shape = image.get("spatial_shape") or ()
        channels, labels = image.get("num_channels"), result.get("channel_def") or {}
        names = tuple(str(labels[number]) for number in sorted(labels, key=int))
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise SegcamError(f"{name}/{MONAI_METADATA} is not as MONAI writes it: {error_text(error)}.") from error
    if len(shape) == 3:
        raise SegcamError(
            f"{name} is a bundle of MONAI for volumes (3-D). Only networks for images (2-D) can be explained here."
        )
    is_count = isinstance(channels, int) and channels > 0
    distinct = names if len(names) == result.get("num_channels", len(names)) and len(set(names)) == len(names) else ()
    return _Data(str(key), channels if is_count else None, distinct)


def _preparation(config: Config, data: _Data, name: str) -> Preparation | None:
    for part in ("preprocessing", "inference_preprocessing", "val_transforms", "validate#preprocessing"):
        if part.partition("#")[0] not in config:
            continue
        found = config.get(part)
        transforms = found.get("transforms") if isinstance(found, dict) else found
        if isinstance(transforms, list):
            try:
                preparation = read_transforms(transforms, data.image_key)
                preparation.window = read_window(config.get("inferer") if "inferer" in config else None)
                return preparation
            except (KeyError, TypeError, ValueError) as error:
                raise SegcamError(f"{name}: the pre-processing makes no sense: {error_text(error)}.") from error
    return None


def _card(data: _Data, preparation: Preparation | None, name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields: dict[str, Any] = {}
    warnings: list[str] = []
    if data.class_names and any(not label.isdigit() for label in data.class_names):
        fields["class_names"] = data.class_names
    if preparation is None:
        return fields, ("The bundle does not say how images are prepared.",)
    channels = data.channels or 1
    if preparation.steps:
        steps = CardSteps(channels, preparation.white)
        try:
            steps.read(preparation.as_tensor())
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise SegcamError(f"{name}: the pre-processing makes no sense: {error_text(error)}.") from error
        fields |= steps.fields
        preparation.not_done.extend(steps.unsaid)
        if steps.fields["normalization"] in ("custom", "percentile"):
            fields["input_channels"] = channels
    if preparation.size is not None:
        first, second = preparation.size
        height, width = (second, first) if preparation.is_transposed else (first, second)
        fields["size"] = {"rule": "resize", "height": height, "width": width}
    elif preparation.window is not None:
        (first, second), overlap = preparation.window
        height, width = (second, first) if preparation.is_transposed else (first, second)
        fields["size"] = {"rule": "tiles", "height": height, "width": width, "overlap": overlap}
    if preparation.not_done:
        named = ", ".join(dict.fromkeys(preparation.not_done))
        warnings.append(f"The bundle's pre-processing has parts that are not done here: {named}.")
    return fields, tuple(warnings)
