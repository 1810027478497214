"""On an NVIDIA GPU, masks, maps and numbers are the CPU's, and a frame that does not fit is computed another way.

Skipped where there is none. ``benchmarks/gpu.py`` measures how fast it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from batches import rows_in, write_checkpoint, write_images
from gpu_methods import METHODS
from networks import with_fitted_norms
from torch import nn
from typer.testing import CliRunner

import napari_segcam as sc
from napari_segcam.cli import app
from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
from napari_segcam.network.repeatability import check_repeatability

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

WHOLE_FRAME = sc.Target(region="image")
ONE_STAGE = ("scorecam", "ablationcam")  # slow with every stage


def module(classes: int = 1) -> nn.Module:
    torch.manual_seed(3)
    unet = smp.UnetPlusPlus(
        "resnet18", encoder_weights=None, classes=classes, encoder_depth=3, decoder_channels=(16, 8, 8)
    )
    return with_fitted_norms(unet, 64).eval()


def network(device: str, dtype: torch.dtype = torch.float64, classes: int = 1) -> sc.Network:
    card = sc.ModelCard(input_channels=3, normalization="unit", classes_overlap=classes > 1)
    return sc.Network.from_module(module(classes).to(dtype), card, device=device)


def frames(number: int, side: int = 64) -> np.ndarray:
    values = np.random.default_rng(5).gamma(2.0, 40.0, (number, side, side))
    return np.clip(values, 0, 255).astype(np.uint8)


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_auto_is_the_gpu_and_the_provenance_names_it() -> None:
    loaded = sc.Network.from_module(module(), device="auto")
    assert loaded.device.type == "cuda"
    assert not loaded.warnings
    assert loaded.form.applied
    assert set(loaded.rewritten) == {stage.name for stage in loaded.stages}
    result = sc.Explainer(loaded)(frames(1)[0], WHOLE_FRAME)
    assert result.provenance["device"].startswith("cuda")
    assert result.provenance["precision"] == "float32"


@pytest.mark.parametrize("method", [*METHODS, "ablationcam", "integrated_gradients"])
def test_maps_in_double_precision_are_those_of_the_cpu(method: str) -> None:
    stages = ["encoder_2"] if method in ONE_STAGE else "all"
    expected, found = (
        sc.Explainer(network(device), method=method, stages=stages)(frames(1)[0]) for device in ("cpu", "cuda")
    )
    assert found.heatmaps
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)  # they are float32
    for name, heatmap in expected.heatmaps.items():
        assert heatmap.values.any(), name
        np.testing.assert_allclose(found.heatmaps[name].values, heatmap.values, atol=1e-4 * abs(heatmap.values).max())


def test_maps_in_single_precision_are_like_the_cpus() -> None:
    expected, explainer = (sc.Explainer(network(device, torch.float32)) for device in ("cpu", "cuda"))
    for frame in frames(4):
        truth, found = expected(frame, WHOLE_FRAME), explainer(frame, WHOLE_FRAME)
        assert (truth.mask != found.mask).mean() < 0.001
        for name, heatmap in truth.heatmaps.items():
            assert correlation(heatmap.values, found.heatmaps[name].values) > 0.999, name


def test_autocast_gives_almost_the_same_maps_of_a_trained_network() -> None:
    on_gpu, frame = sc.load_network(demo_checkpoint(), "cuda"), sc.open_cine(sample_cine())[FRAME]
    truth, found = (sc.Explainer(on_gpu, stages="main", autocast=on)(frame) for on in (False, True))
    assert truth.mask.any()
    assert (truth.mask != found.mask).mean() < 0.002
    for name, heatmap in truth.heatmaps.items():
        assert correlation(heatmap.values, found.heatmaps[name].values) > 0.99, name
    assert [result.provenance["precision"] for result in (truth, found)] == ["float32", "bfloat16 autocast"]


def test_classes_that_overlap_are_those_of_the_cpu() -> None:
    target = sc.Target(class_index=2, region="image")
    expected, found = (
        sc.Explainer(network(device, classes=3), stages="main")(frames(1)[0], target) for device in ("cpu", "cuda")
    )
    np.testing.assert_array_equal(found.mask, expected.mask)
    for name, heatmap in expected.heatmaps.items():
        np.testing.assert_allclose(found.heatmaps[name].values, heatmap.values, atol=1e-4 * heatmap.values.max())


def test_a_batch_gives_the_maps_of_its_frames_alone() -> None:
    explainer = sc.Explainer(network("cuda"))
    cine = frames(7)
    alone = [explainer(frame, WHOLE_FRAME) for frame in cine]
    for result, single in zip(explainer.each(cine, WHOLE_FRAME), alone, strict=True):
        np.testing.assert_array_equal(result.mask, single.mask)
        for name, heatmap in single.heatmaps.items():
            np.testing.assert_allclose(result.heatmaps[name].values, heatmap.values, atol=1e-4 * heatmap.values.max())


def test_evidence_is_that_of_the_cpu() -> None:
    evidence = []
    for device in ("cpu", "cuda"):
        explainer = sc.Explainer(network(device), method="eigencam", stages=["encoder_2"])
        frame = frames(1)[0]
        evidence.append(sc.measure_evidence(explainer(frame, WHOLE_FRAME), explainer, frame, draws=3))
    expected, found = (measured.stages["encoder_2"].faithfulness for measured in evidence)
    assert expected is not None
    assert found is not None
    for name, value in vars(expected).items():
        if isinstance(value, float):
            assert getattr(found, name) == pytest.approx(value, abs=1e-3), name


def test_a_network_on_a_gpu_is_repeatable() -> None:
    on_gpu = network("cuda", torch.float32)
    assert not check_repeatability(on_gpu.module, 3, (64, 64), is_random=False).warnings
    assert not on_gpu.one_frame_at_a_time


@pytest.fixture
def allow() -> Iterator[Callable[[float], None]]:
    """Let this process have so much more of the card than it has now, in bytes."""

    def allow(size: float) -> None:
        torch.cuda.empty_cache()
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + size) / whole)

    yield allow
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def test_batches_that_do_not_fit_become_smaller(allow: Callable[[float], None]) -> None:
    allow(1.2e9)
    cine = frames(16, 384)
    explainer = sc.Explainer(network("cuda", torch.float32))
    results = list(explainer.each(cine, WHOLE_FRAME, batch=16))
    assert results[-1].provenance["device"].startswith("cuda")
    measures = results[-1].provenance["memory"]
    assert measures
    assert all(measure.startswith("batches of at most") for measure in measures)
    torch.cuda.set_per_process_memory_fraction(1.0)
    alone = sc.Explainer(network("cuda", torch.float32))(cine[-1], WHOLE_FRAME)
    assert any(heatmap.values.any() for heatmap in alone.heatmaps.values())
    for name, heatmap in alone.heatmaps.items():
        atol = 0.01 * heatmap.values.max()
        np.testing.assert_allclose(results[-1].heatmaps[name].values, heatmap.values, atol=atol, err_msg=name)


def test_a_frame_that_does_not_fit_is_computed_on_the_cpu(allow: Callable[[float], None]) -> None:
    allow(0.2e9)
    frame = frames(1, 1536)[0]
    result = sc.Explainer(network("cuda", torch.float32))(frame, WHOLE_FRAME)
    assert result.provenance["memory"][-1] == "computed on the CPU, as the device has too little memory"
    assert result.provenance["device"] == "cpu"
    assert result.mask.shape == frame.shape


def test_a_batch_on_the_command_line_gives_the_rows_of_the_cpu(tmp_path: Path) -> None:
    checkpoint, images = write_checkpoint(tmp_path / "unet.pth"), write_images(tmp_path / "data", 3)
    tables = []
    for device in ("cuda", "cpu"):
        options = ("--model", checkpoint, "--device", device, "--stages", "encoder_5", "--out", tmp_path / device)
        done = CliRunner().invoke(app, ["batch", *map(str, (images, *options))])
        assert done.exit_code == 0, done.output
        tables.append(rows_in(tmp_path / device))
    assert len(tables[0]) == len(tables[1]) == 3
    for ours, theirs in zip(*tables, strict=True):
        assert float(ours["pixels"]) == pytest.approx(float(theirs["pixels"]), rel=0.02, abs=20)
