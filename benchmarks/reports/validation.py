"""Time and size of the report of 1600 images with its validation, against the bars of 60 s and 40 MB.

    python benchmarks/reports/validation.py [--images 1600] [--keep FOLDER]

The run is that of ``report.py``, with all metrics; every image is a case, with three attributes.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import write_synthetic_run

MAX_SECONDS, MAX_MEGABYTES = 60, 40
CRITERIA = "criteria:\n  - dice >= 0.5 lower bound\n  - dice >= 0.5 every subgroup\n  - hd95 mean <= 9 mm\n"


def add_metrics(folder: Path, seed: int = 0) -> None:
    """Give each row of a run the metrics of masks, with values that are made up."""
    random = np.random.default_rng(seed)
    for path in folder.glob("images/*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        metrics = made_up_metrics(random)
        for row in record["rows"]:
            row.update(metrics)
        path.write_text(json.dumps(record), encoding="utf-8")


def made_up_metrics(random: np.random.Generator) -> dict[str, Any]:
    """Return the metrics of one frame."""
    scores = ("sensitivity", "precision", "specificity", "surface_dice", "boundary_probability", "calibration_error")
    found = int(random.integers(0, 3))
    return {
        **{name: float(random.beta(8, 2)) for name in scores},
        "hd95": float(random.gamma(2, 2)),
        "mean_surface_distance": float(random.gamma(2, 0.5)),
        "surface_unit": "mm",
        "area_difference": float(random.normal(0, 0.2)),
        "area_difference_mm2": float(random.normal(0, 20)),
        "findings_true": 2,
        "findings_found": found,
        "findings_missed": 2 - found,
        "findings_false": int(random.integers(0, 2)),
        "overlay_effect": float(random.beta(1, 20)),
        "overlay_effect_null": 0.05,
        "overlay_effect_p": float(random.uniform()),
    }


def write_lists(folder: Path, images: int, seed: int = 0) -> tuple[Path, Path, Path]:
    """Write the lists of cases and subgroups, and the criteria."""
    random = np.random.default_rng(seed)
    cases, subgroups, criteria = (folder / name for name in ("cases.csv", "subgroups.csv", "criteria.yaml"))
    with cases.open("w", newline="") as first, subgroups.open("w", newline="") as second:
        listed, attributes = csv.writer(first), csv.writer(second)
        listed.writerow(("image", "case"))
        attributes.writerow(("case", "probe", "age", "site"))
        for number in range(images):
            listed.writerow((f"image_{number:04d}.png", f"P{number}"))
            row = (random.choice(["convex", "linear", "phased"]), random.integers(20, 80), random.choice(list("ABCD")))
            attributes.writerow((f"P{number}", *row))
    criteria.write_text(CRITERIA, encoding="utf-8")
    return cases, subgroups, criteria


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1600)
    parser.add_argument("--keep", type=Path, help="Keep the run and its report in this folder.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        run = folder / "run"
        write_synthetic_run(run, options.images)
        add_metrics(run)
        cases, subgroups, criteria = write_lists(folder, options.images)
        lists = ["--cases", str(cases), "--subgroups", str(subgroups), "--criteria", str(criteria)]
        start = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "napari_segcam", "report", str(run), *lists], capture_output=True, check=False
        )
        seconds = time.perf_counter() - start
        if ended.returncode not in (0, 1, 3):
            raise SystemExit(ended.stderr.decode())
        sizes = {name: (run / name).stat().st_size / 1e6 for name in ("report.html", "report.pdf")}
        passes = seconds < MAX_SECONDS and max(sizes.values()) < MAX_MEGABYTES
        words = ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())
        print(
            f"{options.images} images: {seconds:.1f} s, {words} – {'within' if passes else 'BEYOND'} the bar of "
            f"{MAX_SECONDS} s and {MAX_MEGABYTES} MB"
        )
    raise SystemExit(0 if passes else 1)


if __name__ == "__main__":
    main()
