"""Registry of all methods: each method registers itself in its own file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from napari_segcam.network.stages.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Method:
    """Explanation method, under the name that the field uses.

    Attributes:
        name: as users type it, ``"gradcam++"``.
        title: as people write it, ``"Grad-CAM++"``.
        paper: authors and where it was published.
        year: of publication; methods are listed in this order.
        needs_gradient: whether it needs a backward pass.
        knows_target: whether its maps depend on the target.
        stage: the only stage that it explains, where the user has no choice of stages.
        signed: whether negative values are evidence against the target and are kept: no ReLU at the end.
        has_outliers: whether a few pixels are far above all others, as in gradients of pixels.
        package: extra package that it needs, by its name for pip; empty for none.
        contrasts: whether it explains the target's class against other classes, which the target can name.
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
    contrasts: bool = False


@dataclass(frozen=True, kw_only=True)
class SlowMethod(Method):
    """Method that runs the network many times: its cost is estimated, it reports progress and can be cancelled."""


AnyMethod = TypeVar("AnyMethod", bound=Method)

_registered: list[Method] = []


def register(method: Method) -> None:
    """Add a method to the registry."""
    _registered.append(method)


def collect(package: str, folder: Iterable[str], kind: type[AnyMethod]) -> dict[str, AnyMethod]:
    """Import every file of a folder of methods, and return the methods of one kind by name, by year and name.

    Args:
        package: dotted name of the folder's package.
        folder: the package's ``__path__``.
        kind: class of the methods to return.
    """
    for module in pkgutil.iter_modules(folder):
        importlib.import_module(f"{package}.{module.name}")
    methods = [method for method in _registered if isinstance(method, kind)]
    return {method.name: method for method in sorted(methods, key=lambda method: (method.year, method.name))}
