"""Ensembles in the window: loaded together, explained as one or by member, and where their members disagree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog, QMessageBox
from torch import nn

import napari_segcam as sc
from napari_segcam.viewer.ensemble.disagreement_pixels import DisagreementPixels
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.widgets.gradcam_widget import GradCamWidget
from napari_segcam.viewer.widgets.model_card import ensembles

Finish = Callable[[ReviewSession], None]


class Small(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.deep = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(6, 1, 2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.deep(x).tanh())


@pytest.fixture
def ensemble() -> sc.Ensemble:
    members = [sc.Network.from_module(Small(seed), device="cpu", rewrite=False) for seed in (1, 3)]
    return sc.Ensemble.of_networks(members, member_names=["fold_0", "fold_1"])


@pytest.fixture
def explained(session: ReviewSession, ensemble: sc.Ensemble, frames: np.ndarray, finish: Finish) -> ReviewSession:
    session.viewer.add_image(frames, name="sweep")
    session.viewer.dims.set_current_step(0, 1)
    session.use(ensemble)
    session.run(RunRequest(stages=("deep",)), "all")
    finish(session)
    return session


def expected(ensemble: sc.Ensemble, session: ReviewSession, frame: int):
    cine = session.review.input.source.cine  # type: ignore[union-attr]
    return sc.Explainer(ensemble, stages=["deep"])(cine[frame], value_range=cine.value_range)


def test_heatmaps_of_all_or_of_one_member_are_shown_and_the_curve_is_drawn(
    explained: ReviewSession, ensemble: sc.Ensemble, finish: Finish
) -> None:
    review = explained.review
    assert review is not None
    for frame in range(4):
        result = expected(ensemble, explained, frame)
        np.testing.assert_array_equal(review.results.heatmaps(frame)["deep"].values, result.heatmaps["deep"].values)
        assert result.disagreement is not None
        assert review.record.curves[CineRecord.DISAGREEMENT][frame] == result.disagreement.value
    explained.run(RunRequest(stages=("deep",), member=1), "all")
    finish(explained)
    for frame in range(4):
        member = expected(ensemble, explained, frame).members[1]
        np.testing.assert_array_equal(review.results.heatmaps(frame)["deep"].values, member.heatmaps["deep"].values)
    assert "2 members" in explained.outcomes["explain"]


def test_the_curve_of_other_masks_than_those_shown_is_not_drawn(explained: ReviewSession, finish: Finish) -> None:
    explained.set_threshold(0.45)
    finish(explained)
    record = explained.record
    assert record is not None
    assert np.isnan(record.curves[CineRecord.DISAGREEMENT]).all()


def test_the_layer_of_disagreement_follows_the_frames(
    explained: ReviewSession, ensemble: sc.Ensemble, qtbot: QtBot
) -> None:
    pixels = controller_of(explained, DisagreementPixels)
    assert pixels.layer is None
    pixels.show()
    layer = pixels.layer
    assert layer is not None
    for frame in (1, 3):
        explained.viewer.dims.set_current_step(0, frame)
        qtbot.wait(30)
        known = expected(ensemble, explained, frame).disagreement
        assert known is not None
        np.testing.assert_allclose(np.asarray(layer.data[frame]), known.deviation, atol=1 / 1000)
        assert known.deviation.max() > 0.01
    pixels.hide()
    assert pixels.layer is None


def test_members_are_offered_for_an_ensemble_alone(
    explained: ReviewSession, ensemble: sc.Ensemble, qtbot: QtBot
) -> None:
    widget = GradCamWidget(explained.viewer)
    qtbot.addWidget(widget)
    choice = widget.members.member
    assert [choice.itemText(index) for index in range(choice.count())] == ["All 2 members", "1: fold_0", "2: fold_1"]
    assert widget._request().member is None
    choice.setCurrentIndex(2)
    assert widget._request().member == 1
    explained.use(ensemble.members[0])
    assert not widget.members.has_members
    assert widget._request().member is None


@pytest.mark.slow
def test_files_that_are_dropped_together_are_one_network_if_the_user_agrees(
    session: ReviewSession, qtbot: QtBot, finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        module = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(16, 8, 8, 4, 4))
        paths.append(tmp_path / f"fold_{seed}.pth")
        torch.save(module.state_dict(), paths[-1])
    asked: list[str] = []
    answer = [QMessageBox.StandardButton.No]
    monkeypatch.setattr(ensembles.QMessageBox, "question", lambda *words: (asked.append(words[2]), answer[0])[1])
    widget = CheckpointWidget(session.viewer)
    qtbot.addWidget(widget)

    def drop() -> None:
        for path in paths:
            widget.load_soon(str(path))
        qtbot.wait(20)
        finish(session)

    drop()
    assert session.network is None
    assert "One network of 2 members?" in asked[0]
    assert "fold_0\nfold_1" in asked[0]
    answer[0] = QMessageBox.StandardButton.Yes
    drop()
    assert isinstance(session.network, sc.Ensemble)
    assert session.source is not None
    assert session.source.others == (str(paths[1]),)
    assert widget.recent.itemText(1).startswith("fold_0 + fold_1")

    saved = tmp_path / "both.segcam-ensemble.yaml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(saved), ""))
    widget.save.click()
    qtbot.waitUntil(saved.is_file, timeout=10_000)
    again = sc.load_network(saved, device="cpu")
    assert [member.sha256 for member in again.members] == [member.sha256 for member in session.network.members]
