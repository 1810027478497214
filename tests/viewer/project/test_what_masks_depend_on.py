"""What masks depend on is in the log and comes back: crop, black and white, the card, both checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Shapes
from painting import corrected, paint
from PIL import Image
from pytestqt.qtbot import QtBot

from napari_segcam import export_review
from napari_segcam.demo import demo_checkpoint
from napari_segcam.network.source import ModelSource
from napari_segcam.review.creating import create_project
from napari_segcam.review.log.events import Input, Verdict
from napari_segcam.review.project import open_project
from napari_segcam.review.project_file import Settings
from napari_segcam.review.readings import Reading
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.verdicts.verdicts_controller import VerdictsController

CROP = (slice(10, 100), slice(20, 120))
FIRST = Reading("c0001")


def given(window: object) -> VerdictsController:
    return controller_of(window.session, VerdictsController)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("is_drawn", [False, True])
def test_a_crop_is_in_the_log_before_the_verdict_and_comes_back(
    project: Path, open_window: Callable, settle: Callable, is_drawn: bool
) -> None:
    window = open_window(project)
    settle(window)
    window.session.review.set_crop(CROP, is_drawn=is_drawn)
    settle(window)
    given(window).give("accept")
    window.controller.close()
    events = open_project(project).read_log("anna").events
    seen = next(event for event in events if isinstance(event, Input))
    verdict = next(event for event in events if isinstance(event, Verdict))
    assert seen.n < verdict.n
    assert (seen.crop, seen.is_drawn) == ((10, 100, 20, 120), is_drawn)

    again = open_window(project)
    source = again.session.review.input.source
    assert (source.crop, source.is_crop_drawn) == (CROP, is_drawn)
    region = again.session.review.input.region
    assert isinstance(region, Shapes) if is_drawn else region == "scan"
    settle(again)
    assert sum(isinstance(event, Input) for event in again.controller.log.events) == 1
    controller = again.controller
    controller.step(1)
    assert again.controller.layers.image is not None


@pytest.mark.slow
def test_black_and_white_that_the_reader_sets_come_back(project: Path, open_window: Callable, settle: Callable) -> None:
    window = open_window(project)
    settle(window)
    window.session.review.image.contrast_limits = (20, 120)
    window.session.review.use_contrast_limits()
    settle(window)
    window.controller.close()
    again = open_window(project)
    assert again.session.review.input.source.value_range == (20, 120)
    settle(again)
    assert again.controller.state.input_at().value_range == (20, 120)


@pytest.mark.slow
def test_an_accepted_mask_is_exported_as_the_network_saw_the_case(
    project: Path, open_window: Callable, settle: Callable, tmp_path: Path
) -> None:
    window = open_window(project)
    settle(window)
    window.session.review.set_crop(CROP)
    settle(window)
    shown = window.session.review.layers.mask.data.copy()
    given(window).give("accept")
    window.session.review.set_crop(None)
    settle(window)
    whole = window.session.review.layers.mask.data.copy()
    window.controller.close()
    export_review(project, tmp_path / "pairs")
    exported = np.asarray(Image.open(tmp_path / "pairs" / "masks" / "still_0.png"))
    assert np.array_equal(exported > 0, shown > 0)
    assert not np.array_equal(shown > 0, whole > 0)


@pytest.mark.slow
def test_the_network_has_the_card_of_the_project_and_another_one_is_not_judged(
    project: Path, open_window: Callable, settle: Callable, qtbot: QtBot
) -> None:
    window = open_window(project)
    settle(window)
    assert not window.controller.has_other_network
    network = window.session.network
    window.session.use(network.with_image_size(64), window.session.source)
    qtbot.waitUntil(lambda: not window.session.is_busy, timeout=30_000)
    settle(window)
    assert window.controller.has_other_network
    given(window).give("accept")
    assert "not the one of this review" in given(window).missing()
    assert not window.controller.state.verdicts
    paint(window.session, slice(0, 5), slice(0, 5))
    assert corrected(window.session, 0) is not None  # what the reader paints is kept in any case
    (event,) = window.controller.state.corrections.values()
    assert event.started_from is None
    assert not window.controller.state.verdicts


@pytest.mark.slow
def test_the_project_keeps_the_card_of_the_window(tmp_path: Path, images: Path) -> None:
    source = ModelSource.of(demo_checkpoint())
    card = source.load("cpu").card.model_copy(update={"normalization": "unit"})
    project = create_project(tmp_path / "p", images, [source], cards=[card])
    assert project.model_card().normalization == "unit"
    assert project.model_source().load("cpu", project.model_card()).card.normalization == "unit"


@pytest.mark.slow
def test_the_second_checkpoint_opens_with_the_project(
    images: Path, tmp_path: Path, open_window: Callable, qtbot: QtBot
) -> None:
    shutil.copy(demo_checkpoint(), tmp_path / "b.safetensors")
    shutil.copy(demo_checkpoint().with_suffix(".segcam.yaml"), tmp_path / "b.segcam.yaml")
    models: Sequence[Path] = [demo_checkpoint(), tmp_path / "b.safetensors"]
    create_project(tmp_path / "two", images, models, Settings(stages=("encoder_5",)))
    window = open_window(tmp_path / "two")
    second = controller_of(window.session, SecondController)
    qtbot.waitUntil(lambda: second.network is not None, timeout=60_000)
    assert window.session.network is not None
    assert second.source.path == str(tmp_path / "b.safetensors")
    assert not window.controller.has_other_network
