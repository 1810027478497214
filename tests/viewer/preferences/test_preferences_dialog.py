"""Preferences in the window: the dialog, napari's own page, and what a change does."""

from __future__ import annotations

from collections.abc import Callable

import napari.settings
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import yaml
from napari import Viewer
from napari.components import ViewerModel
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QDialogButtonBox, QLabel

from napari_segcam.explanation.tiles import rule
from napari_segcam.network.network import Network
from napari_segcam.preferences.catalog import PREFERENCES
from napari_segcam.preferences.file import preferences_path
from napari_segcam.preferences.present import in_file, preferences
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.preferences import preferences_controller
from napari_segcam.viewer.preferences.preferences_controller import PreferencesController
from napari_segcam.viewer.preferences_window import open_preferences
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.widgets.preferences.preferences_dialog import PreferencesDialog


@pytest.fixture
def dialog(session: ReviewSession, qtbot: QtBot) -> PreferencesDialog:
    dialog = PreferencesDialog(controller_of(session, PreferencesController))
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def ok(dialog: PreferencesDialog) -> None:
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()


def on_disk() -> object:
    return yaml.safe_load(preferences_path().read_text("utf-8")) if preferences_path().exists() else None


def test_napari_shows_the_same_preferences() -> None:
    sections = PluginManager.instance().get_manifest("napari-segcam").contributions.configurations
    shown = {name: (section, entry) for section in sections.values() for name, entry in section.properties.items()}
    assert list(shown) == [preference.name for preference in PREFERENCES]
    for preference in PREFERENCES:
        section, entry = shown[preference.name]
        words = (preference.section, preference.title, preference.help)
        assert (section.title, entry.title, entry.description) == words
        assert (entry.default, type(entry.default)) == (preference.default, type(preference.default))
        assert tuple(entry.enum or ()) == preference.choices
        assert (entry.minimum, entry.maximum) == (preference.minimum, preference.maximum)


def test_ok_applies_at_once_and_writes(dialog: PreferencesDialog, qtbot: QtBot) -> None:
    dialog.fields["memory_gb"].show_value(2.5)
    dialog.fields["show_first_steps"].show_value(False)
    assert preferences().memory_gb == 6.0  # before OK nothing changes
    ok(dialog)
    assert (preferences().memory_gb, preferences().show_first_steps) == (2.5, False)
    qtbot.waitUntil(lambda: on_disk() == {"memory_gb": 2.5, "show_first_steps": False})


def test_cancel_and_defaults(dialog: PreferencesDialog, session: ReviewSession, qtbot: QtBot) -> None:
    controller_of(session, PreferencesController).change({"opacity": 0.25})
    qtbot.waitUntil(lambda: on_disk() == {"opacity": 0.25})
    dialog.fields["opacity"].show_value(0.9)
    dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).click()
    assert preferences().opacity == 0.25
    again = PreferencesDialog(controller_of(session, PreferencesController))
    qtbot.addWidget(again)
    assert again.fields["opacity"].value == 0.25
    again.restore.click()
    assert preferences().opacity == 0.25
    ok(again)
    assert preferences().opacity == 0.6
    qtbot.waitUntil(lambda: on_disk() is None)


def test_the_environment_is_shown_and_not_written(
    session: ReviewSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_SEGCAM_DEVICE", "cpu")
    dialog = PreferencesDialog(controller_of(session, PreferencesController))
    qtbot.addWidget(dialog)
    field = dialog.fields["device"]
    assert not field.native.isEnabled()
    assert "NAPARI_SEGCAM_DEVICE" in field.explanation.text()
    ok(dialog)
    assert in_file()["device"] == "auto"
    assert preferences().device == "cpu"


def test_heat_follows_in_layers_and_sliders(reviewed: ReviewSession, qtbot: QtBot) -> None:
    widget = GradCamWidget(reviewed.viewer)
    qtbot.addWidget(widget)
    controller_of(reviewed, PreferencesController).change(
        {"colormap": "viridis", "opacity": 0.35, "heat_threshold": 0.2}
    )
    layers = reviewed.layers()
    assert layers is not None
    (layer,) = layers.heat.layers.values()
    assert layer.opacity == pytest.approx(0.35)
    assert "viridis" in layer.colormap.name
    assert (widget.colormap.value, widget.opacity.value(), widget.heat_threshold.value()) == ("viridis", 0.35, 0.2)
    other = session_of(ViewerModel())
    other.viewer.add_image(np.zeros((8, 8), np.uint8))
    heat = other.layers()
    assert heat is not None
    assert (heat.heat.colormap, heat.heat.opacity, heat.heat.floor) == ("viridis", 0.35, 0.2)


def test_another_device_loads_the_network_again(
    session: ReviewSession, network: Network, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(CheckpointWidget, "_load", lambda _self, source, card=None: loaded.append((source, card)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    widget = CheckpointWidget(session.viewer)
    qtbot.addWidget(widget)
    session.use(network)
    change = controller_of(session, PreferencesController).change
    change({"device": "cpu"})  # where it is
    qtbot.wait(100)
    assert loaded == []
    change({"device": "cuda"})
    qtbot.waitUntil(lambda: len(loaded) == 1)
    widget.device.choose("cpu")
    change({"device": "cpu"})
    change({"device": "cuda"})  # the user has chosen one in the widget
    qtbot.wait(100)
    assert len(loaded) == 1


def test_a_device_that_is_not_there_is_said(
    session: ReviewSession, network: Network, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(preferences_controller, "show_error", said.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    session.use(network)
    controller_of(session, PreferencesController).change({"device": "cuda"})
    qtbot.waitUntil(lambda: bool(said))
    assert "no device 'cuda'" in said[0]
    assert session.network is network


@pytest.mark.slow
def test_a_budget_that_changes_the_tiles_is_said(
    session: ReviewSession,
    finish: Callable[[ReviewSession], None],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(preferences_controller, "show_info", said.append)
    session.viewer.add_image(np.random.default_rng(0).integers(0, 255, (128, 96), dtype=np.uint8))
    # Its own: workers of earlier tests may still look at the shared one.
    network = Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")
    monkeypatch.setattr(rule, "PASS_BYTES", round(3 * 128 * 96 * rule.bytes_per_pixel(network)))
    session.use(network)
    session.run(RunRequest(), "current")
    finish(session)
    change = controller_of(session, PreferencesController).change
    change({"memory_gb": 5.0})
    qtbot.wait(100)
    assert said == []
    change({"memory_gb": 0.5})
    qtbot.waitUntil(lambda: bool(said))
    assert "tiles" in said[0]


def test_napari_s_own_dialog_and_ours_agree(session: ReviewSession, qtbot: QtBot) -> None:
    page = napari.settings.get_plugin_settings("napari-segcam")
    controller = controller_of(session, PreferencesController)
    page.heatmaps.opacity = 0.3
    assert preferences().opacity == 0.3
    controller.change({"threads": 5})
    assert page.computing.threads == 5
    qtbot.waitUntil(lambda: on_disk() == {"opacity": 0.3, "threads": 5})


@pytest.mark.slow
def test_what_napari_changed_without_a_session_counts(qtbot: QtBot) -> None:
    first = session_of(ViewerModel())
    controller_of(first, PreferencesController).change({"threads": 5, "opacity": 0.3})
    agreed = preferences_path().parent / "napari_pages.json"
    qtbot.waitUntil(lambda: agreed.exists() and "5" in agreed.read_text("utf-8"))
    del first
    page = napari.settings.get_plugin_settings("napari-segcam")
    with page.heatmaps.events.opacity.blocker():
        page.heatmaps.opacity = 0.8
    second = session_of(ViewerModel())
    assert (preferences().opacity, preferences().threads) == (0.8, 5)
    controller_of(second, PreferencesController).change({"device": "cpu"})
    assert page.computing.device == "cpu"


def test_the_menu_opens_one_dialog(make_napari_viewer: Callable[..., Viewer]) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)
    menus = {action.text().replace("&", ""): action.menu() for action in viewer.window.plugins_menu.actions()}
    (action,) = (action for action in menus["SegCAM"].actions() if action.text().startswith("Preferences"))
    action.trigger()
    action.trigger()
    (dialog,) = viewer.window._qt_window.findChildren(PreferencesDialog)
    assert dialog.isVisible()
    assert open_preferences(viewer) is dialog
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    for preference in PREFERENCES:
        assert any(preference.help in text for text in texts)
    dialog.close()
    assert session is session_of(viewer)
