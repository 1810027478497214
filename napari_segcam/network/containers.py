"""Containers: what a file is, told by its bytes and never by its name, and the objects or tensors inside it.

No code from a file is ever run: torch files are read with ``weights_only=True`` alone, and anything that would need
more is refused.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from napari_segcam.errors import SegcamError

# The first bytes of torch's format before 1.6: a pickle of its magic number, 0x1950a86a20f9469cfc6c.
_LEGACY_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"

_WEB_PAGE = "is a web page, not a checkpoint. Download it again, where need be after logging in"

# First bytes, in lower case, of what people mistake for a checkpoint → what to tell them.
_LOOKALIKES = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself. Run: git lfs pull",
    b"<!doctype": _WEB_PAGE,
    b"<html": _WEB_PAGE,
    b"\x89hdf": "is an HDF5 file, as Keras writes. Keras networks are not supported yet",
    b"\x89png": "is a PNG image, not a checkpoint",
    b"\xff\xd8\xff": "is a JPEG image, not a checkpoint",
    b"ii*\x00": "is a TIFF image, not a checkpoint",
    b"mm\x00*": "is a TIFF image, not a checkpoint",
    b"%pdf": "is a PDF document, not a checkpoint",
    b"\x93numpy": "is a NumPy array, not a checkpoint",
    b"\x1f\x8b": "is compressed with gzip. Unpack it first",
    b"7z\xbc\xaf": "is a 7-Zip archive. Unpack it first",
    b"rar!": "is a RAR archive. Unpack it first",
    b"\x80": "is a Python pickle that torch.save did not write, and opening it could run code. "
    "Save the weights with torch.save(model.state_dict(), 'weights.pth')",
}

# Best scores and the like are often saved beside the weights as NumPy scalars, which are data and run nothing.
# NumPy 1 and 2 write the same function under two names.
_numpy_scalar = np.float64(0).__reduce__()[0]
_NUMPY_SCALARS: list[Any] = [
    (_numpy_scalar, "numpy._core.multiarray.scalar"),
    (_numpy_scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
]


def read_container(path: Path) -> tuple[Any, dict[str, str]]:
    """What a weights file holds, and the text metadata it carries.

    Returns:
        The object that was saved, for safetensors the dict of tensors; and safetensors' metadata, else ``{}``.

    Raises:
        SegcamError: if the file is not a checkpoint, is damaged, or would have to run code to be opened.
        OSError: if it cannot be read at all.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SegcamError(f"{path} is empty. Copy or download it again.")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _check_archive(path)
        return _read_torch(path), {}
    if head.startswith(_LEGACY_TORCH):
        return _read_torch(path), {}
    if _is_safetensors(head):
        return _read_safetensors(path)
    raise SegcamError(f"{path} {_lookalike(head)}.")


def _lookalike(head: bytes) -> str:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head[128:132] == b"DICM":
        return "is a DICOM file, not a checkpoint. Open it as an image"
    for first_bytes, meaning in _LOOKALIKES.items():
        if start.startswith(first_bytes):
            return meaning
    return "is not a checkpoint: it is neither a torch file, nor safetensors, nor a folder saved by SMP"


def _is_safetensors(head: bytes) -> bool:
    # Eight bytes of header length, then the header, a JSON object.
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def _check_archive(path: Path) -> None:
    """Refuse zip archives that are not torch's, before anything in them is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except Exception as error:  # zipfile raises several kinds for damaged bytes
        raise SegcamError(f"{path} is damaged or cut short ({error}). Copy or download it again.") from error
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise SegcamError(f"{path} is an encrypted archive. Unpack it with its password first.")
    names = [entry.filename for entry in entries]
    files = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in files or any("/code/" in name for name in names):
        raise SegcamError(
            f"{path} is a TorchScript file, which is not supported yet. "
            "Save the weights alone: torch.save(model.state_dict(), 'weights.pth')."
        )
    if files & {"archive_format", "serialized_exported_program.json"}:
        raise SegcamError(
            f"{path} is a program written by torch.export, which is not supported yet. "
            "Save the weights alone: torch.save(model.state_dict(), 'weights.pth')."
        )
    if "model.weights.h5" in files:
        raise SegcamError(f"{path} is a Keras network. Keras networks are not supported yet.")
    if "data.pkl" not in files:
        raise SegcamError(f"{path} is a zip archive, but torch did not write it. If a checkpoint is in it, unpack it.")
    # Torch stores entries as they are; one that grows much on reading is made to fill the memory.
    if sum(entry.file_size for entry in entries) > 8 * path.stat().st_size:
        raise SegcamError(f"{path} claims to hold far more than its size allows. It is not opened.")


def _read_torch(path: Path) -> Any:
    try:
        # Opened here, since given a path torch goes by its suffix. Its warnings are of protocols in damaged files.
        with (
            path.open("rb") as file,
            torch.serialization.safe_globals(_NUMPY_SCALARS),
            warnings.catch_warnings(action="ignore"),
        ):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # hostile bytes make it raise nearly anything; none of it may reach the user
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted:
            raise SegcamError(
                f"{path} was not opened, because it holds more than weights and would run code: {wanted[1]}. "
                "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')."
            ) from error
        raise SegcamError(f"{path} is damaged or cut short and cannot be read. Copy or download it again.") from error


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            # Cloned, since the tensors lie in the mapped file, which may be replaced while they are used.
            return {name: file.get_tensor(name).clone() for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except Exception as error:
        raise SegcamError(
            f"{path} is a damaged or cut short safetensors file ({error}). Copy or download it again."
        ) from error
