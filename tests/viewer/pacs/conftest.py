"""A PACS in memory, a real one, and the dock on a viewer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from orthanc import pacs
from pytestqt.qtbot import QtBot

from napari_segcam.imaging.dicomweb.servers import Server, add_server
from napari_segcam.preferences.folder import CONFIG_FOLDER
from napari_segcam.viewer.pacs import pacs_controller
from napari_segcam.viewer.widgets.pacs.pacs_widget import PacsWidget
from tests.viewer.pacs.fake_pacs import FakePacs

__all__ = ["pacs"]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's list of servers."""
    folder = tmp_path / "config"
    monkeypatch.setenv(CONFIG_FOLDER, str(folder))
    for name in ("URL", "USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"NAPARI_SEGCAM_PACS_{name}", raising=False)
    return folder


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePacs:
    """A server that is configured, and is in memory."""
    fake = FakePacs()
    add_server(Server("Clinic", "https://pacs.example.org/dicom-web"))
    monkeypatch.setattr(pacs_controller, "connect_to", lambda _server: fake.connect)
    return fake


@pytest.fixture
def widget(qtbot: QtBot, messages: list[str]) -> Iterator[PacsWidget]:  # noqa: ARG001
    """The dock on a viewer without a window, with its list of servers read."""
    widget = PacsWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: widget.controller.servers.is_read)
    yield widget
    widget.controller.close()
