"""The panels that the user has closed for good, kept between sessions of napari."""

from __future__ import annotations

from qtpy.QtCore import QSettings

FIRST_STEPS = "First steps"
"""Name of the first-steps widget in napari's menu."""

_KEY = "closed_panels/{name}"


def settings() -> QSettings:
    """Return the plugin's settings."""
    return QSettings("napari-segcam", "napari-segcam")


def is_closed(name: str) -> bool:
    """Return whether the user has closed a panel for good."""
    return str(settings().value(_KEY.format(name=name), "false")) == "true"


def set_closed(name: str, closed: bool) -> None:
    """Keep whether a panel stays closed when the workspace is opened."""
    settings().setValue(_KEY.format(name=name), "true" if closed else "false")
