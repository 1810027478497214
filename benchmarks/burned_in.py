"""How well burned-in graphics are found and taken away, on real ultrasound with planted ones.

    .venv/bin/python benchmarks/burned_in.py [--every 3]

Calipers, a dotted line and a text are drawn at random places of frames of HC18, usgra-seg and a liver sweep (see the
MANIFEST in ../shared/data). Printed for each kind of frame are the share of the planted pixels that is found, the share
of the other pixels that is marked too, and how far the filled pixels are from the true ones, in percent of the range
from black to white, for two ways of filling. HC18's own gray bar counts as found, not as an error.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

import napari_segcam as sc

Frame = NDArray[np.uint8]
LEVELS = (0.0, 255.0)


def data_folder() -> Path:
    """Return the folder of the frames."""
    ups = Path(__file__).resolve().parents
    found = next((folder for up in ups if (folder := up / "shared/data").is_dir()), None)
    if found is None:
        raise SystemExit("The frames are not here: ../shared/data.")
    return found


def frames(folder: Path, every: int) -> Iterator[tuple[str, Frame]]:
    """Yield some frames of each kind."""
    for kind in ("hc18", "usgra"):
        for path in sorted((folder / kind / "images").glob("*.png"))[::every]:
            with Image.open(path) as image:
                yield f"{kind}, full size", np.asarray(image)
    with np.load(folder / "hc18/hc18_train_384x256.npz") as archive:
        for image in archive["images"][:: 27 * every]:
            yield "hc18, 384 × 256", image
            yield "hc18, 160 × 96", np.asarray(Image.fromarray(image).resize((160, 96), Image.Resampling.BILINEAR))
    cine = sc.open_cine(folder / "cine/liver_sweep.mp4")
    for number in range(0, len(cine), 12 * every):
        yield "liver sweep", np.asarray(cine[number])


def planted(frame: Frame, rng: np.random.Generator) -> tuple[Frame, NDArray[np.bool_]]:
    """Return the frame with graphics at random places that are not black, and which pixels they cover."""
    height, width = frame.shape[:2]
    gray = frame if frame.ndim == 2 else frame.max(2)
    shown = ndimage.uniform_filter(gray.astype(float), 9) > 8
    shown[: height // 8] = shown[-height // 8 :] = False
    shown[:, : width // 8] = shown[:, -width // 3 :] = False
    places = np.argwhere(shown)
    points = places[rng.integers(len(places), size=4)]
    marked = sc.paste_calipers(frame, points[:2], "plus", line=True, value_range=LEVELS)
    marked = sc.paste_calipers(marked, points[2:3], "cross", value_range=LEVELS)
    marked = sc.paste_calipers(marked, points[3:], label="D 1.06 cm", value_range=LEVELS)
    change = np.abs(marked.astype(int) - frame)
    return marked.astype(np.uint8), (change if change.ndim == 2 else change.max(2)) > 40


def compressed(frame: Frame) -> Frame:
    """Return the frame as JPEG leaves it at quality 90."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def blurred_fill(frame: NDArray[np.generic], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the frame with the mask filled by the mean of its surroundings, weighted by a Gaussian."""
    known = (~mask).astype(float)
    values = frame.astype(float) * known
    return np.where(
        mask, ndimage.gaussian_filter(values, 2) / np.maximum(ndimage.gaussian_filter(known, 2), 1e-9), frame
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=3)
    every = parser.parse_args().every
    rng = np.random.default_rng(0)
    results: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for kind, frame in frames(data_folder(), every):
        marked, truth = planted(frame, rng)
        own = sc.find_graphics(frame, value_range=LEVELS).mask
        for storage, stored in (("as drawn", marked), ("JPEG 90", compressed(marked))):
            start = time.perf_counter()
            found = sc.find_graphics(stored, value_range=LEVELS).mask
            seconds = time.perf_counter() - start
            beside = ~ndimage.binary_dilation(truth, np.ones((3, 3)), 2)
            start = time.perf_counter()
            filled = sc.inpaint(stored, truth, LEVELS)
            fill_seconds = time.perf_counter() - start
            one, other, true = (values if values.ndim == 2 else values[..., 0] for values in (filled, stored, frame))
            by_blur = blurred_fill(other, ndimage.binary_dilation(truth, np.ones((3, 3))))
            errors = [float(np.abs(values.astype(float) - true)[truth].mean() / 2.55) for values in (one, by_blur)]
            figures = (found[truth].mean(), found[beside & ~own].mean(), own.mean(), *errors, seconds, fill_seconds)
            results.setdefault((kind, storage), []).append(tuple(float(figure) for figure in figures))
    print("                          frames  found  tissue marked  marked before  error biharmonic / blur  seconds")
    for (kind, storage), rows in results.items():
        found, extra, own_share, smooth, blur, seconds, fill_seconds = np.mean(rows, axis=0)
        print(
            f"{kind + ', ' + storage:28} {len(rows):3}  {found:5.0%}  {extra:12.3%}  {own_share:12.3%}"
            f"  {smooth:12.1f} % / {blur:.1f} %  {seconds:5.2f} + {fill_seconds:.2f}"
        )


if __name__ == "__main__":
    main()
