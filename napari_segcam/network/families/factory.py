"""Factories: functions of the user that make a network, named ``package.module:function``.

This runs the user's code, and only if the user names the function.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from torch import nn

from napari_segcam.errors import SegcamError, error_text


def call_factory(factory: str) -> nn.Module:
    """Import a function and call it without arguments.

    Args:
        factory: ``"package.module:function"``. The working folder is searched too.

    Returns:
        The module that the function returned, unchanged.

    Raises:
        SegcamError: if there is no such module or function, or if it fails or returns no ``torch.nn.Module``.
    """
    module_name, _, function_name = factory.partition(":")
    if not module_name or not function_name:
        raise SegcamError(f"{factory!r} is not understood: write package.module:function.")
    with _search_working_folder():
        function = _function(_import(module_name), function_name)
        try:
            network = function()
        except Exception as error:  # the user's code may raise anything
            raise SegcamError(f"{factory} failed with {type(error).__name__}: {error_text(error)}") from error
    if not isinstance(network, nn.Module):
        raise SegcamError(
            f"{factory} returned a {type(network).__name__}, "
            "but it must return a torch.nn.Module to load the weights into."
        )
    return network


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise SegcamError(f"The module {name} needs the module {error.name}, which is not installed.") from error
        raise SegcamError(
            f"There is no Python module {name}: none of this name is installed or in the folder {Path.cwd()}."
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise SegcamError(f"{name} cannot be imported: {type(error).__name__}: {error_text(error)}") from error


def _function(module: ModuleType, name: str) -> Callable[[], object]:
    function = getattr(module, name, None)
    if callable(function):
        typed: Callable[[], object] = function
        return typed
    names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f" Closest: {', '.join(close)}." if close else ""
    raise SegcamError(f"The module {module.__name__} has no function named {name!r}.{hint}")


@contextmanager
def _search_working_folder() -> Iterator[None]:
    """Let modules in the working folder be imported, after those that are installed."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        last = len(sys.path) - 1 - sys.path[::-1].index(folder)  # it may also stand earlier in the list, and must stay
        del sys.path[last]
