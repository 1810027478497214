"""Each preference does what it says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import torch

from napari_segcam.budget import HELD_BYTES, PASS_BYTES, STITCHED_BYTES
from napari_segcam.errors import SegcamError
from napari_segcam.explanation.tiles.rule import bytes_per_pixel, tiles_for
from napari_segcam.network import device as device_module
from napari_segcam.network.device import choose_device, use_preferred_threads
from napari_segcam.network.network import Network
from napari_segcam.preferences import present
from napari_segcam.preferences.memory import within_budget
from napari_segcam.preferences.present import change


@pytest.fixture(autouse=True)
def no_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NAPARI_SEGCAM_CONFIG", str(tmp_path))
    present.read_again()
    yield
    present.read_again()


def test_the_memory_budget_decides_between_whole_and_tiles_at_once() -> None:
    torch.manual_seed(0)
    network = Network.from_module(smp.Unet("resnet18", encoder_weights=None), device="cpu")
    side = 2048
    needed = side**2 * bytes_per_pixel(network) / 2**30
    assert 0.5 < needed < 6  # the default budget holds it
    assert tiles_for(network, (side, side)) is None
    change({"memory_gb": math.floor(needed * 10) / 10 - 0.1})
    tiles = tiles_for(network, (side, side))
    assert tiles is not None
    assert f"more than {math.floor(needed * 10) / 10 - 0.1:.3g} GB" in tiles.reason
    change({"memory_gb": 6.0})
    assert tiles_for(network, (side, side)) is None


def test_all_limits_of_memory_follow_the_budget() -> None:
    limits = (PASS_BYTES, HELD_BYTES, STITCHED_BYTES)
    assert [within_budget(limit) for limit in limits] == list(limits)
    change({"memory_gb": 3.0})
    assert [within_budget(limit) for limit in limits] == [limit // 2 for limit in limits]


def test_auto_is_the_preferred_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"
    change({"device": "cpu"})
    assert choose_device("auto").type == "cpu"
    assert choose_device("cuda").type == "cuda"  # what is asked for by name counts


def test_a_preferred_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("NAPARI_SEGCAM_DEVICE", "cuda")
    with pytest.raises(SegcamError, match="preferences"):
        choose_device("auto")


def test_threads_are_set_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(device_module, "_own_threads", None)
    before = torch.get_num_threads()
    try:
        change({"threads": 3})
        use_preferred_threads()
        assert torch.get_num_threads() == 3
        change({"threads": 0})
        use_preferred_threads()
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_openmp_in_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    change({"threads": 3})
    use_preferred_threads()
    assert torch.get_num_threads() == 1
