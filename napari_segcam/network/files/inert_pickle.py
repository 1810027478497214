"""Pickles read without running anything: classes and functions in them stay names, and objects stay inert records.

Python's own unpickler imports what a file names and calls it. This one knows no way to do either. It walks the pickle's
instructions and builds plain data; where the file asks for a call or an object, it notes the name and the arguments.
The few functions that rebuild plain data (a tensor, an ordered dict) are given by the reader, never by the file.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

from napari_segcam.budget import PICKLE_INSTRUCTIONS, PICKLE_SIZE
from napari_segcam.network.files.inert_objects import InertObject, MalformedPickle
from napari_segcam.network.files.pickle_machine import PickleMachine


def read_pickle(
    stream: IO[bytes],
    permitted: Callable[[str], bool],
    rebuild: Mapping[str, Callable[..., Any]],
    persistent: Callable[[Any], Any],
) -> Any:
    """Read one pickle; the stream is left just behind it.

    Args:
        stream: at the pickle's first byte.
        permitted: told a dotted name, whether the file may mention it at all.
        rebuild: functions of the reader's own that stand for calls the file may ask for, by the name it uses.
        persistent: gives the object for a persistent id, as torch uses them for storages.

    Returns:
        Plain data, what ``rebuild`` and ``persistent`` gave, ``Named`` and ``InertObject``.

    Raises:
        NotInert: at the first name that is not permitted.
        Malformed: if it is no whole pickle, or one of unreasonable length.
        Exception: whatever ``rebuild`` and ``persistent`` raise on arguments that make no sense.
    """
    machine = PickleMachine(permitted, rebuild, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > PICKLE_INSTRUCTIONS:
                raise MalformedPickle("it is far longer than any checkpoint's")
            if opcode.name == "STOP":
                return _not_too_large(machine.pop())
            machine.do(opcode.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError, EOFError, UnicodeError) as error:
        raise MalformedPickle(str(error)) from error
    raise MalformedPickle("it has no end")


def _not_too_large(whole: Any) -> Any:
    """The object, if going through all that it refers to takes no longer than for some checkpoint.

    An object of a few bytes can refer twice to one that refers twice to another, and so on: who follows it never ends.

    Raises:
        Malformed: if it is too large.
    """
    sizes: dict[int, int] = {}  # of what has been gone through; 0 where that is not finished
    waiting = [whole]
    while waiting:
        one = waiting[-1]
        parts = _parts(one)
        if id(one) not in sizes:
            sizes[id(one)] = 0  # what refers back to itself counts once
            waiting.extend(part for part in parts if id(part) not in sizes)
            continue
        waiting.pop()
        if sizes[id(one)]:
            continue
        sizes[id(one)] = size = 1 + sum(max(1, sizes.get(id(part), 1)) for part in parts)
        if size > PICKLE_SIZE:
            raise MalformedPickle("it repeats itself beyond all measure")
    return whole


def _parts(one: Any) -> list[Any]:
    """What an object refers to, without that of which there is nothing more to say."""
    if isinstance(one, dict):
        parts = [*one, *one.values()]
    elif isinstance(one, list | tuple | set | frozenset):
        parts = list(one)
    elif isinstance(one, InertObject):
        parts = [one.args, one.state, one.items, one.entries]
    else:
        return []
    return [part for part in parts if isinstance(part, dict | list | tuple | set | frozenset | InertObject)]
