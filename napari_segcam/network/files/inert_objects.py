"""Inert objects: what a pickle asks for, written down instead of done."""

from __future__ import annotations

from typing import Any

from napari_segcam.errors import one_line

# Up to here a number is its own hash, so that no two have the same.
_LARGEST_KEY = 2**60


class DisallowedGlobal(Exception):  # noqa: N818 - it is what a pickle is, not a fault
    """The pickle names something outside of what is permitted."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = one_line(name, 200)


class MalformedPickle(Exception):  # noqa: N818 - as above
    """The bytes are not a pickle that makes sense, or one made to exhaust the reader."""


class InertName:
    """A class or function by its dotted name, as the file gives it. It is never looked up."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class InertObject:
    """An object that the file describes: what would be called, with what, and what would be put into the result.

    Attributes:
        name: dotted, of the class or function.
        args: positional arguments.
        called: whether a call was asked for, and not merely a new object of a class.
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
    """Refuse a key of a dict or set that is slow to hash, or that can be chosen to have another's hash.

    Raises:
        Malformed: if it is one.
    """
    if not isinstance(key, str | bytes | int | float | InertName | InertObject | None):
        raise MalformedPickle("a key is neither text nor a number")
    if isinstance(key, int) and abs(key) > _LARGEST_KEY:
        raise MalformedPickle("a key is a larger number than checkpoints have")
