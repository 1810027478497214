"""What is made to stay is old to the collector at once; it collects all else, at rest where it can."""

from __future__ import annotations

import gc
import weakref

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_segcam.viewer import garbage
from napari_segcam.viewer.garbage import Tidying, made_to_stay


class Knot:
    """Refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_made_to_stay_is_not_young() -> None:
    with made_to_stay():
        made = Knot()
    assert not any(thing is made for thing in gc.get_objects(generation=0))
    assert gc.get_freeze_count() == 0


def test_it_is_collected_all_the_same() -> None:
    with made_to_stay():
        gone = weakref.ref(Knot())
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_the_collector_is_left_as_it_was() -> None:
    with made_to_stay():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with made_to_stay():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("steps", "is_tidied"), [(5, True), (4, False)])
def test_after_many_steps_all_is_collected_once_the_user_rests(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, steps: int, is_tidied: bool
) -> None:
    monkeypatch.setattr(garbage, "_MANY_STEPS", 5)
    monkeypatch.setattr(garbage, "_RESTING_MS", 20)
    with made_to_stay():
        gone = weakref.ref(Knot())
    parent = QObject()
    tidying = Tidying(parent)
    for _ in range(steps):
        tidying.note_step()
    assert gone() is not None
    qtbot.wait(100)
    assert (gone() is None) == is_tidied


def test_nothing_is_collected_for_a_user_who_wants_no_collector(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "_MANY_STEPS", 1)
    monkeypatch.setattr(garbage, "_RESTING_MS", 20)
    with made_to_stay():
        stays = weakref.ref(Knot())
    parent = QObject()
    tidying = Tidying(parent)
    gc.disable()
    try:
        tidying.note_step()
        qtbot.wait(100)
        assert stays() is not None
    finally:
        gc.enable()
