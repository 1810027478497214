"""A run over a folder uses the choices made in the viewer and shows them first, or refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Image, Labels
from PIL import Image as PILImage
from pytestqt.qtbot import QtBot

from napari_segcam.errors import SegcamError
from napari_segcam.explanation.targets.region import Boundary, Component
from napari_segcam.explanation.targets.region_words import parse_region
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.imaging.scan.region import crop_for
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.layer_source import LayerSource
from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.jobs.folder_job import FolderRun, options_from_plan, options_in_words
from napari_segcam.viewer.review.outputs import run_folder
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.widgets.export_widget import ExportWidget

FRAME = np.zeros((40, 50), np.uint8)


def plan_of(network: Network, region: Any = "mask", crop: Any = None, *, drawn: bool = False, **choices: Any) -> Plan:
    request = RunRequest(stages=("encoder_5",), region=region) if not choices else RunRequest(region=region, **choices)
    source = LayerSource.from_layer(Image(FRAME), crop, is_crop_drawn=drawn)
    return Plan(network, source, request, 0.5, lambda _frame: None)


@pytest.mark.parametrize("region", ["mask", "image", Component(), Component((7, 9)), Boundary(), Boundary(5)])
def test_a_region_that_every_image_has_is_kept(network: Network, region: Any) -> None:
    assert parse_region(options_from_plan(plan_of(network, region), 0.5).region) == region


@pytest.mark.parametrize("region", [CORRECTED, Labels(FRAME, name="my drawing")])
def test_a_region_of_this_image_alone_is_refused(network: Network, region: Any) -> None:
    with pytest.raises(SegcamError, match="to this image"):
        options_from_plan(plan_of(network, region), 0.5)


def test_a_run_without_stages_is_refused(network: Network) -> None:
    with pytest.raises(SegcamError, match="the mask alone"):
        options_from_plan(plan_of(network, method="gradcam"), 0.5)


def test_a_crop_is_kept(network: Network) -> None:
    crop = slice(3, 20), slice(10, 45)
    cine = ArrayCine(FRAME[None])
    assert crop_for(options_from_plan(plan_of(network, crop=crop, drawn=True), 0.5).crop, cine) == crop
    assert options_from_plan(plan_of(network, crop=crop), 0.5).crop == "auto"
    assert options_from_plan(plan_of(network), 0.5).crop == "none"


def test_the_options_of_a_run_are_described(network: Network) -> None:
    description = options_in_words(
        options_from_plan(plan_of(network, Boundary(), (slice(3, 20), slice(10, 45)), drawn=True), 0.25), network
    )
    for part in ("Grad-CAM", "encoder_5", "boundary of the mask", "above 0.25", "10,3,45,20"):
        assert part in description


def test_the_widget_says_what_it_will_run_or_why_it_cannot(
    session: ReviewSession, network: Network, qtbot: QtBot
) -> None:
    widget = ExportWidget(session.viewer)
    qtbot.addWidget(widget)
    session.viewer.add_image(FRAME)
    session.use(network)
    assert widget.will_run.text().startswith("Will run: Grad-CAM")
    assert session.review is not None
    session.review.results.plan = plan_of(network, Labels(FRAME, name="my drawing"))
    widget._refresh()
    assert "my drawing" in widget.will_run.text()
    assert not widget.run.isEnabled()
    session.review.results.plan = None


def test_a_run_in_a_real_window_shows_progress_of_an_unknown_total(
    make_napari_viewer: Callable[..., Viewer], network: Network, qtbot: QtBot, tmp_path: Path
) -> None:
    session = session_of(make_napari_viewer())
    session.use(network)
    images = tmp_path / "images"
    images.mkdir()
    PILImage.fromarray(FRAME).save(images / "a.png")
    run_folder(session, FolderRun(images, tmp_path / "out", with_report=False))
    qtbot.waitUntil(lambda: session.background.job is None, timeout=60_000)
    assert session.background.progress is not None
    assert session.background.progress.words.startswith("1 of 1 images")


@pytest.mark.slow
def test_layers_of_other_dimensions_are_added_without_errors(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer()
    session = session_of(viewer)
    metadata = {"segcam_source": {"frame_rate": 17.0}}
    for shape in ((5, 40, 50), (40, 50), (2, 5, 40, 50)):
        viewer.add_image(np.zeros(shape, np.uint8), metadata=metadata)
        qtbot.wait(20)
        viewer.layers.clear()
    viewer.add_image(np.zeros((5, 40, 50), np.uint8), metadata=metadata)
    qtbot.waitUntil(lambda: viewer.window._qt_viewer.dims.slider_widgets[0].fps == 17)
    assert session.image is viewer.layers[0]
