"""Open a bioimage.io package: choose the weights, read the card, and prepare the test tensors as a self-check."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError, error_text
from napari_segcam.network.checkpoints.checkpoint import Checkpoint, read_checkpoint
from napari_segcam.network.packages.bioimageio.description import ModelDescription, Tensor, Weights, read_model
from napari_segcam.network.packages.bioimageio.processing import CardSteps, process, white_of
from napari_segcam.network.packages.kinds import bioimageio_description
from napari_segcam.network.packages.listing import FolderListing
from napari_segcam.network.packages.package import Package, PackageWeights
from napari_segcam.network.packages.unpacking import file_in, read_description
from napari_segcam.network.reference_pair import ReferencePair, pair_of, read_array

# Formats of weights in the order in which they are tried: those with all methods first.
_FORMATS = ("pytorch_state_dict", "onnx", "keras_v3", "keras_hdf5", "torchscript", "pytorch_script")
_PLACES = frozenset("bcyx")
_GENERIC_NAME = re.compile(r"(channel|output|class|ch|c)?[ _-]?\d*", re.I)
_ACTIVATIONS = ("sigmoid", "softmax")


def open_folder(root: Path, _choice: str) -> Package:
    """Return the package.

    Raises:
        SegcamError: if it is no model, takes or gives other things than one image and one map, or has no weights that
            open here; the message says which it has.
    """
    file = root / (bioimageio_description(FolderListing(root)) or "")
    content = read_description(file)
    if content.get("type", "model") != "model":
        raise SegcamError(f"{file} describes a bioimage.io {content['type']}, not a model.")
    try:
        model = read_model(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error_text(error)
        raise SegcamError(f"{file} is no description of a model as bioimage.io has it: {reason}.") from error
    image, result = _only_tensors(model, str(root))
    sample = _test_array(root, image)
    card, warnings, assumed = _card(model, image, result, sample, str(root))
    entries = tuple(
        PackageWeights(name, partial(_read, root, name, model.weights[name]))
        for name in _FORMATS
        if name in model.weights
    )
    if not entries:
        names = ", ".join(model.weights) or "none"
        raise SegcamError(
            f"{root} holds weights in formats that do not open here: {names}. Open: {', '.join(_FORMATS)}."
        )
    pair, note = _reference(root, image, result, sample)
    return Package(
        "bioimage.io package",
        entries,
        fields=card,
        assumed=assumed,
        warnings=(*warnings, *([note] if note else [])),
        reference=pair,
    )


def _only_tensors(model: ModelDescription, name: str) -> tuple[Tensor, Tensor]:
    """Return the input and the output that is the segmentation.

    Raises:
        SegcamError: if there are several inputs, or an axis other than image rows, columns and channels.
    """
    if len(model.inputs) != 1 or not model.outputs:
        inputs = ", ".join(tensor.name for tensor in model.inputs)
        raise SegcamError(f"{name} takes {len(model.inputs)} inputs ({inputs}). Only networks of one image open here.")
    image, result = model.inputs[0], model.outputs[0]
    for tensor in (image, result):
        if tensor.axis("z") is not None:
            raise SegcamError(
                f"{name} is a network for volumes (axes {tensor.letters}). Only networks for images open."
            )
        if set(tensor.letters) - _PLACES:
            raise SegcamError(
                f"{name}: {tensor.name} has the axes {tensor.letters}. Only b, c, y and x are known here."
            )
    if image.letters.find("x") < image.letters.find("y"):
        raise SegcamError(f"{name} takes images with the axes {image.letters}: x before y. Only y before x opens here.")
    return image, result


def _card(
    model: ModelDescription, image: Tensor, result: Tensor, sample: NDArray[Any] | None, name: str
) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    channel = image.axis("channel")
    channels = (channel.size if channel is not None else 1) or 1
    white, is_assumed = white_of(image, sample)
    steps = CardSteps(channels, white)
    try:
        steps.read(image)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SegcamError(f"{name}: the pre-processing makes no sense: {error_text(error)}.") from error
    fields = {"input_channels": channels} | steps.fields | _output_fields(model, result)
    height, width = (image.axis(kind) for kind in ("y", "x"))
    if height is not None and width is not None and height.size and width.size:
        # Packages of one size are used on tiles, whose pixels keep their size.
        fields["size"] = {"rule": "tiles", "height": height.size, "width": width.size}
    if model.name or model.text:
        fields["notes"] = f"bioimage.io: {model.name}. {model.text}"[:2000]
    warnings = [
        f"The package's pre-processing has a step that is not done here: {step}."
        for step in dict.fromkeys(steps.unsaid)
    ]
    if len(model.outputs) > 1:
        names = ", ".join(tensor.name for tensor in model.outputs)
        warnings.append(f"The package describes {len(model.outputs)} outputs: {names}.")
    assumed = {"normalization": f"{fields['normalization']}, for stored values up to {white:g}"} if is_assumed else {}
    return fields, warnings, assumed


def _output_fields(model: ModelDescription, result: Tensor) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    channel = result.axis("channel")
    names = channel.names if channel is not None else ()
    if names and not all(_GENERIC_NAME.fullmatch(name) for name in names):
        fields["class_names"] = names
    steps = {step.name: step for step in result.steps}
    endings = [name for name in steps if name in _ACTIVATIONS]
    endings += [
        str(value).rpartition(".")[2].lower()
        for weights in model.weights.values()
        for key, value in weights.arguments.items()
        if "activation" in key and isinstance(value, str)
    ]
    several = channel is None or channel.size != 1
    if several and (known := [name for name in endings if name in _ACTIVATIONS]):
        fields["classes_overlap"] = known[0] == "sigmoid"
    threshold = steps["binarize"].arguments.get("threshold") if "binarize" in steps else None
    if isinstance(threshold, int | float) and 0 < threshold < 1 and fields.get("classes_overlap") is not False:
        fields["threshold"] = float(threshold)
    return fields


def _read(root: Path, kind: str, weights: Weights, name: str | None) -> Checkpoint:
    checkpoint = read_checkpoint(file_in(root, weights.source, f"the file of the weights {kind}"), name)
    if weights.sha256 and weights.sha256.lower() != checkpoint.sha256:
        raise SegcamError(
            f"{root}: the file of the weights {kind} is not the one that was packed (its SHA-256 differs). Copy or "
            "download the package again; if you changed it yourself, remove the sha256 from the description."
        )
    return checkpoint


def _test_array(root: Path, tensor: Tensor) -> NDArray[Any] | None:
    if tensor.test is None:
        return None
    try:
        array, _ = read_array(file_in(root, tensor.test, f"the test tensor of {tensor.name}"))
    except SegcamError:
        return None  # the network opens without it
    return array if array.ndim == len(tensor.axes) else None


def _reference(
    root: Path, image: Tensor, result: Tensor, sample: NDArray[Any] | None
) -> tuple[ReferencePair | None, str]:
    """Return the test tensors as the network takes and gives them; or None, and why they cannot be compared."""
    expected = _test_array(root, result)
    if sample is None or expected is None:
        return None, "The package has no test tensors that can be read: the network was not checked with them."
    if others := [step.name for step in result.steps if step.name not in (*_ACTIVATIONS, "ensure_dtype")]:
        return None, (
            f"The package's test output is processed further ({', '.join(others)}): the network was not checked "
            "with it."
        )
    try:
        prepared = _planes(process(sample, image), image).astype(np.float32)
        return pair_of(prepared, _planes(expected, result).astype(np.float32)), ""
    except (ValueError, TypeError, KeyError, SegcamError) as error:
        return None, f"The network was not checked with the package's test tensors: {error_text(error, 200)}."


def _planes(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Return a tensor with the axes ``(B, C, Y, X)``."""
    letters = tensor.letters
    order: Callable[[str], int] = letters.index
    values = values.transpose([order(letter) for letter in "bcyx" if letter in letters])
    for place, letter in enumerate("bcyx"):
        if letter not in letters:
            values = np.expand_dims(values, place)
    return values
