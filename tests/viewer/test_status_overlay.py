"""The words on the canvas: there when there is something to say, and not drawn anew for what is hidden."""

from __future__ import annotations

from napari.components import ViewerModel

from napari_segcam.viewer.status_overlay import StatusOverlay


def test_words_are_seen_as_long_as_there_are_any() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    on_frame, on_scale = (viewer.canvas.overlays[name] for name in ("segcam_status", "segcam_scale"))
    assert on_frame.opacity == 0
    assert not on_scale.visible
    status.say("not computed", "heat scaled to the clip")
    assert (on_frame.text, on_frame.visible, on_frame.opacity, on_frame.box) == ("not computed", True, 1, True)
    status.say("not computed", "heat scaled to the clip", over_heat=False)
    assert (on_frame.opacity, on_frame.box) == (1, False)
    assert (on_scale.text, on_scale.visible) == ("heat scaled to the clip", True)
    status.say("", "")
    assert (on_frame.opacity, on_frame.box, on_scale.visible) == (0, False, False)
    status.say("failed", "")
    assert (on_frame.text, on_frame.opacity, on_frame.box) == ("failed", 1, True)


def test_a_frame_with_nothing_to_say_has_no_words_laid_out() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    status.say("computing …", "")
    changes = []
    overlay = viewer.canvas.overlays["segcam_status"]
    for event in (overlay.events.text, overlay.events.visible, overlay.events.position):
        event.connect(changes.append)
    status.say("", "")
    status.say("computing …", "")
    assert not changes


def test_words_that_the_user_has_taken_out_stay_out() -> None:
    viewer = ViewerModel()
    status = StatusOverlay(viewer)
    del viewer.canvas.overlays["segcam_status"]
    status.say("failed", "heat scaled to this frame")
    assert "segcam_status" not in viewer.canvas.overlays
    assert viewer.canvas.overlays["segcam_scale"].visible
