"""Earlier name of ``napari_segcam.explanation.targets.region``: imports from here work for one more version."""

from __future__ import annotations

from typing import Any

from napari_segcam.deprecated import warn_renamed
from napari_segcam.explanation.targets import region


def __getattr__(name: str) -> Any:
    value = getattr(region, name)
    warn_renamed(__name__, region.__name__)
    return value
