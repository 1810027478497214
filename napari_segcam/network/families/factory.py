"""Factories: a network of the user's own is made by a function of theirs, named ``package.module:function``.

This runs the user's code, and is done only where they ask for it by name.
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
        factory: ``"package.module:function"``. Modules in the working folder are found too.

    Returns:
        What it returned, as it is.

    Raises:
        SegcamError: if there is no such module or function, it fails, or returns no ``torch.nn.Module``.
    """
    module_name, _, function_name = factory.partition(":")
    if not module_name or not function_name:
        raise SegcamError(f"{factory!r} is not understood: write package.module:function.")
    with _working_folder_searched():
        function = _function(_imported(module_name), function_name)
        try:
            network = function()
        except Exception as error:  # it is the user's code
            raise SegcamError(f"{factory} failed with {type(error).__name__}: {error_text(error)}") from error
    if not isinstance(network, nn.Module):
        raise SegcamError(
            f"{factory} returned a {type(network).__name__}: a torch.nn.Module is wanted, ready to take the weights."
        )
    return network


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise SegcamError(f"The module {name} needs the module {error.name}, which is not installed.") from error
        raise SegcamError(
            f"There is no Python module {name}: none is installed under that name, nor lies in {Path.cwd()}."
        ) from error
    except Exception as error:  # it is the user's code
        raise SegcamError(f"{name} cannot be imported: {type(error).__name__}: {error_text(error)}") from error


def _function(module: ModuleType, name: str) -> Callable[[], object]:
    function = getattr(module, name, None)
    if callable(function):
        found: Callable[[], object] = function
        return found
    callables = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
    close = get_close_matches(name, callables, n=3, cutoff=0.5)
    hint = f" Closest: {', '.join(close)}." if close else ""
    raise SegcamError(f"The module {module.__name__} has no function named {name!r}.{hint}")


@contextmanager
def _working_folder_searched() -> Iterator[None]:
    """As for ``python script.py``: what lies in the working folder can be imported, after all that is installed."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
