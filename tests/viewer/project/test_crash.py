"""A crash at any moment: what was acknowledged is there again, once, and the view is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from random_actions import Reader, wait_for_mask

import napari_segcam
from napari_segcam.review.log.mask_files import read_mask
from napari_segcam.review.log.reading import read_log
from napari_segcam.review.log.state import state_of
from napari_segcam.viewer.project.view_content import view_of

ACTIONS = 200
REOPENED = range(24, ACTIONS, 25)  # the copies that are opened in a session; all are read


@pytest.mark.slow
def test_a_copy_after_each_of_200_random_actions_holds_all_of_them(
    project: Path, open_window: Callable, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(project)
    session, controller = window.session, window.controller
    wait_for_mask(qtbot, session)
    reader = Reader(session, controller, 7, qtbot.waitUntil)
    rater = project / "raters" / "anna"
    seen = []
    for number in range(ACTIONS):
        reader.act()
        wait_for_mask(qtbot, session)
        controller.keep_view()  # as it is kept half a second later
        assert controller.log.flush(10)
        copy = tmp_path / f"copy_{number}.jsonl"
        shutil.copy(rater / "log.jsonl", copy)  # what a kill now would leave
        content = read_log(copy)
        assert not content.warnings
        assert content.events == controller.log.events
        assert [event.n for event in content.events] == list(range(1, len(content.events) + 1))
        assert state_of(content.events) == controller.log.state
        reading = controller.reading
        for (frame, of_class), event in controller.state.corrections.items():
            shown = session.review.layers.pair(of_class).corrections.pixels(frame)
            assert np.array_equal(read_mask(rater / "masks", event.mask), shown)
        assert {frame for frame, _ in controller.state.corrections} == session.review.layers.corrected
        if number in REOPENED:
            folder = tmp_path / f"copy_{number}.segcam-review"
            shutil.copytree(project, folder, ignore=shutil.ignore_patterns("*.lock"))
            corrections = {
                frame: session.review.layers.pair("").corrections.pixels(frame).copy()
                for frame in session.review.layers.corrected
            }
            view = view_of(session.viewer, session.review)
            seen.append((folder, reading, corrections, view, session.threshold, len(content.events)))
    kinds = {event.kind for event in controller.log.events}
    assert {"correction", "verdict", "note", "grade", "undo", "redo", "view", "case_done", "case_opened"} <= kinds
    for folder, reading, corrections, view, threshold, count in seen:
        again = open_window(folder)
        assert again.controller.log.events[count].kind == "started"  # nothing is written twice
        assert again.controller.reading == reading
        layer = again.session.review.layers.pair("").corrections
        assert layer.frames == corrections.keys()
        for frame, pixels in corrections.items():
            assert np.array_equal(layer.pixels(frame), pixels)
        wait_for_mask(qtbot, again.session)
        assert again.session.threshold == pytest.approx(again.controller.settings.values.get("threshold", threshold))
        restored = view_of(again.session.viewer, again.session.review)
        for part in ("frame", "order", "ndisplay", "camera"):
            assert restored[part] == view[part]
        assert restored["layers"]["image"] == view["layers"]["image"]
        again.controller.close()


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "actions"), [(1, 12), (2, 45)])
def test_after_kill_9_everything_acknowledged_is_there_once(
    project: Path, open_window: Callable, seed: int, actions: int
) -> None:
    script = Path(__file__).with_name("killed_session.py")
    package = Path(napari_segcam.__file__).parents[1]
    path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, str(script), str(project), str(seed)],
        env=os.environ | {"PYTHONPATH": path, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        saved = 0
        for line in process.stdout or ():
            if line.startswith("saved"):
                saved = int(line.split()[1])
            if saved >= actions:
                break
        process.kill()  # SIGKILL: nothing is cleaned up
        # what was said before the kill, but not read yet, counts too
        left = [line for line in process.stdout or () if line.startswith("saved") and line.endswith("\n")]
        saved = max([saved, *(int(line.split()[1]) for line in left)])
    assert saved >= actions
    again = open_window(project)
    numbers = [event.n for event in again.controller.log.events]
    assert numbers == list(range(1, len(numbers) + 1))
    before = [event for event in again.controller.log.events if event.session == again.controller.log.events[0].session]
    assert len(before) >= saved
    layer = again.session.review.layers.pair("").corrections
    for (frame, _), event in again.controller.state.corrections.items():
        assert np.array_equal(again.controller.log.labels(event.mask), layer.pixels(frame))
