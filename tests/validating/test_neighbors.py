"""Which cases look alike to the network, against a search over all pairs, and what a report says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import write_run

import napari_segcam as sc
from napari_segcam.batch.image_processing import OutputOptions
from napari_segcam.errors import SegcamError
from napari_segcam.evidence.doubt.feature_space import squared_distances
from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.validating.failures.analysis import FailureAnalysis, analyze_failures
from napari_segcam.validating.failures.shared import ANY_FAILURE, NEAREST
from napari_segcam.validating.failures.sorting import failure_rows
from napari_segcam.validating.pages.failures_section import shared_text

GOOD = {"dice": 0.9, "pixels": 90, "truth_pixels": 100, "findings": 1, "truth_findings": 1}
MISSED = {**GOOD, "dice": 0.0, "pixels": 0}


def run_with(folder: Path, features: dict[str, Any], missed: set[str]) -> FinishedRun:
    """Return a run whose images have these features: of each frame a list of numbers, or None."""
    images = {name: [MISSED if name in missed else GOOD] * len(frames) for name, frames in features.items()}
    write_run(folder, images)
    for path in (folder / "images").glob("*/record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "features": {"frames": features[record["image"]]}}))
    return read_run(folder)


def analyzed(run: FinishedRun, folder: Path, cases: dict[str, str] | None = None) -> FailureAnalysis:
    return analyze_failures(run, sc.validate(folder, cases))


def nearest_of(analysis: FailureAnalysis) -> dict[str, list[str]]:
    (of_class,) = analysis.nearest.values()
    return {case: [one.case for one in others] for case, others in of_class.items()}


def test_distances_are_those_of_every_pair() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(9, 6)) * [1, 10, 0.1, 5, 1, 0] + [0, 3, 0, -100, 7, 2]
    others = rng.normal(size=(20, 6)) * [1, 10, 0.1, 5, 1, 0] + [0, 3, 0, -100, 7, 2]
    found = squared_distances(points, others)
    for i, point in enumerate(points):
        for j, other in enumerate(others):
            parts = [((point[k] - other[k]) / others[:, k].std()) ** 2 for k in range(5)]  # the last has no spread
            assert found[i, j] == pytest.approx(sum(parts), rel=1e-9)


def test_the_nearest_cases_are_those_of_a_search_over_all_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = {f"image_{number}.png": [rng.normal(size=4).tolist()] for number in range(12)}
    analysis = analyzed(run_with(tmp_path, features, {"image_3.png"}), tmp_path)
    points = {name: np.float32(frames[0]) for name, frames in features.items()}
    spread = np.std([*points.values()], axis=0)
    for case, others in nearest_of(analysis).items():
        image = next(one.image for one in analysis.cases if one.case == case)
        distance = {name: np.linalg.norm((points[image] - point) / spread) for name, point in points.items()}
        del distance[image]
        names = {one.case: one.image for one in analysis.cases}
        assert [names[other] for other in others] == sorted(distance, key=lambda name: distance[name])[:3]


def test_failures_that_look_alike_are_named(tmp_path: Path) -> None:
    """Four missed cases are one cluster, six fine ones another; the report says so in words and in the table."""
    missed = {f"missed_{number}.png" for number in range(4)}
    features = {name: [[5.0 + 0.1 * number, 5.0]] for number, name in enumerate(sorted(missed))}
    features |= {f"fine_{number}.png": [[0.1 * number, 0.0]] for number in range(6)}
    analysis = analyzed(run_with(tmp_path, features, missed), tmp_path)
    assert analysis.has_neighbors
    (shared,) = [one for one in analysis.shared if one.attribute == NEAREST and one.kind == ANY_FAILURE]
    assert (str(shared.failures), str(shared.cases)) == ("4 of 4", "4 of 10")
    assert shared_text(shared).startswith("4 of 4 failed cases are nearest in features: mostly to failures")
    rows = {row["image"]: row["nearest"] for row in failure_rows(analysis.cases, analysis.nearest)}
    assert rows["missed_0.png"].count("missed") >= 3
    assert "missed" not in rows["fine_0.png"]


def test_a_case_has_the_mean_over_the_frames_of_all_its_images(tmp_path: Path) -> None:
    """Its two images are far apart, so that only their mean is where its neighbors are."""
    features: dict[str, Any] = {"a.avi": [[-10.0], None, [-10.0]], "b.avi": [[12.0], [12.0]]}
    features |= {f"{number}.png": [[float(number)]] for number in range(-4, 8)}
    cases = {name: "P" if name in ("a.avi", "b.avi") else name for name in features}
    analysis = analyzed(run_with(tmp_path, features, set()), tmp_path, cases)
    assert set(nearest_of(analysis)["P"]) == {"1.png", "0.png", "2.png"}  # (2 × −10 + 2 × 12) / 4 = 1


def test_too_few_cases_and_none_with_features_have_no_neighbors(tmp_path: Path) -> None:
    few = {f"{number}.png": [[float(number)]] for number in range(4)}
    assert not analyzed(run_with(tmp_path / "few", few, set()), tmp_path / "few").has_neighbors
    without = {f"{number}.png": [None] for number in range(9)}
    analysis = analyzed(run_with(tmp_path / "none", without, set()), tmp_path / "none")
    assert not analysis.has_neighbors
    assert {row["nearest"] for row in failure_rows(analysis.cases, analysis.nearest)} == {""}


@pytest.mark.parametrize("features", [3, {"frames": 3}, {"frames": [["x"]]}, {"frames": [[1.0], [1.0, 2.0]]}, {}])
def test_damaged_features_are_refused(tmp_path: Path, features: Any) -> None:
    run_with(tmp_path, {"a.png": [[1.0]]}, set())
    (path,) = (tmp_path / "images").glob("*/record.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "features": features}))
    with pytest.raises(SegcamError, match="features are not numbers"):
        read_run(tmp_path)


def test_only_a_run_that_keeps_features_says_so() -> None:
    assert "features" not in OutputOptions().as_dict()  # so that a run of an earlier version can be resumed
    assert OutputOptions(features=True).as_dict() == {"pictures": True, "overlays": False, "features": True}
