"""Time an image and memory of the process over a batch of many small images: whether they grow.

    python benchmarks/many_images.py [--images 3000] [--side 64] [--encoder resnet18]

Bars: the last tenth of the images takes at most 1.15 times as long an image as the second tenth, and the process's
memory grows by at most 50 MB from the second tenth to the last. Opening the finished run again is timed too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import awake  # noqa: F401
import numpy as np
import psutil
import segmentation_models_pytorch as smp
import torch
from measuring import machine
from PIL import Image
from rich.console import Console

import napari_segcam as sc

MAX_SLOWDOWN, MAX_GROWTH_MB = 1.15, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--side", type=int, default=64, help="of the square images, pixels")
    parser.add_argument("--encoder", default="resnet18")
    options = parser.parse_args()

    torch.manual_seed(0)
    network = sc.Network.from_module(smp.Unet(options.encoder, encoder_weights=None).eval(), device="cpu")
    console, process, tenth = Console(width=120), psutil.Process(), options.images // 10
    with tempfile.TemporaryDirectory() as temporary:
        images = Path(temporary) / "images"
        images.mkdir()
        rng = np.random.default_rng(0)
        for number in range(options.images):
            frame = rng.integers(0, 255, (options.side, options.side), dtype=np.uint8)
            Image.fromarray(frame).save(images / f"{number}.png")
        seconds, memory = [], []
        last = time.perf_counter()
        for _ in sc.run_batch(images, Path(temporary) / "run", network, sc.ExplainOptions(stages="main")):
            now = time.perf_counter()
            seconds.append(now - last)
            memory.append(process.memory_info().rss / 1e6)
            last = now
        start = time.perf_counter()
        image_count = len(
            list(sc.run_batch(images, Path(temporary) / "run", network, sc.ExplainOptions(stages="main")))
        )
        reopened = time.perf_counter() - start
    for number in range(10):
        part = slice(number * tenth, (number + 1) * tenth)
        median = statistics.median(seconds[part]) * 1000
        console.print(f"images {part.start}–{part.stop}: {median:.1f} ms an image, {memory[part][-1]:.0f} MB")
    slower = statistics.median(seconds[-tenth:]) / statistics.median(seconds[tenth : 2 * tenth])
    grown = memory[-1] - memory[2 * tenth - 1]
    console.print(f"The last tenth takes {slower:.2f} of the second's time (bar {MAX_SLOWDOWN}); {machine()}")
    console.print(f"The memory grows by {grown:.0f} MB between them (bar {MAX_GROWTH_MB})")
    console.print(f"The finished run of {image_count} images is read again in {reopened:.1f} s")


if __name__ == "__main__":
    main()
