"""Read torch files, new (zip) and old: tensors are rebuilt from their bytes, and no code from the file runs.

``torch.load(weights_only=True)`` refuses everything that is not a tensor. Real files hold more: arguments of the
training run, optimizer states, whole networks. Here these come back as inert objects, so that more files can be read
and less is run. A storage's declared size is compared with the bytes in the file before memory is allocated.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from napari_segcam.errors import SegcamError
from napari_segcam.network.files.allowed_globals import is_allowed_global
from napari_segcam.network.files.archive import Archive
from napari_segcam.network.files.inert_objects import DisallowedGlobal, MalformedPickle
from napari_segcam.network.files.inert_pickle import read_pickle
from napari_segcam.network.files.rebuild_functions import (
    REBUILD_FUNCTIONS,
    Storage,
    UnsupportedContent,
    parse_storage_id,
    untyped_storage,
)

# Torch's format before 1.6 begins with a pickle of this number, whatever the protocol.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_MAGIC_PICKLED = b"\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")
_LEGACY_PROTOCOL = 1001


def is_legacy(head: bytes) -> bool:
    """Whether a file that begins with these bytes is of torch's old format, written with any pickle protocol."""
    return head[:1] == b"\x80" and _LEGACY_MAGIC_PICKLED in head[:32]


def read_zip(archive: Archive, record: str = "data.pkl") -> Any:
    """Return what ``torch.save`` wrote: tensors on the CPU, plain data, and ``InertObject`` for everything else.

    Raises:
        SegcamError: if the file is damaged, would run code, or declares tensors larger than their bytes.
    """
    folder = record.removesuffix("data.pkl")
    is_big_endian = archive.sizes.get(f"{folder}byteorder", 0) > 0 and archive.read(f"{folder}byteorder") == b"big"
    storages: dict[str, Storage] = {}

    def load_storage(identity: Any) -> Storage:
        dtype, key, count = parse_storage_id(identity)
        if key not in storages:
            name = f"{folder}data/{key}"
            stored, declared = archive.sizes.get(name, -1), count * dtype.itemsize
            if stored != declared and declared:
                raise UnsupportedContent(
                    f"declares {declared} bytes for a tensor that has {max(stored, 0)}. It is not opened"
                )
            content = untyped_storage(bytearray(archive.read(name) if declared else b""))
            if is_big_endian != (sys.byteorder == "big"):
                content.byteswap(dtype)
            storages[key] = Storage(content, dtype)
        return Storage(storages[key].content, dtype)

    return _read_safely(archive.path, partial(_read, io.BytesIO(archive.read(record)), load_storage))


def read_legacy(path: Path) -> Any:
    """Return what ``torch.save`` wrote before torch 1.6, as ``read_zip`` does.

    Raises:
        SegcamError: as for ``read_zip``.
        OSError: if the file cannot be read.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        return _read_safely(path, partial(_read_legacy, file, file_size))


def _read_safely(path: Path, read: Callable[[], Any]) -> Any:
    """Read the file, and turn every error into a message for the user."""
    try:
        return read()
    except SegcamError:
        raise
    except UnsupportedContent as error:
        raise SegcamError(f"{path} {error}.") from error
    except DisallowedGlobal as error:
        raise SegcamError(
            f"{path} was not opened, because it holds more than weights and would run code: {error.name}. "
            "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')."
        ) from error
    except MalformedPickle as error:
        raise SegcamError(f"{path} is damaged or cut short ({error}). Copy or download it again.") from error
    except OSError:
        raise
    except Exception as error:  # senseless arguments can raise nearly anything
        raise SegcamError(f"{path} is damaged or cut short and cannot be read. Copy or download it again.") from error


def _read(stream: IO[bytes], load_storage: Callable[[Any], Any]) -> Any:
    return read_pickle(stream, is_allowed_global, REBUILD_FUNCTIONS, load_storage)


def _no_storages(_identity: Any) -> Any:
    raise MalformedPickle("a storage is where none belongs")


def _read_legacy(file: IO[bytes], file_size: int) -> Any:
    """Read the magic number, protocol and system; the object; the keys of its storages; their bytes in that order."""
    read_plain = partial(_read, file, _no_storages)
    if (read_plain(), read_plain()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise MalformedPickle("torch did not write it")
    system = read_plain()
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise UnsupportedContent("was written on a computer with another byte order. Save it again with a newer torch")
    pending: dict[str, tuple[Storage, bytearray]] = {}
    total = 0

    def load_storage(identity: Any) -> Any:
        nonlocal total
        if isinstance(identity, tuple) and identity[0] == "module":  # a class, with its source, which is not needed
            return identity[1]
        dtype, key, count = parse_storage_id(identity)
        if key not in pending:
            total += count * dtype.itemsize
            if total > file_size:
                raise UnsupportedContent("declares tensors larger than the whole file. It is not opened")
            content = bytearray(count * dtype.itemsize)
            pending[key] = Storage(untyped_storage(content), dtype), content
        return Storage(pending[key][0].content, dtype)

    saved_object = _read(file, load_storage)
    keys = read_plain()
    if not isinstance(keys, list) or set(keys) != set(pending):
        raise MalformedPickle("its tensors are missing")
    for key in keys:
        storage, content = pending[key]
        count = int.from_bytes(file.read(8), "little")
        if count * storage.dtype.itemsize != len(content) or _fill(file, content) != len(content):
            raise MalformedPickle("a tensor is incomplete")
    return saved_object


def _fill(file: IO[bytes], content: bytearray) -> int:
    data = file.read(len(content))
    content[: len(data)] = data
    return len(data)
