"""What all tests share: one thread a process, and a screen of its own for each process of a parallel run."""

from __future__ import annotations

import os

# On small networks torch's threads cost more than they give, and beside other work they cost tenfold.
os.environ["OMP_NUM_THREADS"] = "1"  # also in the processes that tests start

import pytest
import torch
from screens import start_screen, wants_own_screen

torch.set_num_threads(1)


def pytest_configure(config: pytest.Config) -> None:
    if wants_own_screen():
        config.add_cleanup(start_screen().terminate)
