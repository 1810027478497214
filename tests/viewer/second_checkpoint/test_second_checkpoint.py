"""A second checkpoint in the viewer: it follows the first, is compared with it, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from torch import nn

import napari_segcam as sc
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.hiding import NOTHING, Hidden
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.keys import step_difference
from napari_segcam.viewer.layers.placement import is_ours
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint import second_controller
from napari_segcam.viewer.second_checkpoint.compared_frames import differing_frames
from napari_segcam.viewer.second_checkpoint.compared_masks import ONLY_A, ONLY_B, dashed_outline
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.strip.strip_widget import StripWidget, curve_heights
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.worker.worker import Job

FRAMES, PLANTED = 12, 7


class Bright(nn.Module):
    """Finds what is brighter than 0.5; with a shift, that many rows further down in frames with a white first pixel."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.scale = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.constant_(self.scale.weight, 20.0)
        self.shift = shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.scale(x - 0.5)
        is_marked = x[:, :, :1, :1] > 0.9
        return torch.where(is_marked, torch.roll(logits, self.shift, 2), logits)


def bright(shift: int = 0, name: str = "finding") -> Network:
    card = sc.ModelCard(input_channels=1, normalization="unit", class_names=(name,))
    return Network.from_module(Bright(shift), card, device="cpu")


@pytest.fixture
def cine() -> np.ndarray:
    """Twelve frames of 64 × 48 pixels with a bright square that moves; the first is without, the eighth is marked."""
    frames = np.zeros((FRAMES, 64, 48), np.uint8)
    for number in range(1, FRAMES):
        frames[number, 10 + number : 24 + number, 12:30] = 255
    frames[PLANTED, 0, 0] = 255
    return frames


@pytest.fixture
def warnings_shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    for name in ("show_error", "show_warning"):
        monkeypatch.setattr(second_controller, name, shown.append)
    return shown


@pytest.fixture
def segmented(
    session: ReviewSession,
    cine: np.ndarray,
    finish: Callable[[ReviewSession], None],
    warnings_shown: list[str],  # noqa: ARG001
) -> ReviewSession:
    """A session in which A has segmented all frames of the cine."""
    session.viewer.add_image(cine, name="sweep", contrast_limits=(0, 255))
    session.use(bright())
    session.run(RunRequest(), "all")
    finish(session)
    return session


@pytest.fixture
def controller(session: ReviewSession, qtbot: QtBot) -> Iterator[SecondController]:
    controller = controller_of(session, SecondController)
    yield controller
    controller.remove()
    qtbot.wait(50)


def wait_for_b(controller: SecondController, qtbot: QtBot, frames: int = FRAMES) -> None:
    second = controller.second
    assert second is not None
    qtbot.waitUntil(lambda: len(second.results.frames()) == frames, timeout=60_000)
    qtbot.waitUntil(lambda: CineRecord.DICE_OF_BOTH in second.review.record.curves, timeout=10_000)
    qtbot.wait(400)  # curves follow after a moment


def curves(session: ReviewSession) -> tuple[np.ndarray, np.ndarray]:
    assert session.record is not None
    return session.record.curves[CineRecord.DICE_OF_BOTH], session.record.curves[CineRecord.AREA_DIFFERENCE]


def ours(session: ReviewSession) -> list[str]:
    return [layer.name for layer in session.viewer.layers if is_ours(layer)]


def test_a_checkpoint_beside_itself_has_dice_1_and_no_difference(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot
) -> None:
    controller.use(bright())
    wait_for_b(controller, qtbot)
    dice, area = curves(segmented)
    assert np.isnan(dice[0])  # neither finds anything
    assert set(dice[1:]) == {1.0}
    assert set(area) == {0.0}
    step_difference(segmented, 1)
    assert "the same mask wherever one of them finds something" in str(segmented.viewer.status)
    assert "Dice of A and B: 1 in all with a finding." in controller.progress_text()


def test_the_curves_are_those_of_the_masks(
    segmented: ReviewSession, controller: SecondController, cine: np.ndarray, qtbot: QtBot
) -> None:
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    dice, area = curves(segmented)
    a = cine[PLANTED] > 127
    b = np.roll(a, 9, 0)
    assert dice[PLANTED] == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert area[PLANTED] == b.sum() - a.sum()
    assert set(np.delete(dice, [0, PLANTED])) == {1.0}


def test_the_key_goes_to_the_planted_frame_first(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot
) -> None:
    step_difference(segmented, 1)
    assert "There is no second checkpoint" in str(segmented.viewer.status)
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    step_difference(segmented, 1)
    assert segmented.current_frame() == PLANTED
    assert str(segmented.viewer.status).endswith(f"in frame {PLANTED}: number 1 of 1")


def test_of_frames_in_which_one_finds_nothing_the_largest_comes_first() -> None:
    dice = np.array([0.9, 0.0, 1.0, 0.0, np.nan, 0.5, 0.4])
    area = np.array([1.0, 5.0, 0.0, -80.0, 0.0, 3.0, 3.0])
    assert differing_frames(dice, area, 1) == [3, 1, 6, 5, 0]
    assert differing_frames(dice, area, 3) == [3, 6, 0]


def test_layers_show_the_outline_of_b_and_where_each_is_alone(
    segmented: ReviewSession, controller: SecondController, cine: np.ndarray, qtbot: QtBot
) -> None:
    segmented.go_to(PLANTED)
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    layers = segmented.viewer.layers
    alone, outline = layers["sweep A and B differ"], layers["sweep mask of B"]
    a = cine[PLANTED] > 127
    b = np.roll(a, 9, 0)
    drawn = np.asarray(alone.data[PLANTED])
    assert np.array_equal(drawn == ONLY_A, a & ~b)
    assert 0 < (drawn == ONLY_B).sum() < (b & ~a).sum()  # in stripes
    assert not (drawn == ONLY_B)[~(b & ~a)].any()
    line = np.isfinite(outline.data[PLANTED])
    assert line.any()
    assert not line[~b].any()
    assert np.isnan(outline.data[0]).all()
    words = segmented.view.of_frame
    assert "A, solid: Bright above 0.50" in words
    assert "B, dashed: Bright above 0.50" in words
    layers.remove(alone)
    segmented.go_to(2)
    qtbot.waitUntil(lambda: "difference" not in controller.wanted, timeout=5_000)
    controller.want("difference", True)
    assert "sweep A and B differ" in layers


def test_a_dashed_outline_has_gaps_on_all_sides() -> None:
    rows, columns = np.ogrid[:80, :80]
    disk = (rows - 40) ** 2 + (columns - 40) ** 2 < 30**2
    dashes = dashed_outline(disk, 1, 8)
    for part in (dashes[:40, :40], dashes[:40, 40:], dashes[40:, :40], dashes[40:, 40:]):
        assert 0.4 < part.sum() / dashed_outline(disk, 1, 10_000)[:40, :40].sum() < 0.8
    small = np.zeros((9, 9), bool)
    small[4, 4] = True
    assert dashed_outline(small, 1, 8).sum() == 1


def test_another_threshold_of_b_runs_no_network_and_leaves_a_alone(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.use(bright())
    wait_for_b(controller, qtbot)
    assert segmented.review is not None
    before = segmented.review.results.segmentation(3)
    monkeypatch.setattr(FrameComputer, "compute", lambda *_: pytest.fail("the network ran"))
    controller.set_threshold(0.9)
    second = controller.second
    assert second is not None
    qtbot.waitUntil(lambda: not second.results.outdated_masks(0.9), timeout=20_000)
    stored = second.results.segmentation(3)
    assert stored is not None
    assert stored.mask_threshold == 0.9
    assert segmented.review.results.segmentation(3) is before
    assert segmented.threshold == 0.5


def test_removing_b_removes_all_of_it_and_no_correction(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot
) -> None:
    layers, review = segmented.layers(), segmented.review
    assert layers is not None
    assert review is not None
    mask = layers.mask
    assert mask is not None
    mask.data[2, 40:50, 2:9] = 1
    mask.events.data(value=mask.data)
    qtbot.waitUntil(lambda: layers.corrected == {2}, timeout=5_000)
    (kept,) = review.corrections.layers()
    correction = kept.taken([2])[2][0].copy()
    used, names = segmented.reviews.store.used_bytes, ours(segmented)
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    assert segmented.reviews.store.used_bytes > used
    assert set(ours(segmented)) - set(names) == {"sweep A and B differ", "sweep mask of B"}
    controller.remove()
    qtbot.waitUntil(lambda: ours(segmented) == names, timeout=5_000)
    assert segmented.reviews.store.used_bytes == used
    assert review.results.beside is None
    assert CineRecord.DICE_OF_BOTH not in review.record.curves
    assert "dashed" not in segmented.view.of_frame
    assert review.corrections.layers() == [kept]
    assert np.array_equal(kept.taken([2])[2][0], correction)


def test_both_keep_within_one_budget(segmented: ReviewSession, controller: SecondController, qtbot: QtBot) -> None:
    review, store = segmented.review, segmented.reviews.store
    assert review is not None
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    per_frame = store.used_bytes / FRAMES
    segmented.reviews.set_budget(int(per_frame * 6) + review.layers.size)
    qtbot.waitUntil(lambda: not segmented.is_busy, timeout=20_000)
    qtbot.wait(500)
    second = controller.second
    assert second is not None
    assert store.used_bytes + review.layers.size <= store.budget
    kept = set(review.results.frames())
    assert 4 <= len(kept) <= 6
    assert set(second.results.frames()) <= kept  # dropped together
    qtbot.waitUntil(lambda: set(second.results.frames()) == set(review.results.frames()), timeout=20_000)


def test_b_comes_after_a_in_the_frame_in_view_and_then_in_turn(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmented.worker, "find_job", lambda: None)
    segmented.go_to(5)
    controller.use(bright())
    second = controller.second
    assert second is not None
    qtbot.wait(50)
    order = []
    for _ in range(4):
        job = second.next_job(lambda: Job("frame", "A", lambda: iter(())))
        assert job is not None
        order.append(job.title)
    assert order == ["B in frame 5", "A", "B in frame 6", "A"]
    segmented.review.schedule.start("all", [5])  # type: ignore[union-attr]
    job = second.next_job(lambda: Job("frame", "A in view", lambda: iter(())))
    assert job is not None
    assert job.title == "A in view"


def test_after_a_stop_b_follows_only_the_frame_in_view(
    session: ReviewSession, cine: np.ndarray, controller: SecondController, qtbot: QtBot, segmented: ReviewSession
) -> None:
    session.cancel()
    session.go_to(4)
    controller.use(bright())
    second = controller.second
    assert second is not None
    qtbot.waitUntil(lambda: second.results.frames() == [4], timeout=20_000)
    qtbot.wait(200)
    session.go_to(9)
    qtbot.waitUntil(lambda: set(second.results.frames()) == {4, 9}, timeout=20_000)
    assert len(cine) == len(segmented.record or ())


def test_a_class_that_b_does_not_have_is_said(
    reviewed: ReviewSession,
    three_classes: Network,
    finish: Callable[[ReviewSession], None],
    warnings_shown: list[str],
    qtbot: QtBot,
) -> None:
    controller = controller_of(reviewed, SecondController)
    controller.use(three_classes)
    qtbot.wait(50)
    assert controller.second is None
    assert "It is unclear which classes to compare" in controller.progress_text()
    assert any("It is unclear which classes" in words for words in warnings_shown)
    controller.remove()
    finish(reviewed)


def test_nothing_of_b_is_computed_while_the_prediction_is_hidden(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = Hidden(prediction=True, words="Draw first.")
    monkeypatch.setattr(segmented.reviews.hiding, "rule", lambda _image: hidden)
    controller.use(bright(shift=9))
    qtbot.wait(300)
    assert controller.second is None
    assert "sweep mask of B" not in ours(segmented)
    monkeypatch.setattr(segmented.reviews.hiding, "rule", lambda _image: NOTHING)
    controller.follow()
    wait_for_b(controller, qtbot)


def test_maps_of_b_are_computed_while_they_are_looked_at(
    reviewed: ReviewSession, network: Network, qtbot: QtBot, warnings_shown: list[str]
) -> None:
    controller = controller_of(reviewed, SecondController)
    controller.use(network)
    wait_for_b(controller, qtbot, 4)
    second = controller.second
    assert second is not None
    assert second.results.heatmaps(1) == {}
    controller.want_maps(True)
    qtbot.waitUntil(lambda: all(second.results.heatmaps(frame) for frame in range(4)), timeout=60_000)
    of_a = reviewed.review.results.heatmaps(1)  # type: ignore[union-attr]
    of_b = second.results.heatmaps(1)
    assert list(of_b) == list(of_a) == ["encoder_5"]
    assert np.array_equal(of_b["encoder_5"].values, of_a["encoder_5"].values)
    controller.want_maps(False)
    controller.remove()
    assert warnings_shown == []


def test_a_removed_image_takes_b_with_it(segmented: ReviewSession, controller: SecondController, qtbot: QtBot) -> None:
    controller.use(bright(shift=9))
    wait_for_b(controller, qtbot)
    segmented.viewer.layers.remove("sweep")
    qtbot.wait(100)
    assert controller.second is None
    assert not [name for name in ours(segmented) if "of B" in name]


def test_the_strip_and_the_panel_say_it(
    segmented: ReviewSession, controller: SecondController, qtbot: QtBot, tmp_path: Path
) -> None:
    widget, strip = CheckpointWidget(segmented.viewer), StripWidget(segmented.viewer)
    qtbot.addWidget(widget)
    qtbot.addWidget(strip)
    torch.save(Bright(9).state_dict(), tmp_path / "second.pth")
    assert widget.second.isVisibleTo(widget)
    controller.use(bright(shift=9), ModelSource(str(tmp_path / "second.pth")))
    wait_for_b(controller, qtbot)
    qtbot.waitUntil(lambda: f"in frame {PLANTED}" in widget.second.summary.text(), timeout=5_000)
    assert widget.second.name.text() == "B: Bright (Bright)"
    assert {CineRecord.DICE_OF_BOTH, CineRecord.AREA_DIFFERENCE} <= set(strip.curves())
    widget.second.remove.click()
    qtbot.waitUntil(lambda: CineRecord.DICE_OF_BOTH not in strip.curves(), timeout=5_000)
    assert not widget.second.name.isVisibleTo(widget)


def test_a_difference_of_0_is_in_the_middle_of_the_strip() -> None:
    heights = curve_heights(CineRecord.AREA_DIFFERENCE, np.array([-20.0, 0.0, 10.0, np.nan]))
    np.testing.assert_allclose(heights, [0.0, 0.5, 0.75, np.nan])
