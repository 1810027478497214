"""The import of timm and torchvision without torch's compiler, which they mention but networks here never use."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from napari_segcam.tuning.switch import is_tuning_on

_COMPILER = "torch._dynamo"
_COMPILER_UTILS = "torch._dynamo.utils"


def import_model_libraries() -> None:
    """Import torch, torchvision and timm, on which segmentation-models-pytorch is built.

    Decorators and a helper of torch's compiler are all that they need of it at import, but it takes longer to import
    than they do. So two stand-ins take its place meanwhile. The compiler can still be imported and used afterwards.
    It does nothing special if the compiler is imported already, or with ``NAPARI_SEGCAM_TUNING=off``.

    ``benchmarks/checkpoints/cold_start.py`` measures the gain.
    """
    importlib.import_module("torch")
    with without_compiler(), suppress(ImportError):  # their own users report what is missing
        for name in ("torchvision", "timm"):
            importlib.import_module(name)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let stand-ins take the place of torch's compiler, unless it is imported already."""
    if _COMPILER in sys.modules or not is_tuning_on():
        yield
        return
    stand_ins = {_COMPILER: _StandIn(_COMPILER), _COMPILER_UTILS: _StandIn(_COMPILER_UTILS)}
    vars(stand_ins[_COMPILER])["disable"] = _disable
    vars(stand_ins[_COMPILER_UTILS])["is_compile_supported"] = _is_compile_supported
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        _remove_stand_ins()


class _StandIn(ModuleType):
    """A module that is replaced by the real one as soon as anything but its own functions is asked of it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system asks for these
            raise AttributeError(name)
        _remove_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


def _remove_stand_ins() -> None:
    for name in (_COMPILER, _COMPILER_UTILS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _is_compile_supported(device_type: str) -> bool:
    supported: bool = importlib.import_module(_COMPILER_UTILS).is_compile_supported(device_type)
    return supported


def _disable(function: Callable[..., Any], recursive: bool = True, *, reason: str | None = None) -> Callable[..., Any]:
    """Return a function that the compiler leaves alone, as ``torch._dynamo.disable`` does, once it is imported."""

    @functools.cache
    def disabled() -> Callable[..., Any]:
        real: Callable[..., Any] = sys.modules[_COMPILER].disable(function, recursive, reason=reason)
        return real

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (disabled() if _COMPILER in sys.modules else function)(*args, **kwargs)

    return call
