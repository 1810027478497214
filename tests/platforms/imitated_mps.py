"""Apple's GPU, imitated on the CPU: tensors that say ``mps``, refuse what Metal lacks, and never mix with the CPU's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from napari_segcam.network import device

GPU = torch.device("lazy")
"""Stands for ``mps``: of the devices that torch was not built for, only this one's graphs run, as the CPU's."""

_LACKING = (torch.float64, torch.complex128)
_UNKNOWN_OPERATIONS = ("_linalg_eigh", "linalg_eig", "_linalg_svd", "linalg_qr", "linalg_lstsq")
_MAY_MIX = ("copy_", "_to_copy", "index", "index_put", "index_put_", "_index_put_impl_", "set_data")


class ImitatedTensor(torch.Tensor):
    """A tensor whose values are in ``value``, on the CPU; its device is ``GPU``."""

    value: torch.Tensor

    @staticmethod
    def __new__(cls, value: torch.Tensor) -> ImitatedTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            value.shape,
            strides=value.stride(),
            storage_offset=value.storage_offset(),
            dtype=value.dtype,
            device=GPU,
        )
        made.value = value
        return made

    def new_tensor(self, data: Any, **options: Any) -> torch.Tensor:  # type: ignore[override]
        return self.value.new_tensor(data, **options).to(options.get("device", GPU))

    def __getitem__(self, index: Any) -> torch.Tensor:
        return super().__getitem__(torch.as_tensor(index) if isinstance(index, list) else index)

    def tolist(self) -> Any:
        return self.value.tolist()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{type(self).__name__}({self.value!r})"

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _run(operation, args, dict(kwargs or {}))


class _Imitation(TorchDispatchMode):
    """Sees the operations without a tensor of the GPU too: those that make one."""

    def __torch_dispatch__(
        self, operation: Any, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _run(operation, args, dict(kwargs or {}))


def _run(operation: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    name = operation._schema.name.partition("::")[2]
    given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    ours = [tensor for tensor in given if isinstance(tensor, ImitatedTensor)]
    place = kwargs.get("device")
    on_gpu = bool(ours) if place is None else torch.device(place).type == GPU.type
    if place is not None and on_gpu:
        kwargs["device"] = torch.device("cpu")
    others = [tensor for tensor in given if not isinstance(tensor, ImitatedTensor) and tensor.ndim]
    if ours and others and name not in _MAY_MIX:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found mps and cpu")
    if ours and name in _UNKNOWN_OPERATIONS:
        raise NotImplementedError(f"The operator 'aten::{name}' is not currently implemented for the MPS device")
    if name == "copy_":
        on_gpu = isinstance(args[0], ImitatedTensor)
    wrappers = {id(tensor.value): tensor for tensor in ours}
    plain_args, plain_kwargs = pytree.tree_map_only(ImitatedTensor, lambda tensor: tensor.value, (args, kwargs))
    result = operation(*plain_args, **plain_kwargs)

    def wrapped(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) in wrappers:  # changed in place
            return wrappers[id(tensor)]
        if tensor.dtype in _LACKING:
            raise TypeError(f"Cannot convert a MPS Tensor to {tensor.dtype} dtype: MPS does not support it.")
        return ImitatedTensor(tensor)

    return pytree.tree_map_only(torch.Tensor, wrapped, result) if on_gpu else result


def _placed(made: Any, data: Any, options: dict[str, Any]) -> torch.Tensor:
    """Return a new tensor, made on the CPU and moved where it is wanted."""
    place = options.pop("device", None)
    tensor = made(data, **options)
    return tensor if place is None else tensor.to(place)


@contextmanager
def imitated_mps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the device ``GPU`` be one of Apple's, with tensors that behave as there."""
    monkeypatch.setattr(device, "_WITHOUT_FLOAT64", {"mps", GPU.type})
    for name in ("is_autocast_enabled", "get_autocast_dtype"):  # which torch does not know for the stand-in
        known = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda kind, known=known: known("cpu" if kind == GPU.type else kind))
    for name in ("tensor", "as_tensor"):  # which do not ask for the kind of device
        made = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda data, made=made, **options: _placed(made, data, options))
    autocast = torch.amp.autocast_mode.autocast.__init__

    def init(self: torch.autocast, device_type: str, *args: Any, **options: Any) -> None:
        autocast(self, "cpu" if device_type == GPU.type else device_type, *args, **options)

    monkeypatch.setattr(torch.amp.autocast_mode.autocast, "__init__", init)
    with _Imitation():
        yield
