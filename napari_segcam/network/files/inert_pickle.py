"""Read pickles without running anything: classes and functions stay names, and objects stay inert.

Python's own unpickler imports and calls what a file names. This one can do neither. It goes through the pickle's
instructions and builds plain data. Where the file asks for a call or an object, it keeps the name and the arguments.
The few functions that rebuild plain data (a tensor, an ordered dict) come from the reader, never from the file.
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
    is_allowed: Callable[[str], bool],
    rebuild: Mapping[str, Callable[..., Any]],
    load_persistent: Callable[[Any], Any],
) -> Any:
    """Read one pickle, and leave the stream just after it.

    Args:
        stream: at the pickle's first byte.
        is_allowed: whether the file may mention this dotted name at all.
        rebuild: what is called instead of a function that the file asks for, by the name in the file.
        load_persistent: returns the object for a persistent id; torch uses these for storages.

    Returns:
        Plain data, results of ``rebuild`` and ``load_persistent``, ``InertName`` and ``InertObject``.

    Raises:
        DisallowedGlobal: at the first name that is not allowed.
        MalformedPickle: if the pickle is incomplete or unreasonably long.
        Exception: of any kind, from ``rebuild`` and ``load_persistent`` if their arguments make no sense.
    """
    machine = PickleMachine(is_allowed, rebuild, load_persistent)
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


def _not_too_large(root: Any) -> Any:
    """Return the object, if it is small enough to be followed to its end.

    An object of a few bytes can refer twice to one that refers twice to another, and so on: following it never ends.

    Raises:
        MalformedPickle: if it is too large.
    """
    sizes: dict[int, int] = {}  # by id; 0 where an object is not finished
    pending = [root]
    while pending:
        value = pending[-1]
        parts = _parts(value)
        if id(value) not in sizes:
            sizes[id(value)] = 0  # an object that refers to itself counts once
            pending.extend(part for part in parts if id(part) not in sizes)
            continue
        pending.pop()
        if sizes[id(value)]:
            continue
        sizes[id(value)] = size = 1 + sum(max(1, sizes.get(id(part), 1)) for part in parts)
        if size > PICKLE_SIZE:
            raise MalformedPickle("it repeats itself far too often")
    return root


def _parts(value: Any) -> list[Any]:
    """Return the containers that an object refers to."""
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif isinstance(value, InertObject):
        parts = [value.args, value.state, value.items, value.entries]
    else:
        return []
    return [part for part in parts if isinstance(part, dict | list | tuple | set | frozenset | InertObject)]
