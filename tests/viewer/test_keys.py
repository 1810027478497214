"""The keys: none is used by napari, all are listed in one place, and each does what it says."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import napari.layers
import numpy as np
import pytest
from napari._app_model import get_app_model
from napari.components import ViewerModel
from napari.settings import get_settings
from napari.utils.key_bindings import KeymapHandler, coerce_keybinding
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication, QLabel, QLineEdit

from napari_segcam.viewer import keys as keys_module
from napari_segcam.viewer.key_help import KeyHelp
from napari_segcam.viewer.keys import KEYS, bind_keys, key_rows
from napari_segcam.viewer.layers.hide_overlays import HideOverlays
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.review.stage_stepper import step_stage, toggle_outline

STAGES = ("encoder_1", "encoder_5", "decoder_1")
LAYER_KINDS = ("Layer", "Image", "Labels", "Points", "Shapes", "Surface", "Tracks", "Vectors")


@pytest.fixture
def stages(session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> ReviewSession:
    """A session whose image has three heatmaps, of which the second is shown, and a mask."""
    viewer = session.viewer
    viewer.add_image(np.zeros((4, 24, 32), np.uint8), name="cine")
    heatmaps = {
        stage: viewer.add_image(
            np.ones((4, 6, 8)), name=stage, visible=number == 1, opacity=0.5 + number / 10, metadata=segcam_metadata()
        )
        for number, stage in enumerate(STAGES)
    }
    mask = viewer.add_labels(np.ones((4, 24, 32), np.uint8), name="mask", opacity=0.9, metadata=segcam_metadata())
    mask.contour = 2
    monkeypatch.setattr(
        session,
        "layers",
        lambda: SimpleNamespace(heatmaps=heatmaps, mask=mask, mask_layers=[mask]),
    )
    return session


@pytest.fixture
def handler(stages: ReviewSession) -> Iterator[KeymapHandler]:
    """Presses keys as napari's canvas does."""
    stages.viewer.keymap.clear()
    keys = bind_keys(stages)
    handler = KeymapHandler()
    handler.keymap_providers = [stages.viewer]
    yield handler
    keys.stage_grid.leave()


def segcam_metadata() -> dict[str, Any]:
    """Return the metadata that mark a layer as one of the plugin."""
    return {"segcam": {}}


def shown_stages(session: ReviewSession) -> list[str]:
    return [layer.name for layer in session.viewer.layers if layer.visible and layer.name in STAGES]


# The table


def test_no_key_collides_with_napari(make_napari_viewer: Callable[[], Any]) -> None:
    viewer = make_napari_viewer()  # its menus bind keys as well
    used = {str(key) for keys in get_settings().shortcuts.shortcuts.values() for key in keys}
    for provider in (ViewerModel, type(viewer), *(getattr(napari.layers, kind) for kind in LAYER_KINDS)):
        used |= {str(key) for key in provider.class_keymap}
    used |= {str(rule.keybinding) for rule in get_app_model().keybindings}
    assert "Ctrl+G" in used  # of the settings
    assert "Ctrl+Z" in used  # of the Labels layer
    assert "Ctrl+O" in used  # of the menus
    assert not used & {str(coerce_keybinding(key.key)) for key in KEYS}


def test_each_key_occurs_once_and_is_listed_in_the_help(qtbot: QtBot) -> None:
    rows = key_rows()
    assert len({key.key for key in KEYS}) == len(KEYS)
    assert len({key for key, _ in rows}) == len(rows) == len({key.action for key in KEYS}) + 3  # Esc, undo and redo
    dialog = KeyHelp(rows)
    qtbot.addWidget(dialog)
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    for key, action in rows:
        assert f"<b>{key}</b>" in texts
        assert action in texts


def test_a_key_that_is_already_bound_keeps_its_use(session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(keys_module, "show_warning", warnings.append)
    viewer = session.viewer
    viewer.keymap.clear()
    pressed: list[str] = []
    viewer.bind_key("K", lambda _viewer: pressed.append("other"))
    bind_keys(session)
    viewer.keymap[coerce_keybinding("K")](viewer)
    assert pressed == ["other"]
    assert len(warnings) == 1
    assert "K (Show the next stage" in warnings[0]
    assert coerce_keybinding("J") in viewer.keymap


def test_the_keys_are_unbound_when_the_session_ends() -> None:
    viewer = ViewerModel()
    session = ReviewSession(viewer)
    viewer.keymap.clear()
    bind_keys(session)
    assert len(viewer.keymap) == len(KEYS)
    del session
    gc.collect()
    assert not viewer.keymap


# What the keys do


def test_stages_are_shown_one_at_a_time_and_named(stages: ReviewSession, handler: KeymapHandler) -> None:
    in_turn: list[str] = []
    for _ in range(4):
        handler.press_key("K")
        assert len(shown_stages(stages)) == 1
        in_turn += shown_stages(stages)
    assert in_turn == ["decoder_1", "encoder_1", "encoder_5", "decoder_1"]
    assert stages.viewer.status == "Stage 3 of 3: decoder_1"
    handler.press_key("J")
    assert shown_stages(stages) == ["encoder_5"]


@pytest.mark.parametrize(("direction", "first"), [(1, "encoder_1"), (-1, "decoder_1")])
def test_stepping_starts_at_an_end_if_no_stage_is_shown(stages: ReviewSession, direction: int, first: str) -> None:
    stages.viewer.layers["encoder_5"].visible = False
    step_stage(stages, direction)
    assert shown_stages(stages) == [first]


def test_steps_without_heatmaps_say_what_to_do(session: ReviewSession) -> None:
    step_stage(session, 1)
    assert "run Grad-CAM first" in session.viewer.status
    toggle_outline(session)
    assert "no mask yet" in session.viewer.status


def test_outline_and_fill(stages: ReviewSession, handler: KeymapHandler) -> None:
    mask = stages.viewer.layers["mask"]
    handler.press_key("U")
    assert mask.contour == 0
    handler.press_key("U")
    assert mask.contour == 2


def opacity_and_visibility(viewer: ViewerModel) -> dict[str, tuple[float, bool]]:
    """Return the opacity and the visibility of each layer."""
    return {layer.name: (layer.opacity, layer.visible) for layer in viewer.layers}


def test_overlays_are_hidden_while_the_key_is_held(stages: ReviewSession, handler: KeymapHandler) -> None:
    before = opacity_and_visibility(stages.viewer)
    handler.press_key("H")
    held = opacity_and_visibility(stages.viewer)
    assert all(held[name][0] == 0 for name in (*STAGES, "mask"))
    assert held["cine"] == before["cine"]
    handler.release_key("H")
    assert opacity_and_visibility(stages.viewer) == before
    handler.press_key("H")
    assert opacity_and_visibility(stages.viewer) == held
    handler.release_key("H")
    assert opacity_and_visibility(stages.viewer) == before


def test_layers_are_added_and_removed_while_the_key_is_held(stages: ReviewSession, handler: KeymapHandler) -> None:
    viewer = stages.viewer
    removed = viewer.layers["encoder_5"]
    handler.press_key("H")
    viewer.layers.remove(removed)
    new = viewer.add_image(np.ones((4, 6, 8)), opacity=0.4, metadata=segcam_metadata())
    other = viewer.add_image(np.ones((4, 6, 8)), opacity=0.3)
    assert new.opacity == 0
    assert other.opacity == 0.3
    handler.release_key("H")
    assert new.opacity == 0.4
    assert removed.opacity == 0.6  # the user may undo the removal
    assert viewer.layers["mask"].opacity == 0.9


def test_a_change_of_focus_shows_the_overlays_again(stages: ReviewSession, qtbot: QtBot) -> None:
    hide_overlays, before = HideOverlays(stages.viewer), opacity_and_visibility(stages.viewer)
    field = QLineEdit()
    qtbot.addWidget(field)
    hide_overlays.hold()
    assert opacity_and_visibility(stages.viewer) != before
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.focusChanged.emit(None, field)
    assert opacity_and_visibility(stages.viewer) == before


def test_keys_go_to_the_next_and_the_previous_finding(stages: ReviewSession, handler: KeymapHandler) -> None:
    assert stages.record is not None
    stages.record.curves[stages.record.AREA][2] = 50
    handler.press_key("N")
    assert stages.current_frame() == 2
    handler.press_key("N")
    assert "No finding after this frame" in stages.viewer.status
    stages.go_to(3)
    handler.press_key("Shift+N")
    assert stages.current_frame() == 2
