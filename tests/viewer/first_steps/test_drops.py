"""Files dropped anywhere in the window: each is opened as what it is, or refused in words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from napari_segcam.demo import demo_checkpoint, sample_cine
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.workspace import open_workspace

CHECKPOINT = str(demo_checkpoint())


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    viewer = make_napari_viewer(show=True, show_welcome_screen=True)
    open_workspace(viewer)
    checkpoint = dock(viewer, "Checkpoint")[1]
    checkpoint.loaded = []  # type: ignore[attr-defined]
    monkeypatch.setattr(checkpoint, "load_all", checkpoint.loaded.extend)  # type: ignore[attr-defined]
    notification_manager.records.clear()
    return viewer


def drop(widget: QWidget, *paths: str) -> None:
    """Drop files on a widget, as Qt does: the first of it and its parents that accepts them gets them."""
    files = QMimeData()
    files.setUrls([QUrl(path) if "://" in path else QUrl.fromLocalFile(path) for path in paths])
    files.setText("\n".join(paths))
    buttons, keys, copy = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    target: QWidget | None = widget
    while target is not None:
        if target.acceptDrops():
            entering = QDragEnterEvent(QPoint(5, 5), copy, files, buttons, keys)
            entering.ignore()
            QApplication.sendEvent(target, entering)
            if entering.isAccepted():
                QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), copy, files, buttons, keys))
                return
        target = None if target.isWindow() else target.parentWidget()
    raise AssertionError("nothing takes the drop")


def said() -> str:
    return " ".join(str(record.message) for record in notification_manager.records)


def places(viewer: Any) -> dict[str, QWidget]:
    return {
        "canvas": viewer.window._qt_viewer.canvas.native,
        "welcome page": viewer.window._qt_viewer._welcome_widget,
        "layer list": viewer.window._qt_viewer.layers,
        "first steps": dock(viewer, "First steps")[1],
        "Checkpoint": dock(viewer, "Checkpoint")[1],
    }


def still(folder: Path, name: str) -> str:
    np.save(folder / name, np.zeros((8, 8), np.uint8))
    return str(folder / name)


@pytest.mark.slow
def test_images_and_a_checkpoint_together_anywhere(viewer: Any, qtbot: QtBot, tmp_path: Path) -> None:
    checkpoint: Any = dock(viewer, "Checkpoint")[1]
    image = still(tmp_path, "image.npy")
    for place, widget in places(viewer).items():
        viewer.layers.clear()
        checkpoint.loaded.clear()
        drop(widget, CHECKPOINT, image, CHECKPOINT)
        qtbot.waitUntil(lambda: bool(checkpoint.loaded))
        assert [layer.name for layer in viewer.layers] == ["image"], place
        assert checkpoint.loaded == [CHECKPOINT], place  # once
        assert said() == ""

    viewer.layers.clear()
    field = checkpoint.findChildren(QLineEdit)[0]
    text = field.text()
    drop(field, image)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    assert field.text() == text  # it takes no file as text


@pytest.mark.slow
def test_the_content_counts_where_the_name_says_nothing(viewer: Any, qtbot: QtBot, tmp_path: Path) -> None:
    checkpoint: Any = dock(viewer, "Checkpoint")[1]
    image = tmp_path / "IMG without a suffix but with a long name"
    shutil.copy(sample_cine(), image)
    for place in ("canvas", "Checkpoint"):
        viewer.layers.clear()
        drop(places(viewer)[place], str(image), still(tmp_path, "still.npy"))
        qtbot.waitUntil(lambda: len(viewer.layers) == 2)
        assert {len(layer.data.shape) for layer in viewer.layers} == {2, 3}, place

    weights = tmp_path / "weights.old"  # anything that may be a checkpoint is tried where checkpoints are expected
    shutil.copy(CHECKPOINT, weights)
    (tmp_path / "notes.txt").write_text("words")
    drop(checkpoint, str(weights), str(tmp_path / "notes.txt"))
    qtbot.waitUntil(lambda: bool(checkpoint.loaded))
    assert checkpoint.loaded == [str(weights)]
    assert "notes.txt: not an image" in said()


@pytest.mark.slow
def test_what_cannot_be_opened_is_said_and_the_rest_is_opened(viewer: Any, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "README").write_text("words")  # DICOM files can have such names
    (tmp_path / "nothing.dcm").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ("notes.txt", "README", "nothing.dcm", "folder", "moved.avi", "broken.png")
    stills = [still(tmp_path, f"still {number}.npy") for number in range(3)]
    checkpoint: Any = dock(viewer, "Checkpoint")[1]
    for widget in (places(viewer)["canvas"], checkpoint):
        viewer.layers.clear()
        notification_manager.records.clear()
        drop(widget, *(str(tmp_path / name) for name in names), "https://example.org/a.dcm", *stills)
        qtbot.waitUntil(lambda: len(notification_manager.records) == 2)
        for words in (
            "notes.txt, README: not an image, a checkpoint or a review project",
            "nothing.dcm: an empty file",
            "folder: no images in this folder",
            "moved.avi: no such file",
            "https://example.org/a.dcm: not a file on this computer",
            "broken.png: ",
        ):
            assert words in said()
        assert [layer.name for layer in viewer.layers] == ["still 0", "still 1", "still 2"]
        assert checkpoint.loaded == []
