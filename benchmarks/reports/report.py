"""Time and size of the report of 500 images, against the bars of 60 s and 30 MB.

    python benchmarks/reports/report.py [--images 500] [--keep FOLDER]

The run is synthetic: one class, one method, ten stages, and sheets of about 40 KB each, all different.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_segcam.reporting.report.writing import write_report
from napari_segcam.reporting.run_format import FORMAT

STAGES = [f"encoder_{number}" for number in range(1, 6)] + [f"decoder_x_0_{number}" for number in range(5)]
SHEET_BYTES = 40_000
EMPTY = "the network found nothing of this class in the frame, so there is no region to explain"
MAX_SECONDS, MAX_MEGABYTES = 60, 30


def write_synthetic_run(folder: Path, images: int, seed: int = 0) -> None:
    """Write a finished run with synthetic figures, which are consistent like real ones."""
    random = np.random.default_rng(seed)
    options = {"methods": ["gradcam"], "stages": "all", "classes": [""], "region": "mask", "score": "logit"}
    about = {
        "format": FORMAT,
        "napari_segcam": "0.1.0",
        "model": {"checkpoint": "made_up.pth", "sha256": "0" * 64, "architecture": "UnetPlusPlus"},
        "options": options,
        "data": {"source": "data", "count": images, "num_samples": None, "seed": 0, "truth": "truth"},
        "versions": {"torch": "2.10"},
        "started": "2026-01-01T12:00:00+00:00",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(about))
    for number in range(images):
        name = f"image_{number:04d}.png"
        home = folder / "images" / name
        home.mkdir(parents=True)
        (home / "sheet.jpg").write_bytes(synthetic_sheet(random))
        rows = list(synthetic_rows(name, random))
        record = {"image": name, "truth": f"truth/{name}", "frames": 1, "shape": [512, 512], "spacing_mm": [0.2, 0.2]}
        (home / "record.json").write_text(json.dumps({**record, "rows": rows, "sheet": "sheet.jpg"}))


def synthetic_rows(name: str, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield the rows of one image."""
    truth = int(random.lognormal(9, 0.6))
    pixels = 0 if random.random() < 0.03 else int(truth * random.lognormal(0, 0.15))
    dice = float(np.clip(random.beta(12, 2), 0, 1)) if pixels else 0.0
    for depth, stage in enumerate(STAGES):
        ratio = float(random.lognormal(0.3 + 0.2 * depth, 0.5)) if pixels else None
        yield {
            "image": name,
            "frame": 0,
            "class": "fibroid",
            "method": "gradcam",
            "stage": stage,
            "mean": float(random.gamma(2, 0.1)),
            "std": float(random.gamma(2, 0.1)),
            "inside": ratio,
            "outside": 1.0 if pixels else None,
            "ratio": ratio,
            "undefined": None if pixels else EMPTY,
            "truth_ratio": ratio and ratio * dice,
            "truth_undefined": None if pixels else EMPTY,
            "dice": dice,
            "iou": dice / (2 - dice),
            "overlap_undefined": None,
            "pixels": pixels,
            "area_mm2": pixels * 0.04,
            "truth_pixels": truth,
            "truth_area_mm2": truth * 0.04,
            "probability": 0.9 if pixels else None,
            "empty": "" if pixels else EMPTY,
        }


def synthetic_sheet(random: np.random.Generator) -> bytes:
    """Return a JPEG of speckle under smooth color, as large as the sheets of a run."""
    speckle = np.asarray(Image.fromarray(random.gamma(2, 40, (200, 280)).astype(np.uint8)).resize((800, 600)))
    color = np.asarray(Image.fromarray(random.integers(0, 255, (4, 5, 3), np.uint8)).resize((800, 600)))
    picture = Image.fromarray(np.clip(0.5 * speckle[..., None] + 0.5 * color, 0, 255).astype(np.uint8))
    content = io.BytesIO()
    for quality in range(80, 10, -8):
        content = io.BytesIO()
        picture.save(content, format="JPEG", quality=quality)
        if content.tell() <= SHEET_BYTES:
            break
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="Keep the run and its report in this folder.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        write_synthetic_run(folder, options.images)
        for pdf in (False, True):
            start = time.perf_counter()
            written = write_report(folder, pdf=pdf)
            seconds = time.perf_counter() - start
            megabytes = ", ".join(f"{path.suffix[1:]} {path.stat().st_size / 1e6:.1f} MB" for path in written)
            passes = seconds < MAX_SECONDS and all(path.stat().st_size < MAX_MEGABYTES * 1e6 for path in written)
            print(
                f"{options.images} images, {'HTML and PDF' if pdf else 'HTML only'}: {seconds:.1f} s, {megabytes}"
                f" – {'within' if passes else 'BEYOND'} the bar of {MAX_SECONDS} s and {MAX_MEGABYTES} MB"
            )


if __name__ == "__main__":
    main()
