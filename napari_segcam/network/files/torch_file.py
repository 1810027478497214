"""Torch files, new (zip) and old: tensors are rebuilt from their bytes, and nothing that a file asks for is called.

``torch.load(weights_only=True)`` refuses whatever is no tensor. People's files hold more than tensors: arguments of
the training run, states of optimizers, whole networks. Here these come back as inert records, which allows for both:
reading more files, and running less. Storages are checked against the bytes that are there before memory is taken.
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
    """What ``torch.save`` put into a zip archive: tensors on the CPU, plain data, ``Record`` for all other objects.

    Raises:
        SegcamError: if it is damaged, would run code, or holds tensors larger than their bytes.
    """
    folder = record.removesuffix("data.pkl")
    swap = archive.sizes.get(f"{folder}byteorder", 0) > 0 and archive.read(f"{folder}byteorder") == b"big"
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:
        dtype, key, count = parse_storage_id(identity)
        if key not in storages:
            name = f"{folder}data/{key}"
            held, declared = archive.sizes.get(name, -1), count * dtype.itemsize
            if held != declared and declared:
                raise UnsupportedContent(
                    f"declares {declared} bytes for a tensor that has {max(held, 0)}. It is not opened"
                )
            content = untyped_storage(bytearray(archive.read(name) if declared else b""))
            if swap != (sys.byteorder == "big"):
                content.byteswap(dtype)
            storages[key] = Storage(content, dtype)
        return Storage(storages[key].content, dtype)

    return _guarded(archive.path, partial(_read, io.BytesIO(archive.read(record)), persistent))


def read_legacy(path: Path) -> Any:
    """What ``torch.save`` put into a file before torch 1.6, as ``read_zip`` gives it.

    Raises:
        SegcamError: as for ``read_zip``.
        OSError: if the file cannot be read.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        return _guarded(path, partial(_read_legacy, file, file_size))


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    """Read; whatever stops it is told in the user's words."""
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
    except Exception as error:  # arguments that make no sense make the rebuilding raise nearly anything
        raise SegcamError(f"{path} is damaged or cut short and cannot be read. Copy or download it again.") from error


def _read(stream: IO[bytes], persistent: Callable[[Any], Any]) -> Any:
    return read_pickle(stream, is_allowed_global, REBUILD_FUNCTIONS, persistent)


def _no_storages(_identity: Any) -> Any:
    raise MalformedPickle("a storage was not expected there")


def _read_legacy(file: IO[bytes], file_size: int) -> Any:
    """Magic number, protocol, system; then the object; then the keys of its storages, and their bytes in that order."""
    plain = partial(_read, file, _no_storages)
    if (plain(), plain()) != (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        raise MalformedPickle("it is not torch's")
    system = plain()
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise UnsupportedContent("was written on a computer with another byte order. Save it again with a newer torch")
    waiting: dict[str, tuple[Storage, bytearray]] = {}
    total = 0

    def persistent(identity: Any) -> Any:
        nonlocal total
        if isinstance(identity, tuple) and identity[0] == "module":  # a class, with its source, which is not needed
            return identity[1]
        dtype, key, count = parse_storage_id(identity)
        if key not in waiting:
            total += count * dtype.itemsize
            if total > file_size:
                raise UnsupportedContent("declares tensors larger than the whole file. It is not opened")
            content = bytearray(count * dtype.itemsize)
            waiting[key] = Storage(untyped_storage(content), dtype), content
        return Storage(waiting[key][0].content, dtype)

    found = _read(file, persistent)
    keys = plain()
    if not isinstance(keys, list) or set(keys) != set(waiting):
        raise MalformedPickle("its tensors are missing")
    for key in keys:
        storage, content = waiting[key]
        count = int.from_bytes(file.read(8), "little")
        if count * storage.dtype.itemsize != len(content) or _fill(file, content) != len(content):
            raise MalformedPickle("a tensor is incomplete")
    return found


def _fill(file: IO[bytes], content: bytearray) -> int:
    data = file.read(len(content))
    content[: len(data)] = data
    return len(data)
