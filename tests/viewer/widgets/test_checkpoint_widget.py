"""The Checkpoint widget: the model card and its form, recent models, the user's own code, and bad files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog, QMessageBox
from torch import nn

from napari_segcam.network.model_card import ModelCard, read_card
from napari_segcam.network.network import Network
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.widgets import checkpoint_widget
from napari_segcam.viewer.widgets.checkpoint_widget import CheckpointWidget
from napari_segcam.viewer.widgets.model_card import card_saving, recent_models
from napari_segcam.viewer.widgets.model_card.card_summary import card_text
from napari_segcam.viewer.widgets.model_card.recent_models import remember
from napari_segcam.viewer.worker import foreground

Finish = Callable[[ReviewSession], None]

USER_CODE = """
from pathlib import Path
from torch import nn

Path("was_run").touch()

def make_net():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
"""


class Answers:
    """Stand-in for the question dialog: records the questions and gives the same answer to each."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.answer = QMessageBox.StandardButton.Yes

    def __call__(self, _parent: Any, _title: str, question: str, *_buttons: Any) -> Any:
        self.questions.append(question)
        return self.answer


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers()
    monkeypatch.setattr(QMessageBox, "question", answers)
    return answers


@pytest.fixture
def widget(
    session: ReviewSession, qtbot: QtBot, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> CheckpointWidget:
    monkeypatch.setattr(checkpoint_widget, "show_error", messages.append)
    monkeypatch.setattr(checkpoint_widget, "show_info", lambda _text: None)
    widget = CheckpointWidget(session.viewer)
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def checkpoint(three_classes: Network, tmp_path: Path) -> Path:
    path = tmp_path / "run 3" / "best_model.pth"
    path.parent.mkdir()
    torch.save(three_classes.module.state_dict(), path)
    return path


def choose(choice: Any, value: Any) -> None:
    """Choose a value as the user does."""
    choice.setCurrentIndex(choice.findData(value))
    choice.chosen.emit(value)


@pytest.mark.slow
def test_assumptions_are_highlighted_and_can_be_set(widget: CheckpointWidget, finish: Finish, checkpoint: Path) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    assert "imagenet <span" in widget.card.text()
    assert widget.card.text().count("<b>assumed</b>") == len(widget.session.network.assumed) >= 2
    assert not widget.apply.isEnabled()

    choose(widget.form.normalization, "imagenet")
    choose(widget.form.rule, "resize")
    widget.form.size_y.setValue(64)
    widget.form.size_x.setValue(96)
    widget.form.classes.item(1, 0).setText("<cyst>")
    assert widget.apply.isEnabled()
    widget.apply.click()
    finish(widget.session)
    card = widget.session.network.card
    assert (card.normalization, card.size.height, card.size.width) == ("imagenet", 64, 96)
    assert card.class_names == ("background", "<cyst>", "class 2")
    assert not {"normalization", "classes_overlap"} & widget.session.network.assumed.keys()
    assert "resized to 64×96" in widget.card.text()
    assert "&lt;cyst&gt;" in widget.card.text()
    assert list(checkpoint.parent.glob("*.yaml")) == []

    choose(widget.device, "cpu")  # the edited card stays
    finish(widget.session)
    assert widget.session.network.card == card


@pytest.mark.slow
def test_whether_classes_overlap_is_assumed_and_can_be_set(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    assert widget.form.overlap.currentText() == "Assumed: Exclude each other"
    assert "It is not known whether the 3 classes exclude each other or overlap" in widget.card.text()
    choose(widget.form.overlap, True)
    widget.apply.click()
    finish(widget.session)
    assert widget.session.network.classes_overlap
    assert widget.form.classes.names() == ("class 0", "class 1", "class 2")
    assert widget.form.threshold.isEnabled()
    assert "a mask for each class (threshold 0.5); classes may overlap" in widget.card.text()
    assert widget.card.text().count("■") == 3, "no class is the background"
    assert "It is not known" not in widget.card.text()
    widget.save.click()
    finish(widget.session)
    assert read_card(checkpoint.with_name("best_model.segcam.yaml")).classes_overlap
    choose(widget.form.overlap, False)
    widget.apply.click()
    finish(widget.session)
    assert widget.session.network.has_background


@pytest.mark.slow
def test_a_color_table_names_and_colors_the_classes(
    widget: CheckpointWidget,
    finish: Finish,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    messages: list[str],
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    for number, text in enumerate(("cyst;#102030\nwall;#405060\n", "cyst;#102030\n")):
        (tmp_path / f"{number}.csv").write_text(f"name;color\n{text}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "1.csv"), ""))
    widget.form.color_table.click()
    finish(widget.session)
    assert "has 1 class (cyst), but the network has 3" in messages[-1]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "0.csv"), ""))
    widget.form.color_table.click()
    finish(widget.session)
    assert widget.form.classes.names() == ("background", "cyst", "wall")
    assert widget.form.classes.colors()[1:] == ("#102030", "#405060")
    widget.apply.click()
    finish(widget.session)
    assert widget.session.network.class_names == ("background", "cyst", "wall")
    assert widget.session.network.card.class_colors == ("#000000", "#102030", "#405060")


@pytest.mark.slow
def test_fields_that_the_user_does_not_edit_stay_assumed(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    assumed = dict(widget.session.network.assumed)
    widget.form.notes.setText("trained on phantoms")
    widget.form.notes.textEdited.emit("trained on phantoms")
    widget.apply.click()
    finish(widget.session)
    assert widget.session.network.assumed == assumed
    assert "trained on phantoms" in widget.card.text()


@pytest.mark.slow
def test_an_assumed_option_of_the_architecture_is_set(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    assert widget.form.options["decoder_interpolation"].placeholderText() == "Assumed: nearest"
    widget.form.options["decoder_interpolation"].setText("bilinear")
    widget.form.options["decoder_interpolation"].textEdited.emit("bilinear")
    widget.apply.click()
    finish(widget.session)
    assert "decoder_interpolation" not in widget.session.network.assumed
    assert widget.session.network.card.options == {"decoder_interpolation": "bilinear"}


@pytest.mark.slow
def test_a_custom_normalization_needs_its_numbers(
    widget: CheckpointWidget, finish: Finish, messages: list[str], checkpoint: Path
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    messages.clear()
    choose(widget.form.normalization, "custom")
    widget.apply.click()
    widget.form.mean.setText("0.5, 0.4")
    widget.form.std.setText("0.2")
    widget.apply.click()
    assert len(messages) == 2
    assert "mean" in messages[0]
    assert "one for each input channel (3)" in messages[1]
    widget.form.mean.setText("0.5")
    widget.apply.click()
    finish(widget.session)
    assert widget.session.network.card.mean == (0.5,)
    assert "custom: mean 0.5, std 0.2" in widget.card.text()


@pytest.mark.slow
def test_colors_are_applied_at_once_without_computing(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path, frames: np.ndarray
) -> None:
    session = widget.session
    session.viewer.add_image(frames[0])
    widget.load(str(checkpoint))
    finish(session)
    session.run(RunRequest(), "current")
    finish(session)
    network, states = session.network, session.record.states.copy()
    widget.form.classes.set_color(2, "#ff0000")
    assert not session.is_busy
    assert session.network is network
    np.testing.assert_array_equal(session.record.states, states)
    assert session.layers().mask.get_color(2)[:3] == pytest.approx([1, 0, 0])
    assert "#ff0000" in widget.card.text()
    assert not widget.apply.isEnabled()

    second = session.viewer.add_image(frames[1])  # later masks get the same colors
    session.choose_image(second)
    session.run(RunRequest(), "current")
    finish(session)
    assert session.layers().mask.get_color(2)[:3] == pytest.approx([1, 0, 0])


@pytest.mark.slow
def test_the_card_is_saved_and_read_with_the_next_load(
    widget: CheckpointWidget, finish: Finish, answers: Answers, checkpoint: Path
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    assumed = widget.session.network.assumed
    widget.form.classes.set_color(1, "#00ff00")
    choose(widget.form.normalization, "unit")
    widget.save.click()
    finish(widget.session)
    path = checkpoint.with_name("best_model.segcam.yaml")
    card = read_card(path)
    assert (card.normalization, card.class_colors[1]) == ("unit", "#00ff00")
    assert card.sha256 == widget.session.network.sha256
    comments = path.read_text(encoding="utf-8").partition("#   ")[2]
    assert "decoder_interpolation" in comments
    assert not {name for name in ("normalization", "classes_overlap") if name in comments}
    assert widget.session.network.card.normalization == "unit"  # the saved card is the one in use
    assert widget.session.class_colors[1] == "#00ff00"
    assert answers.questions == []

    widget.load(str(checkpoint))
    finish(widget.session)
    assert widget.session.network.card == card
    assert len(assumed) - len(widget.session.network.assumed) == 2


def test_a_card_is_not_replaced_without_a_question(
    widget: CheckpointWidget, finish: Finish, answers: Answers, checkpoint: Path
) -> None:
    path = checkpoint.with_name("best_model.segcam.yaml")
    path.write_text("threshold: 0.3\n", encoding="utf-8")
    widget.load(str(checkpoint))
    finish(widget.session)
    answers.answer = QMessageBox.StandardButton.No
    widget.save.click()
    finish(widget.session)
    assert path.read_text(encoding="utf-8") == "threshold: 0.3\n"
    answers.answer = QMessageBox.StandardButton.Yes
    widget.save.click()
    finish(widget.session)
    assert read_card(path).sha256
    assert len(answers.questions) == 2
    assert str(path) in answers.questions[0]


def test_a_card_that_cannot_be_written_is_saved_elsewhere(
    widget: CheckpointWidget,
    finish: Finish,
    answers: Answers,
    messages: list[str],
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    widget.load(str(checkpoint))
    finish(widget.session)
    messages.clear()
    elsewhere = tmp_path / "mine.segcam.yaml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(elsewhere), ""))
    monkeypatch.setattr(card_saving, "card_path", lambda path: path / "no_folder.segcam.yaml")  # below a file
    widget.save.click()
    finish(widget.session)
    assert len(answers.questions) == 1
    assert "cannot be written" in answers.questions[0]
    assert read_card(elsewhere).sha256 == widget.session.network.sha256
    assert messages == []


@pytest.mark.slow
def test_models_are_remembered(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    remember(ModelSource(str(tmp_path / "gone.pth")))
    widget.load(str(checkpoint))
    finish(widget.session)
    widget.load(str(tmp_path / "never_there.pth"))  # a failed load is not remembered
    finish(widget.session)
    second = CheckpointWidget(ViewerModel())
    qtbot.addWidget(second)
    items = [second.recent.model().item(row) for row in range(second.recent.count())]
    assert [item.text() for item in items[1:]] == ["best_model.pth – run 3", f"gone.pth – {tmp_path.name}"]
    assert [item.isEnabled() for item in items] == [True, True, False]
    choose(second.recent, ModelSource(str(checkpoint)))
    finish(second.session)
    assert second.session.network.name == "best_model.pth"


@pytest.mark.slow
def test_a_model_loaded_elsewhere_follows_the_device_but_is_not_remembered(
    widget: CheckpointWidget, finish: Finish, checkpoint: Path
) -> None:
    widget.session.load(ModelSource(str(checkpoint)))
    finish(widget.session)
    first = widget.session.network
    assert recent_models.recent_models() == []
    choose(widget.device, "cpu")
    finish(widget.session)
    assert widget.session.network is not first


def test_eight_models_are_kept_and_unreadable_settings_are_ignored() -> None:
    recent_models.settings().setValue("recent_models", "{not json")
    for number in (*range(9), 5):
        remember(ModelSource(f"{number}.pth"))
    assert [model.path for model in recent_models.recent_models()] == [f"{n}.pth" for n in (5, 8, 7, 6, 4, 3, 2, 1)]


@pytest.fixture
def user_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a working folder with a module of the user."""
    (tmp_path / "net_of_the_user.py").write_text(USER_CODE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("net_of_the_user", None)


def test_the_users_code_runs_only_after_a_confirmation(
    widget: CheckpointWidget, finish: Finish, answers: Answers, user_code: Path
) -> None:
    factory = "net_of_the_user:make_net"
    answers.answer = QMessageBox.StandardButton.No
    widget.architecture_form.factory.setText(factory)
    widget.architecture_form.build.click()
    finish(widget.session)
    assert widget.session.network is None
    assert not (user_code / "was_run").exists()
    answers.answer = QMessageBox.StandardButton.Yes
    widget.architecture_form.build.click()
    finish(widget.session)
    assert widget.session.network.classes == 2
    assert (user_code / "was_run").exists()
    assert len(answers.questions) == 2
    assert "runs code from net_of_the_user on your computer" in answers.questions[0]

    weights = user_code / "own.pth"
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    torch.save(network.state_dict(), weights)
    widget.load(str(weights))  # it is not recognized, but its weights can be loaded
    finish(widget.session)
    widget.architecture_form.build.click()
    finish(widget.session)
    assert widget.session.source == ModelSource(str(weights), factory=factory)
    assert torch.equal(widget.session.network.module[0].weight, network[0].weight)
    assert len(answers.questions) == 2  # it is not asked a second time


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (None, "cut off|truncated|incomplete|damaged"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "LFS"),
        (b"<!DOCTYPE html><html></html>", "web page|HTML"),
    ],
    ids=["truncated", "LFS pointer", "HTML"],
)
def test_a_bad_file_is_reported_once_and_the_network_stays(
    widget: CheckpointWidget,
    finish: Finish,
    messages: list[str],
    caplog: pytest.LogCaptureFixture,
    network: Network,
    checkpoint: Path,
    content: bytes | None,
    fragments: str,
) -> None:
    session = widget.session
    session.use(network)
    card = widget.card.text()
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[: len(data) // 2] if content is None else content)
    widget.load(str(checkpoint))
    finish(session)
    assert len(messages) == 1
    assert "best_model.pth" in messages[0]
    assert any(fragment in messages[0] for fragment in fragments.split("|")), messages[0]
    assert "\n" not in messages[0]
    assert session.network is network
    assert widget.card.text() == card
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert recent_models.recent_models() == []


def test_a_classifier_says_so(widget: CheckpointWidget) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    widget.session.use(Network.from_module(module, ModelCard(normalization="unit"), "cpu"))
    assert "classifies whole frames: no mask" in widget.card.text()
    assert "class 0, class 1, class 2" in widget.card.text()
    assert not widget.form.threshold.isEnabled()
    assert not widget.save.isEnabled()  # there is no checkpoint to write it beside


def test_many_classes_are_counted(three_classes: Network) -> None:
    text = card_text(replace(three_classes, classes=20))
    assert "class 5" in text
    assert "class 6" not in text
    assert "and 14 more" in text


def test_it_fits_a_narrow_dock(widget: CheckpointWidget, qtbot: QtBot, finish: Finish, checkpoint: Path) -> None:
    widget.load(str(checkpoint.rename(checkpoint.with_name(f"best_{80 * 'x'}.pth"))))
    finish(widget.session)
    choose(widget.form.normalization, "custom")
    choose(widget.form.rule, "letterbox")
    with qtbot.waitExposed(widget):
        widget.show()
    widget.editing.expand()
    widget.advanced.expand()
    content = widget.editing.parentWidget()
    assert content.minimumSizeHint().width() <= 350
    assert widget.minimumSizeHint().height() <= 560


SEVERAL = """
import torch
from torch import nn

class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head, self.other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 1, 1), nn.Conv2d(4, 1, 1)
    def forward(self, x):
        x = self.body(x)
        return {"lesion": self.head(x).sigmoid(), "organ": self.other(x).sigmoid()}
"""


@pytest.mark.usefixtures("answers")
def test_an_undecided_output_is_asked_for_and_can_be_set_in_the_form(
    widget: CheckpointWidget, finish: Finish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "several_maps.py").write_text(SEVERAL)
    monkeypatch.chdir(tmp_path)
    errors: list[str] = []
    monkeypatch.setattr(foreground, "show_error", errors.append)
    widget.architecture_form.factory.setText("several_maps:Several")
    widget.architecture_form.build.click()
    finish(widget.session)
    assert widget.session.network is None
    assert errors == []
    assert widget.offer.title.text() == "several_maps:Several: which output?"
    assert [tile.label for tile in widget.offer.tiles] == ["Output lesion", "Output organ"]
    widget.offer.tiles[1].click()
    widget.offer.accept.click()
    finish(widget.session)
    assert widget.architecture_form.output.text() == "organ"
    assert widget.session.network.output.name == "organ"
    assert "organ, not lesion" in widget.card.text()
    assert "ends in a sigmoid, which is left out" in widget.card.text()

    choose(widget.form.output.output, "lesion")
    choose(widget.form.output.activation, "none")
    widget.apply.click()
    finish(widget.session)
    card = widget.session.network.card
    assert (card.output, card.output_activation) == ("lesion", "none")
    assert "ends in a sigmoid" not in widget.card.text()
    assert widget.architecture_form.output.text() == "lesion"
