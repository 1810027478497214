"""While a network runs, no thread lets an NVIDIA GPU round float32; afterwards torch's flags are the user's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import napari_segcam as sc
from napari_segcam.network.running.full_precision import RunLock, full_precision

FLAGS = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)  # type: ignore[attr-defined]


def values() -> list[str]:
    return [flag.fp32_precision for flag in FLAGS]


@pytest.fixture(autouse=True)
def _flags_as_before() -> Iterator[None]:
    flags, everything = values(), torch.backends.fp32_precision  # type: ignore[attr-defined]
    yield
    newer(everything, "tf32")
    older(True, "highest")
    for flag, value in zip(FLAGS, flags, strict=True):
        flag.fp32_precision = value


def older(convolutions: bool, products: str) -> None:
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.set_float32_matmul_precision(products)


def newer(everything: str, convolutions: str) -> None:
    torch.backends.fp32_precision = everything  # type: ignore[attr-defined]
    torch.backends.cudnn.conv.fp32_precision = convolutions  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "set_flags",
    [
        partial(older, True, "highest"),
        partial(older, True, "high"),
        partial(older, True, "medium"),
        partial(older, False, "highest"),
        partial(newer, "tf32", "tf32"),
        partial(newer, "ieee", "tf32"),
    ],
    ids=["torch's own", "high", "medium", "exact", "newer flags", "newer flags that differ"],
)
def test_the_flags_are_the_users_again(set_flags: Callable[[], None]) -> None:
    set_flags()
    before = values()
    with full_precision():
        assert values() == ["ieee"] * 3
        with RunLock(), full_precision():
            assert values() == ["ieee"] * 3
        assert values() == ["ieee"] * 3
    assert values() == before


def test_programs_can_read_torchs_older_flags_meanwhile() -> None:
    with full_precision():
        assert torch.backends.cudnn.allow_tf32 is False
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cudnn.allow_tf32 is True


def test_the_last_thread_gives_the_flags_back() -> None:
    before, is_in, may_go = values(), threading.Event(), threading.Event()

    def other() -> None:
        with RunLock():
            is_in.set()
            may_go.wait(10)

    thread = threading.Thread(target=other)
    with RunLock():
        thread.start()
        assert is_in.wait(10), "locks of two networks do not wait for each other"
    assert values() == ["ieee"] * 3
    may_go.set()
    thread.join()
    assert values() == before


def test_an_error_gives_lock_and_flags_back() -> None:
    lock, before = RunLock(), values()
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"), lock:
            raise ValueError("failed")
        assert not lock.locked()
    with lock:
        assert lock.locked()
    assert values() == before


class Watching(nn.Module):
    """Notes torch's flags in each run and on the way back."""

    def __init__(self, seen: list[list[str]]) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 1, 1)
        self.seen = seen

    def __deepcopy__(self, _memo: dict[int, object]) -> Watching:
        copy = Watching(self.seen)
        copy.load_state_dict(self.state_dict())
        return copy

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(values())
        features = self.body(x)
        if features.requires_grad:
            features.register_hook(lambda _gradient: self.seen.append(values()))
        return self.head(features)


@pytest.mark.parametrize("method", ["gradcam", "scorecam", "occlusion", "smoothgrad"])
def test_networks_are_explained_and_measured_in_full_precision(method: str) -> None:
    seen: list[list[str]] = []
    card = sc.ModelCard(input_channels=1, normalization="unit")
    network = sc.Network.from_module(Watching(seen), card, device="cpu", rewrite=False)
    seen.clear()
    frame = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
    explainer, target = sc.Explainer(network, method, ["body"]), sc.Target(region="image")
    result = explainer(frame, target)
    held_frame = explainer.hold(frame)
    held_frame.explain(target)
    held_frame.release()
    explainer.estimate(frame)
    sc.measure_evidence(result, explainer, frame, draws=2)
    assert len(seen) > 10
    assert all(flags == ["ieee"] * 3 for flags in seen)
