"""Read the container: the kind of file, by its bytes and never by its name, and the objects or tensors inside.

Python never runs code from a file. What TorchScript and exported programs may run is decided where they are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch

from napari_segcam.budget import SETTINGS_BYTES
from napari_segcam.errors import SegcamError
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.files.torch_file import is_legacy, read_legacy, read_zip
from napari_segcam.network.graphs.exported_program import is_exported_program, read_exported_program
from napari_segcam.network.graphs.torchscript import is_torchscript, read_torchscript
from napari_segcam.network.keras.keras_file import HDF5_SIGNATURE, is_keras, read_keras, read_keras_h5
from napari_segcam.network.onnx.onnx_file import read_onnx
from napari_segcam.network.onnx.recognition import is_onnx, is_onnxruntime_format
from napari_segcam.network.resource_check import check_resources

_WEB_PAGE = "is a web page, not a checkpoint. Download it again, perhaps after logging in"

# First bytes, in lower case, of files that people mistake for a checkpoint → the message.
_LOOKALIKES = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself. Run: git lfs pull",
    b"<!doctype": _WEB_PAGE,
    b"<html": _WEB_PAGE,
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

Form = Literal["weights", "torchscript", "exported", "keras", "onnx"]


@dataclass(frozen=True, eq=False)
class Container:
    """Content of a file.

    Attributes:
        content: the object that ``torch.save`` wrote, with everything but tensors and plain data inert; for
            safetensors the dict of tensors; for TorchScript, exported programs, Keras and ONNX the network as a module.
        form: kind of file.
        metadata: of safetensors.
        parts: other files that hold weights of the network.
    """

    content: Any
    form: Form = "weights"
    metadata: dict[str, str] = field(default_factory=dict)
    parts: tuple[Path, ...] = ()


def read_container(path: Path) -> Container:
    """Read a weights file.

    Raises:
        SegcamError: if the file is not a checkpoint, is damaged, or would run code.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise SegcamError(f"{path} is empty. Copy or download it again.")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with Archive(path) as archive:
            return _read_archive(archive)
    if head.startswith(HDF5_SIGNATURE):
        return Container(read_keras_h5(path), "keras")
    if is_legacy(head):
        return Container(read_legacy(path))
    if is_onnx(path):
        network, parts = read_onnx(path)
        return Container(network, "onnx", parts=tuple(parts))
    if _is_safetensors(head):
        return _read_safetensors(path, int.from_bytes(head[:8], "little"))
    raise SegcamError(f"{path} {_lookalike(head)}.")


def _read_archive(archive: Archive) -> Container:
    if is_torchscript(archive):
        check_resources(archive.path, "torchscript")
        return Container(read_torchscript(archive), "torchscript")
    if is_exported_program(archive):
        check_resources(archive.path, "exported")
        return Container(read_exported_program(archive), "exported")
    if "data.pkl" in archive.sizes:
        return Container(read_zip(archive))
    if is_keras(archive):
        return Container(read_keras(archive), "keras")
    raise SegcamError(
        f"{archive.path} is a zip archive, but torch did not write it. If it contains a checkpoint, unpack it."
    )


def _lookalike(head: bytes) -> str:
    if is_onnxruntime_format(head):
        return "is in onnxruntime's own format (.ort), without its graph. Choose the .onnx file that it was made of"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head[128:132] == b"DICM":
        return "is a DICOM file, not a checkpoint. Open it as an image"
    for first_bytes, meaning in _LOOKALIKES.items():
        if start.startswith(first_bytes):
            return meaning
    return "is not a checkpoint: it is neither a torch file, nor safetensors, nor ONNX, nor a folder saved by SMP"


def _is_safetensors(head: bytes) -> bool:
    # Eight bytes of header length, then the header, a JSON object.
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


def _read_safetensors(path: Path, header: int) -> Container:
    if header > SETTINGS_BYTES:
        size, most = (f"{count / 1e6:,.0f} MB" for count in (header, SETTINGS_BYTES))
        raise SegcamError(f"{path} has a header of {size}, more than the {most} that are read.")
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            # Cloned: the tensors are in the mapped file, which may be replaced while they are used.
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            return Container(tensors, metadata=dict(file.metadata() or {}))
    except Exception as error:
        raise SegcamError(
            f"{path} is a damaged or cut short safetensors file ({error}). Copy or download it again."
        ) from error
