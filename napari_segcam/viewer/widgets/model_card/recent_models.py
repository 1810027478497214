"""The models used last, remembered from one start of napari to the next."""

from __future__ import annotations

import json
from dataclasses import asdict

from qtpy.QtCore import QSettings

from napari_segcam.network.source import ModelSource

_KEY = "recent_models"
_MOST = 8


def settings() -> QSettings:
    """Where the plugin's settings are kept."""
    return QSettings("napari-segcam", "napari-segcam")


def recent_models() -> list[ModelSource]:
    """The last models, the newest first; what is kept there in some other form is passed over."""
    try:
        return [ModelSource(**entry) for entry in json.loads(str(settings().value(_KEY, "[]")))]
    except (TypeError, ValueError):
        return []


def remember(source: ModelSource) -> None:
    """Put a model first; the oldest beyond eight is forgotten."""
    kept = [source, *(model for model in recent_models() if model != source)][:_MOST]
    settings().setValue(_KEY, json.dumps([asdict(model) for model in kept]))
