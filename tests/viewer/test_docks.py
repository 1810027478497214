"""The window: menus that messages name, one dock for each widget, and the chosen image."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QFont, QFontMetrics
from qtpy.QtWidgets import QDockWidget, QMenu, QTabBar, QToolButton

import napari_segcam
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.layers.placement import OURS
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.workspace import PLUGIN, open_workspace
from tests.viewer.own_process import run_script

ROOT = Path(napari_segcam.__file__).parents[1]
OTHER_PROGRAMS = ("Windows", "System")


def menu_paths(menu: QMenu, before: str = "") -> Iterator[str]:
    for action in menu.actions():
        path = before + action.text().replace("&", "").rstrip("…. ")
        if action.text():
            yield path
        if action.menu() is not None:
            action.menu().aboutToShow.emit()
            yield from menu_paths(action.menu(), f"{path} ▸ ")


def named_menus() -> set[str]:
    """Return all paths through menus that the package and its documentation name."""
    files = [*ROOT.glob("napari_segcam/**/*.py"), ROOT / "README.md", *ROOT.glob("docs/*.md")]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    return {
        path.rstrip("… ")
        for text in texts
        for path in re.findall(r"(?:File|Plugins|Layers|Window) ▸ [^.,*\"\n]+", text)
    }


def test_every_menu_that_is_named_exists(make_napari_viewer: Callable[..., Viewer]) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)  # with which commands come into the plugin's menu
    existing = set(menu_paths(viewer.window._qt_window.menuBar()))
    assert session.viewer is viewer
    named = named_menus()
    assert "Plugins ▸ SegCAM ▸ Checkpoint (SegCAM)" in named
    assert named <= existing, named - existing


def docks(viewer: Viewer) -> list[QDockWidget]:
    all_docks = viewer.window._qt_window.findChildren(QDockWidget)
    return [dock for dock in all_docks if "SegCAM" in dock.name or "segcam" in dock.name]


def open_from_menu(name: str) -> None:
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command(f"napari-segcam.{name}").result()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["workspace", "menu", "interface"])
def test_a_widget_is_docked_once_however_it_is_opened(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, first: str
) -> None:
    viewer = make_napari_viewer()
    ways: dict[str, Callable[[], object]] = {
        "workspace": lambda: open_workspace(viewer),
        "menu": lambda: open_from_menu("checkpoint"),
        "interface": lambda: viewer.window.add_plugin_dock_widget(PLUGIN, "Checkpoint"),
    }
    ways[first]()
    qtbot.wait(20)
    for way in ways.values():
        way()
        qtbot.wait(20)
    assert len(docks(viewer)) == 6
    assert len(viewer.window._qt_window.findChildren(CheckpointWidget)) == 1


@pytest.mark.parametrize("way", ["workspace", "strip"])
def test_the_strip_is_docked_below_the_canvas_by_the_menu_too(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, way: str, recwarn: pytest.WarningsRecorder
) -> None:
    viewer = make_napari_viewer(show=True)
    open_from_menu(way)
    qtbot.wait(20)
    (strip,) = (dock for dock in docks(viewer) if "Cine strip" in dock.name)
    assert viewer.window._qt_window.dockWidgetArea(strip) == Qt.DockWidgetArea.BottomDockWidgetArea
    assert not [warning for warning in recwarn if "Private attribute" in str(warning.message)]


def test_the_workspace_brings_hidden_docks_back(make_napari_viewer: Callable[..., Viewer], qtbot: QtBot) -> None:
    viewer = make_napari_viewer(show=True)
    open_workspace(viewer)
    for one in docks(viewer):
        one.hide()
    open_workspace(viewer)
    qtbot.wait(20)
    assert all(not one.isHidden() for one in docks(viewer))


def test_the_whole_workspace_fits_a_small_screen(make_napari_viewer: Callable[..., Viewer], qtbot: QtBot) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((5, 40, 50), np.uint8))
    open_workspace(viewer)
    open_workspace(viewer)
    qtbot.wait(200)
    smallest = viewer.window._qt_window.minimumSizeHint()
    assert smallest.width() <= 1366
    assert smallest.height() <= 768 - 40  # for the title and the taskbar


def tabs(viewer: Viewer) -> QTabBar:
    """Return the row of tabs of the docks at the right."""
    bars = viewer.window._qt_window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    (bar,) = (bar for bar in bars if bar.count() and bar.isVisible())
    return bar


def test_the_tabs_of_a_review_are_read_in_full_on_a_small_screen(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    for name in ("Cases", "Verdict"):
        dock(viewer, name, tabify=True)
    qtbot.wait(300)
    bar = tabs(viewer)
    names = [bar.tabText(index) for index in range(bar.count())]
    assert names == ["Checkpoint", "Segmentation", "Grad-CAM", "Export", "Cases", "Verdict"]
    size = re.search(r"font-size: (\d+)pt", bar.styleSheet())  # of the tabs; in napari 0.10, their row has a larger one
    assert size
    metrics = QFontMetrics(QFont(bar.font().family(), int(size[1])))
    for index, name in enumerate(names):
        assert bar.tabRect(index).width() >= metrics.horizontalAdvance(name)
        assert bar.rect().contains(bar.tabRect(index))
    assert all(one.name == f"{one.windowTitle()} (SegCAM)" for one in docks(viewer))


def test_tabs_that_do_not_fit_are_reached_by_arrows(make_napari_viewer: Callable[..., Viewer], qtbot: QtBot) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    for name in ("Cases", "Verdict", "Measure", "Overlays"):
        place, _ = dock(viewer, name, tabify=True)
    qtbot.wait(200)
    place.raise_()
    qtbot.wait(200)
    bar = tabs(viewer)
    assert bar.elideMode() == Qt.TextElideMode.ElideNone
    assert bar.tabText(bar.currentIndex()) == "Overlays"
    assert bar.rect().contains(bar.tabRect(bar.currentIndex()))
    assert [button for button in bar.findChildren(QToolButton) if button.isVisible()]


def test_an_image_that_is_opened_is_chosen_and_alone_on_the_canvas(session: ReviewSession) -> None:
    viewer: ViewerModel = session.viewer
    first = viewer.add_image(np.zeros((5, 40, 50), np.uint8))
    labels = viewer.add_labels(np.zeros((40, 50), np.uint8))
    second = viewer.add_image(np.ones((40, 50), np.uint8))
    assert session.image is second
    assert (first.visible, labels.visible, second.visible) == (False, True, True)
    session.choose_image(first)
    assert (first.visible, labels.visible, second.visible) == (True, True, False)
    viewer.layers.remove(first)
    assert session.image is second
    assert second.visible


def test_nothing_of_an_image_that_is_gone_stays_on_the_canvas(session: ReviewSession) -> None:
    viewer: ViewerModel = session.viewer
    image = viewer.add_image(np.zeros((40, 50), np.uint8))
    labels = viewer.add_labels(np.zeros((40, 50), np.uint8))
    heatmap = viewer.add_image(np.ones((20, 25)), metadata={OURS: {"image": image.unique_id}})
    viewer.layers.remove(image)
    assert session.image is None
    assert (heatmap.visible, labels.visible) == (False, True)


def test_a_still_is_chosen_from_a_later_frame_of_a_cine(session: ReviewSession) -> None:
    viewer: ViewerModel = session.viewer
    still = viewer.add_image(np.zeros((40, 50), np.uint8))
    frames: list[int] = []
    heat = viewer.add_image(np.ones((20, 25)), metadata={OURS: {"image": still.unique_id}})
    heat.events.visible.connect(lambda: frames.append(session.reviews.frame))
    cine = viewer.add_image(np.zeros((5, 40, 50), np.uint8))
    session.go_to(4)
    assert session.image is cine
    session.choose_image(still)
    assert frames == [0, 0]


@pytest.mark.slow
def test_no_widget_imports_torch_in_the_thread_of_the_window(tmp_path: Path) -> None:
    assert run_script("docking", "Overlays", home=tmp_path, timeout=300).endswith("done\n")
