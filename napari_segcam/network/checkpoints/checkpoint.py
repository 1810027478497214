"""Read a checkpoint, a file or folder, as named tensors or a network, without running code from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from napari_segcam.errors import SegcamError, one_line
from napari_segcam.network.checkpoints.containers import Container, read_container
from napari_segcam.network.checkpoints.state_dict import (
    check_tensors,
    find_weights,
    list_names,
    non_finite_names,
    strip_prefixes,
    unused_warning,
)
from napari_segcam.network.checkpoints.structure_request import StructureRequest
from napari_segcam.network.files.inert_objects import InertObject
from napari_segcam.network.files.pickled_module import libraries_of, rebuild_module, state_dict_of, without_wrappers
from napari_segcam.network.resource_check import check_resources
from napari_segcam.network.settings_text import read_json

# Files in a folder that SMP's `save_pretrained` writes: the settings, and the weights under one of two names.
_SMP_SETTINGS = "config.json"
_SMP_WEIGHTS = ("model.safetensors", "pytorch_model.bin")

# Libraries whose networks are recognized by their weights.
_RECOGNIZABLE = ("segmentation_models_pytorch.", "torchvision.models.", "monai.networks.")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Trained weights as they were stored.

    Attributes:
        path: the file or SMP folder that the user named.
        weights: tensors on the CPU in their stored type, by name, without the prefixes of wrappers
            (``"module."``, ``"model."``, ``"_orig_mod."`` …).
        sha256: of the weights file.
        settings: how the network was built, as far as the file says: the fields of an SMP folder's ``config.json``,
            or of safetensors' metadata.
        warnings: about these weights, for the user.
        form: kind of file: only weights, a whole pickled network, TorchScript, a torch.export program, Keras, or ONNX.
        module: the network itself, in eval mode on the CPU, if the file holds more than weights.
        extra: what else a torch file holds, such as the epoch or the arguments of the training run: plain data and
            tensors, with all other objects inert.
        pickled_network: a whole pickled network as the file describes it, inert. Where there is no ``module``, its
            classes are of another version of their library: it must be rebuilt around its weights.
        structure: what the user says about a network of unknown names.
    """

    path: Path
    weights: dict[str, torch.Tensor]
    sha256: str
    settings: dict[str, Any]
    warnings: tuple[str, ...] = ()
    form: Literal["weights", "pickled", "torchscript", "exported", "keras", "onnx"] = "weights"
    module: nn.Module | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    pickled_network: InertObject | None = field(default=None, repr=False)
    structure: StructureRequest = field(default_factory=StructureRequest)


def read_checkpoint(path: str | Path, weights: str | None = None) -> Checkpoint:
    """Read a checkpoint: a torch file (new or old format), safetensors, or a folder saved by SMP.

    The content decides what a file is, not its name. The weights may be a plain state dict, or under a key that
    training code usually has (``"state_dict"``, ``"model_state_dict"``, ``"model"`` …), with an optimizer next to them.
    Whole networks are read too: pickled ones of known libraries, TorchScript, programs of torch.export, Keras, ONNX.

    Args:
        path: of the file or folder.
        weights: name of the network, if the file holds several; see ``find_weights``.

    Raises:
        SegcamError: if there is no such file, or it is not a checkpoint, is damaged, or would run code.
    """
    path = Path(path)
    try:
        file = _weights_file(path)
        before = file.stat()
        container = read_container(file)
        settings = container.metadata | _smp_settings(file)
        sha256 = _checksum(file, *container.parts)
        after = file.stat()
    except OSError as error:
        raise SegcamError(f"{path} cannot be read: {error}.") from error
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise SegcamError(f"{path} was changed while it was read. Load it again.")
    try:
        return _checkpoint(path, file, container, sha256, settings, weights)
    except SegcamError as error:
        if str(error).startswith(one_line(path)):
            raise
        raise SegcamError(f"{path} {error}.") from error


def _checkpoint(
    path: Path, file: Path, container: Container, sha256: str, settings: dict[str, Any], weights_name: str | None
) -> Checkpoint:
    content, file_size = container.content, file.stat().st_size
    if isinstance(content, nn.Module):
        if weights_name is not None:
            raise SegcamError(f"is one whole network: it holds no weights named {weights_name}")
        weights = content.state_dict()
        if container.form != "onnx":  # its constants are computed, and its weights may be in other files
            check_tensors(weights, file_size)
        return Checkpoint(path, weights, sha256, settings, tuple(_warnings(weights, ())), container.form, content)
    selected = find_weights(content, weights_name)
    extra = {key: value for key, value in content.items() if isinstance(key, str)} if isinstance(content, dict) else {}
    if isinstance(selected.network, InertObject):
        weights = state_dict_of(selected.network)
        check_tensors(weights, file_size)
        notes = (*selected.notes, *_warnings(weights, ()))
        pickled_network = without_wrappers(selected.network)
        module = None
        check_resources(file, "pickled", libraries_of(pickled_network), weights_name)
        try:
            module = rebuild_module(pickled_network)
        except SegcamError:
            # Without its code the weights are harmless, and may be enough to recognize the network.
            if not pickled_network.name.startswith(_RECOGNIZABLE):
                raise
        return Checkpoint(path, weights, sha256, settings, notes, "pickled", module, extra, pickled_network)
    weights, left_out = strip_prefixes(selected.network)
    check_tensors(weights, file_size)
    notes = (*selected.notes, *_warnings(weights, left_out))
    return Checkpoint(path, weights, sha256, settings, notes, extra=extra)


def _checksum(*files: Path) -> str:
    """Return the SHA-256 of one file, or of the contents of several, one after the other."""
    checksum = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: checksum)
    return checksum.hexdigest()


def _weights_file(path: Path) -> Path:
    if not path.exists():
        raise SegcamError(f"There is no file or folder {path}.", action="load_checkpoint")
    if path.is_file():
        return path
    if not path.is_dir():
        raise SegcamError(f"{path} is neither a file nor a folder.")
    for name in _SMP_WEIGHTS:
        if (path / name).is_file():
            return path / name
    if (path / "data.pkl").is_file():
        raise SegcamError(f"{path} is a torch file that was unpacked into a folder. Choose the original file.")
    raise SegcamError(
        f"The folder {path} holds no checkpoint: {' or '.join(_SMP_WEIGHTS)} was expected. Choose a file in it instead."
    )


def _smp_settings(weights_file: Path) -> dict[str, Any]:
    """Settings that SMP saved next to the weights, also if the user named a file of the folder."""
    settings_file = weights_file.with_name(_SMP_SETTINGS)
    if weights_file.name not in _SMP_WEIGHTS or not settings_file.is_file():
        return {}
    try:
        settings = read_json(settings_file)
    except ValueError as error:
        raise SegcamError(f"{settings_file} is not valid JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise SegcamError(f"{settings_file} does not describe a network: a JSON object was expected.")
    return settings


def _warnings(weights: dict[str, torch.Tensor], left_out: tuple[str, ...]) -> list[str]:
    warnings = unused_warning(left_out)
    if not_finite := non_finite_names(weights):
        warnings.append(
            f"{len(not_finite)} of {len(weights)} tensors hold NaN or infinite values ({list_names(not_finite)}): "
            "masks and heatmaps will be useless."
        )
    return warnings
