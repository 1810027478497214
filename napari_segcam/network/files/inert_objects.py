"""Inert objects: what a pickle asks for, as data."""

from __future__ import annotations

from typing import Any

from napari_segcam.errors import one_line

# Up to here a number is its own hash: no two numbers share one.
_LARGEST_KEY = 2**60


class DisallowedGlobal(Exception):  # noqa: N818 - a property of the file, not a fault here
    """The pickle names a class or function that is not allowed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = one_line(name, 200)


class MalformedPickle(Exception):  # noqa: N818 - as above
    """The pickle makes no sense, or is meant to exhaust the reader."""


class InertName:
    """Dotted name of a class or function in the file. It is never looked up."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class InertObject:
    """An object as the file describes it: what would be called, with which arguments and state.

    Attributes:
        name: dotted, of the class or function.
        args: positional arguments.
        called: whether the file asks for a call, and not only for a new object of a class.
        state: what would become its attributes.
        items: what would be appended to it.
        entries: what would be set by key.
    """

    __slots__ = ("args", "called", "entries", "items", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...], *, called: bool) -> None:
        self.name, self.args, self.called = name, args, called
        self.state: Any = None
        self.items: list[Any] = []
        self.entries: dict[Any, Any] = {}


def refuse_slow_key(key: Any) -> None:
    """Refuse a key of a dict or set that is slow to hash, or can be chosen to have the hash of another.

    Raises:
        MalformedPickle: if the key is of that kind.
    """
    if not isinstance(key, str | bytes | int | float | InertName | InertObject | None):
        raise MalformedPickle("a key is neither text nor a number")
    if isinstance(key, int) and abs(key) > _LARGEST_KEY:
        raise MalformedPickle("a key is a larger number than checkpoints have")
