"""The preferences that hold now: those of the environment, then those of the file, then the defaults."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from napari_segcam.errors import SegcamError
from napari_segcam.preferences.catalog import BY_NAME, PREFERENCES, Preferences, Value
from napari_segcam.preferences.file import Stored, preferences_path, read_file, write_file

Origin = Literal["environment", "file", "default"]

_lock = threading.Lock()
_listeners: list[weakref.WeakMethod[Callable[[frozenset[str]], None]]] = []
_read: tuple[Path, Stored] | None = None  # once in a process, and after each change


def preferences() -> Preferences:
    """Return the preferences that hold now; what is wrong with them is in ``problems``."""
    stored = _stored().values
    values: dict[str, Value] = dict(stored)
    for name in BY_NAME:
        try:
            value = of_environment(name)
        except SegcamError:
            continue
        if value is not None:
            values[name] = value
    return replace(Preferences(), **values)  # type: ignore[arg-type]


def origin(name: str) -> Origin:
    """Return where the value of a preference comes from."""
    try:
        if of_environment(name) is not None:
            return "environment"
    except SegcamError:
        pass
    return "file" if name in _stored().values else "default"


def of_environment(name: str) -> Value | None:
    """Return the value that the environment gives a preference; None if it gives none.

    Raises:
        SegcamError: if the preference cannot have that value.
    """
    preference = BY_NAME[name]
    text = os.environ.get(preference.variable)
    if text is None or (not text.strip() and not isinstance(preference.default, bool)):
        return None
    try:
        return preference.of_text(text)
    except SegcamError as fault:
        raise SegcamError(f"The environment variable {preference.variable} is wrong: {fault}") from None


def problems() -> list[str]:
    """Return what is wrong with the file and the environment, in words."""
    found = list(_stored().problems)
    for name in BY_NAME:
        try:
            of_environment(name)
        except SegcamError as fault:
            found.append(f"{fault} It is not used.")
    return found


def check_environment() -> None:
    """Refuse environment variables with values that preferences cannot have.

    Raises:
        SegcamError: if there is one.
    """
    for name in BY_NAME:
        of_environment(name)


def in_file() -> dict[str, Value]:
    """Return the values of all preferences as the file has them, and otherwise the defaults."""
    return {preference.name: preference.default for preference in PREFERENCES} | dict(_stored().values)


def change(changes: Mapping[str, Value]) -> None:
    """Change preferences in the file and for this process.

    Args:
        changes: new values by name. One that equals the default is removed from the file.

    Raises:
        SegcamError: if a value is not allowed, or the file cannot be written.
    """
    prepare_change(changes)()


def prepare_change(changes: Mapping[str, Value]) -> Callable[[], None]:
    """Change preferences for this process at once; return a function that writes them, for another thread to call.

    Raises:
        SegcamError: if a value is not allowed; nothing has changed then. The returned function raises it if the
            file cannot be written; the change holds for this process then.
    """
    global _read
    checked = {name: BY_NAME[name].checked(value) for name, value in changes.items()}
    path = preferences_path()
    to_write = {name: None if value == BY_NAME[name].default else value for name, value in checked.items()}
    stored = _stored()
    values = {name: value for name, value in stored.values.items() if name not in checked}
    values |= {name: value for name, value in to_write.items() if value is not None}
    with _lock:
        _read = (path, replace(stored, values=values))
    for reference in list(_listeners):
        if (listener := reference()) is not None:
            listener(frozenset(checked))
    return lambda: write_file(path, to_write)


def on_change(listener: Callable[[frozenset[str]], None]) -> None:
    """Call a method, while it lives, with the names of changed preferences, in the thread that changes them."""
    _listeners[:] = [reference for reference in _listeners if reference() is not None]
    _listeners.append(weakref.WeakMethod(listener))


def read_again() -> None:
    """Read the file again when it is needed next."""
    global _read
    with _lock:
        _read = None


def _stored() -> Stored:
    global _read
    path = preferences_path()
    with _lock:
        if _read is None or _read[0] != path:
            _read = (path, read_file(path))
        return _read[1]
