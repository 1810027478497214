"""The selection stays while layers are added, and napari shows no other controls meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_segcam.viewer.layers.selection import keep_selection
from napari_segcam.viewer.napari_internals.replacement import PLAIN_NAPARI


@pytest.mark.parametrize("is_plain", [False, True])
def test_an_added_layer_is_not_selected(is_plain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLAIN_NAPARI, str(int(is_plain)))
    viewer = ViewerModel()
    first, second = (viewer.add_image(np.zeros((4, 5)), name=name) for name in ("first", "second"))
    viewer.layers.selection = {first}
    chosen: list[object] = []
    viewer.layers.selection.events.active.connect(lambda event: chosen.append(event.value))
    with keep_selection(viewer.layers):
        viewer.add_labels(np.zeros((4, 5), np.uint8))
        viewer.layers.remove(second)
    assert viewer.layers.selection == {first}
    assert viewer.layers.selection.active is first
    assert (chosen == []) != is_plain
    third = viewer.add_image(np.zeros((4, 5)))
    assert viewer.layers.selection.active is third  # the user's own layers are selected as ever


def test_the_selection_is_as_ever_after_a_failure() -> None:
    viewer = ViewerModel()
    first = viewer.add_image(np.zeros((4, 5)))
    with pytest.raises(ZeroDivisionError), keep_selection(viewer.layers):
        raise ZeroDivisionError
    second = viewer.add_image(np.zeros((4, 5)))
    assert viewer.layers.selection.active is second
    assert first in viewer.layers
