"""Weights that an ONNX file keeps in other files: read only from files in its own folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from napari_segcam.errors import SegcamError, one_line

_EXTERNAL = 1  # TensorProto.EXTERNAL


def external_files(model: Any, path: Path) -> list[Path]:
    """Return the files beside an ONNX file that hold weights of it.

    Args:
        model: an ``onnx.ModelProto``.
        path: of its file.

    Raises:
        SegcamError: if one is outside the folder of the file, or is missing.
    """
    return list(dict.fromkeys(_file(tensor, path) for tensor in _external_tensors(model)))


def load_external_data(model: Any, path: Path) -> None:
    """Put the weights that are in other files into the model.

    Args:
        model: an ``onnx.ModelProto``, which is changed.
        path: of its file.

    Raises:
        SegcamError: as ``external_files``, or if a file is cut short.
    """
    for tensor in _external_tensors(model):
        file, entries = _file(tensor, path), _entries(tensor)
        try:
            offset, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
        except ValueError:
            offset = -1
        size = file.stat().st_size
        if offset < 0 or offset + max(length, 0) > size:
            raise SegcamError(f"takes weights from {file.name}, which is cut short. Copy or download both files again")
        with file.open("rb") as stream:
            stream.seek(offset)
            tensor.raw_data = stream.read(length) if length >= 0 else stream.read()
        del tensor.external_data[:]
        tensor.data_location = 0


def _file(tensor: Any, path: Path) -> Path:
    location = _entries(tensor).get("location", "")
    shown = one_line(location, 200)
    for pure in (PurePosixPath(location), PureWindowsPath(location)):
        if not location or pure.is_absolute() or pure.drive or ".." in pure.parts:
            raise SegcamError(f"takes weights from {shown!r}, outside its own folder. It is not opened")
    file = path.parent / location
    folder = path.resolve().parent
    if not file.is_file():
        raise SegcamError(f"keeps its weights in {shown}, which is not beside it. Copy that file to the same folder")
    # A link beside the file may lead anywhere, unless the file itself is a link to the same place.
    if not file.resolve().is_relative_to(folder) and not file.resolve().is_relative_to(path.parent.resolve()):
        raise SegcamError(f"takes weights from {shown}, a link that leads outside its own folder. It is not opened")
    return file


def _entries(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _external_tensors(model: Any) -> Iterator[Any]:
    yield from (tensor for tensor in _tensors(model.graph) if tensor.data_location == _EXTERNAL)
    for function in model.functions:
        for node in function.node:
            yield from (tensor for tensor in _tensors_of(node) if tensor.data_location == _EXTERNAL)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _tensors_of(node)


def _tensors_of(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        if attribute.HasField("sparse_tensor"):
            yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            yield from _tensors(graph)
