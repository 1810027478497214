"""Replacing methods of napari and vispy: one guard for all of it, and one setting that switches all of it off."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from napari_segcam.preferences.catalog import BY_NAME
from napari_segcam.preferences.present import preferences

PLAIN_NAPARI = BY_NAME["plain_napari"].variable  # the environment variable that switches all replacements off
TESTED_WITH = ("0.9.2", "0.10.0rc1")  # versions of napari

_log = logging.getLogger("napari_segcam")
_MISSING = object()


def is_plain_napari() -> bool:
    """Whether the user wants napari left as it is, by the preferences or ``NAPARI_SEGCAM_PLAIN_NAPARI``."""
    return preferences().plain_napari


@dataclass(frozen=True)
class Replacement:
    """A method of napari or vispy that the plugin replaces on single objects, never on a class.

    Attributes:
        method: class and method, as ``"Layer._slice_dims"``.
        parameters: names of its parameters, without ``self``. A method with others is left as it is.
        attributes: dotted names of other attributes that the object must have.
        tested_with: versions of napari.
    """

    method: str
    parameters: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    tested_with: tuple[str, ...] = TESTED_WITH

    def install(self, owner: object, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> bool:
        """Replace the method of one object, unless it is replaced already.

        Args:
            owner: the object.
            make: takes the bound method, returns what is called instead of it.

        Returns:
            Whether this call replaced it. If not, napari's own method stays, and the log says why, once.
        """
        name = self.method.rpartition(".")[2]
        if name in vars(owner):
            return False
        if is_plain_napari():
            log_once(f"The preferences leave napari as it is: replaces no method, as {self.method}", logging.INFO)
            return False
        original = getattr(owner, name, None)
        if original is None or _parameters(original) != self.parameters:
            self._log_misfit(f"takes ({', '.join(_parameters(original) or ())})" if original else "does not exist")
            return False
        for attribute in self.attributes:
            if _attribute(owner, attribute) is _MISSING:
                self._log_misfit(f"has no {attribute} beside it")
                return False
        setattr(owner, name, make(original))
        return True

    def _log_misfit(self, reason: str) -> None:
        log_once(
            f"{self.method} {reason} in napari {version('napari')}; the plugin was tested with "
            f"{', '.join(self.tested_with)} and does without replacing it"
        )


def private_attribute(owner: object, name: str) -> Any:
    """Return an attribute by its dotted name; None if this version of napari does not have it, and the log says so."""
    value = _attribute(owner, name)
    if value is not _MISSING:
        return value
    log_once(
        f"{type(owner).__name__}.{name} does not exist in napari {version('napari')}; the plugin was tested with "
        f"{', '.join(TESTED_WITH)} and does without it"
    )
    return None


def _attribute(owner: object, name: str) -> Any:
    for part in name.split("."):
        owner = getattr(owner, part, _MISSING)
    return owner


def _parameters(method: Callable[..., Any]) -> tuple[str, ...] | None:
    try:
        return tuple(inspect.signature(method).parameters)
    except (TypeError, ValueError):  # not a function, or written in C
        return None


@cache
def log_once(message: str, level: int = logging.WARNING) -> None:
    """Log a message unless this process has logged it already."""
    _log.log(level, message)
