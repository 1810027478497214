"""Rebuild whole pickled networks, attribute by attribute, if their classes are of known libraries.

``torch.save(model, path)`` stores the names of classes and the attributes of every module. Unpickling would import what
the file names and call what it asks for. Here each class is looked up in torch, torchvision, timm and
segmentation-models-pytorch. An empty object is made without calling its constructor, and gets the attributes that are
plain data, tensors or other modules of this kind. So a rebuilt module runs only the code of its library.
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

# Packages whose classes only compute: no data sets, no checkpoints, no training, no compilers.
_PACKAGES = (
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

# Classes that only hold data.
_DATA_CLASSES = ("timm.models._features.FeatureInfo",)

_ACTIVATIONS = "relu relu6 gelu silu mish elu selu celu leaky_relu hardswish hardsigmoid softplus sigmoid tanh softmax"
_FUNCTIONS = {
    **{f"torch.nn.functional.{name}": getattr(F, name) for name in _ACTIVATIONS.split()},
    "torch._C._nn.gelu": F.gelu,
    "torch.relu": torch.relu,
    "torch.sigmoid": torch.sigmoid,
    "torch.tanh": torch.tanh,
}

# Shared modules count once for each name. timm's largest networks have a few thousand.
_MOST_MODULES = 50_000

_MODULE_ATTRIBUTES = {"_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"}


class UnknownClass(SegcamError):  # noqa: N818 - named for what users read, as every SegcamError
    """The network has a class that is not known."""


def is_network(record: InertObject) -> bool:
    """Whether an object is a module: all modules of torch have these attributes."""
    return isinstance(record.state, Mapping) and {"_parameters", "_modules"} <= record.state.keys()


def rebuild_module(record: InertObject) -> nn.Module:
    """Rebuild the network that a file describes, in eval mode; its tensors are those of the file.

    Raises:
        UnknownClass: naming the first class that is not of a known library.
        SegcamError: if something else cannot be rebuilt.
    """
    root = without_wrappers(record)
    try:
        return _ModuleBuilder().module(root).eval()
    except SegcamError:
        raise
    except Exception as error:  # attributes that make no sense
        raise SegcamError(f"holds a network that cannot be rebuilt ({type(error).__name__})") from error


def state_dict_of(record: InertObject) -> dict[str, torch.Tensor]:
    """State dict of the network that a file describes, of whatever class.

    Raises:
        SegcamError: if its modules contain each other.
    """
    weights: dict[str, torch.Tensor] = {}

    def collect(part: InertObject, prefix: str) -> None:
        non_persistent = _non_persistent_buffers(part)
        tensors = {**_table(part, "_parameters"), **_table(part, "_buffers")}
        for name, value in tensors.items():
            if isinstance(value, torch.Tensor) and name not in non_persistent:
                weights[f"{prefix}{name}"] = value.detach()
        for name, child in _children(part):
            collect(child, f"{prefix}{name}.")

    collect(without_wrappers(record), "")
    return weights


def libraries_of(record: InertObject) -> set[str]:
    """Libraries other than torch whose classes the network has.

    Raises:
        SegcamError: if its modules contain each other.
    """
    return {part.name.partition(".")[0] for _, part in named_parts(record)}.intersection(_LIBRARIES)


def named_parts(record: InertObject) -> Iterator[tuple[str, InertObject]]:
    """The network that a file describes and all modules in it, by dotted name, as ``named_modules`` does.

    Raises:
        SegcamError: if they contain each other.
    """
    pending = [("", without_wrappers(record))]
    while pending:
        name, part = pending.pop(0)
        yield name, part
        pending += [(f"{name}.{child}" if name else child, inner) for child, inner in _children(part)]


def without_wrappers(record: InertObject) -> InertObject:
    """The network itself, without ``DataParallel`` around it; its modules are known to form a tree of reasonable size.

    Raises:
        SegcamError: if they do not.
    """
    sizes: dict[int, int | None] = {}

    def size(part: InertObject) -> int:
        """Number of modules; a shared one counts once for each name."""
        if id(part) not in sizes:
            sizes[id(part)] = None
            sizes[id(part)] = 1 + sum(size(child) for _, child in _children(part))
        count = sizes[id(part)]
        if count is None or count > _MOST_MODULES:
            raise SegcamError("holds modules that contain each other. It is not opened")
        return count

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


class _ModuleBuilder:
    """Builds the modules of one network; a module or value that occurs twice stays one object."""

    def __init__(self) -> None:
        self._modules: dict[int, nn.Module] = {}
        self._values: dict[int, Any] = {}

    def module(self, record: InertObject) -> nn.Module:
        if id(record) not in self._modules:
            kind = _known_class(record.name)
            if kind is None or not issubclass(kind, nn.Module) or record.called or not is_network(record):
                raise _unknown_class(record.name)
            self._modules[id(record)] = self._build(kind, record)
        return self._modules[id(record)]

    def _build(self, kind: type[nn.Module], record: InertObject) -> nn.Module:
        module = kind.__new__(kind)
        nn.Module.__init__(module)
        for table in ("_parameters", "_buffers", "_modules"):
            for name in _table(record, table):
                if not is_child_name(name):
                    raise SegcamError(f"holds a network with a part named {name[:100]!r}, which torch does not allow")
        attributes: dict[str, Any] = {}
        for name, value in record.state.items():
            if name in _MODULE_ATTRIBUTES:
                continue
            if not isinstance(name, str) or name.startswith("__") or callable(getattr(kind, name, None)):
                raise SegcamError(f"would replace {name} of {kind.__qualname__}. It is not opened")
            if "hook" in name and name.startswith("_"):
                if value and name.startswith(("_forward", "_backward")):
                    raise SegcamError(f"holds a network with hooks of its own ({kind.__qualname__}). It is not opened")
                continue  # hooks of state dicts play no part in running it
            attributes[name] = self._plain(value)
        attributes["_parameters"] = _checked_types(nn.Parameter, _table(record, "_parameters"))
        attributes["_buffers"] = _checked_types(torch.Tensor, _table(record, "_buffers"))
        attributes["_modules"] = {
            name: None if child is None else self.module(child)
            for name, child in _checked_types(InertObject, _table(record, "_modules")).items()
        }
        attributes["_non_persistent_buffers_set"] = _non_persistent_buffers(record)
        # Torch's own add what older versions did not store. No module of another library needs its own.
        nn.Module.__setstate__(module, {"training": False, **attributes})
        set_state = kind.__setstate__
        if set_state is not nn.Module.__setstate__ and str(set_state.__module__).startswith("torch.nn.modules."):
            set_state(module, dict(module.__dict__))
        return module

    def _plain(self, value: Any) -> Any:
        """A value as the module may keep it. An unknown object stays inert: it cannot be called."""
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
            data: Any = object.__new__(kind)
            data.__dict__.update(self._plain(record.state))
            return data
        return record


def _known_class(name: str) -> type | None:
    """The class with this dotted name, if a known library defines it in a module that is loaded."""
    library = name.partition(".")[0]
    if library in _LIBRARIES:  # on demand: they take seconds and 200 MB
        importlib.import_module(library)
    module, _, class_name = name.replace("timm.models.layers.", "timm.layers.").rpartition(".")
    if not f"{module}.".startswith(_PACKAGES):
        return None
    kind = getattr(sys.modules.get(module), class_name, None)
    return kind if isinstance(kind, type) and kind.__module__ == module else None


def _unknown_class(name: str) -> UnknownClass:
    return UnknownClass(
        f"was not opened, because it holds a whole network and would run code of the class {name}. "
        "Ask for the weights alone: torch.save(model.state_dict(), 'weights.pth')"
    )


def _table(record: InertObject, name: str) -> dict[str, Any]:
    """Parameters, buffers or children of a module, by name."""
    value = record.state.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SegcamError("holds a network with parts that have no names. It is not opened")
    return value


def _non_persistent_buffers(record: InertObject) -> set[str]:
    """Names of the buffers that are not in the module's state dict."""
    names = record.state.get("_non_persistent_buffers_set", ())
    return {name for name in names if isinstance(name, str)} if isinstance(names, set | list | tuple) else set()


def _checked_types(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    if not all(value is None or isinstance(value, kind) for value in values.values()):
        raise SegcamError("holds a network with a part of the wrong kind. It is not opened")
    return values
