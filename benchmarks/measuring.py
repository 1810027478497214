"""Shared by the benchmarks: the reference network, frames, interleaved timing, and peak memory."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from torch import nn

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # for modules that tests and benchmarks share
from networks import with_fitted_norms


def reference_network(encoder: str = "efficientnet-b5", side: int = 256) -> nn.Module:
    """Return U-Net++ with one class and random weights, with batch norms fitted to keep activations realistic."""
    torch.manual_seed(0)
    module = smp.UnetPlusPlus(encoder, encoder_weights=None, classes=1)
    return with_fitted_norms(module, side, images=4).eval()


def save_reference_network(checkpoint: Path, encoder: str, side: int = 256) -> None:
    """Write the reference network's weights from another process.

    OpenMP slows down permanently once two threads of a process have used it; only a viewer's worker should use it.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_save_reference_network, (checkpoint, encoder, side))


def _save_reference_network(checkpoint: Path, encoder: str, side: int) -> None:
    torch.save(reference_network(encoder, side).state_dict(), checkpoint)


def speckle(side: int, frames: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    """Return speckled uint8 frames, ``(side, side)`` or ``(frames, side, side)``."""
    shape = (side, side) if frames is None else (frames, side, side)
    return np.clip(np.random.default_rng(seed).gamma(2.0, 40.0, shape), 0, 255).astype(np.uint8)


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, pause: float = 0
) -> dict[str, list[float]]:
    """Return the seconds of each contestant in each round, after a warm-up round.

    They take turns, so that a machine that slows down or speeds up does so for all of them. The pause before each turn,
    in seconds, is for contestants in separate processes: threads of the previous one may stay awake for a while.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            time.sleep(pause)
            start = time.perf_counter()
            run()
            wait_for_gpu()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def wait_for_gpu() -> None:
    """Wait until an NVIDIA GPU has done what this process has asked of it; kernels run on after their call returns."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def multiply_exactly() -> None:
    """Let an NVIDIA GPU multiply float32 as it is, as the explainer does; torch's default rounds to TF32."""
    torch.backends.cudnn.allow_tf32 = False


def median_ratio(seconds: list[float], base: list[float]) -> float:
    """Return the median over the rounds of one contestant's time divided by another's."""
    return statistics.median(time / base_time for time, base_time in zip(seconds, base, strict=True))


def peak_extra_memory(run: Callable[[], object]) -> float:
    """Return the peak of this process's resident memory above its current state during one run, in MB. Linux only.

    Call it in a new process: memory that an earlier run left in the allocator would not count.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # reset the peak
    run()
    return _status("VmHWM") - before


def _status(key: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(key))


def peak_extra_gpu_memory(run: Callable[[], object]) -> float:
    """Return the peak of the GPU memory that tensors take above the current one during one run, in MB."""
    gc.collect()
    wait_for_gpu()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    wait_for_gpu()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def machine(device: str = "cpu") -> str:
    """Return one line about the machine and torch."""
    place = "CPU" if device == "cpu" else torch.cuda.get_device_name(device)
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads, {place}"
