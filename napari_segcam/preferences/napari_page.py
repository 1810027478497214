"""The preferences as napari's own dialog keeps them: what was changed there since they last agreed with the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_segcam.files import json_bytes, whole_file
from napari_segcam.preferences.catalog import BY_NAME, Value
from napari_segcam.preferences.folder import config_folder

_FILE = "napari_pages.json"
_MOST_PAGES = 50  # napari has one for each environment of Python


def changed_there(page: Mapping[str, Any], agreed: Mapping[str, Any]) -> dict[str, Value]:
    """Return the preferences that were changed in napari's dialog while nothing listened.

    Args:
        page: values in napari's dialog, by name.
        agreed: those that the dialog had when it last agreed with the file; the defaults if it never did.
    """
    known = {name: value for name, value in page.items() if name in BY_NAME}
    return {name: value for name, value in known.items() if value != agreed.get(name, BY_NAME[name].default)}


def read_agreed(place: str) -> dict[str, Any]:
    """Return what napari's dialog had when it last agreed with the file.

    Args:
        place: where napari keeps its own values.
    """
    found = _pages().get(_key(place), {})
    return found if isinstance(found, dict) else {}


def write_agreed(place: str, page: Mapping[str, Value]) -> None:
    """Note that napari's dialog has these values and agrees with the file.

    Raises:
        SegcamError: if it cannot be written.
    """
    pages = {key: value for key, value in _pages().items() if key != _key(place)}
    pages = dict(list(pages.items())[-_MOST_PAGES + 1 :]) | {_key(place): dict(page)}
    with whole_file(_path()) as temporary:
        temporary.write_bytes(json_bytes(pages, indent=1))


def _path() -> Path:
    return config_folder() / _FILE


def _key(place: str) -> str:
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _pages() -> dict[str, Any]:
    try:
        content = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
