"""The import of torch into a process that already draws with OpenGL."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import suppress

from napari_segcam.tuning.openmp import passive_waiting
from napari_segcam.viewer.responsiveness.garbage_collection import without_gc_pause


def import_torch() -> None:
    """Import torch safely beside Mesa's drivers; this takes seconds, so the worker does it.

    On Linux torch's CUDA build imports triton, whose library contains its own LLVM. If Mesa's driver has loaded another
    LLVM into the process first, as its software renderer does, triton would be bound to that one and the process would
    crash. ``RTLD_DEEPBIND`` lets triton find its own first.
    """
    deep_bind = getattr(os, "RTLD_DEEPBIND", None)
    if deep_bind is not None and "triton" not in sys.modules and importlib.util.find_spec("triton") is not None:
        flags = sys.getdlopenflags()
        sys.setdlopenflags(flags | deep_bind)
        try:
            with suppress(ImportError):
                importlib.import_module("triton._C.libtriton")
        finally:
            sys.setdlopenflags(flags)
    with without_gc_pause(), passive_waiting():  # threads that spin while the worker waits slow down the window
        importlib.import_module("torch")
