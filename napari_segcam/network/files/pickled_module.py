"""Whole pickled networks: rebuilt attribute by attribute from an inert record, for classes of known libraries alone.

``torch.save(model, path)`` stores the names of classes and the attributes of every module. Unpickling would import what
the file names and call what it says. Here each class is looked up among the modules of torch, torchvision, timm and
segmentation-models-pytorch that are loaded already; an empty object of it is made without its constructor, and gets the
attributes that are plain data, tensors, or such modules again. What a module runs is then its library's code alone.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from napari_segcam.errors import SegcamError
from napari_segcam.network.child_names import is_child_name
from napari_segcam.network.files.inert_objects import InertName, InertObject

# Modules whose classes only compute: no data sets, no checkpoints, no training, nothing that compiles.
_ROOMS = (
    "torch.nn.modules.",
    "torchvision.models.",
    "torchvision.ops.",
    "timm.models.",
    "timm.layers.",
    "segmentation_models_pytorch.base.",
    "segmentation_models_pytorch.decoders.",
    "segmentation_models_pytorch.encoders.",
)
_LIBRARIES = ("torchvision", "timm", "segmentation_models_pytorch")
_PARALLEL = ("torch.nn.parallel.data_parallel.DataParallel", "torch.nn.parallel.distributed.DistributedDataParallel")

# Data that modules keep beside plain values, with no behavior to speak of.
_DATA_CLASSES = ("timm.models._features.FeatureInfo",)

_ACTIVATIONS = "relu relu6 gelu silu mish elu selu celu leaky_relu hardswish hardsigmoid softplus sigmoid tanh softmax"
_FUNCTIONS = {
    **{f"torch.nn.functional.{name}": getattr(F, name) for name in _ACTIVATIONS.split()},
    "torch._C._nn.gelu": F.gelu,
    "torch.relu": torch.relu,
    "torch.sigmoid": torch.sigmoid,
    "torch.tanh": torch.tanh,
}

# Counted as a walk through all names meets them; timm's largest networks have a few thousand.
_MOST_MODULES = 50_000

_OWN_ATTRIBUTES = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"}


class UnknownClass(SegcamError):  # noqa: N818 - named for what users read, as every SegcamError
    """The network is of a class that is not known."""


def is_network(record: InertObject) -> bool:
    """Whether a record is of a module: torch's modules all have these attributes."""
    return isinstance(record.state, Mapping) and {"_parameters", "_modules"} <= record.state.keys()


def rebuild_module(record: InertObject) -> nn.Module:
    """The network that a record describes, in eval mode; its tensors are those of the record.

    Raises:
        UnknownClass: naming the first class that is not one of the known libraries'.
        SegcamError: if something else cannot be taken over.
    """
    root = without_wrappers(record)
    try:
        return _Rebuilding().module(root).eval()
    except SegcamError:
        raise
    except Exception as error:  # attributes that make no sense
        raise SegcamError(f"holds a network that cannot be rebuilt ({type(error).__name__})") from error


def state_dict_of(record: InertObject) -> dict[str, torch.Tensor]:
    """The state dict of the network that a record describes, whatever its classes.

    Raises:
        SegcamError: if its modules contain each other.
    """
    weights: dict[str, torch.Tensor] = {}

    def collect(part: InertObject, prefix: str) -> None:
        left_out = _left_out(part)
        own = {**_table(part, "_parameters"), **_table(part, "_buffers")}
        for name, value in own.items():
            if isinstance(value, torch.Tensor) and name not in left_out:
                weights[f"{prefix}{name}"] = value.detach()
        for name, child in _children(part):
            collect(child, f"{prefix}{name}.")

    collect(without_wrappers(record), "")
    return weights


def libraries_of(record: InertObject) -> set[str]:
    """The libraries beside torch whose classes the network in a record is of.

    Raises:
        SegcamError: if its modules contain each other.
    """
    return {part.name.partition(".")[0] for _, part in named_parts(record)}.intersection(_LIBRARIES)


def named_parts(record: InertObject) -> Iterator[tuple[str, InertObject]]:
    """The modules within the network that a record describes, by dotted name, and itself, without one.

    Raises:
        SegcamError: if they contain each other.
    """
    waiting = [("", without_wrappers(record))]
    while waiting:
        name, part = waiting.pop(0)
        yield name, part
        waiting += [(f"{name}.{child}" if name else child, inner) for child, inner in _children(part)]


def without_wrappers(record: InertObject) -> InertObject:
    """The network proper, without what distributes it, once it is known to be a finite tree of reasonable size.

    Raises:
        SegcamError: if it is none.
    """
    sizes: dict[int, int | None] = {}

    def size(part: InertObject) -> int:
        """How many modules there are, counting those that are shared as often as they are met."""
        if id(part) not in sizes:
            sizes[id(part)] = None
            sizes[id(part)] = 1 + sum(size(child) for _, child in _children(part))
        known = sizes[id(part)]
        if known is None or known > _MOST_MODULES:
            raise SegcamError("holds modules that contain each other. It is not opened")
        return known

    while record.name in _PARALLEL and isinstance(inner := _table(record, "_modules").get("module"), InertObject):
        record = inner
    try:
        size(record)
    except RecursionError as error:
        raise SegcamError("holds a network nested too deeply to be rebuilt") from error
    return record


def _children(record: InertObject) -> Iterator[tuple[str, InertObject]]:
    for name, child in _table(record, "_modules").items():
        if isinstance(child, InertObject) and is_network(child):
            yield name, child


class _Rebuilding:
    """One network being rebuilt; a module or a value that occurs twice stays one."""

    def __init__(self) -> None:
        self._modules: dict[int, nn.Module] = {}
        self._values: dict[int, Any] = {}

    def module(self, record: InertObject) -> nn.Module:
        if id(record) not in self._modules:
            kind = _known_class(record.name)
            if kind is None or not issubclass(kind, nn.Module) or record.called or not is_network(record):
                raise _foreign(record.name)
            self._modules[id(record)] = self._filled(kind, record)
        return self._modules[id(record)]

    def _filled(self, kind: type[nn.Module], record: InertObject) -> nn.Module:
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        for table in ("_parameters", "_buffers", "_modules"):
            for name in _table(record, table):
                if not is_child_name(name):
                    raise SegcamError(f"holds a network with a part named {name[:100]!r}, as torch allows none")
        attributes: dict[str, Any] = {}
        for name, value in record.state.items():
            if name in _OWN_ATTRIBUTES:
                continue
            if not isinstance(name, str) or name.startswith("__") or callable(getattr(kind, name, None)):
                raise SegcamError(f"would replace {name} of {kind.__qualname__}. It is not opened")
            if "hook" in name and name.startswith("_"):
                if value and name.startswith(("_forward", "_backward")):
                    raise SegcamError(f"holds a network with hooks of its own ({kind.__qualname__}). It is not opened")
                continue  # those of state dicts have no part in running it
            attributes[name] = self._plain(value)
        attributes["_parameters"] = _all(nn.Parameter, _table(record, "_parameters"))
        attributes["_buffers"] = _all(torch.Tensor, _table(record, "_buffers"))
        attributes["_modules"] = {
            name: None if child is None else self.module(child)
            for name, child in _all(InertObject, _table(record, "_modules")).items()
        }
        attributes["_non_persistent_buffers_set"] = _left_out(record)
        # Torch's own fill in what older versions did not store; no other library's module has one that is needed.
        nn.Module.__setstate__(module, {"training": False, **attributes})
        own = kind.__setstate__
        if own is not nn.Module.__setstate__ and str(own.__module__).startswith("torch.nn.modules."):
            own(module, dict(module.__dict__))
        return module

    def _plain(self, value: Any) -> Any:
        """A value as the module may keep it. What is not known stays inert: a record cannot be called."""
        if isinstance(value, dict | list | tuple | set | frozenset):
            if id(value) not in self._values:
                self._values[id(value)] = self._copied(value)
            return self._values[id(value)]
        if isinstance(value, InertName):
            dtype = getattr(torch, value.name.removeprefix("torch."), None)
            return dtype if isinstance(dtype, torch.dtype) else _FUNCTIONS.get(value.name, value)
        return self._object(value) if isinstance(value, InertObject) else value

    def _copied(self, value: Any) -> Any:
        if isinstance(value, dict):
            return type(value)((key, self._plain(inner)) for key, inner in value.items())
        return type(value)(self._plain(inner) for inner in value)

    def _object(self, record: InertObject) -> Any:
        if is_network(record):
            return self.module(record)
        if record.name == "torch.device":
            return torch.device("cpu")
        kind = _known_class(record.name)
        if kind is not None and issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return tuple.__new__(kind, self._plain(record.args))
        if kind is not None and issubclass(kind, Enum) and len(record.args) == 1:
            return kind(*record.args)
        if kind is not None and record.name in _DATA_CLASSES:
            made: Any = object.__new__(kind)
            made.__dict__.update(self._plain(record.state))
            return made
        return record


def _known_class(name: str) -> type | None:
    """The class of this dotted name, if a known library defines it in one of the modules that are loaded."""
    library = name.partition(".")[0]
    if library in _LIBRARIES:  # on demand: they take seconds and 200 MB
        importlib.import_module(library)
    where, _, what = name.replace("timm.models.layers.", "timm.layers.").rpartition(".")
    if not f"{where}.".startswith(_ROOMS):
        return None
    kind = getattr(sys.modules.get(where), what, None)
    return kind if isinstance(kind, type) and kind.__module__ == where else None


def _foreign(name: str) -> UnknownClass:
    return UnknownClass(
        f"was not opened, because it holds a whole network and would run code of the class {name}. "
        "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')"
    )


def _table(record: InertObject, name: str) -> dict[str, Any]:
    """One of a module's three tables, of its parameters, buffers or children, by name."""
    value = record.state.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SegcamError("holds a network with parts that have no names. It is not opened")
    return value


def _left_out(record: InertObject) -> set[str]:
    """Names of a module's buffers that its state dict does not have."""
    names = record.state.get("_non_persistent_buffers_set", ())
    return {name for name in names if isinstance(name, str)} if isinstance(names, set | list | tuple) else set()


def _all(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    if not all(value is None or isinstance(value, kind) for value in values.values()):
        raise SegcamError(f"holds a network with a part that is no {kind.__name__.lower()}. It is not opened")
    return values
