"""Functions that run instead of those that a torch file names, to rebuild tensors and plain data.

They do what torch's own functions of the same name do, and check every number that comes from the file.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_segcam.network.files.inert_objects import InertName, InertObject, MalformedPickle, refuse_slow_key

_STORAGE_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}


_MOST_DIMENSIONS = 64  # torch's own limit
_LONGEST_DTYPE = 16


@dataclass(frozen=True, eq=False)
class Storage:
    """Bytes of tensors, and the type that the file declares for them."""

    content: torch.UntypedStorage
    dtype: torch.dtype


class UnsupportedContent(Exception):  # noqa: N818 - becomes a SegcamError, with the path
    """The content of a file cannot be used. The message says why; it follows the file's name."""


def parse_storage_id(identity: Any) -> tuple[torch.dtype, str, int]:
    """Return type, key and number of elements of a storage, from torch's persistent id."""
    kind, storage_type, key, _location, count = identity[:5]
    name = storage_type.name.rpartition(".")[2]
    if kind != "storage" or not isinstance(key, str) or not isinstance(count, int) or count < 0:
        raise MalformedPickle("a storage is not described as torch does it")
    if len(identity) > 5 and identity[5] is not None:
        raise UnsupportedContent(
            "was saved by a very old torch, with storages in storages. Save it again with a newer one"
        )
    if name not in _STORAGE_TYPES:
        raise UnsupportedContent(f"stores tensors in a special form ({name}). Save plain weights")
    return _STORAGE_TYPES[name], key, count


def untyped_storage(content: bytearray) -> torch.UntypedStorage:
    """A storage that shares these bytes."""
    if not content:
        return torch.UntypedStorage(0)
    return torch.frombuffer(content, dtype=torch.uint8).untyped_storage()


def _tensor(storage: Storage, offset: int, size: Sequence[int], stride: Sequence[int], *_hooks: Any) -> torch.Tensor:
    return tensor_from_storage(storage, storage.dtype, offset, size, stride)


def _tensor_of_type(
    storage: Storage,
    offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    _requires_grad: bool,
    _hooks: Any,
    dtype: InertName,
    *_metadata: Any,
) -> torch.Tensor:
    return tensor_from_storage(storage, _dtype_named(dtype.name), offset, size, stride)


def tensor_from_storage(
    storage: Storage, dtype: torch.dtype, offset: int, size: Sequence[int], stride: Sequence[int]
) -> torch.Tensor:
    """A tensor in a storage; the numbers are those of ``torch.as_strided``.

    Raises:
        MalformedPickle: if they make no sense.
        UnsupportedContent: if the tensor is larger than the storage.
    """
    if len(size) > _MOST_DIMENSIONS or len(stride) > _MOST_DIMENSIONS:
        raise MalformedPickle("a tensor has no sensible shape")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(isinstance(number, int) and 0 <= number < 2**62 for number in numbers):
        raise MalformedPickle("a tensor has no sensible shape")
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    if math.prod(size) and (last + 1) * dtype.itemsize > storage.content.nbytes():
        raise UnsupportedContent("declares a tensor larger than its bytes. It is not opened")
    return torch.empty(0, dtype=dtype).set_(storage.content, offset, tuple(size), tuple(stride))


def _dtype_named(name: str) -> torch.dtype:
    """The torch type with a dotted name, such as ``"torch.float32"``.

    Raises:
        MalformedPickle: if there is none.
    """
    dtype = getattr(torch, name.rpartition(".")[2], None)
    if not isinstance(dtype, torch.dtype):
        raise MalformedPickle(f"{name} is not a type of tensor")
    return dtype


def _parameter(data: torch.Tensor, *_details: Any) -> torch.nn.Parameter:
    return torch.nn.Parameter(data, requires_grad=False)


def _special(*_args: Any) -> Any:
    raise UnsupportedContent("stores tensors in a special form (quantized or sparse). Save plain weights")


def _plain_tensor(rebuild: InertName, _kind: Any, args: tuple[Any, ...], _state: Any) -> Any:
    """The plain tensor in a tensor with attributes or of a subclass."""
    return _TENSORS[rebuild.name](*args)


def _dict(*args: Any) -> dict[Any, Any]:
    pairs: Iterable[Any] = args[-1] if args and isinstance(args[-1], list | dict) else ()
    ordered: dict[Any, Any] = OrderedDict()
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        if not isinstance(key, str | int):
            raise MalformedPickle("a key is neither text nor a number")
        refuse_slow_key(key)
        ordered[key] = value
    return ordered


def _set(items: Iterable[Any] = ()) -> set[Any]:
    if not all(isinstance(item, str | int | float) for item in items):
        raise MalformedPickle("a set holds neither text nor numbers")
    for item in items:
        refuse_slow_key(item)
    return set(items)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise MalformedPickle(f"the encoding {encoding} is not expected")
    return text.encode("latin1")


def _numpy_scalar(kind: InertObject, content: bytes | str) -> object:
    """A NumPy number as a plain one."""
    order = kind.state[1] if isinstance(kind.state, tuple) and kind.state[1] in ("<", ">") else ""
    if not isinstance(kind.args[0], str) or len(kind.args[0]) > _LONGEST_DTYPE:
        raise MalformedPickle("a number has no known type")
    dtype = np.dtype(order + kind.args[0])
    if dtype.kind not in "biufcSU" or len(content) != dtype.itemsize:
        raise MalformedPickle("a number is incomplete")
    data = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(data, dtype)[0].item()


_TENSORS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_type,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_sparse_tensor": _special,
    "torch._utils._rebuild_qtensor": _special,
    "torch._utils._rebuild_nested_tensor": _special,
    "torch._utils._rebuild_wrapper_subclass": _special,
    "torch._utils._rebuild_meta_tensor_no_storage": _special,
    "torch._utils._rebuild_device_tensor_from_numpy": _special,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _special,
}

# Function that a file names → function that is called instead.
REBUILD_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **_TENSORS,
    "torch._tensor._rebuild_from_type_v2": _plain_tensor,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _dict,
    "collections.Counter": _dict,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "_codecs.encode": _encode,
    "numpy.core.multiarray.scalar": _numpy_scalar,
    "numpy._core.multiarray.scalar": _numpy_scalar,
}
