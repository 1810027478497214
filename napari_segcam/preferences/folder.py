"""The folder of settings."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG_FOLDER = "NAPARI_SEGCAM_CONFIG"
"""The environment variable that names another folder for the files of settings."""


def config_folder() -> Path:
    """Return the folder with the files of settings, which need not exist."""
    if folder := os.environ.get(CONFIG_FOLDER):
        return Path(folder)
    from platformdirs import user_config_path

    return user_config_path("napari-segcam", appauthor=False)
