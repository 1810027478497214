"""The words on the canvas: there, with a box behind them, when there is something to say."""

from __future__ import annotations

from napari.components import ViewerModel

from napari_segcam.viewer.review.status_overlay import StatusOverlay


def test_words_are_seen_as_long_as_there_are_any() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    on_frame, on_scale = (viewer.canvas.overlays[name] for name in ("segcam_status", "segcam_scale"))
    assert not on_frame.visible
    assert not on_scale.visible
    status.say("not computed", "heat scaled to the clip")
    assert (on_frame.text, on_frame.visible) == ("not computed", True)
    assert (on_scale.text, on_scale.visible) == ("heat scaled to the clip", True)
    status.say("", "")
    assert (on_frame.text, on_frame.visible) == ("", False)
    assert (on_scale.text, on_scale.visible) == ("", False)


def test_words_never_stand_on_the_canvas_without_a_box() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    overlays = [viewer.canvas.overlays[name] for name in ("segcam_status", "segcam_scale")]
    for words in ("failed", "", "computing …"):
        status.say(words, words)
        assert all(overlay.box and overlay.opacity == 1 for overlay in overlays)


def test_words_that_are_said_again_change_nothing() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    status.say("computing …", "")
    changes: list[object] = []
    overlay = viewer.canvas.overlays["segcam_status"]
    for event in (overlay.events.text, overlay.events.visible, overlay.events.position):
        event.connect(changes.append)
    status.say("computing …", "")
    assert not changes


def test_words_that_the_user_has_taken_out_stay_out() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    del viewer.canvas.overlays["segcam_status"]
    status.say("failed", "heat scaled to this frame")
    assert "segcam_status" not in viewer.canvas.overlays
    assert viewer.canvas.overlays["segcam_scale"].visible
