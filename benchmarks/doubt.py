"""Doubt as a detector of bad masks: which measure ranks them best.

    nice .venv/bin/python benchmarks/doubt.py FOLDER [--frames 70] [--small-views] [--fresh]

Three small networks of different quality segment fetal heads that they were not trained on, as they are and made worse,
and frames of other organs, in which the right answer is nothing. The figure is the area under the risk–coverage curve
(risk = 1 − Dice, 0 where both masks are empty) as a share of that of random order, with a 95 % interval over patients.
FOLDER keeps the trained networks and the doubt of each frame. The exit code is 1 if the default measure misses its bar:
at most 0.6 of random order, and below the mean probability.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from hc18_training import Recipe, load_split, trained_network
from numpy.typing import NDArray
from ranking import Values, correlation_with_dice, interval, ratio_to_random, resamples
from rich.console import Console
from rich.table import Table
from worse_frames import CLEAN, OTHER_ORGAN, Case, cases_of, other_organs

import napari_segcam as sc
from napari_segcam.evidence import doubt as room
from napari_segcam.evidence.doubt.batch_norms import batch_norm_distance, unfamiliarity
from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.doubt.ensemble import ensemble_doubt
from napari_segcam.evidence.doubt.features import pooled_features
from napari_segcam.evidence.doubt.measures import DEFAULT_MEASURE, DOUBT_MEASURES
from napari_segcam.evidence.doubt.measuring import Doubt, doubt
from napari_segcam.evidence.doubt.strong_views import SHIFTS, VIEWS, ViewMaps, view_maps
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.mask_metrics.overlap import overlap
from napari_segcam.network.network import Network

RECIPES = (Recipe(60, 8), Recipe(150, 5), Recipe(600, 3))  # frames × epochs
LEVELS = (0.0, 255.0)
BAR = 0.6
CHEAP = [name for name, measure in DOUBT_MEASURES.items() if measure.needs == "mask"]
_REFERENCES = 60


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one network did with the cases.

    Attributes:
        risk: ``(N,)``.
        doubt: by measure, ``(N,)``.
        masks: on the network's grid, ``(N, h, w)``.
    """

    risk: Values
    doubt: dict[str, Values]
    masks: NDArray[np.bool_]


def measure(network: Network, cases: Sequence[Case], references: Sequence[NDArray[np.uint8]], slow: bool) -> Outcome:
    """Segment the cases, and measure the doubt about each mask by all measures but the ensemble."""
    explainer = sc.Explainer(network, stages=())
    pooled = np.array([pooled_features(network, explainer(frame, None, LEVELS), frame, LEVELS) for frame in references])
    risk, masks, rows = [], [], []
    for number, case in enumerate(cases):
        result = explainer(case.frame, None, LEVELS)
        dice = overlap(result.target_mask, case.truth).dice
        risk.append(0.0 if dice is None else 1 - dice)
        class_map = ClassMap.of_explanation(result)
        assert class_map is not None
        masks.append(class_map.mask)
        values = _by_shared_runs(result, explainer, case.frame)
        for name in [*CHEAP, "features", *(["small_views"] if slow else [])]:
            values[name] = _value(doubt(result, explainer, case.frame, LEVELS, measure=name, references=pooled))
        if number == 0:  # shared runs must change nothing
            for name in ("views", "batch_norms", DEFAULT_MEASURE):
                alone = _value(doubt(result, explainer, case.frame, LEVELS, measure=name))
                np.testing.assert_allclose(values[name], alone, rtol=1e-5)
        rows.append(values)
        if number % 20 == 19:
            print(f"{network.name}: {number + 1} of {len(cases)}", flush=True)
    return Outcome(np.array(risk), {name: np.array([row[name] for row in rows]) for name in rows[0]}, np.array(masks))


def _by_shared_runs(result: Explanation, explainer: sc.Explainer, frame: NDArray[np.uint8]) -> dict[str, float]:
    """Return the doubt by the measures that run the network, each run once."""
    views = view_maps(result, explainer, frame, LEVELS)
    shifts = [0, *(1 + VIEWS.index(view) for view in SHIFTS)]
    distance = batch_norm_distance(explainer.network, result, frame, LEVELS)
    assert distance is not None
    sure = ViewMaps([views.maps[i] for i in shifts], [views.seen[i] for i in shifts]).expected_dice
    norms = unfamiliarity(distance)
    return {"views": views.disagreement, "batch_norms": norms, "views_and_norms": 1 - sure * (1 - norms)}


def _value(measured: Doubt) -> float:
    if measured.value is None:
        raise SystemExit(f"{measured.measure}: {measured.reason}")
    return measured.value


def kept(path: Path, fresh: bool, compute: Callable[[], Outcome]) -> Outcome:
    """Return an outcome from its file, which is written if it is missing."""
    if fresh or not path.is_file():
        outcome = compute()
        np.savez_compressed(path, risk=outcome.risk, masks=outcome.masks, **outcome.doubt)
    with np.load(path) as archive:
        names = [name for name in archive.files if name not in ("risk", "masks")]
        return Outcome(archive["risk"], {name: archive[name] for name in names}, archive["masks"])


def version_of_the_room() -> str:
    """Return a digest of everything that the doubt is computed by."""
    sources = sorted(Path(room.__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources if path.stem != "measures")).hexdigest()[:8]


def with_ensemble(outcomes: list[Outcome]) -> None:
    """Add the disagreement of all networks to the outcome of each."""
    maps = zip(*(outcome.masks for outcome in outcomes), strict=True)
    values = np.array([ensemble_doubt([ClassMap(mask.astype(np.float32), mask) for mask in masks]) for masks in maps])
    for outcome in outcomes:
        outcome.doubt["ensemble"] = values


def mean_ratio(outcomes: Sequence[Outcome], name: str, numbers: NDArray[np.intp]) -> float:
    """Return the mean over the networks of a measure's area as a share of that of random order."""
    return float(np.mean([ratio_to_random(o.doubt[name][numbers], o.risk[numbers]) for o in outcomes]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=70, help="held-back frames")
    parser.add_argument("--small-views", action="store_true", help="measure these too, which takes as long as the rest")
    parser.add_argument("--fresh", action="store_true", help="measure again what the folder keeps")
    options = parser.parse_args()
    torch.set_num_threads(1)
    training, held_back = load_split()
    cases = cases_of(held_back.take(np.arange(options.frames)), share=0.2) + other_organs(sweep_frames=12, every=2)
    references = list(training.images[:_REFERENCES])
    outcomes = []
    for recipe in RECIPES:
        checkpoint = trained_network(options.folder, recipe)
        kind = f"{len(cases)}{'_small' * options.small_views}_{version_of_the_room()}"
        path = options.folder / f"doubt_{checkpoint.stem}_{kind}.npz"
        network = sc.load_network(checkpoint, device="cpu")
        compute = partial(measure, network, cases, references, options.small_views)
        outcomes.append(kept(path, options.fresh, compute))
    with_ensemble(outcomes)
    sys.exit(report(cases, outcomes))


def report(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> int:
    """Print the figures; return 1 if the default measure misses its bar."""
    console = Console(width=118)
    conditions = np.array([case.condition for case in cases])
    groups = {
        "all": np.arange(len(cases)),
        "heads": np.flatnonzero(conditions != OTHER_ORGAN),
        "as they are": np.flatnonzero(conditions == CLEAN),
    }
    draws = resamples([case.source for case in cases])
    for recipe, outcome in zip(RECIPES, outcomes, strict=True):
        means = {name: outcome.risk[conditions == name].mean() for name in dict.fromkeys(conditions)}
        risks = ", ".join(f"{name} {1 - risk:.2f}" for name, risk in means.items())
        console.print(f"Network of {recipe.frames} frames × {recipe.epochs}: mean Dice {risks}")
    table = Table(title=f"{len(cases)} frames, {len(outcomes)} networks: area as a share of random order's")
    for heading in ("measure", "runs", "all (95 %)", *list(groups)[1:], "each network, all", "Spearman with Dice"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    figures = {name: mean_ratio(outcomes, name, groups["all"]) for name in outcomes[0].doubt}
    for name in sorted(figures, key=lambda name: figures[name]):
        low, high = interval(lambda numbers, name=name: mean_ratio(outcomes, name, numbers), draws)
        table.add_row(
            name,
            str(DOUBT_MEASURES[name].runs),
            f"{figures[name]:.2f} ({low:.2f}–{high:.2f})",
            *(f"{mean_ratio(outcomes, name, numbers):.2f}" for numbers in list(groups.values())[1:]),
            " ".join(f"{ratio_to_random(o.doubt[name], o.risk):.2f}" for o in outcomes),
            f"{np.mean([correlation_with_dice(o.doubt[name], o.risk) for o in outcomes]):.2f}",
        )
    best = [f"{np.mean([ratio_to_random(o.risk[n], o.risk[n]) for o in outcomes]):.2f}" for n in groups.values()]
    each = " ".join(f"{ratio_to_random(o.risk, o.risk):.2f}" for o in outcomes)
    table.add_row("perfect order", "", *best, each, "1.00")
    console.print(table)
    low, high = interval(
        lambda n: mean_ratio(outcomes, DEFAULT_MEASURE, n) - mean_ratio(outcomes, "probability", n), draws
    )
    default, usual = figures[DEFAULT_MEASURE], figures["probability"]
    console.print(f"{DEFAULT_MEASURE} − probability: {default - usual:.2f} ({low:.2f} to {high:.2f})")
    passed = default <= BAR and default < usual
    console.print(f"Bar {BAR}, and below the mean probability: {'met' if passed else 'missed'}.")
    return 0 if passed else 1


if __name__ == "__main__":
    main()
