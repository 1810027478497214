"""Replacements of napari's methods: each fits or stays off, one setting switches all off, and layers work without."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari import Viewer
from napari.components import Dims, ViewerModel
from napari.layers import Image, Labels, Layer

from napari_segcam.viewer.drawing.label_outline import outline
from napari_segcam.viewer.napari_internals import replacement
from napari_segcam.viewer.napari_internals.blank_frames import skip_blank_frames
from napari_segcam.viewer.napari_internals.canvas import canvas_of
from napari_segcam.viewer.napari_internals.deferred_deletion import delete_while_drawing
from napari_segcam.viewer.napari_internals.deferred_slicing import defer_slicing
from napari_segcam.viewer.napari_internals.label_outline import outline_quickly
from napari_segcam.viewer.napari_internals.replacement import PLAIN_NAPARI, Replacement, private_attribute


class Greeter:
    """Stands in for an object of napari."""

    name = "napari"

    def greet(self, loud: bool = False) -> str:
        return "HELLO" if loud else "hello"


def twice(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: original(*args) * 2


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test sees every log line, and starts with the replacements switched on."""
    monkeypatch.delenv(PLAIN_NAPARI, raising=False)
    replacement.log_once.cache_clear()
    yield
    replacement.log_once.cache_clear()


def add_cine_labels(viewer: Any) -> Labels:
    """Add Labels with all replacements; only the middle frame of three has a label."""
    viewer.add_image(np.zeros((3, 20, 30)))
    pixels = np.zeros((3, 20, 30), np.uint8)
    pixels[1, 5:9, 10:20] = 2
    layer = Labels(pixels)
    defer_slicing(layer)
    skip_blank_frames(layer, lambda labels: not labels.any())
    outline_quickly(layer)
    viewer.add_layer(layer)
    layer.contour = 1
    return layer


def assert_follows_and_paints(viewer: Any, layer: Labels) -> None:
    """Check that a layer follows the slider, hidden or shown, outlines its labels, and takes and undoes a stroke."""
    layer.visible = False
    viewer.dims.set_current_step(0, 1)
    layer.visible = True
    np.testing.assert_array_equal(layer._slice.image.view, outline(layer.data[1], 1))
    viewer.dims.set_current_step(0, 0)
    assert not layer._slice.image.view.any()
    layer.brush_size = 7
    layer.paint((0, 10, 10), 1)
    np.testing.assert_array_equal(layer._slice.image.view, outline(layer.data[0], 1))
    assert layer.data[0].any()
    layer.undo()
    assert not layer.data[0].any()


def test_a_method_is_replaced_on_one_object(caplog: pytest.LogCaptureFixture) -> None:
    greeter = Greeter()
    greet = Replacement("Greeter.greet", ("loud",), ("name",))
    assert greet.install(greeter, twice)
    assert not greet.install(greeter, twice), "it is replaced already"
    assert (greeter.greet(True), Greeter().greet()) == ("HELLOHELLO", "hello")
    assert not caplog.records


@pytest.mark.parametrize(
    ("misfit", "reason"),
    [
        (Replacement("Greeter.greet", ()), r"Greeter.greet takes \(loud\)"),
        (Replacement("Greeter.greet", ("loud", "name")), r"Greeter.greet takes \(loud\)"),
        (Replacement("Greeter.leave", ()), "Greeter.leave does not exist"),
        (Replacement("Greeter.greet", ("loud",), ("name.first",)), "has no name.first"),
    ],
)
def test_what_does_not_fit_stays_and_is_logged_once(
    caplog: pytest.LogCaptureFixture, misfit: Replacement, reason: str
) -> None:
    greeter = Greeter()
    for _ in range(2):
        assert not misfit.install(greeter, twice)
    assert greeter.greet() == "hello"
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("napari_segcam", logging.WARNING)
    assert "0.9.2, 0.10.0rc1" in caplog.text
    assert re.search(reason, caplog.text)


@pytest.mark.parametrize(("value", "is_replaced"), [("1", False), ("true", False), ("0", True), ("", True)])
def test_one_setting_switches_them_off(monkeypatch: pytest.MonkeyPatch, value: str, is_replaced: bool) -> None:
    monkeypatch.setenv(PLAIN_NAPARI, value)
    assert Replacement("Greeter.greet", ("loud",)).install(Greeter(), twice) == is_replaced


def test_a_private_attribute_that_is_gone_is_none_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    assert private_attribute(Greeter(), "name") == "napari"
    for _ in range(2):
        assert private_attribute(Greeter(), "name.first") is None
    (record,) = caplog.records
    assert "Greeter.name.first" in record.message


def test_all_fit_this_napari(make_napari_viewer: Callable[..., Viewer], caplog: pytest.LogCaptureFixture) -> None:
    viewer = make_napari_viewer()
    layer = add_cine_labels(viewer)
    delete_while_drawing(viewer)
    assert {"_slice_dims", "_update_draw", "_calculate_contour"} <= vars(layer).keys()
    assert "_update_slice_response" in vars(layer._slicing_state)
    canvas = viewer.window._qt_viewer.canvas
    context = canvas._scene_canvas.context
    assert "_parse" in vars(context.shared.parser)
    assert "finish" in vars(context)
    assert canvas_of(viewer) is canvas.native
    assert not [record for record in caplog.records if record.name == "napari_segcam"]
    assert_follows_and_paints(viewer, layer)


def test_a_layer_works_with_all_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLAIN_NAPARI, "1")
    viewer = ViewerModel()
    layer = add_cine_labels(viewer)
    assert not {"_slice_dims", "_update_draw", "_calculate_contour"} & vars(layer).keys()
    assert "_update_slice_response" not in vars(layer._slicing_state)
    assert_follows_and_paints(viewer, layer)


def test_a_layer_works_where_napari_has_other_signatures(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slice_dims, calculate, update = Layer._slice_dims, Labels._calculate_contour, Labels._update_draw

    def slice_with_cause(self: Layer, dims: Dims, force: bool = False, cause: str = "") -> None:  # noqa: ARG001
        slice_dims(self, dims, force)

    monkeypatch.setattr(Layer, "_slice_dims", slice_with_cause)
    monkeypatch.setattr(Labels, "_calculate_contour", lambda self, image, part: calculate(self, image, part))
    monkeypatch.setattr(Layer, "_update_draw", lambda self, *view: update(self, *view))
    state = type(Labels(np.zeros((2, 2), np.uint8))._slicing_state)
    respond = state._update_slice_response
    monkeypatch.setattr(state, "_update_slice_response", lambda self, *answers: respond(self, *answers))
    viewer = ViewerModel()
    layer = add_cine_labels(viewer)
    assert not {"_slice_dims", "_update_draw", "_calculate_contour"} & vars(layer).keys()
    assert_follows_and_paints(viewer, layer)
    assert len([record for record in caplog.records if record.name == "napari_segcam"]) == 4


def test_a_canvas_that_works_otherwise_is_left_as_it_is(
    make_napari_viewer: Callable[..., Viewer], monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer()
    context = viewer.window._qt_viewer.canvas._scene_canvas.context
    parser = context.shared.parser
    parse = type(parser)._parse
    monkeypatch.setattr(type(parser), "_parse", lambda self, command, *more: parse(self, command, *more))
    delete_while_drawing(viewer)
    assert "_parse" not in vars(parser)
    assert "finish" not in vars(context)
    viewer.add_layer(Image(np.zeros((4, 5))))
    viewer.layers.clear()


def test_a_window_without_the_canvas_is_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    class Window:
        _qt_window = None

    viewer: Any = ViewerModel()
    assert canvas_of(viewer) is None
    object.__setattr__(viewer, "window", Window())
    delete_while_drawing(viewer)
    assert canvas_of(viewer) is None
    assert len(caplog.records) == 2
