"""The models used last, remembered from one start of napari to the next."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from qtpy.QtCore import QSettings

_KEY = "recent_models"
_MOST = 8


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from, and what was given by hand to load it: as the arguments of ``load_network``."""

    path: str | None
    architecture: str | None = None
    encoder: str | None = None
    factory: str | None = None

    @property
    def title(self) -> str:
        """Its name, for people."""
        names = (self.factory, None if self.path is None else Path(self.path).name)
        return " with ".join(name for name in names if name)

    @property
    def label(self) -> str:
        """Its name and the folder that tells it from others of the same name."""
        return self.title if self.path is None else f"{self.title} – {Path(self.path).parent.name}"

    @property
    def is_there(self) -> bool:
        """Whether the checkpoint is where it was."""
        return self.path is None or Path(self.path).exists()


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
