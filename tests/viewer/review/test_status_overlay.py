"""The status texts on the canvas: visible, with a box behind them, if there is something to say."""

from __future__ import annotations

import pytest
from napari.components import ViewerModel

from napari_segcam.viewer.review.status_overlay import StatusOverlay, wrapped


def test_a_text_is_visible_unless_it_is_empty() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    frame_overlay, scale_overlay = (viewer.canvas.overlays[name] for name in ("segcam_status", "segcam_scale"))
    assert not frame_overlay.visible
    assert not scale_overlay.visible
    status.say("not computed", "heat scaled to all frames")
    assert (frame_overlay.text, frame_overlay.visible) == ("not computed", True)
    assert (scale_overlay.text, scale_overlay.visible) == ("heat scaled to all frames", True)
    status.say("", "")
    assert (frame_overlay.text, frame_overlay.visible) == ("", False)
    assert (scale_overlay.text, scale_overlay.visible) == ("", False)


def test_a_text_always_has_a_box() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    overlays = [viewer.canvas.overlays[name] for name in ("segcam_status", "segcam_scale")]
    for text in ("failed", "", "computing …"):
        status.say(text, text)
        assert all(overlay.box and overlay.opacity == 1 for overlay in overlays)


def test_the_same_text_again_changes_nothing() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    status.say("computing …", "")
    changes: list[object] = []
    overlay = viewer.canvas.overlays["segcam_status"]
    for event in (overlay.events.text, overlay.events.visible, overlay.events.position):
        event.connect(changes.append)
    status.say("computing …", "")
    assert not changes


def test_an_overlay_that_the_user_removed_stays_removed() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    del viewer.canvas.overlays["segcam_status"]
    status.say("failed", "heat scaled to this frame")
    assert "segcam_status" not in viewer.canvas.overlays
    assert viewer.canvas.overlays["segcam_scale"].visible


def test_the_words_can_be_read_in_the_light_theme_too() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    status.say("no finding", "")
    overlay = viewer.canvas.overlays["segcam_status"]
    on_dark = tuple(overlay.color)
    viewer.theme = "light"
    on_light = tuple(overlay.color)
    assert sum(on_light[:3]) < 1.2 < sum(on_dark[:3])
    viewer.theme = "dark"
    assert tuple(overlay.color) == on_dark
    assert overlay.text == "no finding"


@pytest.mark.parametrize(("width", "longest"), [(None, 44), (900, 44), (350, 22), (40, 12)])
def test_lines_are_as_long_as_the_canvas_has_room_for(width: int | None, longest: int) -> None:
    words = "encoder_5: this frame reaches 7 % of the scale of all frames\nno finding above 0.50"
    lines = wrapped(words, None if width is None else width - 100, 11).split("\n")
    assert " ".join(lines) == words.replace("\n", " ")
    assert max(map(len, lines)) <= longest
    assert lines[-1].endswith("0.50")
