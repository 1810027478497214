"""Full precision: products of float32 on NVIDIA GPUs, whose factors torch would round."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import torch

_inside = 0  # threads and blocks that rely on torch's flags
_flags = ExitStack()
_flags_lock = threading.Lock()


@contextmanager
def full_precision() -> Iterator[None]:
    """Let NVIDIA GPUs multiply float32 as it is in this block, in all threads.

    By default torch rounds the factors of convolutions there to TF32, which has 10 bits for its digits instead of 23: a
    mask and its heatmaps would differ from the CPU's in the third digit, though they are called float32. Autocast is
    the way to be faster and less exact, and says so. Where several threads are in such a block, the first sets torch's
    flags, and the last gives them back.
    """
    global _inside
    with _flags_lock:
        if _inside == 0:
            _flags.enter_context(_multiplying_exactly())
        _inside += 1
    try:
        yield
    finally:
        with _flags_lock:
            _inside -= 1
            if _inside == 0:
                _flags.close()


@contextmanager
def _multiplying_exactly() -> Iterator[None]:
    """Set torch's flags in this block; afterwards they are as they were."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    flags: tuple[Any, ...] = (cudnn.conv, cudnn.rnn, matmul)  # type: ignore[attr-defined]
    before = [flag.fp32_precision for flag in flags]
    old_flags = _old_flags()
    if old_flags is not None:  # else torch would refuse to read them in this block
        cudnn.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
    for flag in flags:
        flag.fp32_precision = "ieee"
    try:
        yield
    finally:
        if old_flags is not None:
            cudnn.allow_tf32, products = old_flags
            torch.set_float32_matmul_precision(products)
        for flag, value in zip(flags, before, strict=True):
            flag.fp32_precision = value


def _old_flags() -> tuple[bool, str] | None:
    """Return torch's older flags; None where a program has set the newer ones to what these cannot say."""
    try:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


class RunLock:
    """Held while a network runs: by one thread at a time, and in full precision."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = ExitStack()

    def locked(self) -> bool:
        """Return whether a network runs under it now."""
        return self._lock.locked()

    def __enter__(self) -> None:
        with ExitStack() as held:  # which gives the lock back if torch refuses its flags
            held.enter_context(self._lock)
            held.enter_context(full_precision())
            self._held = held.pop_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.close()
