"""Catalog of the external methods: those of each installed package, by name."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from types import ModuleType

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.external import grad_cam_package, torchcam_package
from napari_segcam.explanation.external.external_method import ExternalMethod
from napari_segcam.optional import needed

_PACKAGES: dict[str, ModuleType] = {
    grad_cam_package.DISTRIBUTION: grad_cam_package,
    torchcam_package.DISTRIBUTION: torchcam_package,
}


def external_methods() -> dict[str, ExternalMethod]:
    """Return the methods of the installed packages that this package does not have, by name.

    Finer-CAM is among them although there is one here: grad-cam compares with several classes at once.
    """
    return {
        method.name: method
        for distribution in _PACKAGES
        for method in _found(distribution)[0].values()
        if not method.own_name or method.own_name == "finercam"
    }


def unsuitable_methods() -> dict[str, str]:
    """Return why the other methods of the installed packages cannot be used, by name."""
    return {
        f"{distribution}:{name}": reason
        for distribution in _PACKAGES
        for name, reason in _found(distribution)[1].items()
    }


def check_grad_cam() -> None:
    """Raise an error if grad-cam, with which a cross-check compares, is not installed.

    Raises:
        SegcamError: with the command that installs it.
    """
    name = grad_cam_package.DISTRIBUTION
    needed(grad_cam_package.MODULE, "A cross-check computes each map twice", extra=name, pip_name=name)


def counterpart(own_name: str) -> ExternalMethod | None:
    """Return grad-cam's method that computes the same as one of this package; None if it has none.

    Raises:
        SegcamError: if grad-cam is not installed.
    """
    check_grad_cam()
    name = "gradcam" if own_name == "gradcam_signed" else own_name
    return next(
        (method for method in _found(grad_cam_package.DISTRIBUTION)[0].values() if method.own_name == name), None
    )


def find_external(name: str) -> ExternalMethod:
    """Return the method of a name such as ``"grad-cam:fem"``, in any spelling: also one that this package has.

    Raises:
        SegcamError: if the package is unknown or not installed, or the method is unknown or cannot be used.
    """
    distribution, _, method = name.partition(":")
    distribution = distribution.lower().replace("_", "-")
    if distribution not in _PACKAGES:
        raise SegcamError(
            f"There is no package of methods {distribution!r}. Before the colon, write {' or '.join(_PACKAGES)}."
        )
    module = _PACKAGES[distribution].MODULE
    needed(module, f"{name} is a method of another package", extra=distribution, pip_name=distribution)
    methods, unsuitable = _found(distribution)
    key = _key(method)
    if key in methods:
        return methods[key]
    for other, reason in unsuitable.items():
        if _key(other) == key:
            raise SegcamError(f"The method {other} of {distribution} cannot explain a stage: {reason}.")
    offered = ", ".join(name for name, found in external_methods().items() if found.distribution == distribution)
    raise SegcamError(f"The installed {distribution} has no method {method!r}. It offers: {offered}.")


@cache
def _found(distribution: str) -> tuple[dict[str, ExternalMethod], dict[str, str]]:
    package = _PACKAGES[distribution]
    if find_spec(package.MODULE) is None:
        return {}, {}
    methods, unsuitable = package.find_methods()
    return {_key(method.class_name): method for method in methods}, unsuitable


def _key(name: str) -> str:
    """Return a name as it is compared: grad-cam's KPCA_CAM is also kpca-cam and kpcacam."""
    return name.lower().replace("_", "").replace("-", "")
