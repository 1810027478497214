"""Blinded reading: what is hidden is nowhere, until the reader has answered."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Labels
from pytestqt.qtbot import QtBot

from napari_segcam.viewer.click.click_controller import ClickController
from napari_segcam.viewer.doubt.doubt_controller import DoubtController
from napari_segcam.viewer.doubt.doubt_pixels import DoubtPixels
from napari_segcam.viewer.evidence.evidence_controller import EvidenceController
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.keys import KEYS, ReviewKeys
from napari_segcam.viewer.layers.placement import OURS, is_ours
from napari_segcam.viewer.overlays.overlays_controller import OverlaysController
from napari_segcam.viewer.questions.questions_controller import QuestionsController
from napari_segcam.viewer.review.controllers import controller_of
from tests.viewer.verdicts.one_case import Review

ALLOWED_WORDS = re.compile(
    r"Blinded: the prediction appears after your answer\.|corrected by you(: drawn in white|, but hidden)"
    r"|(Click|Drag)[a-z ]*? · Q ends"
)
"""What the canvas may say while the prediction is hidden."""


def open_blinded(opened: Review, image: np.ndarray, **settings: Any) -> Review:
    """Show an image as the case of a blinded review, and ask for heatmaps of it."""
    opened.project.open(**{"hide_prediction": True, **settings})
    opened.project.read("c1")
    opened.session.viewer.add_image(image, name="sweep")
    opened.session.go_to(0)
    opened.run()
    return opened


@pytest.fixture
def blinded(opened: Review, frames: np.ndarray) -> Review:
    """A reading of a cine whose prediction is hidden."""
    return open_blinded(opened, frames)


def assert_nothing_seen(review: Review) -> None:
    """Check all that follows from a prediction: results, layers, curves, words."""
    session = review.session
    assert session.review is not None
    assert session.record is not None
    assert session.review.plan is None
    assert not session.review.results.frames()
    predicted = [layer for layer in session.viewer.layers if is_ours(layer) and not layer.metadata[OURS]["by_reader"]]
    assert not predicted
    assert not session.record.states.any()
    for name in set(session.record.curves) - {session.record.CORRECTED_AREA}:
        assert np.isnan(session.record.curves[name]).all()
    assert session.view.heated == ()
    assert session.view.of_scale == ""
    assert ALLOWED_WORDS.sub("", session.view.of_frame.replace("\n", " ")).strip() == ""
    assert session.figures() == {}


def test_nothing_is_seen_before_the_answer(blinded: Review) -> None:
    assert_nothing_seen(blinded)
    assert blinded.session.view.of_frame.startswith("Blinded: the prediction appears")
    blinded.verdicts.give("accept")
    blinded.verdicts.grade(3)
    assert not blinded.events("verdict", "grade")
    assert "Answer first" in blinded.session.viewer.status


def test_what_was_asked_for_appears_after_the_answer(blinded: Review, qtbot: QtBot) -> None:
    blinded.blinding.answer(False)
    qtbot.waitUntil(lambda: blinded.session.is_busy, timeout=2000)
    blinded.finish(blinded.session)
    assert blinded.session.review is not None
    assert sorted(blinded.session.review.results.frames()) == [0, 1, 2, 3]
    assert blinded.session.view.heated == ("encoder_5",)
    blinded.verdicts.give("accept")
    (answer,) = blinded.events("answer")
    (verdict,) = blinded.events("verdict")
    assert answer.found is False
    assert verdict.saw_prediction
    assert blinded.blinding.answer_words() == "You answered: no finding."
    seen = [event for event in blinded.events("shown") if event.prediction]
    assert all(event.n > answer.n for event in seen)
    assert seen


def test_drawing_first_is_an_answer_and_no_verdict(blinded: Review, qtbot: QtBot) -> None:
    blinded.blinding.answer(None)
    assert not blinded.events("answer")
    assert "Draw the finding first" in blinded.session.viewer.status
    blinded.blinding.draw()
    layers = blinded.session.layers()
    assert layers is not None
    assert layers.corrections.layer is blinded.session.viewer.layers.selection.active
    assert layers.corrections.layer.mode == "paint"
    blinded.paint(0)
    assert_nothing_seen(blinded)
    assert blinded.given() == []
    assert blinded.session.network is not None
    assert layers.corrections.label_names[0] == {1: blinded.session.network.class_names[0]}
    blinded.blinding.answer(None)
    qtbot.waitUntil(lambda: blinded.session.is_busy, timeout=2000)
    blinded.finish(blinded.session)
    assert blinded.session.review is not None
    assert len(blinded.session.review.results.frames()) == 4
    pixels = layers.corrections.pixels(0)
    assert pixels is not None
    assert int(pixels.sum()) == 15 * 15  # what was drawn, and nothing that was predicted
    blinded.paint(1)  # now the prediction is seen
    assert blinded.given() == [(1, 1, "correct")]


@pytest.mark.slow
def test_a_repeat_starts_blinded_again(blinded: Review, frames: np.ndarray, qtbot: QtBot) -> None:
    blinded.blinding.answer(True)
    qtbot.waitUntil(lambda: blinded.session.is_busy, timeout=2000)
    blinded.finish(blinded.session)
    blinded.session.viewer.layers.clear()
    blinded.project.read("c1", 2)
    blinded.session.viewer.add_image(frames, name="sweep")
    blinded.run()
    assert_nothing_seen(blinded)
    assert blinded.blinding.answer_words() == ""


@pytest.mark.slow
def test_opening_a_blinded_review_drops_what_was_computed_before(opened: Review, frames: np.ndarray) -> None:
    opened.session.viewer.add_image(frames, name="sweep")
    opened.run()
    assert opened.session.view.heated
    opened.project.open(hide_prediction=True)
    opened.project.read("c1")
    opened.finish(opened.session)
    layers = opened.session.layers()
    assert layers is not None
    assert layers.mask is None or not layers.mask.data.any()
    assert not layers.heatmaps
    assert opened.session.view.heated == ()


def test_other_images_are_hidden_too_while_a_blinded_review_is_open(blinded: Review, frames: np.ndarray) -> None:
    blinded.project.reading = None
    blinded.session.viewer.add_image(frames, name="the same, opened by hand")
    blinded.project.reading_changed.emit()
    blinded.run()
    assert blinded.session.review is not None
    assert blinded.session.review.plan is None
    assert "until you close it" in str(blinded.session.missing())
    blinded.project.close()
    assert blinded.session.missing() is None


def test_a_layer_that_shows_a_prediction_is_removed(blinded: Review, frames: np.ndarray, qtbot: QtBot) -> None:
    viewer = blinded.session.viewer
    image = blinded.session.image
    assert image is not None
    kinds = (Labels(np.ones(frames.shape, np.uint8)), Image(np.ones(frames.shape)))
    for layer in kinds:
        layer.metadata[OURS] = {"image": image.unique_id}
        viewer.add_layer(layer)
        assert not layer.visible
        qtbot.waitUntil(lambda layer=layer: layer not in viewer.layers, timeout=1000)
    own = viewer.add_labels(np.ones(frames.shape, np.uint8))
    qtbot.wait(30)
    assert own in viewer.layers


def test_a_random_walk_sees_nothing(
    blinded: Review, qtbot: QtBot, finish: Callable[[Any], None], messages: list[str]
) -> None:
    """Whatever the reader presses and calls, in whatever order, nothing of the prediction is there."""
    session = blinded.session
    keys = ReviewKeys(session)
    answers = ("Shift+F", "Shift+O", "Shift+E")
    harmless = [
        key for key in KEYS if key.key not in (*answers, "F1") and not key.action.startswith("Go to the next case")
    ]
    ways: list[Callable[[], object]] = [
        *(lambda key=key: key.press(keys) for key in harmless),
        *(lambda key=key: key.release(keys) for key in harmless if key.release is not None),
        lambda: session.run(RunRequest(stages=("encoder_1", "encoder_5")), "all"),
        lambda: session.run(RunRequest(), "current"),
        lambda: session.set_threshold(0.1),
        lambda: session.set_scale("frame"),
        lambda: controller_of(session, ClickController).ask_at((0.0, 40.0, 30.0)),
        lambda: controller_of(session, ClickController).ask_box((0.0, 4.0, 3.0), (0.0, 40.0, 30.0)),
        lambda: controller_of(session, DoubtController).choose("entropy"),
        lambda: controller_of(session, DoubtController).step(1),
        lambda: controller_of(session, DoubtPixels).show(),
        lambda: controller_of(session, EvidenceController).start_check(),
        lambda: controller_of(session, OverlaysController).measure(),
        lambda: controller_of(session, QuestionsController).maker.watch(True),
        lambda: session.review and session.review.use_contrast_limits(),
        lambda: session.review and session.review.set_crop((slice(0, 50), slice(0, 50)), is_drawn=True),
        lambda: blinded.verdicts.give("accept"),
        lambda: blinded.verdicts.choice.choose("finding"),
        lambda: blinded.blinding.draw(),
        lambda: blinded.paint(session.current_frame()) if blinded.blinding.has_drawn else None,
        lambda: session.go_to((session.current_frame() + 1) % 4),
        lambda: session.use(session.network) if session.network else None,
    ]
    random = np.random.default_rng(7)
    for number in random.integers(0, len(ways), 150):
        ways[int(number)]()
        assert_nothing_seen(blinded)
        if number % 10 == 0:
            qtbot.wait(30)
            assert_nothing_seen(blinded)
    finish(session)
    qtbot.wait(400)
    assert_nothing_seen(blinded)
    assert not controller_of(session, QuestionsController).maker.pictures
    assert not [event for event in blinded.events("shown") if event.prediction or event.heatmaps]
    assert not [message for message in messages if "Blinded" in message]


# Heatmaps


@pytest.mark.slow
def test_heatmaps_come_after_the_first_verdict_and_both_verdicts_stay(
    opened: Review, frames: np.ndarray, qtbot: QtBot
) -> None:
    read = open_blinded(opened, frames, hide_prediction=False, hide_heatmaps="until verdict")
    assert read.session.review is not None
    assert len(read.session.review.results.frames()) == 4
    assert read.session.view.heated == ()
    assert "the heatmaps appear after your" in read.session.view.of_frame
    read.verdicts.give("accept")
    qtbot.waitUntil(lambda: bool(read.session.view.heated), timeout=20_000)
    read.finish(read.session)
    read.verdicts.give("reject")
    first, second = read.events("verdict")
    assert (first.value, first.saw_prediction, first.saw_heatmap) == ("accept", True, False)
    assert (second.value, second.saw_prediction, second.saw_heatmap) == ("reject", True, True)
    read.project.undo()
    read.project.undo()
    read.finish(read.session)
    assert read.given() == []
    assert read.session.view.heated == ("encoder_5",)  # what was seen cannot be unseen


def test_a_review_without_heatmaps_never_shows_them(opened: Review, frames: np.ndarray) -> None:
    read = open_blinded(opened, frames, hide_prediction=False, hide_heatmaps="always")
    read.verdicts.give("accept")
    read.run()
    controller_of(read.session, ClickController).ask_at((0.0, 40.0, 30.0))
    read.finish(read.session)
    assert read.session.view.heated == ()
    layers = read.session.layers()
    assert layers is not None
    assert not layers.heatmaps
    assert "shows no heatmaps" in read.session.view.of_frame
    read.verdicts.give_on_heatmap("plausible")
    assert [event.about for event in read.events("verdict")] == ["mask"]


def test_prediction_then_heatmaps(opened: Review, frames: np.ndarray, qtbot: QtBot) -> None:
    read = open_blinded(opened, frames, hide_heatmaps="until verdict")
    assert_nothing_seen(read)
    read.blinding.answer(True)
    qtbot.waitUntil(lambda: read.session.is_busy, timeout=2000)
    read.finish(read.session)
    assert read.session.view.heated == ()
    read.verdicts.give("reject")
    qtbot.waitUntil(lambda: bool(read.session.view.heated), timeout=20_000)
