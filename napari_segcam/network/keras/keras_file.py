"""Read Keras files, ``.keras`` and ``.h5``, with Keras 3 on the torch backend, without TensorFlow.

Keras gets a clean copy: the configuration as ``clean_config`` returns it, and the weights once it is sure that they are
in this file.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from napari_segcam.errors import SegcamError, error_text, one_line
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.keras.config import clean_config
from napari_segcam.network.keras.keras_network import KerasNetwork
from napari_segcam.network.resource_check import check_resources
from napari_segcam.optional import needed

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"

# Keras does not compress its arrays. Compressed ones may grow, but only so much.
_LARGEST_GROWTH = 8


def is_keras(archive: Archive) -> bool:
    """Whether ``model.save("NAME.keras")`` wrote this archive."""
    return _CONFIG in archive.sizes and _WEIGHTS in archive.sizes


def read_keras(archive: Archive) -> KerasNetwork:
    """Return the network of a ``.keras`` file.

    Raises:
        SegcamError: if the file is damaged, would run code, or Keras cannot build its network.
    """
    return _read(archive.path, lambda: _clean_archive(archive), "network.keras")


def read_keras_h5(path: Path) -> KerasNetwork:
    """Return the network of an ``.h5`` file, which Keras 2 wrote and Keras 3 still can.

    Raises:
        SegcamError: as for ``read_keras``, or if it is another HDF5 file.
        OSError: if the file cannot be read.
    """
    content = path.read_bytes()
    return _read(path, lambda: _clean_h5(content), "network.h5")


def _read(path: Path, clean: Callable[[], bytes], name: str) -> KerasNetwork:
    for package in ("keras", "h5py"):
        needed(package, f"{path} is a network of Keras")
    try:
        content = clean()
        keras = _keras()
        check_resources(path, "keras")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            # First without memory: the layers must fit the weights.
            for device in ("meta", "cpu"):
                with keras.device(device):
                    model = keras.saving.load_model(file, compile=False, safe_mode=True)
        return KerasNetwork(model)
    except SegcamError as error:
        if str(error).startswith(one_line(path)):
            raise
        raise SegcamError(f"{path} is a file of Keras that {error}.") from error
    except Exception as error:  # Keras raises nearly anything
        raise SegcamError(
            f"{path} is damaged, or a network that Keras {version('keras')} cannot build: {error_text(error, 200)}"
        ) from error


def _keras() -> Any:
    """Import Keras with torch. It chooses its backend once, at its first import."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras = importlib.import_module("keras")
    if keras.config.backend() != "torch":
        raise SegcamError(
            f"Keras already runs on {keras.config.backend()} here, where Grad-CAM is not possible. "
            "Set KERAS_BACKEND=torch and start again."
        )
    return keras


def _clean_archive(archive: Archive) -> bytes:
    weights = archive.read(_WEIGHTS)
    _check_hdf5(io.BytesIO(weights), len(weights))
    clean = io.BytesIO()
    with zipfile.ZipFile(clean, "w") as copy:
        copy.writestr("metadata.json", "{}")
        copy.writestr(_CONFIG, _clean_config(archive.read(_CONFIG)))
        copy.writestr(_WEIGHTS, weights)
    return clean.getvalue()


def _clean_h5(content: bytes) -> bytes:
    h5py = importlib.import_module("h5py")
    copy = io.BytesIO(content)
    _check_hdf5(copy, len(content))
    with h5py.File(copy, "r+") as file:
        if "model_config" not in file.attrs:
            raise SegcamError("has weights but no network. Save the whole network: model.save('NAME.keras')")
        file.attrs["model_config"] = _clean_config(file.attrs["model_config"])
    return copy.getvalue()


def _clean_config(text: str | bytes) -> str:
    return json.dumps(clean_config(json.loads(text)))


def _check_hdf5(stream: IO[bytes], size: int) -> None:
    """Refuse entries that could make the HDF5 library open other files or take much memory; no link is followed.

    Raises:
        SegcamError: naming the first such entry.
    """
    h5py = importlib.import_module("h5py")
    declared = 0
    with h5py.File(stream, "r") as file:
        pending, checked = [file["/"]], set()
        while pending:
            group = pending.pop()
            address = h5py.h5o.get_info(group.id).addr
            if address in checked:
                continue
            checked.add(address)
            for name in group:
                path = f"{group.name.rstrip('/')}/{name}"
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise SegcamError(f"points to another place at {path}, which is not followed")
                entry = group[name]
                if isinstance(entry, h5py.Group):
                    pending.append(entry)
                    continue
                if not isinstance(entry, h5py.Dataset) or entry.dtype.kind not in "fiub":
                    raise SegcamError(f"holds something other than numbers at {path}")
                if entry.is_virtual or entry.external:
                    raise SegcamError(f"takes its values from another file at {path}, which is not opened")
                declared += entry.nbytes
    if declared > _LARGEST_GROWTH * size:
        raise SegcamError("claims to hold far more than its size allows. It is not opened")
