"""Metrics of masks in a run: measured once for each frame and class, and kept apart from those of other settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batches import all_files, records_in, rows_in
from PIL import Image
from torch import nn

import napari_segcam as sc
from napari_segcam.batch import metrics_meter
from napari_segcam.batch.image_processing import OutputOptions
from napari_segcam.batch.metrics_meter import MetricsMeter
from napari_segcam.batch.pipeline import FrameExplanation
from napari_segcam.batch.rows import rows_of
from napari_segcam.batch.worker import WorkerSetup, process_in_worker
from napari_segcam.imaging.cine import ArrayCine
from napari_segcam.mask_metrics.columns import METRIC_COLUMNS
from napari_segcam.mask_metrics.metrics import mask_metrics
from napari_segcam.network.model_card import ModelCard
from napari_segcam.network.source import ModelSource
from napari_segcam.reporting.report.finished_run import read_run
from napari_segcam.reporting.report.front import repeat_command
from napari_segcam.reporting.report.writing import write_report
from napari_segcam.reporting.run_format import COLUMNS, RESULTS_SCHEMA

OPTIONS = sc.ExplainOptions(stages=["encoder_5"])
NO_PICTURES = OutputOptions(pictures=False)


class TwoLevels(nn.Module):
    """Organ where brighter than 0.3, core where brighter than 0.6; two layers to explain."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 2, 1)
        for layer, weight, bias in ((self.body, [1.0], [0.0]), (self.head, [20.0, 20.0], [-6.02, -12.02])):
            layer.weight = nn.Parameter(torch.tensor(weight).reshape(layer.weight.shape))
            layer.bias = nn.Parameter(torch.tensor(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def overlapping() -> sc.Network:
    card = ModelCard(input_channels=1, normalization="unit", class_names=("organ", "core"), classes_overlap=True)
    return sc.Network.from_module(TwoLevels(), card, "cpu")


def run_json(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "run.json").read_text(encoding="utf-8")))


def test_two_methods_and_ten_stages_share_one_measurement_of_each_image(
    network: sc.Network, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    monkeypatch.setattr(metrics_meter, "mask_metrics", lambda *given: measured.append(1) or mask_metrics(*given))
    options = sc.ExplainOptions(("gradcam", "hirescam"), "all")
    results = list(
        sc.run_batch(images, tmp_path / "run", network, options, truth=tmp_path / "masks", outputs=NO_PICTURES)
    )
    assert [len(result.rows) >= 20 for result in results] == [True, True, True]
    assert len(measured) == 3
    for result in results:
        metrics = [{name: row[name] for name in METRIC_COLUMNS} for row in result.rows]
        assert all(one == metrics[0] for one in metrics)
        assert metrics[0]["sensitivity"] is not None


def test_classes_that_overlap_have_metrics_and_curves_of_their_own(tmp_path: Path) -> None:
    random, network = np.random.default_rng(0), overlapping()
    frame = random.integers(0, 255, (24, 30), np.uint8)
    truths = {"organ": np.zeros((24, 30), bool), "core": np.zeros((24, 30), bool)}
    truths["organ"][3:20, 4:26] = True
    truths["core"][8:15, 10:20] = True
    for path, pixels in (
        ("images/h.png", frame),
        *((f"masks/h_{name}.png", mask.astype(np.uint8)) for name, mask in truths.items()),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / path)
    options = sc.ExplainOptions(classes=("organ", "core"), stages=["body"])
    (result,) = sc.run_batch(tmp_path / "images", tmp_path / "run", network, options, truth=tmp_path / "masks")
    explanation = sc.Explainer(network, stages=["body"])(frame)
    (record,) = records_in(tmp_path / "run")
    assert [(curve["frame"], curve["class"]) for curve in record["curves"]] == [(0, "organ"), (0, "core")]
    for index, (row, curve) in enumerate(zip(result.rows, record["curves"], strict=True)):
        truth = truths[row["class"]]
        expected = mask_metrics(
            explanation.class_mask(index), truth, explanation.probabilities[index], None, 1.0, explanation.threshold
        )
        assert {name: row[name] for name in METRIC_COLUMNS} == expected.row
        assert (row["surface_unit"], row["findings_true"]) == ("px", 1)
        assert {name: curve[name] for name in ("reliability", "thresholds")} == json.loads(json.dumps(expected.curves))
        assert curve["thresholds"]["operating_point"]["dice"] == row["dice"]
    assert result.rows[0]["sensitivity"] != result.rows[1]["sensitivity"]


def test_a_calibrated_image_has_distances_in_mm_and_classes_that_exclude_each_other_no_threshold() -> None:
    pytest.importorskip("monai")
    module = nn.Sequential(nn.Conv2d(1, 2, 1))
    card = ModelCard(input_channels=1, normalization="unit", class_names=("background", "organ"))
    network = sc.Network.from_module(module, card, "cpu")
    frame = np.random.default_rng(1).integers(0, 255, (20, 20), np.uint8)
    explanation = sc.Explainer(network, stages=[])(frame, target=sc.Target(1, region="image"))
    truth = ~explanation.target_mask
    truth[:10] = explanation.target_mask[:10]
    meter = MetricsMeter((0.2, 0.3), 0.25)
    metrics = meter.of(FrameExplanation(0, frame, explanation, truth))
    assert metrics is not None
    expected = mask_metrics(explanation.target_mask, truth, explanation.probabilities[1], (0.2, 0.3), 0.25, None)
    assert metrics.row == expected.row
    assert metrics.row["surface_unit"] == "mm"
    difference = int(explanation.target_mask.sum()) - int(truth.sum())
    assert metrics.row["area_difference_mm2"] == pytest.approx(difference * 0.2 * 0.3)
    assert meter.curves[0]["thresholds"]["operating_point"]["threshold"] is None
    assert metrics.curves["thresholds"]["operating_point"]["dice"] is not None


def test_each_frame_of_a_cine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(metrics_meter, "mask_metrics", lambda *given: measured.append(1) or mask_metrics(*given))
    network = overlapping()
    frames = np.random.default_rng(2).integers(0, 255, (2, 16, 16), np.uint8)
    cine, truth = ArrayCine(frames), np.ones((16, 16), bool)
    meter = MetricsMeter(None, 1.0)
    found = []
    for number in (0, 1):
        for _method in range(2):
            explanation = sc.Explainer(network, stages=["body"])(cine[number], target=sc.Target(0))
            found.append(meter.of(FrameExplanation(number, cine[number], explanation, truth)))
    assert len(measured) == len(meter.curves) == 2
    assert found[0] is found[1]
    assert found[0] != found[2]
    assert meter.of(FrameExplanation(2, cine[1], explanation, None)) is None


def test_a_classifier_has_a_reason_in_place_of_metrics() -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    card = ModelCard(input_channels=1, normalization="unit", class_names=("a", "b", "c"))
    network = sc.Network.from_module(module, card, "cpu")
    frame = np.random.default_rng(3).integers(0, 255, (16, 16), np.uint8)
    explanation = sc.Explainer(network, stages=["0"])(frame)
    truth = np.ones((16, 16), bool)
    meter = MetricsMeter(None, 1.0)
    metrics = meter.of(FrameExplanation(0, frame, explanation, truth))
    assert (metrics, meter.curves) == (None, [])
    (row,) = rows_of("image", 0, explanation, truth, None, metrics=metrics)
    assert list(row) == list(COLUMNS)
    assert row["surface_undefined"] == "the network classifies the whole frame: it gives no mask"
    assert row["findings_true"] is None


def test_a_run_says_its_schema_tolerance_and_what_measures_distances(
    network: sc.Network, images: Path, tmp_path: Path
) -> None:
    monai = pytest.importorskip("monai")
    options = replace(OPTIONS, tolerance=2.5)
    results = list(sc.run_batch(images, tmp_path / "run", network, options, truth=tmp_path / "masks"))
    run = run_json(tmp_path / "run")
    assert run["results_schema"] == RESULTS_SCHEMA == 2
    assert run["metrics"] == {"tolerance": 2.5, "surface_distances": f"MONAI {monai.__version__}"}
    assert "tolerance" not in run["options"]
    assert "--tolerance 2.5" in repeat_command(read_run(tmp_path / "run"))
    again = list(sc.run_batch(images, tmp_path / "run", network, options, truth=tmp_path / "masks"))
    assert [result.earlier for result in again] == [True, True, True]
    before = all_files(tmp_path / "run")
    with pytest.raises(sc.SegcamError, match=r"tolerance was 2\.5, now 1\.0"):
        sc.run_batch(images, tmp_path / "run", network, OPTIONS, truth=tmp_path / "masks")
    assert all_files(tmp_path / "run") == before
    wide = list(
        sc.run_batch(images, tmp_path / "wide", network, replace(OPTIONS, tolerance=99.0), truth=tmp_path / "masks")
    )
    for narrow, other in zip(results, wide, strict=True):
        assert narrow.rows[0]["hd95"] == other.rows[0]["hd95"]
        assert narrow.rows[0]["surface_dice"] < other.rows[0]["surface_dice"] == 1


def test_without_true_masks_there_is_no_metric_and_nothing_depends_on_the_tolerance(
    network: sc.Network, images: Path, tmp_path: Path
) -> None:
    list(sc.run_batch(images, tmp_path / "run", network, OPTIONS))
    assert "metrics" not in run_json(tmp_path / "run")
    assert {row["surface_undefined"] for row in rows_in(tmp_path / "run")} == {"there is no true mask"}
    assert [record["curves"] for record in records_in(tmp_path / "run")] == [[], [], []]
    again = list(sc.run_batch(images, tmp_path / "run", network, replace(OPTIONS, tolerance=7)))
    assert all(result.earlier for result in again)


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_a_tolerance_that_is_no_distance_is_refused(
    network: sc.Network, images: Path, tmp_path: Path, tolerance: float
) -> None:
    with pytest.raises(sc.SegcamError, match="is no distance: give 0 or more"):
        sc.run_batch(images, tmp_path / "run", network, replace(OPTIONS, tolerance=tolerance), truth=tmp_path / "masks")
    assert not (tmp_path / "run").exists()


def as_schema_1(run: Path) -> None:
    """Make a run what an earlier version wrote, without metrics of masks."""
    settings = run_json(run)
    del settings["results_schema"], settings["metrics"]
    (run / "run.json").write_text(json.dumps({**settings, "started": "2026-01-02T03:04:05+00:00"}), encoding="utf-8")
    for path in run.glob("images/*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        del record["curves"]
        record["rows"] = [{name: row[name] for name in row if name not in METRIC_COLUMNS} for row in record["rows"]]
        path.write_text(json.dumps(record), encoding="utf-8")


def test_a_run_of_an_earlier_version_is_reported_as_it_is_and_measured_when_resumed(
    network: sc.Network, images: Path, tmp_path: Path
) -> None:
    def resumed(**options: Any) -> list[bool]:
        given = replace(OPTIONS, **options)
        results = sc.run_batch(images, tmp_path / "run", network, given, truth=tmp_path / "masks")
        return [result.earlier for result in results]

    resumed()
    expected = all_files(tmp_path / "run")
    as_schema_1(tmp_path / "run")
    assert "hd95" not in read_run(tmp_path / "run").images[0].rows[0]
    write_report(tmp_path / "run", tmp_path / "report.html", pdf=False)
    assert "encoder_5" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(sc.SegcamError, match="region was mask, now image"):
        resumed(region="image")
    assert resumed() == [False, False, False]
    assert all_files(tmp_path / "run") == expected
    run = run_json(tmp_path / "run")
    assert (run["results_schema"], run["started"]) == (2, "2026-01-02T03:04:05+00:00")
    assert run["metrics"]["tolerance"] == 1
    with pytest.raises(sc.SegcamError, match="tolerance was"):
        resumed(tolerance=3)


def test_a_worker_that_measures_with_something_else_is_refused(
    checkpoint: Path, network: sc.Network, images: Path
) -> None:
    from napari_segcam.batch.images import images_of
    from napari_segcam.batch.provenance import metrics_record, network_record, versions

    setup = WorkerSetup(
        ModelSource(str(checkpoint), device="cpu"),
        OPTIONS,
        NO_PICTURES,
        None,
        1,
        network_record(network),
        versions(),
        {**metrics_record(1.0), "surface_distances": "MONAI 0.1"},
    )
    with pytest.raises(sc.SegcamError, match=r"A worker has (MONAI [\d.]+|no MONAI), but this run uses MONAI 0\.1"):
        process_in_worker(setup, images_of(images)[0])
