"""The setting that leaves the process as it is."""

from __future__ import annotations

import os

TUNING = "NAPARI_SEGCAM_TUNING"


def is_tuning_on() -> bool:
    """Return whether the process may be tuned: yes, unless ``NAPARI_SEGCAM_TUNING`` is ``off`` in the environment."""
    return os.environ.get(TUNING, "on").lower() not in ("off", "0", "no", "false")
