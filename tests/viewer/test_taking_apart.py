"""Layers and views can be removed from a window in any way without ending the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.utils.colormaps import label_colormap
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.sessions import session_of
from tests.viewer.own_process import run_script


@pytest.mark.slow
def test_windows_survive_the_removal_of_their_parts(tmp_path: Path) -> None:
    assert run_script("taking_apart", home=tmp_path, timeout=600).endswith("done\n")


def test_nothing_is_created_on_the_graphics_card_while_a_layer_is_removed(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer(show=True)
    session = session_of(viewer)
    labels = viewer.add_labels(np.ones((40, 50), np.uint8))
    viewer.add_image(np.zeros((40, 50), np.uint8))
    qtbot.wait(100)
    window: Any = viewer.window
    parser = window._qt_viewer.canvas._scene_canvas.context.shared.parser
    sent: list[tuple[Any, ...]] = []
    parse = parser.parse

    def record(commands: list[tuple[Any, ...]]) -> Any:
        sent.extend(commands)
        return parse(commands)

    monkeypatch.setattr(parser, "parse", record)
    labels.colormap = label_colormap(20, 0.3)
    viewer.layers.pop(1)
    assert sent == []
    viewer.screenshot(flash=False)
    assert any(command[0] == "CREATE" and command[2] == "Texture2D" for command in sent)
    assert session.viewer is viewer
