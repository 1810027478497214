"""What is made to stay is old to the collector at once; it collects all else, at rest where it can."""

from __future__ import annotations

import gc
import weakref

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_segcam.viewer.responsiveness import garbage_collection as garbage
from napari_segcam.viewer.responsiveness.garbage_collection import Tidying, without_gc_pause


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_to_stay_is_not_young() -> None:
    with without_gc_pause():
        made = Knot()
    assert not any(thing is made for thing in gc.get_objects(generation=0))
    assert gc.get_freeze_count() == 0


def test_it_is_collected_all_the_same() -> None:
    with without_gc_pause():
        gone = weakref.ref(Knot())
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_the_collector_is_left_as_it_was() -> None:
    with without_gc_pause():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with without_gc_pause():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("steps", "is_wanted", "is_tidied"),
    [
        pytest.param(5, True, True, id="many steps"),
        pytest.param(4, True, False, id="few steps"),
        pytest.param(5, False, False, id="the user wants no collector"),
    ],
)
def test_after_many_steps_all_is_collected_once_the_user_rests(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, steps: int, is_wanted: bool, is_tidied: bool
) -> None:
    monkeypatch.setattr(garbage, "_MANY_STEPS", 5)
    monkeypatch.setattr(garbage, "_RESTING_MS", 20)
    with without_gc_pause():
        gone = weakref.ref(Knot())
    parent = QObject()
    tidying = Tidying(parent)
    if not is_wanted:
        gc.disable()
    try:
        for _ in range(steps):
            tidying.note_step()
        assert gone() is not None
        qtbot.wait(100)
        assert (gone() is None) == is_tidied
    finally:
        gc.enable()
