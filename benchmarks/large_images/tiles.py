"""A still of 4000 × 3000 pixels with the demo network: in tiles and, with ``--whole``, as one input.

Prints seconds, the peak of memory above that before, and with ``--whole`` the Dice of the masks and how far the
heatmaps are apart. Each way runs in a process of its own. The whole image takes about 10 GB::

    python benchmarks/large_images/tiles.py [--whole] [--rows 3000] [--columns 4000] [--stages main]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def still(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return frames of the sample cine side by side, so that findings have the size that the network knows."""
    from napari_segcam.demo import FRAME, sample_cine
    from napari_segcam.imaging.opening import open_cine

    cine = open_cine(sample_cine())
    height, width = cine[0].shape[:2]
    image = np.zeros((rows, columns, *cine[0].shape[2:]), cine[0].dtype)
    for number, (top, left) in enumerate((y, x) for y in range(0, rows, height) for x in range(0, columns, width)):
        part = cine[FRAME - 8 + 4 * (number % 5)][: rows - top, : columns - left]
        image[top : top + part.shape[0], left : left + part.shape[1]] = part
    return image


def run(whole: bool, stages: str, image: NDArray[np.uint8], out: Path) -> None:
    """Explain the image, print what it costs, and write the mask and the heatmaps."""
    import torch

    import napari_segcam as sc
    from napari_segcam.demo import demo_checkpoint
    from napari_segcam.explanation.tiles import rule

    torch.set_num_threads(2)
    if whole:
        rule.PASS_BYTES = sys.maxsize
    explainer = sc.Explainer(sc.load_network(demo_checkpoint(), device="cpu"), stages=stages)
    explainer(image[:256, :256])
    if not whole:
        cost = explainer.estimate(image)
        print(f"  {cost.layout.words}; estimate {cost.least_seconds:.0f} to {cost.seconds:.0f} s")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    explanation = explainer(image)
    seconds = time.perf_counter() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"  {seconds:.1f} s, {more:.2f} GB more than the {before / 2**20:.2f} GB before", flush=True)
    maps = {name: heatmap.values for name, heatmap in explanation.heatmaps.items()}
    np.savez(out, mask=explanation.mask, **maps)


def compare(whole: Path, tiles: Path) -> None:
    """Print how far two results are apart."""
    first, second = np.load(whole), np.load(tiles)
    both = np.count_nonzero(first["mask"] & second["mask"])
    dice = 2 * both / (np.count_nonzero(first["mask"]) + np.count_nonzero(second["mask"]))
    print(f"Dice {dice:.4f}")
    for name in first.files[1:]:
        difference = np.abs(first[name] - second[name]) / first[name].max()
        correlation = np.corrcoef(first[name].ravel(), second[name].ravel())[0, 1]
        print(f"  {name}: correlation {correlation:.4f}, largest difference {difference.max():.3f} of the maximum")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--columns", type=int, default=4000)
    parser.add_argument("--stages", default="main")
    options = parser.parse_args()
    image = still(options.rows, options.columns)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for name, whole in (("in tiles", False), *([("whole", True)] if options.whole else [])):
            results[name] = Path(folder) / f"{name}.npz"
            print(f"{options.columns} × {options.rows}, {name}", flush=True)
            process = context.Process(target=run, args=(whole, options.stages, image, results[name]))
            process.start()
            process.join()
        if options.whole:
            compare(results["whole"], results["in tiles"])


if __name__ == "__main__":
    main()
