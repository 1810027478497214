"""The models used last, kept between sessions of napari."""

from __future__ import annotations

import json
from dataclasses import asdict

from qtpy.QtCore import QSettings

from napari_segcam.network.source import ModelSource

_KEY = "recent_models"
_MAX_MODELS = 8


def settings() -> QSettings:
    """Return the plugin's settings."""
    return QSettings("napari-segcam", "napari-segcam")


def recent_models() -> list[ModelSource]:
    """Return the last models, the newest first; unreadable settings give none."""
    try:
        return [ModelSource(**entry) for entry in json.loads(str(settings().value(_KEY, "[]")))]
    except (TypeError, ValueError):
        return []


def remember(source: ModelSource) -> None:
    """Put a model first, and drop the oldest beyond eight."""
    models = [source, *(model for model in recent_models() if model != source)][:_MAX_MODELS]
    settings().setValue(_KEY, json.dumps([asdict(model) for model in models]))
