"""Files that can be used in several ways: the user chooses one by its picture before a network is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from torch import nn

from napari_segcam.network.families.structure.offer import StructureCandidate, StructureOffer, StructureOffered
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.questions import offers_controller
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.widgets.model_card.recent_models import recent_models

Finish = Callable[[ReviewSession], None]


class TwoMaps(nn.Module):
    """Two outputs that nothing tells apart: one marks what is bright, the other everything."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            for layer, bias in ((self.first, 5.0), (self.second, 0.0)):
                layer.weight.fill_(1.0)
                assert layer.bias is not None
                layer.bias.fill_(bias)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.first(x), self.second(x)


@pytest.fixture
def widget(session: ReviewSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckpointWidget]:
    monkeypatch.setattr(offers_controller, "show_info", lambda _text: None)
    widget = CheckpointWidget(session.viewer)
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.hide()


@pytest.fixture
def two_maps(tmp_path: Path) -> Path:
    torch.jit.save(torch.jit.script(TwoMaps().eval()), tmp_path / "two.pt")
    return tmp_path / "two.pt"


def test_an_unclear_output_is_chosen_by_its_picture(
    widget: CheckpointWidget, session: ReviewSession, two_maps: Path, finish: Finish, qtbot: QtBot, messages: list[str]
) -> None:
    ramp = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[:, None], 64, axis=1)
    session.viewer.add_image(ramp)
    assert not widget.offer.isVisible()
    widget.load(str(two_maps))
    finish(session)
    panel = widget.offer
    assert messages == []
    assert session.network is None, "nothing is used before the user has chosen"
    assert panel.isVisible()
    assert [tile.label for tile in panel.tiles] == ["Output 0", "Output 1"]
    assert not panel.accept.isEnabled(), "there is no evidence for one of them"
    qtbot.waitUntil(lambda: panel._controller.maker.is_complete, timeout=20_000)
    assert panel.tiles[0].words == "everything"
    assert panel.tiles[1].words.endswith("%")

    qtbot.mouseClick(panel.tiles[1], Qt.MouseButton.LeftButton)
    assert session.network is None
    assert panel.details.text().startswith("Output 1 (1 channel, ")
    qtbot.mouseClick(panel.accept, Qt.MouseButton.LeftButton)
    finish(session)
    assert session.network is not None
    assert session.network.output.name == "1"
    assert not panel.isVisible()


def test_an_offer_can_be_refused(
    widget: CheckpointWidget, session: ReviewSession, two_maps: Path, finish: Finish
) -> None:
    widget.load(str(two_maps))
    finish(session)
    assert "Open an image" in widget.offer.details.text()
    widget.offer.dismiss.click()
    assert not widget.offer.isVisible()
    assert session.network is None
    assert widget.advanced.isExpanded(), "the user's own code is offered next"


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file whose structure is offered; its second candidate marks more than its first."""
    path = tmp_path / "unknown.pth"
    path.write_bytes(b"weights")
    assumed = ({"pooling": "max", "up_sampling": "bilinear"}, {"pooling": "average", "up_sampling": "bilinear"})
    candidates = [
        StructureCandidate({"pooling": each["pooling"]}, each, f"It differs by {number}.", number)
        for number, each in enumerate(assumed)
    ]
    offer = StructureOffer("a U-Net of 4 levels", tuple(candidates), ("pooling",), False)

    def load(source: ModelSource, _device: str | None = None, _card: Any = None) -> Network:
        if not source.accept_structure:
            raise StructureOffered(source.path, offer)
        module = nn.Conv2d(1, 1, 1)
        with torch.no_grad():
            module.weight.fill_(1.0)
            assert module.bias is not None
            module.bias.fill_(-0.8 / source.accept_structure)
        return Network.from_module(module, ModelCard(input_channels=1, normalization="unit"), device="cpu")

    monkeypatch.setattr(ModelSource, "load", load)
    return path


def test_a_structure_is_offered_with_its_assumptions_and_used_only_when_accepted(
    widget: CheckpointWidget, session: ReviewSession, unknown: Path, finish: Finish, qtbot: QtBot
) -> None:
    ramp = np.repeat(np.linspace(0, 255, 100, dtype=np.uint8)[:, None], 64, axis=1)
    session.viewer.add_image(ramp, metadata={"segcam_source": {"value_range": (0, 255)}})
    widget.load(str(unknown))
    finish(session)
    panel = widget.offer
    assert panel.words.text() == (
        "The names of the weights are not known, but their shapes read as a U-Net of 4 levels. "
        "Nothing in the file decides: pooling."
    )
    assert [tile.label for tile in panel.tiles] == ["Best: pooling max", "pooling average"]
    assert panel.details.text().splitlines() == [
        "It differs by 0.",
        "Assumed pooling: max",
        "Assumed up sampling: bilinear",
    ]
    qtbot.waitUntil(lambda: panel._controller.maker.is_complete, timeout=20_000)
    assert [tile.words for tile in panel.tiles] == ["20%", "60%"]
    assert session.network is None
    panel.tiles[1].click()
    panel.accept.click()
    finish(session)
    assert session.source is not None
    assert session.source.accept_structure == 2
    assert session.network is not None
    assert [source.accept_structure for source in recent_models()] == [0], "the next time it is asked again"

    widget.device.setCurrentIndex(widget.device.findData("cpu"))
    widget.device.chosen.emit("cpu")
    finish(session)
    assert not panel.isVisible(), "the accepted structure stays on another device"
