"""The shipped sample and checkpoint do the main job, and real ultrasound goes through it too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_segcam as sc
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine

ROOT = Path(__file__).parents[1]
REAL = ROOT / "../shared/data"
REAL_FILES = (
    "cine/us_multiframe_ybr_30_frames.dcm",
    "dicom/US1_J2KI.dcm",
    "dicom/examples_palette.dcm",
    "hc18/images/000_HC.png",
    "usgra/images/0213.png",
)


@pytest.fixture(scope="module")
def explainer() -> sc.Explainer:
    return sc.Explainer(sc.load_network(demo_checkpoint(), "cpu"), stages="main")


def test_the_demo_network_finds_the_samples_fibroid(explainer: sc.Explainer) -> None:
    cine = sc.open_cine(sample_cine())
    with np.load(ROOT / "sample_data" / "fibroid_sweep_truth.npz") as truths:
        truth = truths["masks"][FRAME] > 0
    result = explainer(cine[FRAME], value_range=cine.value_range)
    found = result.mask > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
    assert all(heatmap.reason is None for heatmap in result.heatmaps.values())
    assert cine.frame_rate == 20
    assert cine.spacing_mm is not None


def test_nothing_is_found_where_there_is_nothing(explainer: sc.Explainer) -> None:
    cine = sc.open_cine(sample_cine())
    result = explainer(cine[0], value_range=cine.value_range)
    assert result.mask.mean() < 0.005


def test_the_demo_network_is_recognized_and_runs_rewritten(explainer: sc.Explainer) -> None:
    network = explainer.network
    assert (network.architecture, network.encoder) == ("UnetPlusPlus", "efficientnet-b0")
    assert network.class_names == ("fibroid",)
    assert network.form.applied
    assert network.form.largest_difference < 1e-3
    assert {stage.name for stage in network.stages} == set(network.rewritten)


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_ultrasound_runs_end_to_end(explainer: sc.Explainer, name: str) -> None:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"real ultrasound is not here: {path}")
    cine = sc.open_cine(path)
    frame = cine[len(cine) // 2]
    result = explainer(frame, sc.Target(region="image"), cine.value_range)
    assert result.mask.shape == frame.shape[:2]
    assert np.isfinite(result.probabilities).all()
    for heatmap in result.heatmaps.values():
        on_frame = heatmap.on_frame()
        assert on_frame.shape == frame.shape[:2]
        assert 0 <= on_frame.min() <= on_frame.max() <= 1
