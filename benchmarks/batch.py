"""Throughput of a batch, with its figures, sheets and files, against the bare explainer on the same frames.

    python benchmarks/batch.py [--images 6] [--side 256] [--rounds 3] [--encoder efficientnet-b5]

The network is U-Net++ with fitted random weights; every image is a PNG file with a true mask. Bars: 0.95 of the bare
loop, which explains decoded frames; 30 ms per image for the metrics of the masks beside the true ones.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import awake  # noqa: F401
import numpy as np
from measuring import interleaved, machine, median_ratio, reference_network, speckle
from PIL import Image
from rich.console import Console

import napari_segcam as sc
from napari_segcam.mask_metrics.metrics import mask_metrics

BAR = 0.95
METRICS_BAR_MS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--side", type=int, default=256, help="of the square frames, pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--encoder", default="efficientnet-b5")
    options = parser.parse_args()

    network = sc.Network.from_module(reference_network(options.encoder, options.side), device="cpu")
    explainer = sc.Explainer(network, stages="main")
    frames = speckle(options.side, options.images)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, frames)

        def bare() -> None:
            for frame in frames:
                explainer(frame)

        # Created before timing: listing the images and preparing the network take the same time for any number.
        batches = iter(
            [
                sc.Batch(folder / "images", folder / f"run_{number}", network, truth=folder / "masks")
                for number in range(options.rounds + 1)
            ]
        )

        def batch() -> None:
            assert not any(result.error for result in next(batches))

        masks = [explainer(frame) for frame in frames]
        truth = true_mask(frames[0].shape)

        def metrics() -> None:
            for found in masks:
                mask_metrics(found.target_mask, truth, found.probabilities[0], (0.2, 0.2), 1.0, found.threshold)

        work = {"bare explainer": bare, "batch": batch, "metrics of the masks": metrics}
        seconds = interleaved(work, options.rounds)
    console = Console(width=120)
    for name, times in seconds.items():
        bar = f" (bar {METRICS_BAR_MS})" if name == "metrics of the masks" else ""
        console.print(f"{name}: {statistics.median(times) / options.images * 1000:.0f} ms per image{bar}")
    share = 1 / median_ratio(seconds["batch"], seconds["bare explainer"])
    console.print(f"The batch has {share:.3f} of the bare explainer's throughput (bar {BAR}); {machine()}")


def write(folder: Path, frames: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> None:
    """Write the frames as PNG files, each with a square as its true mask."""
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "images" / f"{number}.png")
        Image.fromarray(true_mask(frame.shape).astype(np.uint8) * 255).save(folder / "masks" / f"{number}.png")


def true_mask(shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return a square in a frame ``(Y, X)``."""
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = True
    return mask


if __name__ == "__main__":
    main()
