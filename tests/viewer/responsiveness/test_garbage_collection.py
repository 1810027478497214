"""Long-lived objects are old to the collector at once; it collects the rest, during a pause if it can."""

from __future__ import annotations

import gc
import weakref

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QObject

from napari_segcam.viewer.responsiveness import garbage_collection
from napari_segcam.viewer.responsiveness.garbage_collection import IdleCollector, without_gc_pause


@pytest.fixture(autouse=True)
def nothing_is_frozen() -> None:
    gc.unfreeze()


class Knot:
    """An object that refers to itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


def test_a_long_lived_object_is_not_young() -> None:
    with without_gc_pause():
        long_lived = Knot()
    assert not any(candidate is long_lived for candidate in gc.get_objects(generation=0))
    assert gc.get_freeze_count() == 0


def test_it_is_still_collected_when_unused() -> None:
    with without_gc_pause():
        unused = weakref.ref(Knot())
    assert unused() is not None
    gc.collect()
    assert unused() is None


def test_the_collector_stays_on_or_off_as_it_was() -> None:
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
    ("steps", "is_enabled", "is_collected"),
    [
        pytest.param(5, True, True, id="many steps"),
        pytest.param(4, True, False, id="few steps"),
        pytest.param(5, False, False, id="the collector is off"),
    ],
)
def test_after_many_steps_all_is_collected_when_the_user_pauses(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, steps: int, is_enabled: bool, is_collected: bool
) -> None:
    monkeypatch.setattr(garbage_collection, "_MANY_STEPS", 5)
    monkeypatch.setattr(garbage_collection, "_IDLE_MS", 20)
    with without_gc_pause():
        unused = weakref.ref(Knot())
    parent = QObject()
    collector = IdleCollector(parent)
    if not is_enabled:
        gc.disable()
    try:
        for _ in range(steps):
            collector.note_step()
        assert unused() is not None
        qtbot.wait(100)
        assert (unused() is None) == is_collected
    finally:
        gc.enable()
