"""Time to open a review of many cases, and to go to the next one, in a real window.

    tools/with-display python benchmarks/review/cases.py [--cases 500]

Bars: the list of 500 cases is there in under 2 s; a prepared case has its first mask in under 0.3 s. Under a load of
other programs the wall time says little: the time of the window's own thread is given beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.imaging.opening import open_cine
from napari_segcam.review.creating import create_project
from napari_segcam.review.project_file import Settings
from napari_segcam.viewer.docks import dock
from napari_segcam.viewer.project.project_controller import ProjectController
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace

MAX_OPENING, MAX_FIRST_MASK = 2.0, 0.3
STEPS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images, project = Path(folder) / "images", Path(folder) / "study.segcam-review"
        images.mkdir()
        picture = np.asarray(open_cine(sample_cine())[FRAME])
        for number in range(options.cases):
            Image.fromarray(np.roll(picture, number, axis=1)).save(images / f"case_{number:04}.png", compress_level=1)
        create_project(project, images, [demo_checkpoint()], Settings())
        is_within = measure(project, options.cases)
    sys.stdout.flush()
    sys.exit(0 if is_within else 1)


def measure(folder: Path, cases: int) -> bool:
    """Print the times of a project; return whether they are within the bars."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    open_workspace(viewer)
    _, widget = dock(viewer, "Cases", tabify=True)
    session = session_of(viewer)
    controller = controller_of(session, ProjectController)
    wait(lambda: False, 2)
    start = time.perf_counter()
    controller.open(folder, "anna")
    wait(lambda: len(widget.table.rows) == cases)  # type: ignore[attr-defined]
    opening = time.perf_counter() - start
    print(f"list of {cases} cases: {opening:.2f} s")
    wall, own = [], []
    for _ in range(STEPS):
        wait(lambda: session.network is not None and not session.is_busy, 120)
        wait(lambda: bool(controller.prefetch.computed), 60)
        wait(lambda: False, 1.5)
        start, start_own = time.perf_counter(), time.thread_time()
        controller.step(1)  # the prepared case is drawn before this returns
        wait(lambda: session.review is not None and session.review.layers.mask is not None)
        wall.append(time.perf_counter() - start)
        own.append(time.thread_time() - start_own)
    mask = statistics.median(wall)
    print(f"first mask of a prepared case, drawn: {mask:.2f} s ({statistics.median(own):.2f} s of the window's thread)")
    controller.close()
    viewer.close()
    return opening < MAX_OPENING and mask < MAX_FIRST_MASK


def wait(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Handle the window's events until a condition holds, or so long."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


if __name__ == "__main__":
    main()
