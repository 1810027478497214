"""A window that is closed while a cine comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_objects.made_sources import SOURCES
from napari import Viewer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.pacs.kept_files import TemporaryFolder
from napari_segcam.viewer.pacs.searching import Criteria
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget
from tests.viewer.pacs.fake_pacs import FakePacs


def test_closing_the_window_ends_the_threads_and_deletes_the_files(
    make_napari_viewer: Callable[..., Viewer], fake: FakePacs, qtbot: QtBot, tmp_path: Path
) -> None:
    fake.add(SOURCES["gray_cine"](tmp_path))
    fake.let_through(2)
    before = set(threading.enumerate())
    viewer = make_napari_viewer()
    widget = PacsWidget(viewer)
    viewer.window.add_dock_widget(widget)
    controller = widget.controller
    controller.servers.read()
    qtbot.waitUntil(lambda: controller.servers.chosen is not None)
    with qtbot.waitSignal(controller.searching.found):
        controller.search(Criteria())
    controller.open_series(controller.searching.series[0])
    qtbot.waitUntil(lambda: controller.opening.frames == (2, 6))
    folder = controller.temporary.path()
    assert list(folder.iterdir())
    of_pacs = {worker._thread for lane in controller.threads._lanes for worker in lane._workers} - before
    assert len(of_pacs) >= 3
    viewer.close()
    qtbot.waitUntil(lambda: not folder.exists())
    qtbot.waitUntil(lambda: not any(thread.is_alive() for thread in of_pacs))


def test_files_are_deleted_while_python_ends_and_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = TemporaryFolder(ViewerModel())
    folder = temporary.path()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    temporary.delete()
    assert not folder.exists()
