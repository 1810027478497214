"""The end of a command."""

from __future__ import annotations

import gc
import sys

from napari_segcam.tuning.switch import is_tuning_on


def skip_last_collection() -> None:
    """Keep Python from looking through all objects of torch and timm for unused ones when the process ends.

    Call this at the end of a command: nothing is collected afterwards. It does nothing once triton is imported, which
    would report its objects as leaked, or with ``NAPARI_SEGCAM_TUNING=off``.

    ``benchmarks/checkpoints/cold_start.py`` measures the gain.
    """
    if is_tuning_on() and "triton" not in sys.modules:
        gc.freeze()
