"""What is made to stay is old to the collector at once; it goes on collecting all else."""

from __future__ import annotations

import gc
import weakref

from napari_segcam.viewer.garbage import made_to_stay


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
