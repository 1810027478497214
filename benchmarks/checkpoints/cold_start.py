"""Time of a whole command in a fresh process, and of loading a network once the libraries are imported.

    python benchmarks/checkpoints/cold_start.py [--repeats 5]

Each row is the median of fresh processes, all rows in turn. "plain" is with NAPARI_SEGCAM_TUNING=off: timm and
torchvision import torch's compiler, and Python looks through all objects at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from napari_segcam.demo import demo_checkpoint

sys.path.append(str(Path(__file__).parents[1]))
from measuring import machine

CHECKPOINT = str(demo_checkpoint())
COMMAND = "import sys; sys.argv = ['napari-segcam', *sys.argv[1:]]; from napari_segcam.cli import main; main()"
PLAIN = {"NAPARI_SEGCAM_TUNING": "off"}
ROWS: dict[str, tuple[list[str], dict[str, str]]] = {
    "Python imports torch": (["import torch"], {}),
    "Python imports torch, timm and torchvision": (["import torch, timm, torchvision"], {}),
    "napari-segcam --help": ([COMMAND, "--help"], {}),
    "napari-segcam inspect, shipped network": ([COMMAND, "inspect", CHECKPOINT], {}),
    "napari-segcam inspect, shipped network, plain": ([COMMAND, "inspect", CHECKPOINT], PLAIN),
}
LOADING = """
import sys, time
from napari_segcam.network.loading import load_network
from napari_segcam.network.network import Network
start = time.perf_counter()
load_network(sys.argv[1], "cpu")
print(time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for name, (arguments, environment) in ROWS.items():
            seconds.setdefault(name, []).append(seconds_of(arguments, environment))
        loading = run([LOADING, CHECKPOINT], {}).stdout
        seconds.setdefault("load_network, libraries imported, in a fresh process", []).append(float(loading))
    table = Table("", "median s", "longest s")
    for name, measured in seconds.items():
        table.add_row(name, f"{statistics.median(measured):.2f}", f"{max(measured):.2f}")
    console = Console(width=100)
    console.print(machine())
    console.print(table)


def seconds_of(arguments: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    run(arguments, environment)
    return time.perf_counter() - start


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    main()
