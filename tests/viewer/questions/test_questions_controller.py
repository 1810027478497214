"""Questions in the viewer: the picture of each answer on the frame in view, and what an answer changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from torch import nn

from napari_segcam.explanation.explainer import Explainer
from napari_segcam.network.model_card import ModelCard, read_card
from napari_segcam.network.network import Network
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets import checkpoint_widget
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget

Finish = Callable[[ReviewSession], None]


def above(bias: float) -> Network:
    """A network whose mask is where its gray input is above a value, with nothing said about it."""
    module = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        module.weight.fill_(1.0)
        assert module.bias is not None
        module.bias.fill_(-bias)
    return Network.from_module(module, ModelCard(input_channels=1), device="cpu")


@pytest.fixture
def ramps() -> np.ndarray:
    """Two frames: one brightens downwards, the other is half as bright."""
    ramp = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[:, None], 96, axis=1)
    return np.stack([ramp, ramp // 2])


@pytest.fixture
def asking(session: ReviewSession, ramps: np.ndarray) -> QuestionsController:
    session.viewer.add_image(ramps, name="sweep", metadata={"segcam_source": {"value_range": (0, 255)}})
    session.viewer.dims.set_current_step(0, 0)
    session.use(above(0.7))
    controller = controller_of(session, QuestionsController)
    controller.maker.watch(True)
    return controller


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[QuestionsController], None]:
    def until_all(controller: QuestionsController) -> None:
        question = controller.opened
        assert question is not None
        qtbot.waitUntil(lambda: all(controller.maker.is_new(i) for i in range(len(question.options))), timeout=20_000)

    return until_all


Wait = Callable[[QuestionsController], None]


def found(controller: QuestionsController) -> dict[str, int]:
    """Return the found pixels of each answer of the opened question."""
    assert controller.opened is not None
    options = controller.opened.options
    return {options[i].label: sum(picture.result.areas) for i, picture in sorted(controller.maker.pictures.items())}


def test_the_first_open_question_is_shown_on_the_frame_in_view(
    asking: QuestionsController, wait: Wait, ramps: np.ndarray, session: ReviewSession
) -> None:
    assert asking.opened is not None
    assert asking.opened.name == "normalization"
    wait(asking)
    unit = ramps[0] / 255
    areas = found(asking)
    assert areas["0 to 1"] == (unit > 0.7).sum()
    assert areas["−1 to 1"] == (unit > 0.85).sum()
    assert areas["0 to 255"] == (ramps[0] > 0.7).sum()
    assert asking.words().startswith("On frame 0.")

    session.viewer.dims.set_current_step(0, 1)
    assert not asking.maker.is_new(0), "it is of the frame before"
    wait(asking)
    assert found(asking)["0 to 1"] == 0
    assert asking.maker.pictures[1].words == "nothing found"


def test_pictures_show_the_mask_on_the_frame(asking: QuestionsController, wait: Wait) -> None:
    wait(asking)
    plain = asking.maker.pictures[2].pixels.astype(int)  # -1 to 1: the lowest rows only
    masked = asking.maker.pictures[5].pixels.astype(int)  # 0 to 255: all but the first row
    middle = plain.shape[0] // 2
    assert np.ptp(plain[middle], axis=-1).max() == 0, "gray without a mask"
    assert np.ptp(masked[middle], axis=-1).min() > 20, "colored by the mask"


def test_an_answer_changes_the_network_and_what_is_asked(
    asking: QuestionsController, wait: Wait, finish: Finish, session: ReviewSession, ramps: np.ndarray
) -> None:
    wait(asking)
    session.run(RunRequest(), "current")
    finish(session)
    cards: list[ModelCard] = []
    asking.answered.connect(cards.append)
    question = asking.opened
    assert question is not None
    before, network = asking.open_count, session.network
    assert network is not None
    asking.answer(question.options[1])
    finish(session)
    assert session.network is not None
    assert session.network.card.normalization == "unit"
    assert session.network.module is network.module
    assert cards == [session.network.card]
    assert asking.open_count == before - 1
    assert asking.opened is not None
    assert (asking.opened.name, asking.opened.is_open, asking.opened.current) == ("normalization", False, 1)
    mask = session.viewer.layers["sweep mask"].data[0]
    np.testing.assert_array_equal(mask, ramps[0] / 255 > 0.7, err_msg="the frame in view is segmented again")
    wait(asking)
    assert found(asking)["0 to 1"] == mask.sum(), "an answer can be changed"


def test_nothing_is_computed_while_nobody_looks(asking: QuestionsController, qtbot: QtBot) -> None:
    asking.maker.watch(False)
    asking.open("size")
    qtbot.wait(500)
    assert asking.maker.pictures == {}
    asking.maker.watch(True)
    qtbot.waitUntil(lambda: len(asking.maker.pictures) == 5, timeout=20_000)


def test_answers_that_give_the_same_are_said_to(
    asking: QuestionsController, wait: Wait, session: ReviewSession
) -> None:
    session.viewer.dims.set_current_step(0, 1)
    session.threshold = 0.99
    asking.open("size")
    wait(asking)
    assert asking.words() == "On frame 1, all answers give the same."


def test_frames_come_before_pictures(
    asking: QuestionsController, session: ReviewSession, finish: Finish, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(asking)
    order: list[str] = []
    has_started = threading.Event()
    explain = Explainer._explain_batch

    def record(self: Explainer, *arguments: Any) -> Any:
        order.append("frame" if self.network is session.network else "answer")
        if len(order) == 1:  # the run starts while the first answer is tried
            session.worker._deliver(lambda: (session.run(RunRequest(), "all"), has_started.set()))
            assert has_started.wait(30)
        return explain(self, *arguments)

    monkeypatch.setattr(Explainer, "_explain_batch", record)
    asking.open("size")
    wait(asking)
    finish(session)
    # The run is at the frame next; how many passes follow depends on when its doubt is measured.
    assert (order[:2], order.count("answer")) == (["answer", "frame"], 5)


@pytest.fixture
def widget(session: ReviewSession, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckpointWidget]:
    monkeypatch.setattr(checkpoint_widget, "show_info", lambda _text: None)
    widget = CheckpointWidget(session.viewer)
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.hide()


@pytest.mark.slow
def test_a_click_on_a_picture_answers_and_save_keeps_it(
    widget: CheckpointWidget,
    session: ReviewSession,
    ramps: np.ndarray,
    finish: Finish,
    qtbot: QtBot,
    tmp_path: Path,
    wait: Wait,
) -> None:
    torch.manual_seed(0)
    path = tmp_path / "net.pth"
    torch.save(smp.Unet("resnet18", encoder_weights=None, classes=3).state_dict(), path)
    session.viewer.add_image(ramps, name="sweep")
    widget.load(str(path))
    finish(session)
    controller = controller_of(session, QuestionsController)
    wait(controller)
    panel = widget.questions
    assert widget.asking.text() == f"To confirm: {controller.open_count}"
    assert [*panel.rows] == [
        *("classes_overlap", "normalization", "size", "channel_order", "class_names", "decoder_interpolation"),
    ]
    assert panel.rows["classes_overlap"].full_text == "● Classes, assumed: No; the first is the background"
    assert [tile.isChecked() for tile in panel.tiles] == [True, False]
    assert all(tile.words != "…" for tile in panel.tiles)

    qtbot.mouseClick(panel.tiles[1], Qt.MouseButton.LeftButton)
    finish(session)
    assert session.network is not None
    assert session.network.classes_overlap
    assert panel.rows["classes_overlap"].full_text.startswith("✓ Classes: Yes")
    assert [tile.isChecked() for tile in panel.tiles] == [False, True]

    qtbot.mouseClick(panel.rows["normalization"], Qt.MouseButton.LeftButton)
    wait(controller)
    panel.tiles[3].setFocus()
    qtbot.keyClick(panel.tiles[3], Qt.Key.Key_Space)
    finish(session)
    widget.save.click()
    finish(session)
    card = read_card(path.with_name("net.segcam.yaml"))
    assert (card.normalization, card.classes_overlap) == ("zscore", True)
    assert "size" not in card.model_fields_set, "what nobody has answered stays open"

    widget.device.setCurrentIndex(widget.device.findData("cpu"))
    widget.device.chosen.emit("cpu")
    finish(session)
    assert session.network.card.normalization == "zscore"


def test_a_typed_answer_leads_to_its_field(widget: CheckpointWidget, session: ReviewSession, qtbot: QtBot) -> None:
    session.use(above(0.7))
    widget.questions.rows["class_names"].click()
    assert widget.questions.tiles == []
    widget.questions.type_button.click()
    qtbot.waitUntil(lambda: widget.editing.isExpanded())
    assert widget.form.field("class_names") is widget.form.classes
