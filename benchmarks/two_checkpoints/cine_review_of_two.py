"""Cost of a second checkpoint beside the first: the bars of ``cine_review.py`` with both, and what B adds.

    tools/with-display .venv/bin/python benchmarks/two_checkpoints/cine_review_of_two.py [--side 256] [--frames 60]

All ratios are of figures measured in this run. B has the weights of A, so that both take the same time, and computes
masks; A explains its main stages.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))
from cine_review import in_worker, scrub, stop, time_steps
from measuring import machine, save_reference_network, speckle
from ui import wait

from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.controllers import controller_of
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.second_checkpoint.second_controller import SecondController
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.workspace import open_workspace


class Computed:
    """When the computation of each frame starts and ends, by network; times of ``time.perf_counter``."""

    def __init__(self) -> None:
        self.started: dict[tuple[int, int], float] = {}
        self.ended: dict[tuple[int, int], float] = {}
        self.took: list[float] = []
        compute = FrameComputer.compute

        def timed(computer: FrameComputer, frame: int, *arguments: Any) -> Iterator[Any]:
            key, start = (id(computer.plan.network), frame), time.perf_counter()
            self.started.setdefault(key, start)
            for result in compute(computer, frame, *arguments):  # none if the frame is postponed
                yield result
                self.ended[key] = time.perf_counter()
                self.took.append(self.ended[key] - start)

        FrameComputer.compute = timed  # type: ignore[method-assign]


def jump(session: ReviewSession, computed: Computed, of: Any) -> tuple[float, float] | None:
    """Return how long a frame that is missing waits for A to start, and for B to be done; None if none is missing."""
    record = session.record
    assert record is not None
    missing = np.flatnonzero(record.states == FrameState.MISSING)
    if not len(missing):
        return None
    frame = int(missing[len(missing) * 2 // 3])
    start = time.perf_counter()
    session.viewer.dims.set_current_step(0, frame)
    while (id(session.network), frame) not in computed.started:
        wait(5)
    while (id(of), frame) not in computed.ended:
        wait(5)
    return computed.started[id(session.network), frame] - start, computed.ended[id(of), frame] - start


def all_done(session: ReviewSession, controller: SecondController) -> None:
    """Wait until A is done, and B has the frames that A has."""
    while session.is_busy:
        wait(50)
    second = controller.second
    while second is not None and len(second.results.frames()) < len(second.review.results.frames()):
        wait(50)
    wait(1000)


def same_layers(viewer: napari.Viewer) -> napari.Viewer:
    """Return a viewer without the plugin with copies of all layers."""
    plain = napari.Viewer()
    plain.window.resize(1366, 768)
    for layer in viewer.layers:
        data, state, kind = layer.as_layer_data_tuple()
        state["metadata"] = {}
        copied = plain._add_layer_from_data(np.asarray(data).copy(), state, kind)[0]
        copied.visible = layer.visible
        if hasattr(copied, "contour"):
            copied.contour = layer.contour
        if hasattr(layer, "colorbar"):
            copied.colorbar.visible = layer.colorbar.visible
    return plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--encoder", default="efficientnet-b5")
    options = parser.parse_args()
    console, cine = Console(width=110), speckle(options.side, options.frames)
    jumps = random.Random(0).choices(range(options.frames), k=min(40, options.frames))
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.add_image(cine)
    viewer.dims.set_current_step(0, 0)
    open_workspace(viewer)
    session = session_of(viewer)
    controller = controller_of(session, SecondController)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "network.pth"
        save_reference_network(checkpoint, options.encoder)
        source = ModelSource(str(checkpoint))
        session.load(source, "cpu")
        while session.network is None:
            wait(50)
        second = in_worker(session, lambda: source.load("cpu"))
    stages = tuple(stage.name for stage in session.network.select("main"))
    request = RunRequest(stages=stages)

    session.run(request, "visited")
    all_done(session, controller)
    computing = scrub(viewer, jumps)
    stop(session)
    session.review.clear()  # type: ignore[union-attr]
    controller.use(second)
    session.run(request, "visited")
    all_done(session, controller)
    computing_two = scrub(viewer, jumps)
    stop(session)
    session.review.clear()  # type: ignore[union-attr]

    controller.remove()
    controller.use(second)
    computed = Computed()
    session.run(request, "all")
    waits = []
    for _ in range(6):
        waited = jump(session, computed, second)
        if waited is None:
            break
        waits.append(waited)
        wait(1000)
    longest_frame = max(computed.took)
    all_done(session, controller)
    computed.took.clear()
    computed.ended.clear()
    session.review.clear()  # type: ignore[union-attr]
    controller.remove()
    controller.use(second)
    session.run(request, "all")
    all_done(session, controller)
    filling = max(computed.ended.values()) - min(computed.ended.values())

    plain = same_layers(viewer)
    times: dict[str, list[float]] = {"two": [], "plain": [], "one": []}
    for first in range(0, len(jumps), 10):
        for name, window in (("two", viewer), ("plain", plain)):
            window.window._qt_window.raise_()
            wait(500)
            time_steps(window, jumps[-3:])
            times[name] += time_steps(window, jumps[first : first + 10])
    plain.window._qt_window.raise_()
    wait(500)
    of_layers = scrub(plain, jumps)
    plain.close()
    controller.remove()
    wait(1000)
    for first in range(0, len(jumps), 10):
        time_steps(viewer, jumps[-3:])
        times["one"] += time_steps(viewer, jumps[first : first + 10])

    steps = {name: statistics.median(values) for name, values in times.items()}
    table = Table("", "two checkpoints", "compared with", "bar", title=f"{options.frames} frames of {options.side} px")
    stall = max(computing_two) - max(of_layers)
    table.add_row(
        "longest stall, computing and scrubbing",
        f"{max(computing_two):.0f} ms",
        f"{max(of_layers):.0f} ms in napari with the same layers, {max(computing):.0f} ms with one checkpoint",
        f"{stall:.0f} of < 50 ms",
    )
    table.add_row(
        "step to a computed frame",
        f"{steps['two']:.1f} ms",
        f"{steps['plain']:.1f} ms in a viewer with the same layers, {steps['one']:.1f} ms with one checkpoint",
        f"{steps['two'] / steps['plain']:.2f} of ≤ 1.2",
    )
    longest_wait, longest_of_b = (max(times) for times in zip(*waits, strict=True))
    table.add_row(
        "longest wait of the frame in view for A",
        f"{longest_wait:.2f} s",
        f"{longest_frame:.2f} s for the longest frame meanwhile",
        f"{longest_wait / longest_frame:.2f} of ≤ 1",
    )
    table.add_row(
        "longest wait for B's mask in it",
        f"{longest_of_b:.2f} s",
        f"{3 * longest_frame:.2f} s: the frame before, that of A, that of B",
        f"{longest_of_b / (3 * longest_frame):.2f} of ≤ 1",
    )
    table.add_row(
        "filling the cine by both",
        f"{filling:.1f} s for {len(computed.ended)} results",
        f"{sum(computed.took[1:]):.1f} s in which the worker computes frames",
        f"{sum(computed.took[1:]) / filling:.2f} of ≥ 0.95",
    )
    console.print(table)
    console.print(machine())
    viewer.close()


if __name__ == "__main__":
    main()
