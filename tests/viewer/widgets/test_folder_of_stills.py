"""A folder of stills in the widgets and the strip: "image" and file names instead of "frame" and numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QComboBox

from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.layers.frame_names import frame_in_words
from napari_segcam.viewer.reader import read_layers
from napari_segcam.viewer.review.finding_stepper import step_finding
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.review.stage_stepper import toggle_scale
from napari_segcam.viewer.strip.strip_widget import StripWidget, curve_title
from napari_segcam.viewer.widgets.export_widget import ExportWidget
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget

NAMES = ("case_2.png", "case_10 <b>.png")


@pytest.fixture
def stills(session: ReviewSession, frames: np.ndarray, tmp_path: Path) -> ReviewSession:
    """Return a session whose image is a folder of two stills."""
    for name, frame in zip(NAMES, frames, strict=False):
        Image.fromarray(frame).save(tmp_path / name)
    ((data, attributes, _),) = read_layers(str(tmp_path))
    session.viewer.add_image(data, **attributes)
    return session


def labels(combo: QComboBox) -> list[str]:
    return [combo.itemText(index) for index in range(combo.count())]


def test_the_widgets_speak_of_images(stills: ReviewSession, frames: np.ndarray, qtbot: QtBot) -> None:
    gradcam, export = GradCamWidget(stills.viewer), ExportWidget(stills.viewer)
    for widget in (gradcam, export):
        qtbot.addWidget(widget)
    assert labels(gradcam.run_bar.scope) == ["All images", "Visited images", "Current image"]
    assert labels(gradcam.scale) == ["All images", "Each image"]
    assert (export.export_frame.text(), export.export_all.text()) == ("Export current image …", "Export all images …")
    gradcam.run_bar.scope.setCurrentIndex(1)
    gradcam.session.set_scale("frame")

    stills.choose_image(stills.viewer.add_image(frames))  # a cine
    assert labels(gradcam.run_bar.scope) == ["All frames", "Visited frames", "Current frame"]
    assert labels(gradcam.scale) == ["All frames", "Each frame"]
    assert (export.export_frame.text(), export.export_all.text()) == ("Export current frame …", "Export all frames …")
    assert (gradcam.run_bar.scope.value, gradcam.scale.value) == ("visited", "frame"), "the choices stay"


def test_messages_speak_of_images(stills: ReviewSession, frames: np.ndarray) -> None:
    step_finding(stills, 1)
    assert stills.viewer.status == "No finding after this image; 2 images are not computed yet."
    toggle_scale(stills)
    assert stills.viewer.status == "Heat scaled to each image"
    assert frame_in_words(stills.image, 0) == "image case_2.png"
    stills.choose_image(stills.viewer.add_image(frames))
    toggle_scale(stills)
    assert stills.viewer.status == "Heat scaled to all frames"
    assert frame_in_words(stills.image, 12) == "frame 12"


def test_the_strip_names_the_files(stills: ReviewSession, frames: np.ndarray, qtbot: QtBot) -> None:
    strip = StripWidget(stills.viewer)
    qtbot.addWidget(strip)
    assert strip.plot.content.message == "Explain the images to see them here."
    assert strip.plot.tooltip(0).startswith("<b>case_2.png</b>: not computed")
    assert strip.plot.tooltip(1).startswith("<b>case_10 &lt;b&gt;.png</b>")
    assert curve_title(CineRecord.DICE, stills.image) == "Dice with the image before"
    stills.choose_image(stills.viewer.add_image(frames))
    assert strip.plot.tooltip(1).startswith("<b>Frame 1</b>: not computed")
