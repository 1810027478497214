"""What each switch of `napari_segcam.tuning` gains on this machine, as a ratio to the same passes without it.

    python benchmarks/tuning.py [--rounds 10] [--passes 3] [--side 640] [--encoder resnet34]

Each variant runs in a process of its own, and they take turns. A pass is the mask and ten heatmaps of one frame on the
CPU, 12 ms after the previous pass.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from multiprocessing.connection import Connection
from unittest import mock

from measuring import median_ratio
from rich.console import Console
from rich.table import Table

PAUSE = 0.012  # seconds between two frames, about what a command does there

_OFF = {"NAPARI_SEGCAM_TUNING": "off", "GOMP_SPINCOUNT": "300000"}  # libgomp's own number
VARIANTS = {
    "off": _OFF,
    "keep_freed_memory": {"GOMP_SPINCOUNT": "300000"},
    "keep_threads_awake": {"NAPARI_SEGCAM_TUNING": "off", "GOMP_SPINCOUNT": "20000000"},
}


def serve(pipe: Connection, encoder: str, side: int) -> None:
    """Run as many passes as are requested; answer with seconds, processor seconds and page faults a pass."""
    from rivals.contest import Contest

    contest = Contest(encoder, side)
    while passes := pipe.recv():
        seconds, before = 0.0, resource.getrusage(resource.RUSAGE_SELF)
        for _ in range(passes):
            time.sleep(PAUSE)
            start = time.perf_counter()
            contest.maps(contest.stages)
            seconds += time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        pipe.send([total / passes for total in (seconds, processor, after.ru_minflt - before.ru_minflt)])


def measure(encoder: str, side: int, rounds: int, passes: int) -> dict[str, list[list[float]]]:
    """Return what `serve` answers, for each variant and round."""
    context, pipes = multiprocessing.get_context("spawn"), {}
    for name, environment in VARIANTS.items():
        pipes[name], theirs = context.Pipe()
        with mock.patch.dict(os.environ, environment):
            context.Process(target=serve, args=(theirs, encoder, side), daemon=True).start()
    results: dict[str, list[list[float]]] = {name: [] for name in VARIANTS}
    for number in range(rounds + 1):  # the first one does not count
        for name, pipe in pipes.items():
            pipe.send(passes)
            answer = pipe.recv()
            if number:
                results[name].append(answer)
    for pipe in pipes.values():
        pipe.send(0)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--passes", type=int, default=3, help="in each round")
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--encoder", default="resnet34")
    options = parser.parse_args()
    results = measure(options.encoder, options.side, options.rounds, options.passes)
    table = Table("", "ms a pass", "× off", "× off, processor time", "page faults", title=f"{options.side} px")
    for name, rounds in results.items():
        seconds, processor, faults = zip(*rounds, strict=True)
        base_seconds, base_processor, _ = zip(*results["off"], strict=True)
        table.add_row(
            name,
            f"{1000 * statistics.median(seconds):.0f}",
            f"{median_ratio(seconds, base_seconds):.3f}",
            f"{median_ratio(processor, base_processor):.3f}",
            f"{statistics.median(faults):,.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
