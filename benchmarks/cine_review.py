"""Cost of reviewing a cine in the viewer: stalls, steps, the wait for a frame, and the throughput.

    tools/with-display .venv/bin/python benchmarks/cine_review.py [--side 256] [--frames 120] [--encoder NAME]

A real napari window with all widgets is compared with one without the plugin that holds only the image, or the same
layers with all results. All ratios are of figures measured in this run, those of steps and throughput in turns, since
machines slow down and speed up.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import napari
import numpy as np
from measuring import machine, save_reference_network, speckle
from rich.console import Console
from rich.table import Table
from ui import Gaps, wait

import napari_segcam as sc
from napari_segcam.network.source import ModelSource
from napari_segcam.viewer.frames.cine_record import FrameState
from napari_segcam.viewer.frames.frame_computer import FrameComputer
from napari_segcam.viewer.frames.run_request import RunRequest
from napari_segcam.viewer.review.session import ReviewSession
from napari_segcam.viewer.sessions import session_of
from napari_segcam.viewer.worker.worker import Job
from napari_segcam.viewer.workspace import open_workspace

T = TypeVar("T")


def scrub(viewer: napari.Viewer, frames: Iterable[int]) -> list[float]:
    """Return the gaps in the UI thread while the slider moves to these frames at 20 per second, in ms."""
    gaps = Gaps()
    for frame in frames:
        viewer.dims.set_current_step(0, frame)
        wait(50)
    return gaps.stop()


def time_steps(viewer: napari.Viewer, frames: Iterable[int]) -> list[float]:
    """Return how long steps to these frames take until they are drawn, in ms."""
    canvas, times = viewer.window._qt_viewer.canvas.native, []
    for frame in frames:
        start = time.perf_counter()
        viewer.dims.set_current_step(0, frame)
        canvas.repaint()
        times.append((time.perf_counter() - start) * 1000)
        wait(5)
    return times


def time_explainer(explainer: sc.Explainer, frames: np.ndarray) -> float:
    """Return how long the explainer alone takes for a frame, in seconds, after a warm-up frame."""
    explainer(frames[0])
    start = time.perf_counter()
    for frame in frames:
        explainer(frame)
    return (time.perf_counter() - start) / len(frames)


def fill(session: ReviewSession, request: RunRequest, frames: int, ended_at: list[float]) -> float:
    """Return how long it takes to compute frames of the cine, in seconds a frame, after a warm-up frame."""
    first = len(ended_at)
    session.run(request, "all")
    while len(ended_at) < first + frames + 1:
        wait(50)
    stop(session)
    return (ended_at[-1] - ended_at[first]) / (len(ended_at) - first - 1)


def stop(session: ReviewSession) -> None:
    """Stop computing."""
    session.cancel()
    while session.is_busy:
        wait(20)


def in_worker(session: ReviewSession, work: Callable[[], T]) -> T:
    """Run a function in the worker's thread: OpenMP slows down once two threads of a process have used it."""
    results: list[T] = []

    def steps() -> Iterator[T]:
        yield work()

    session.worker.submit(Job("own", "", steps, on_result=results.append))
    while not results:
        wait(20)
    return results[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--encoder", default="efficientnet-b5")
    options = parser.parse_args()
    count, console = options.frames, Console(width=110)
    cine = speckle(options.side, count)
    jumps = random.Random(0).choices(range(count), k=min(60, count))

    bare = napari.Viewer()
    bare.add_image(cine)
    bare.window.resize(1366, 768)
    wait(1000)
    scrub(bare, range(10))
    alone = scrub(bare, jumps)
    bare.close()

    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.add_image(cine)
    viewer.dims.set_current_step(0, 0)
    open_workspace(viewer)
    session = session_of(viewer)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "network.pth"
        save_reference_network(checkpoint, options.encoder)
        session.load(ModelSource(str(checkpoint)), "cpu")
        while session.network is None:
            wait(50)
    stages = tuple(stage.name for stage in session.network.select("main"))

    session.run(RunRequest(stages=stages), "visited")
    while session.is_busy:
        wait(50)
    computing = scrub(viewer, jumps)

    started_at: dict[int, float] = {}
    ended_at: list[float] = []
    took: list[float] = []
    compute = FrameComputer.compute

    def timed_compute(self, frame, *args):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        started_at.setdefault(frame, start)
        for result in compute(self, frame, *args):  # none if the frame is postponed
            yield result
            ended_at.append(time.perf_counter())
            took.append(ended_at[-1] - start)

    FrameComputer.compute = timed_compute  # type: ignore[method-assign]
    stop(session)
    session.run(RunRequest(stages=stages), "all")
    waits = []
    for _ in range(8):
        record = session.record
        assert record is not None
        missing = np.flatnonzero(record.states == FrameState.MISSING)
        if not len(missing):
            break
        frame = int(missing[len(missing) * 2 // 3])
        start = time.perf_counter()
        viewer.dims.set_current_step(0, frame)
        while frame not in started_at:
            wait(5)
        waits.append(started_at[frame] - start)
        wait(1000)
    longest_frame = max(took)
    stop(session)

    explainer = in_worker(session, lambda: sc.Explainer(session.network, "hirescam", stages))
    request = RunRequest("hirescam", stages=stages)  # without any results yet
    fill(session, request, 1, ended_at)
    explainer_seconds, filling = [], []
    for _ in range(count // 10 - 1):
        explainer_seconds.append(in_worker(session, lambda: time_explainer(explainer, cine[:6])))
        filling.append(fill(session, request, 6, ended_at))
    session.run(request, "all")
    while session.is_busy:
        wait(50)

    wait(1000)
    filled = viewer.layers
    plain = napari.Viewer()
    plain.window.resize(1366, 768)
    for layer in filled:
        data, state, kind = layer.as_layer_data_tuple()
        state["metadata"] = {}
        copied = plain._add_layer_from_data(np.asarray(data).copy(), state, kind)[0]
        copied.visible = layer.visible
        if hasattr(copied, "contour"):
            copied.contour = layer.contour
        if hasattr(layer, "colorbar"):
            copied.colorbar.visible = layer.colorbar.visible
    steps: list[float] = []
    plain_steps: list[float] = []
    for first in range(0, len(jumps), 10):
        for window, times in ((viewer, steps), (plain, plain_steps)):
            window.window._qt_window.raise_()
            wait(500)
            time_steps(window, jumps[-3:])
            times += time_steps(window, jumps[first : first + 10])
    plain.window._qt_window.raise_()
    wait(500)
    same_layers = scrub(plain, jumps)
    plain.close()

    table = Table("", "measured", "compared with", "bar", title=f"Cine review, {count} frames of {options.side} px")
    for content, gaps in (("the image alone", alone), ("the same layers", same_layers)):
        table.add_row(
            "longest stall, computing and scrubbing",
            f"{max(computing):.0f} ms",
            f"{max(gaps):.0f} ms in napari with {content}",
            f"{max(computing) - max(gaps):.0f} of < 50 ms",
        )
        p99 = np.percentile(computing, 99), np.percentile(gaps, 99)
        table.add_row("  99th percentile", f"{p99[0]:.0f} ms", f"{p99[1]:.0f} ms", f"{p99[0] - p99[1]:.0f} ms")
    ratio = statistics.median(steps) / statistics.median(plain_steps)
    table.add_row(
        "step to a computed frame",
        f"{statistics.median(steps):.1f} ms",
        f"{statistics.median(plain_steps):.1f} ms in a viewer with the same layers",
        f"{ratio:.2f} of ≤ 1.2",
    )
    table.add_row(
        "longest wait for the frame in view",
        f"{max(waits):.2f} s",
        f"{longest_frame:.2f} s for the longest frame meanwhile",
        f"{max(waits) / longest_frame:.2f} of ≤ 1",
    )
    table.add_row(
        "filling the cine",
        f"{statistics.median(filling):.3f} s a frame",
        f"{statistics.median(explainer_seconds):.3f} s of the explainer alone, in turns",
        f"{statistics.median(a / b for a, b in zip(explainer_seconds, filling, strict=True)):.2f} of ≥ 0.95",
    )
    console.print(table)
    console.print(machine())
    viewer.close()


if __name__ == "__main__":
    main()
