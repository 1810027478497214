"""Pickles read without running anything: classes and functions in them stay names, and objects stay inert records.

Python's own unpickler imports what a file names and calls it. This one knows no way to do either. It walks the pickle's
instructions and builds plain data; where the file asks for a call or an object, it notes the name and the arguments.
The few functions that rebuild plain data (a tensor, an ordered dict) are given by the reader, never by the file.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any

from napari_segcam.network.inert_objects import Malformed
from napari_segcam.network.pickle_machine import PickleMachine

# A checkpoint has some fifty instructions per tensor. With this limit, the longest pickle takes seconds.
_MOST_INSTRUCTIONS = 3_000_000


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
        Plain data, what ``rebuild`` and ``persistent`` gave, ``Named`` and ``Record``.

    Raises:
        NotInert: at the first name that is not permitted.
        Malformed: if it is no whole pickle, or one of unreasonable length.
        Exception: whatever ``rebuild`` and ``persistent`` raise on arguments that make no sense.
    """
    machine = PickleMachine(permitted, rebuild, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count > _MOST_INSTRUCTIONS:
                raise Malformed("it is far longer than any checkpoint's")
            if opcode.name == "STOP":
                return machine.pop()
            machine.do(opcode.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError, EOFError, UnicodeError) as error:
        raise Malformed(str(error)) from error
    raise Malformed("it has no end")
