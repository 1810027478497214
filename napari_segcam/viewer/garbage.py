"""Python's garbage collector, kept from stopping the window for half a second in the midst of a review."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def made_to_stay() -> Iterator[None]:
    """Within this, make many objects that will stay.

    The collector looks through all objects of the process once those that stay have become a quarter more. Torch's and
    napari's are so many that this takes half a second, and it would come a moment after a network was loaded or layers
    were added: while the user scrubs. So they are handed to it as old ones, which it has looked through.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # somebody else's are left alone
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
