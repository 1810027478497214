"""Contestants in a process of their own, where they run as they would without this library."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

import torch
from contest import Contest

PAUSE = 0.3  # seconds after which the threads of either process are asleep

_LIBGOMP_S_OWN = {"GOMP_SPINCOUNT": "300000"}  # which this library raises where nothing has been asked for


class Apart:
    """Runs a contest's passes elsewhere: what the explainer asks of the C library shall not serve the others."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def run(self, contestant: str, *given: Any) -> None:
        """Run the pass of this name, and wait for it."""
        self._pipe.send((contestant, given))
        if not self._pipe.recv():
            raise RuntimeError(f"{contestant} failed: see above")


@contextmanager
def apart(contest: Contest) -> Iterator[Apart]:
    """A process with the same network and input, and as many threads, until the end of the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, contest.encoder, contest.side, torch.get_num_threads()), daemon=True
    )
    with mock.patch.dict(os.environ, _LIBGOMP_S_OWN):
        process.start()
    theirs.close()
    try:
        yield Apart(ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, encoder: str, side: int, threads: int) -> None:
    torch.set_num_threads(threads)
    contest = Contest(encoder, side)
    while True:
        try:
            contestant, given = pipe.recv()
        except EOFError:
            return
        getattr(contest, contestant)(*given)
        pipe.send(True)
