"""What must not be seen is not computed, by whatever way the user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Labels

from napari_segcam.errors import SegcamError
from napari_segcam.network.network import Network
from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.frames.hiding import NOTHING, Hidden
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.jobs.folder_job import FolderRun
from napari_segcam.viewer.layers.placement import is_ours
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.outputs import folder_run_preview, run_folder
from napari_segcam.viewer.review.session import ReviewSession

ALL_HIDDEN = Hidden(prediction=True, words="Blinded: answer first.")
HEAT_HIDDEN = Hidden(heatmaps=True, words="Blinded: the heatmaps come after your verdict.")
EXPLAIN = RunRequest(stages=("encoder_5",))


@pytest.fixture
def opened(session: ReviewSession, network: Network, frames: np.ndarray) -> ReviewSession:
    """A session with a cine and a network, in which nothing is computed yet."""
    session.viewer.add_image(frames, name="sweep")
    session.use(network)
    return session


def hide(session: ReviewSession, hidden: Hidden) -> None:
    session.reviews.hiding.rule = lambda _image: hidden


def test_nothing_is_computed_of_a_hidden_image_and_no_message_pops_up(
    opened: ReviewSession, finish: Callable[[ReviewSession], None], messages: list[str]
) -> None:
    hide(opened, ALL_HIDDEN)
    assert opened.missing() == "Blinded: answer first."
    opened.run(EXPLAIN, "all")
    finish(opened)
    assert opened.review is not None
    assert opened.review.plan is None
    assert not opened.review.results.frames()
    assert not [layer for layer in opened.viewer.layers if is_ours(layer)]
    assert not messages


def test_the_review_itself_refuses_to_start(opened: ReviewSession, network: Network) -> None:
    hide(opened, ALL_HIDDEN)
    assert opened.review is not None
    with pytest.raises(SegcamError, match="answer first"):
        opened.review.start(network, EXPLAIN, 0.5, "all")


def test_what_was_asked_for_is_known_once_it_may_be_seen(opened: ReviewSession) -> None:
    hiding, image = opened.reviews.hiding, opened.image
    assert image is not None
    hide(opened, ALL_HIDDEN)
    opened.run(EXPLAIN, "visited")
    hide(opened, NOTHING)
    assert hiding.asked(image) == (EXPLAIN, "visited")
    assert hiding.asked(image) is None
    assert opened.missing() is None


def test_hidden_heatmaps_are_left_out_of_a_run(opened: ReviewSession, finish: Callable[[ReviewSession], None]) -> None:
    hide(opened, HEAT_HIDDEN)
    opened.run(EXPLAIN, "all")
    finish(opened)
    assert opened.review is not None
    assert sorted(opened.review.results.frames()) == [0, 1, 2, 3]
    assert opened.review.results.heatmaps(0) == {}
    assert {type(layer) for layer in opened.viewer.layers if is_ours(layer)} == {Labels}
    assert opened.image is not None
    assert opened.reviews.hiding.asked(opened.image) == (EXPLAIN, "all")


def test_a_click_explains_nothing_of_hidden_heat(
    opened: ReviewSession, finish: Callable[[ReviewSession], None]
) -> None:
    hide(opened, HEAT_HIDDEN)
    controller_of(opened, ClickController).ask_at((0.0, 40.0, 30.0))
    finish(opened)
    assert opened.review is not None
    assert opened.review.results.asked is None
    assert opened.viewer.status == HEAT_HIDDEN.words


@pytest.mark.parametrize("hidden", [ALL_HIDDEN, HEAT_HIDDEN])
def test_no_folder_is_run_while_something_is_hidden(
    opened: ReviewSession, hidden: Hidden, messages: list[str], tmp_path: Path
) -> None:
    hide(opened, hidden)
    run_folder(opened, FolderRun(tmp_path, tmp_path / "out"))
    assert messages == [hidden.words]
    assert opened.background.job is None
    assert folder_run_preview(opened) == (False, hidden.words)


def test_other_images_are_computed_as_before(opened: ReviewSession) -> None:
    assert opened.reviews.hiding.of(opened.image) == NOTHING
    assert opened.missing() is None
    assert opened.reviews.hiding.note(opened.image, EXPLAIN, "all") is EXPLAIN
