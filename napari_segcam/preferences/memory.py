"""The memory budget of the user, as it acts on the limits of ``budget``."""

from __future__ import annotations

from napari_segcam.preferences.catalog import Preferences
from napari_segcam.preferences.present import preferences


def within_budget(limit: int) -> int:
    """Return a limit in bytes, scaled as the user's memory budget is to the default one."""
    return round(limit * (preferences().memory_gb / Preferences().memory_gb))
