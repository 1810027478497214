"""How far the sizes of disks and ellipses are off, which is known from analysis: the table of docs/measuring.md.

    python benchmarks/sizes/size_errors.py

Each line is over 40 shapes whose centers lie anywhere between pixels, and which are turned anyhow; lengths in pixels.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ellipe

from napari_segcam.measuring.finding_size import SMALLEST_FOR_PERIMETER, measure_finding

SHAPES = 40
DIAMETERS = (6, 10, 20, 40, 100, 200)


def errors(longest: float, across: float, row: float, random: np.random.Generator) -> tuple[float, ...]:
    """Return the errors of the diameters in pixel widths, and those of perimeter and area as shares."""
    angle = random.uniform(0, math.pi)
    half = longest / 2 + 3
    rows, columns = np.mgrid[-half : half + row : row, -half : half + 1]
    rows, columns = rows + random.uniform(-0.5, 0.5) * row, columns + random.uniform(-0.5, 0.5)
    along, beside = (
        rows * math.sin(angle) + columns * math.cos(angle),
        rows * math.cos(angle) - columns * math.sin(angle),
    )
    mask = (2 * along / longest) ** 2 + (2 * beside / across) ** 2 <= 1
    size = measure_finding(mask, (row, 1.0))
    exact = 2 * longest * float(ellipe(1 - (across / longest) ** 2))
    perimeter = math.nan if size.perimeter is None else size.perimeter / exact - 1
    area = size.area / (math.pi / 4 * longest * across) - 1
    return size.longest.length - longest, size.across.length - across, perimeter, area


def main() -> None:
    """Print the table."""
    random = np.random.default_rng(0)
    print(f"(no perimeter below {SMALLEST_FOR_PERIMETER} pixels)")
    print("| shape | pixels | longest (px) | across (px) | perimeter | area |\n| --- | --- | --- | --- | --- | --- |")
    for name, ratio, row in (("disk", 1.0, 1.0), ("ellipse 3:2", 2 / 3, 1.0), ("disk, 2:1 pixels", 1.0, 2.0)):
        for longest in DIAMETERS:
            table = np.array([errors(longest, ratio * longest, row, random) for _ in range(SHAPES)])
            cells = []
            for column, is_length in zip(table.T, (True, True, False, False), strict=True):
                known = column[~np.isnan(column)]
                if not len(known):
                    cells.append("–")
                    continue
                scale = 1.0 if is_length else 100.0
                unit = "" if is_length else " %"
                cells.append(f"{scale * known.mean():+.2f} ± {scale * np.abs(known).max():.2f}{unit}")
            print(f"| {name} | {longest} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
