"""Burned-in graphics in the window: found, painted, measured and pasted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from planted_network import soft_speckle
from torch import nn
from torch.nn import functional as F

import napari_segcam as sc
from napari_segcam.network.network import Network
from napari_segcam.viewer.overlays.overlays_controller import OverlaysController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.overlays_widget import OverlaysWidget


class Follower(nn.Module):
    """The mask is a square around each thin white mark, and nothing else."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        thin = x - (-F.max_pool2d(F.max_pool2d(-x, 3, 1, 1), 1))
        marks = (thin > 0.5).float() * (x > 0.97).float()
        return 20 * (F.max_pool2d(marks, 21, 1, 10) - 0.5) + 0.1 * x


@pytest.fixture(scope="module")
def follower() -> Network:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=("finding",))
    return Network.from_module(Follower(), card, device="cpu")


@pytest.fixture
def cine() -> np.ndarray:
    """Three frames, of which the second has calipers."""
    frames = np.stack([(soft_speckle(128, 160, seed) * 0.6).astype(np.uint8) for seed in range(3)])
    frames[1] = sc.paste_calipers(frames[1], [(64, 40), (90, 100)], size=11, value_range=(0, 255))
    return frames


@pytest.fixture
def controller(session: ReviewSession, follower: Network, cine: np.ndarray) -> OverlaysController:
    session.viewer.add_image(cine, name="cine", contrast_limits=(0, 255))
    session.use(follower)
    session.viewer.dims.set_current_step(0, 1)
    return controller_of(session, OverlaysController)


@pytest.fixture
def run(session: ReviewSession, qtbot: object) -> Callable[[Callable[[], None]], None]:
    def start_and_wait(act: Callable[[], None]) -> None:
        act()
        qtbot.waitUntil(lambda: session.background.job is None, timeout=60_000)  # type: ignore[attr-defined]

    return start_and_wait


Run = Callable[[Callable[[], None]], None]


def test_graphics_are_found_in_the_frame_in_view_and_measured(
    controller: OverlaysController, run: Run, cine: np.ndarray
) -> None:
    run(controller.find)
    planted = sc.find_graphics(cine[1]).mask
    assert (controller.layers.mask(1) & planted).sum() > 0.9 * planted.sum()
    assert not controller.layers.mask(0).any()
    assert "2 calipers" in controller.summary()
    run(controller.measure)
    assert controller.outcome("without").effect.effect.value == 1.0
    assert controller.words("without").startswith("Taking the burned-in graphics away costs the mask 100 %")
    assert "Effect 1.00, by chance 0.00, p = 0.05." in controller.words("without")
    assert ", 0 without graphics." in controller.words("without")


def test_figures_are_of_their_frame_and_of_the_graphics_as_they_are(
    controller: OverlaysController, run: Run, session: ReviewSession, qtbot: object
) -> None:
    run(controller.find)
    run(controller.measure)
    session.viewer.dims.set_current_step(0, 2)
    assert controller.words("without") == ""
    session.viewer.dims.set_current_step(0, 1)
    assert controller.words("without")
    session.set_threshold(0.6)
    assert controller.words("without") == ""
    session.set_threshold(0.5)
    controller.layers.labels.paint((1, 10, 10), 1)
    qtbot.waitUntil(lambda: controller.words("without") == "", timeout=5000)  # type: ignore[attr-defined]


def test_what_the_user_has_painted_stays_when_graphics_are_found_again(
    controller: OverlaysController, run: Run
) -> None:
    run(controller.find)
    found = controller.layers.mask(1)
    controller.layers.labels.paint((1, 10, 10), 1)
    painted = controller.layers.mask(1)
    assert painted.sum() > found.sum()
    run(controller.find)
    assert (controller.layers.mask(1) == painted).all()


def test_calipers_on_empty_tissue_are_followed(
    controller: OverlaysController, run: Run, session: ReviewSession, cine: np.ndarray
) -> None:
    session.viewer.dims.set_current_step(0, 0)
    controller.layers.ask_for_points()
    assert session.viewer.layers.selection.active is controller.layers.points_layer
    controller.layers.points_layer.add([[0, 60, 50], [0, 80, 110], [2, 5, 5]])
    assert controller.layers.points(0).tolist() == [[60, 50], [80, 110]]
    run(lambda: controller.paste("plus", line=False))
    trial = controller.outcome("with")
    assert trial.pixels[0] == 0
    assert trial.pixels[1] > 500
    assert trial.effect.effect.value == 1.0
    assert controller.words("with").startswith("These calipers change the mask by 100 %")
    assert (session.image.data == cine).all()  # the picture itself is not changed


def test_the_tried_frame_is_shown_at_its_own_place(
    controller: OverlaysController, run: Run, session: ReviewSession
) -> None:
    run(controller.find)
    run(controller.measure)
    image = session.image
    controller.show("without")
    picture = session.viewer.layers["cine without graphics"]
    assert picture.data.shape == (1, 128, 160)
    assert np.allclose(picture.data_to_world((0, 3, 4)), image.data_to_world((1, 3, 4)))
    assert picture.data.max() < 255
    assert session.viewer.layers["cine mask without graphics"].data.max() == 0
    assert session.image is image
    controller.show(None)
    assert "cine without graphics" not in session.viewer.layers


def test_without_graphics_or_points_nothing_runs(controller: OverlaysController, session: ReviewSession) -> None:
    controller.measure()
    controller.paste("plus", line=True)
    assert session.background.job is None


def test_a_measurement_can_be_stopped(controller: OverlaysController, run: Run, session: ReviewSession) -> None:
    run(controller.find)

    def start_and_stop() -> None:
        controller.measure()
        session.background.cancel()

    run(start_and_stop)
    assert controller.words("without") == ""


def test_the_widget_offers_what_can_be_done(
    controller: OverlaysController, run: Run, session: ReviewSession, qtbot: object
) -> None:
    widget = OverlaysWidget(session.viewer)
    qtbot.addWidget(widget)  # type: ignore[attr-defined]
    assert widget.find.isEnabled()
    assert not widget.measure.isEnabled()
    assert not widget.paste.isEnabled()
    run(widget.find.click)
    assert widget.measure.isEnabled()
    assert "2 calipers" in widget.found.text()
    assert not widget.show_without.isEnabled()
    run(widget.measure.click)
    assert "100 %" in widget.effect.text()
    widget.show_without.click()
    assert "cine without graphics" in session.viewer.layers
    widget.show_without.click()
    assert "cine without graphics" not in session.viewer.layers
    widget.place.click()
    controller.layers.points_layer.add([[1, 30, 50]])
    qtbot.waitUntil(widget.paste.isEnabled, timeout=5000)  # type: ignore[attr-defined]
    assert widget.placed.text() == "1 placed in this frame"
    widget.clear.click()
    qtbot.waitUntil(lambda: not widget.paste.isEnabled(), timeout=5000)  # type: ignore[attr-defined]


def test_removing_the_image_leaves_nothing_behind(
    controller: OverlaysController, run: Run, session: ReviewSession
) -> None:
    run(controller.find)
    session.viewer.layers.remove(session.image)
    assert controller.layers is None
    assert controller.summary() == ""
