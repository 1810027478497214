"""A planted study of 40 cases: what is wrong with it must be on the first page of its report."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from studies import write_list, write_run


class Planted(NamedTuple):
    """The files of the study.

    Attributes:
        run: the folder of the run.
        cases: the list of cases, one of which the run does not have: P99.
        subgroups: the list of probes; the masks of the linear one are bad.
    """

    run: Path
    cases: Path
    subgroups: Path


BAD = "linear"
DUPLICATED = ("P07", "P23")
SHORTCUT = "P31"


def planted_study(folder: Path) -> Planted:
    """Write a study of 40 cases, P00 to P39, of which every fifth has a cine and a still."""
    generator = np.random.default_rng(7)
    images: dict[str, list[dict[str, object]]] = {}
    lists: list[str] = []
    probes: list[str] = []
    for number in range(40):
        case = f"P{number:02d}"
        probe = BAD if number % 5 == 1 else ("convex", "phased")[number % 2]
        probes.append(f"{case},{probe},{30 + number}")
        names = [f"{case}_still.png", *([f"{case}_cine.avi"] if number % 5 == 0 else [])]
        for name in names:
            lists.append(f"{name},{case}")
            images[name] = [
                {
                    "dice": float(np.clip(generator.normal(0.55 if probe == BAD else 0.88, 0.04), 0, 1)),
                    "truth_area_mm2": 10.0 + number,
                    "overlay_effect": 0.61 if case == SHORTCUT else 0.01,
                    "overlay_effect_null": 0.02,
                    "overlay_effect_p": 0.02 if case == SHORTCUT else 0.6,
                }
                for _ in range(6 if name.endswith("avi") else 1)
            ]
    same = {f"{case}_still.png": "the same content" for case in DUPLICATED}
    return Planted(
        write_run(folder / "run", images, checksums=same),
        write_list(folder / "cases.csv", "image,case", [*lists, "P99_still.png,P99"]),
        write_list(folder / "subgroups.csv", "case,probe,age", probes),
    )
