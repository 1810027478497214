"""How long the UI thread stalls while the worker explains a cine: the longest gap between ticks of a 5 ms timer.

    tools/with-display .venv/bin/python benchmarks/ui_stall.py [--side 256] [--frames 20] [--encoder efficientnet-b5]

A real napari window is open with all widgets. The same window idle is measured first, and then again while the frame
slider is moved and nothing else runs.
"""

from __future__ import annotations

import argparse
import time

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from rich.console import Console
from rich.table import Table

from napari_segcam.viewer.libraries import import_torch
from napari_segcam.viewer.session import ReviewSession
from napari_segcam.viewer.work import Request
from napari_segcam.viewer.workspace import open_workspace

_TICK_MS = 5


class Gaps:
    """Gaps between the ticks of a timer in the UI thread, in ms."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(_TICK_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1000)
        self._last = now

    def stop(self) -> list[float]:
        self._timer.stop()
        return self.gaps


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def run_until_done(session: ReviewSession) -> None:
    loop = QEventLoop()
    session.job_changed.connect(lambda: loop.quit() if session.job is None else None)
    loop.exec()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--encoder", default="efficientnet-b5")
    options = parser.parse_args()

    viewer = napari.Viewer()
    import_torch()
    from measuring import machine, reference_network, speckle

    import napari_segcam as sc

    viewer.add_image(speckle(options.side, options.frames))
    open_workspace(viewer)
    session = ReviewSession.of(viewer)
    session.use(sc.Network.from_module(reference_network(options.encoder), device="cpu"))
    assert session.network is not None
    stages = tuple(stage.name for stage in session.network.select("main"))
    session.run(Request(stages=stages), "this")
    run_until_done(session)
    wait(2000)

    measured = {}
    idle = Gaps()
    wait(3000)
    measured["idle"] = idle.stop()

    scrubbing = Gaps()
    for step in range(options.frames):
        viewer.dims.set_current_step(0, step)
        wait(50)
    measured["scrubbing, nothing running"] = scrubbing.stop()

    explaining = Gaps()
    session.run(Request(stages=stages), "all")
    run_until_done(session)
    measured[f"explaining {options.frames} frames, {len(stages)} stages"] = explaining.stop()

    session.run(Request("layercam", stages=stages), "all")
    both = Gaps()
    step = 0
    while session.job is not None:
        step = (step + 1) % options.frames
        viewer.dims.set_current_step(0, step)
        wait(50)
    measured["explaining and scrubbing"] = both.stop()

    table = Table("", "median ms", "p95 ms", "longest ms", title=f"UI thread, {options.side} px, {options.encoder}")
    for name, gaps in measured.items():
        table.add_row(name, f"{np.median(gaps):.1f}", f"{np.percentile(gaps, 95):.1f}", f"{max(gaps):.1f}")
    console = Console(width=110)
    console.print(table)
    console.print(machine())
    viewer.close()


if __name__ == "__main__":
    main()
