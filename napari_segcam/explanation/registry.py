"""The registry of methods: all families, each method in a file of its own that makes it known."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method under the name the field gives it.

    Attributes:
        name: how users ask for it, ``"gradcam++"``.
        title: how people write it, ``"Grad-CAM++"``.
        paper: authors and where it appeared.
        year: when; methods are listed in this order.
        needs_gradient: whether a backward pass comes before it.
        knows_target: whether its maps depend on what is asked of the network.
        stage: the only one it explains, where stages are not the user's choice.
        signed: whether negative values are evidence against the target, to be kept: no ReLU ends this method.
        has_outliers: whether a few places exceed all others by far, as gradients of pixels do.
        package: that it needs besides this one's dependencies, by its name for pip; empty for none.
    """

    name: str
    title: str
    paper: str
    year: int
    needs_gradient: bool = False
    knows_target: bool = True
    stage: Stage | None = None
    signed: bool = False
    has_outliers: bool = False
    package: str = ""


@dataclass(frozen=True, kw_only=True)
class SlowMethod(Method):
    """A method that runs the network many times: what it takes is estimated, and it is watched and can be cancelled."""


AnyMethod = TypeVar("AnyMethod", bound=Method)

_registered: list[Method] = []


def register(method: Method) -> None:
    """Make a method known."""
    _registered.append(method)


def collect(package: str, folder: Iterable[str], kind: type[AnyMethod]) -> dict[str, AnyMethod]:
    """Import every file of a folder of methods; those of a kind by name, in order of year and name.

    Args:
        package: dotted name of the folder's package.
        folder: the package's ``__path__``.
        kind: of the methods that are wanted.
    """
    for module in pkgutil.iter_modules(folder):
        importlib.import_module(f"{package}.{module.name}")
    found = [method for method in _registered if isinstance(method, kind)]
    return {method.name: method for method in sorted(found, key=lambda method: (method.year, method.name))}
