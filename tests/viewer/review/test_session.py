"""The session of a viewer: images, networks, runs, errors and cancellation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Image
from pytestqt.qtbot import QtBot
from torch import nn

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.passes import memory
from napari_segcam.explanation.targets.target import Target
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of

Finish = Callable[[ReviewSession], None]
STAGES = ("encoder_4", "encoder_5")
EXPLAIN = RunRequest(stages=STAGES)


def test_each_viewer_has_one_session(qtbot: QtBot) -> None:  # noqa: ARG001
    viewer, other = ViewerModel(), ViewerModel()
    session = session_of(viewer)
    assert session_of(viewer) is session
    assert session_of(other) is not session


def test_a_run_says_what_is_missing(session: ReviewSession, messages: list[str], network: Network) -> None:
    session.run(EXPLAIN, "current")
    session.use(network)
    session.run(EXPLAIN, "current")
    session.viewer.add_image(np.zeros((2, 3, 64, 64)))
    session.run(EXPLAIN, "current")
    assert "Load a checkpoint first" in messages[0]
    assert "Open an ultrasound image or cine first" in messages[1]
    assert "4 dimensions" in messages[2]
    assert not session.is_busy


@pytest.mark.parametrize("kind", ["numpy", "dask", "uint16", "float", "rgb"])
def test_a_frame_is_explained_as_by_the_explainer(
    session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray, kind: str
) -> None:
    data = {
        "numpy": frames,
        "dask": da.from_array(frames, chunks=(1, 96, 64)),
        "uint16": frames.astype(np.uint16) * 257,
        "float": frames / 255,
        "rgb": np.stack([frames, frames // 2, frames // 3], axis=-1),
    }[kind]
    image = session.viewer.add_image(data)
    session.viewer.dims.set_current_step(0, 2)
    session.use(network)
    session.run(EXPLAIN, "current")
    finish(session)
    expected = Explainer(network, stages=STAGES)(np.asarray(data[2]))
    layers = session.layers()
    assert layers is not None
    assert layers.image is image
    assert layers.mask is not None
    np.testing.assert_array_equal(layers.mask.data[2], expected.mask)
    for name in STAGES:
        np.testing.assert_array_equal(layers.heatmaps[name].data[2], expected.heatmaps[name].values)
    assert not layers.mask.data[[0, 1, 3]].any()
    assert set(session.figures()) == set(STAGES)


def test_all_frames(session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray) -> None:
    session.viewer.add_image(frames)
    session.use(network)
    session.run(EXPLAIN, "all")
    finish(session)
    layers = session.layers()
    assert layers is not None
    explainer = Explainer(network, stages=STAGES)
    for number, frame in enumerate(frames):
        expected = explainer(frame).heatmaps["encoder_5"].values
        np.testing.assert_array_equal(layers.heatmaps["encoder_5"].data[number], expected)
    assert "4 frames: done" in session.outcomes["explain"]


class ShortOfMemory(nn.Module):
    """Has too little memory for gradients until its blocks are computed again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        self.is_short = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.is_short and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("simulated")
        return self.head(self.body(x))


def test_a_run_says_what_was_done_as_memory_was_short(
    session: ReviewSession, finish: Finish, frames: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network.from_module(ShortOfMemory(), ModelCard(input_channels=1), device="cpu", rewrite=False)
    module: Any = network.module

    def relieve(*_args: object) -> list[nn.Module]:
        module.is_short = False
        return [module.head]

    monkeypatch.setattr(memory, "recomputable_blocks", relieve)
    session.viewer.add_image(frames[:2])
    session.use(network)
    session.run(RunRequest(stages=("body",)), "all")
    finish(session)
    assert session.outcomes["explain"].endswith(" s")
    module.is_short = True
    session.run(RunRequest(stages=("body", "head")), "all")
    finish(session)
    assert session.outcomes["explain"].endswith("blocks computed again in the backward pass, to save memory")


def test_segmenting_alone_adds_no_heatmap(
    session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    session.viewer.add_image(frames[0])
    session.use(network)
    session.set_threshold(0.6)
    session.run(RunRequest(), "current")
    finish(session)
    layers = session.layers()
    assert layers is not None
    assert layers.heatmaps == {}
    assert layers.mask is not None
    np.testing.assert_array_equal(layers.mask.data, Explainer(network, stages=(), threshold=0.6)(frames[0]).mask)


def test_segmenting_after_explaining_leaves_no_heat(
    session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    session.viewer.add_image(frames[0])
    session.use(network)
    session.run(EXPLAIN, "current")
    finish(session)
    assert session.view.heated
    session.run(RunRequest(), "current")
    finish(session)
    images = [layer for layer in session.viewer.layers if isinstance(layer, Image)]
    assert images == [session.image]
    assert session.view.of_scale == ""


def test_a_network_is_used_with_several_images_open(
    session: ReviewSession, finish: Finish, network: Network, three_classes: Network, frames: np.ndarray
) -> None:
    first = session.viewer.add_image(frames[0])
    session.use(network)
    session.run(EXPLAIN, "current")
    finish(session)
    # Chosen without creating its review, as between two events of napari.
    session.reviews.image = second = session.viewer.add_image(frames[1])
    session.reviews._reviews.pop(second.unique_id, None)
    session.use(three_classes)
    assert session.network is three_classes
    session.choose_image(first)
    layers = session.layers()
    assert layers is not None
    assert layers.heatmaps == {}


def test_a_painted_region_is_the_target(
    session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    session.viewer.add_image(frames)
    painted = np.zeros(frames.shape, np.uint8)
    painted[1, 20:40, 10:30] = 3
    labels = session.viewer.add_labels(painted)
    assert session.choices.regions() == [labels]
    session.viewer.dims.set_current_step(0, 1)
    session.use(network)
    session.run(RunRequest(stages=STAGES, region=labels), "current")
    finish(session)
    expected = Explainer(network, stages=STAGES)(frames[1], Target(region=painted[1] > 0))
    layers = session.layers()
    assert layers is not None
    np.testing.assert_array_equal(layers.heatmaps["encoder_5"].data[1], expected.heatmaps["encoder_5"].values)


def test_cancel_stops_between_frames_and_keeps_the_results(
    session: ReviewSession, finish: Finish, network: Network, frames: np.ndarray
) -> None:
    session.viewer.add_image(np.concatenate([frames] * 10))
    session.viewer.dims.set_current_step(0, 0)
    session.use(network)
    session.figures_changed.connect(session.cancel)
    session.run(EXPLAIN, "all")
    finish(session)
    layers = session.layers()
    assert layers is not None
    done = np.isfinite(np.asarray(layers.heatmaps["encoder_5"].data)).all(axis=(1, 2))
    assert done[0]
    assert not done.all()
    assert "stopped, " in session.outcomes["explain"]


def test_an_image_that_is_deleted_during_a_run_ends_it(
    session: ReviewSession, finish: Finish, messages: list[str], network: Network, frames: np.ndarray
) -> None:
    image = session.viewer.add_image(frames)
    session.use(network)
    layers = session.viewer.layers
    session.figures_changed.connect(lambda: layers.remove(image) if image in layers else None)
    session.run(EXPLAIN, "all")
    finish(session)
    assert messages == []
    assert session.image is None


def test_an_error_is_shown_and_the_next_run_works(
    session: ReviewSession, finish: Finish, messages: list[str], network: Network, frames: np.ndarray
) -> None:
    invalid = session.viewer.add_image(np.where(frames[0] < 9, np.nan, frames[0]))
    session.use(network)
    session.run(EXPLAIN, "current")
    finish(session)
    assert len(messages) == 1
    assert "not numbers (NaN or infinity)" in messages[0]
    session.viewer.layers.remove(invalid)
    session.viewer.add_image(frames[0])
    session.run(EXPLAIN, "current")
    finish(session)
    assert len(messages) == 1
    assert set(session.figures()) == set(STAGES)


def test_a_checkpoint_that_fails_leaves_the_earlier_network(
    session: ReviewSession, finish: Finish, messages: list[str], network: Network, tmp_path: Path
) -> None:
    session.use(network)
    path = tmp_path / "page.pth"
    path.write_text("<!DOCTYPE html><html></html>")
    session.load(ModelSource(str(path)))
    finish(session)
    assert session.network is network
    assert len(messages) == 1
    assert "page.pth" in messages[0]


def test_choosing_another_image(session: ReviewSession, frames: np.ndarray) -> None:
    first = session.viewer.add_image(frames, name="first")
    second = session.viewer.add_image(frames[0], name="second")
    assert session.choices.images() == [first, second]
    assert session.image is second
    session.choose_image(first)
    session.viewer.layers.remove(first)
    assert session.image is second


def test_score_cam_runs_in_the_worker_and_is_cancelled_within_a_frame(
    session: ReviewSession, finish: Finish, qtbot: QtBot, messages: list[str], network: Network, frames: np.ndarray
) -> None:
    session.viewer.add_image(frames[0])
    session.use(network)
    session.run(RunRequest("scorecam", stages=("decoder_4",)), "current")
    finish(session)
    layers = session.layers()
    assert layers is not None
    expected = Explainer(network, "scorecam", stages=["decoder_4"])(frames[0])
    np.testing.assert_allclose(layers.heatmaps["decoder_4"].data, expected.heatmaps["decoder_4"].values, rtol=1e-5)
    session.run(RunRequest("scorecam", stages=("encoder_5",)), "current")  # 512 runs of the network
    qtbot.wait(200)
    session.cancel()
    finish(session)
    assert "stopped" in session.outcomes["explain"]
    assert messages == []
