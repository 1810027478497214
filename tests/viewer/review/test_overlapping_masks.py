"""Overlapping classes in the viewer: each has a Labels layer, and texts and figures are of the explained one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.layers import Labels
from PIL import Image as PILImage
from pytestqt.qtbot import QtBot
from torch import nn

from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.viewer.click.class_at import class_at
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.run_request import CORRECTED, RunRequest
from napari_segcam.viewer.jobs.export_job import Export
from napari_segcam.viewer.review.outputs import export_frames
from napari_segcam.viewer.review.review import Review
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.review.stage_stepper import toggle_outline
from napari_segcam.viewer.workspace import PLUGIN

Finish = Callable[[ReviewSession], None]
STAGES = ("body",)
COLORS = ("#ff0000", "#00ff00")
LEVELS = {"organ": 0.301, "core": 0.601}


class Nested(nn.Module):
    """Organ where brighter than 0.301, core where brighter than 0.601."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 2, 1)
        for layer, weight, bias in ((self.body, [1.0], [0.0]), (self.head, [50.0, 50.0], [-15.05, -30.05])):
            layer.weight = nn.Parameter(torch.tensor(weight).reshape(layer.weight.shape))
            layer.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture(scope="module")
def nested() -> Network:
    card = ModelCard(
        input_channels=1,
        normalization="unit",
        class_names=("organ", "core"),
        class_colors=COLORS,
        classes_overlap=True,
    )
    return Network.from_module(Nested(), card, "cpu")


def expected_mask(frames: np.ndarray, name: str) -> np.ndarray:
    """Return the true mask of a class."""
    return frames / 255 > LEVELS[name]


@pytest.fixture
def reviewed(session: ReviewSession, nested: Network, frames: np.ndarray, finish: Finish) -> ReviewSession:
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(nested)
    session.run(RunRequest(stages=STAGES), "all")
    finish(session)
    return session


def layer(session: ReviewSession, name: str) -> Labels:
    labels = session.viewer.layers[name]
    assert isinstance(labels, Labels)
    return labels


def review_of(session: ReviewSession) -> Review:
    assert session.review is not None
    return session.review


def paint(labels: Labels, frame: int) -> None:
    rows, columns = (axis.ravel() for axis in np.mgrid[2:12, 3:9])
    labels.data_setitem((np.full(len(rows), frame), rows, columns), 1)


def test_each_class_has_its_own_layer(reviewed: ReviewSession, frames: np.ndarray) -> None:
    for name, color in (("organ", [1, 0, 0]), ("core", [0, 1, 0])):
        labels = layer(reviewed, f"sweep {name}")
        np.testing.assert_array_equal(labels.data, expected_mask(frames, name))
        assert labels.get_color(1)[:3] == pytest.approx(color)
    assert "sweep mask" not in reviewed.viewer.layers


def test_figures_are_those_of_the_explained_class(reviewed: ReviewSession, frames: np.ndarray, finish: Finish) -> None:
    for index, name in ((0, "organ"), (1, "core"), (0, "organ")):  # the first is not computed again
        reviewed.run(RunRequest(stages=STAGES, class_index=index), "all")
        finish(reviewed)
        masks = expected_mask(frames, name)
        areas = review_of(reviewed).record.curves[CineRecord.AREA]
        np.testing.assert_array_equal(areas, masks.sum((1, 2)))
        dice = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairwise(masks)]
        np.testing.assert_allclose(review_of(reviewed).record.curves[CineRecord.DICE][1:], dice)
        explained = review_of(reviewed).results.stored_heatmaps(1)
        assert explained is not None
        assert explained.region is not None
        assert explained.region.is_in(masks[1].astype(np.uint8))
        assert f"heat explains {name}, the mask predicted above 0.50" in reviewed.view.of_frame.replace("\n", " ")


def test_the_threshold_cuts_every_class(reviewed: ReviewSession, frames: np.ndarray, finish: Finish) -> None:
    reviewed.set_threshold(0.9)
    finish(reviewed)
    logit = np.log(0.9 / 0.1)
    for name, bias in (("organ", -15.05), ("core", -30.05)):
        expected = 50 * (frames / 255) + bias > logit
        np.testing.assert_array_equal(layer(reviewed, f"sweep {name}").data, expected)


def test_a_correction_is_of_its_own_class(reviewed: ReviewSession, frames: np.ndarray, finish: Finish) -> None:
    paint(layer(reviewed, "sweep core"), 1)
    expected = expected_mask(frames, "core")[1].copy()
    expected[2:12, 3:9] = True
    np.testing.assert_array_equal(layer(reviewed, "sweep core correction").data[1], expected)
    np.testing.assert_array_equal(layer(reviewed, "sweep core").data, expected_mask(frames, "core"))
    assert "sweep organ correction" not in reviewed.viewer.layers
    assert review_of(reviewed).record.edited == {1}
    assert reviewed.view.is_corrected
    for index, name in enumerate(("organ", "core")):
        reviewed.run(RunRequest(stages=STAGES, class_index=index, region=CORRECTED), "current")
        finish(reviewed)
        explained = review_of(reviewed).results.stored_heatmaps(1)
        assert explained is not None
        assert explained.region is not None
        region = expected if name == "core" else expected_mask(frames, "organ")[1]
        assert explained.region.is_in(region.astype(np.uint8))
        area = review_of(reviewed).record.curves[CineRecord.CORRECTED_AREA][1]
        assert area == expected.sum() if name == "core" else np.isnan(area)
    review_of(reviewed).layers.discard(1)
    assert review_of(reviewed).record.edited == set()


def test_another_kind_of_network_has_other_layers(
    reviewed: ReviewSession, network: Network, nested: Network, frames: np.ndarray, finish: Finish
) -> None:
    paint(layer(reviewed, "sweep core"), 1)
    corrected = layer(reviewed, "sweep core correction").data.copy()
    reviewed.use(network)
    reviewed.run(RunRequest(stages=("encoder_5",)), "all")
    finish(reviewed)
    names = {labels.name for labels in reviewed.viewer.layers if isinstance(labels, Labels)}
    assert names == {"sweep mask", "sweep core correction"}, "a correction is the reader's"
    np.testing.assert_array_equal(layer(reviewed, "sweep core correction").data, corrected)
    reviewed.use(nested)
    reviewed.run(RunRequest(stages=STAGES, class_index=1), "all")
    finish(reviewed)
    names = {labels.name for labels in reviewed.viewer.layers if isinstance(labels, Labels)}
    assert names == {"sweep organ", "sweep core", "sweep core correction"}
    np.testing.assert_array_equal(layer(reviewed, "sweep core").data, expected_mask(frames, "core"))
    assert review_of(reviewed).record.curves[CineRecord.CORRECTED_AREA][1] == np.count_nonzero(corrected[1])


def test_all_are_filled_and_colored_together(reviewed: ReviewSession) -> None:
    toggle_outline(reviewed)
    assert [layer(reviewed, f"sweep {name}").contour for name in LEVELS] == [0, 0]
    reviewed.set_class_colors(("#0000ff", "#00ffff"))
    assert layer(reviewed, "sweep organ").get_color(1)[:3] == pytest.approx([0, 0, 1])
    assert layer(reviewed, "sweep core").get_color(1)[:3] == pytest.approx([0, 1, 1])


def test_the_widget_shows_one_class_or_all(
    make_napari_viewer_proxy: Callable[[], Any], nested: Network, frames: np.ndarray, finish: Finish, qtbot: QtBot
) -> None:
    viewer = make_napari_viewer_proxy()
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segmentation")
    session: ReviewSession = widget.session
    viewer.add_image(frames, name="sweep")
    session.use(nested)
    assert [widget.shown_class.itemText(row) for row in range(3)] == ["All", "organ", "core"]
    assert widget.threshold.isEnabled()
    widget.run_bar.requested.emit("all")
    finish(session)
    widget.shown_class.setCurrentIndex(2)
    widget.shown_class.chosen.emit(widget.shown_class.value)
    assert not layer(session, "sweep organ").data.any()
    np.testing.assert_array_equal(layer(session, "sweep core").data, expected_mask(frames, "core"))
    widget.shown_class.setCurrentIndex(0)
    widget.shown_class.chosen.emit(widget.shown_class.value)
    np.testing.assert_array_equal(layer(session, "sweep organ").data, expected_mask(frames, "organ"))
    session.cancel()
    qtbot.waitUntil(lambda: not session.is_busy)


class Findings(nn.Module):
    """One score per class for the whole frame."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).relu().mean((2, 3)))


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("index", [None, 0, 2])
def test_a_classifier_gives_no_mask_with_any_classes(
    session: ReviewSession,
    messages: list[str],
    frames: np.ndarray,
    finish: Finish,
    overlap: bool,
    index: int | None,
) -> None:
    card = ModelCard(input_channels=1, normalization="unit", classes_overlap=overlap)
    module = Findings()
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(Network.from_module(module, card, "cpu"))
    session.run(RunRequest(stages=STAGES, class_index=index), "all")
    finish(session)
    assert messages == []
    with torch.no_grad():
        logits = module(torch.from_numpy(frames[1] / 255).float()[None, None])[0]
    probabilities = logits.sigmoid() if overlap else logits.softmax(0)
    finding = review_of(session).results.finding(1)
    assert finding is not None
    assert (finding.pixels, finding.area_mm2) == (0, None)
    assert finding.probability == pytest.approx(
        float(probabilities.max() if index is None else probabilities[index]), abs=1e-5
    )
    assert "no mask: the network classifies the whole frame" in " ".join(session.view.of_frame.split())
    assert "no finding" not in session.view.of_frame


def test_an_export_has_every_class_and_every_correction(
    reviewed: ReviewSession, frames: np.ndarray, finish: Finish, tmp_path: Path, qtbot: QtBot
) -> None:
    paint(layer(reviewed, "sweep core"), 1)
    assert "core corrected by you: drawn lighter" in reviewed.view.of_frame
    corrected = layer(reviewed, "sweep core correction").data[1].copy()
    export_frames(reviewed, Export(tmp_path, [1]))
    qtbot.waitUntil(lambda: reviewed.background.job is None, timeout=30_000)
    for name in LEVELS:
        written = np.asarray(PILImage.open(tmp_path / f"mask_{name}.png"))
        np.testing.assert_array_equal(written, expected_mask(frames, name)[1])
    np.testing.assert_array_equal(np.asarray(PILImage.open(tmp_path / "correction_core.png")), corrected)
    assert not (tmp_path / "correction.png").exists(), "the explained class is not corrected"
    assert all(not pair.corrections.unsaved for pair in review_of(reviewed).layers.pairs)
    finish(reviewed)


def test_a_click_takes_the_topmost_class_that_is_drawn_there(reviewed: ReviewSession, frames: np.ndarray) -> None:
    review = reviewed.review
    assert review is not None
    row, column = (int(value) for value in np.argwhere(expected_mask(frames[1], "core"))[0])
    topmost = max(review.layers.mask_layers, key=reviewed.viewer.layers.index)
    index = next(i for i, pair in enumerate(review.layers.shown) if pair.mask.layer is topmost)

    def found() -> int | None:
        network = reviewed.network
        assert network is not None
        return class_at(reviewed.viewer.layers, review, network, 1, (row, column))

    assert found() == index
    topmost.visible = False
    assert found() == 1 - index
    for layer in review.layers.mask_layers:
        layer.visible = False
    assert found() is None
