"""Run contestants in a separate process, as they would run without this library."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import torch
from measuring import multiply_exactly, wait_for_gpu

from rivals.contest import Contest

PAUSE = 0.3  # seconds after which the threads of either process are asleep

_LIBGOMP_DEFAULT = {"GOMP_SPINCOUNT": "300000"}  # this library sets a higher value if the user has set none


class Apart:
    """Runs a contest's passes in another process, so that the explainer's C library settings do not affect them."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def run(self, contestant: str, *args: Any) -> None:
        """Run the pass of this name, and wait for it."""
        self._pipe.send((contestant, args))
        if not self._pipe.recv():
            raise RuntimeError(f"{contestant} failed: see above")


@contextmanager
def apart(contest: Contest) -> Iterator[Apart]:
    """Start a process with the same network, input and number of threads, until the end of the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve,
        args=(theirs, contest.encoder, contest.side, contest.device, torch.get_num_threads()),
        daemon=True,
    )
    with mock.patch.dict(os.environ, _LIBGOMP_DEFAULT):
        process.start()
    theirs.close()
    try:
        yield Apart(ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, encoder: str, side: int, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    multiply_exactly()
    contest = Contest(encoder, side, device)
    while True:
        try:
            contestant, args = pipe.recv()
        except EOFError:
            return
        getattr(contest, contestant)(*args)
        wait_for_gpu()
        pipe.send(True)
