"""Array files without an image header: NumPy's .npy and .npz, MATLAB's .mat, HDF5."""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.budget import refuse_large_content
from napari_segcam.errors import SegcamError, error_text
from napari_segcam.imaging.cine import name_of
from napari_segcam.imaging.file_part import FilePart
from napari_segcam.imaging.stacks.array_choice import choose_array
from napari_segcam.imaging.stacks.axes import Axes, Convention, guess_axes, parse_axes
from napari_segcam.imaging.stacks.samples import Layout, PlainSamples, UnpackedSamples
from napari_segcam.imaging.stacks.stack_cine import StackCine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_segcam.imaging.stacks.samples import Readable


def open_npy(part: FilePart) -> StackCine:
    """Open a .npy file: ``(Y, X)`` or ``(T, Y, X)``, with colors last, unless the shape or the user says otherwise.

    Raises:
        SegcamError: if the file is damaged, holds Python objects, or no frames.
    """
    with _array_errors(part.path, "NumPy"), part.path.open("rb") as file:
        layout, offset = _npy_layout(file)
    return _stack(part, PlainSamples(part.path, offset, layout), layout.shape, "TYX")


def open_npz(part: FilePart) -> StackCine:
    """Open one array of a .npz file, as ``open_npy`` does.

    Raises:
        SegcamError: as for ``open_npy``, or if it holds several images and none was named.
    """
    path = part.path
    layouts: dict[str, tuple[Layout, int]] = {}
    with _array_errors(path, "NumPy"), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as file:
                    layouts[member.removesuffix(".npy")] = _npy_layout(file)
    arrays = {member: (layout.shape, layout.dtype.kind) for member, (layout, _) in layouts.items()}
    name = choose_array(path, arrays, part.name)
    layout, offset = layouts[name]

    @contextmanager
    def open_array() -> Iterator[Readable]:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            yield file

    return _stack(part, UnpackedSamples(path.name, open_array, offset, layout), layout.shape, "TYX", name, len(arrays))


def open_matlab(part: FilePart) -> StackCine:
    """Open one array of a .mat file of version 5: ``(Y, X)``, ``(Y, X, T)`` or ``(Y, X, 3, T)``, fields of structs too.

    The whole array is read once, when it is first needed, as the format compresses it in one piece.

    Raises:
        SegcamError: if the file is damaged, holds no frames, or several images and none was named.
    """
    from scipy.io import loadmat, whosmat

    path = part.path
    with _array_errors(path, "MATLAB"):
        listed = whosmat(path, appendmat=False)
        arrays: dict[str, NDArray[Any]] = {}
        shapes: dict[str, tuple[tuple[int, ...], str]] = {}
        if any(kind == "struct" for _, _, kind in listed):
            _refuse_large_matlab(path)
        for variable, shape, kind in listed:
            if kind == "struct":
                loaded = loadmat(path, appendmat=False, variable_names=[variable], simplify_cells=True)
                arrays |= _fields(variable, loaded.get(variable))
            elif kind in _MATLAB_KINDS:
                shapes[variable] = tuple(int(length) for length in shape), _MATLAB_KINDS[kind]
        shapes |= {field: (array.shape, array.dtype.kind) for field, array in arrays.items()}
    name = choose_array(path, shapes, part.name)
    shape, kind = shapes[name]
    refuse_large_content(path.name, math.prod(shape) * (8 if kind == "f" else 1))

    @cache
    def stored() -> NDArray[Any]:
        if name in arrays:
            return arrays[name]
        with _array_errors(path, "MATLAB"):
            return np.asarray(loadmat(path, appendmat=False, variable_names=[name])[name])

    return _stack(part, stored, shapes[name][0], "YXT", name, len(shapes))


def open_hdf5(part: FilePart) -> StackCine:
    """Open one dataset of an HDF5 file, ``(T, Y, X)`` in the usual order, or of a .mat file of version 7.3.

    MATLAB's own order is ``(Y, X, T)``, which HDF5 lists backwards; axes from the user are in MATLAB's order.

    Raises:
        SegcamError: if the file is damaged, holds no frames, or several images and none was named.
    """
    import h5py

    path = part.path
    shapes: dict[str, tuple[tuple[int, ...], str]] = {}

    def add_dataset(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "buif":
            hidden = name.startswith("#") or "MATLAB_empty" in item.attrs
            if not hidden and item.attrs.get("MATLAB_class", b"") not in (b"char", b"cell"):
                shapes[name] = tuple(item.shape), item.dtype.kind

    with _array_errors(path, "HDF5"), h5py.File(path, "r") as file:
        file.visititems(add_dataset)
    is_matlab = _is_matlab(path)
    if is_matlab:
        shapes = {dataset: (shape[::-1], kind) for dataset, (shape, kind) in shapes.items()}
    name = choose_array(path, shapes, part.name)

    def stored() -> Any:
        return _Dataset(path, name, backwards=is_matlab)

    return _stack(part, stored, shapes[name][0], "YXT" if is_matlab else "TYX", name, len(shapes))


def is_keras_h5(path: Path) -> bool:
    """Whether an HDF5 file holds a network of Keras rather than images; False where h5py is missing."""
    try:
        import h5py

        with h5py.File(path, "r") as file:
            return bool(_KERAS_ATTRIBUTES & set(file.attrs)) or {"layers", "vars"} <= set(file)
    except (ImportError, OSError):
        return False


class _Dataset:
    """Dataset that is opened for each read, and read only as far as needed; backwards in MATLAB's order of axes."""

    def __init__(self, path: Path, name: str, *, backwards: bool) -> None:
        import h5py

        self._path, self._name, self._backwards = path, name, backwards
        with _array_errors(path, "HDF5"), h5py.File(path, "r") as file:
            shape, self.dtype = file[name].shape, file[name].dtype
        self.shape = shape[::-1] if backwards else shape

    def __getitem__(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        import h5py

        with _array_errors(self._path, "HDF5"), h5py.File(self._path, "r") as file:
            if not self._backwards:
                return np.asarray(file[self._name][key])
            return np.asarray(file[self._name][key[::-1]]).transpose()


_KERAS_ATTRIBUTES = {"keras_version", "model_config", "layer_names", "weight_names"}
_CHUNK = 1 << 20
_MATLAB_COMPRESSED = 15
_MATLAB_KINDS = {
    "int8": "i", "uint8": "u", "int16": "i", "uint16": "u", "int32": "i", "uint32": "u", "int64": "i", "uint64": "u",
    "single": "f", "double": "f", "logical": "b",
}  # fmt: skip


def _stack(
    part: FilePart,
    stored: Callable[[], Any],
    shape: tuple[int, ...],
    convention: Convention,
    name: str = "",
    images: int = 1,
) -> StackCine:
    label = f"{part.path.name}::{name}" if name and images > 1 else part.path.name
    axes = parse_axes(part.axes, shape, label) if part.axes else guess_axes(shape, convention, label)
    notes = () if part.axes or len(shape) < 3 else (_note_on_axes(label, shape, axes),)
    title = f"{name_of(part.path)} {name}" if name and images > 1 else ""
    return StackCine(part.path, stored, axes, name=title, notes=notes)


def _note_on_axes(label: str, shape: tuple[int, ...], axes: Axes) -> str:
    other = "YXT" if axes.letters.startswith("T") else "TYX"
    return (
        f"The file does not say what its axes ({' × '.join(map(str, shape))}) are: they are read as "
        f"{axes.in_words()}. If that is wrong, give them: {label}::{other}"
    )


def _npy_layout(file: Any) -> tuple[Layout, int]:
    """Return the shape and type of an array in NumPy's format, and the length of its header."""
    start = file.tell() if file.seekable() else 0
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not opened")
    return Layout(shape, dtype, fortran), file.tell() - start


def _fields(name: str, value: Any) -> Mapping[str, NDArray[Any]]:
    """Return the arrays in the fields of a struct, by names such as ``struct.field``."""
    if isinstance(value, np.ndarray):
        return {name: value}
    arrays: dict[str, NDArray[Any]] = {}
    if isinstance(value, dict):
        for field, inner in value.items():
            arrays |= _fields(f"{name}.{field}", inner)
    return arrays


def _refuse_large_matlab(path: Path) -> None:
    """Raise a SegcamError if the variables of a file are too large to read completely, as is needed for structs."""
    size = 0
    with path.open("rb") as file:
        order = "<" if file.read(128)[126:] == b"IM" else ">"
        while len(tag := file.read(8)) == 8:
            kind, length = struct.unpack(f"{order}LL", tag)
            if kind != _MATLAB_COMPRESSED:
                size += length
                file.seek(length, 1)
                refuse_large_content(path.name, size)
                continue
            end, unpack = file.tell() + length, zlib.decompressobj()
            while not unpack.eof and (packed := unpack.unconsumed_tail or file.read(min(_CHUNK, end - file.tell()))):
                size += len(unpack.decompress(packed, _CHUNK))
                refuse_large_content(path.name, size)
            file.seek(end)


def _is_matlab(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(10) == b"MATLAB 7.3"


@contextmanager
def _array_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn any error while an array file is read into a SegcamError."""
    try:
        yield
    except SegcamError:
        raise
    except FileNotFoundError:
        raise SegcamError(f"There is no file {path}.") from None
    except (Exception, struct.error) as error:  # each library raises its own errors
        raise SegcamError(f"{path.name} is a {kind} file, but cannot be read: {error_text(error)}.") from error
