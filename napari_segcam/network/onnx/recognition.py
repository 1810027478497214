"""Tell an ONNX file by its bytes: a protobuf message whose top-level fields are those of ONNX's ModelProto."""

from __future__ import annotations

from pathlib import Path
from typing import IO

# Fields of ModelProto: those that hold a number, and those that hold bytes.
_NUMBERS = frozenset({1, 5})
_BYTES = frozenset({2, 3, 4, 6, 7, 8, 14, 20, 25, 26})
_IR_VERSION, _GRAPH = 1, 7
_MOST_FIELDS = 100_000


def is_onnx(path: Path) -> bool:
    """Return whether a file holds an ONNX model. One that is cut short within its graph counts too.

    Raises:
        OSError: if the file cannot be read.
    """
    size = path.stat().st_size
    seen: set[int] = set()
    with path.open("rb") as file:
        for _ in range(_MOST_FIELDS):
            key = _number(file)
            if key is None:
                break
            field, kind = key >> 3, key & 7
            if kind == 0 and field in _NUMBERS:
                if _number(file) is None:
                    return False
            elif kind == 2 and field in _BYTES:
                length = _number(file)
                if length is None:
                    return False
                if file.tell() + length > size:
                    return field == _GRAPH and _IR_VERSION in seen
                file.seek(length, 1)
            else:
                return False
            seen.add(field)
        return file.tell() == size and _GRAPH in seen


def is_onnxruntime_format(head: bytes) -> bool:
    """Return whether these are the first bytes of a file in the format of onnxruntime itself (``.ort``)."""
    return head[4:8] == b"ORTM"


def _number(file: IO[bytes]) -> int | None:
    """Read a number as protobuf writes it; None if there is none."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    return None
