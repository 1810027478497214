"""Fixtures: a viewer that opens files as the File menu does, and what it tells the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import napari
import pytest
from napari.components import ViewerModel
from opened import Open
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.reader import get_reader
from napari_segcam.viewer.segmentations import opening


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user was shown."""
    words: list[str] = []
    for name in ("show_error", "show_warning", "show_info"):
        monkeypatch.setattr(opening, name, words.append)
    return words


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch, shown: list[str]) -> ViewerModel:  # noqa: ARG001
    """A viewer without a window, which is napari's current one."""
    model = ViewerModel()
    monkeypatch.setattr(napari, "current_viewer", lambda: model)
    return model


@pytest.fixture
def open_files(qtbot: QtBot) -> Open:
    """A function that opens files in a viewer through the reader, one right after the other, and waits."""

    def open_all(viewer: ViewerModel, *paths: Path) -> None:
        for path in paths:
            reader: Callable[[str], list[tuple[object, ...]]] | None = get_reader(str(path))
            assert reader is not None
            for data, *rest in reader(str(path)):
                if data is not None:
                    viewer.add_image(data, **rest[0])
        qtbot.waitUntil(lambda: not opening.openings_of(viewer).is_busy, timeout=20_000)

    return open_all
