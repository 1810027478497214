"""What all tests share: one thread a process, and a screen of its own for each process of a parallel run."""

from __future__ import annotations

import os
import signal
import tempfile

# On small networks torch's threads cost more than they give, and beside other work they cost tenfold.
os.environ["OMP_NUM_THREADS"] = "1"  # also in the processes that tests start

import pytest
import torch
from screens import start_screen, wants_own_screen

from napari_segcam import remedies

torch.set_num_threads(1)

LONG = {"test_window_soak.py", "test_soak.py", "test_taking_apart.py"}
"""Files of tests that take a minute or more."""


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell; tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("NAPARI_SEGCAM_")]:
        del os.environ[name]
    settings = tempfile.TemporaryDirectory()  # no test reads or writes the user's settings
    os.environ["NAPARI_SEGCAM_CONFIG"] = settings.name
    os.environ["NAPARI_SEGCAM_LOG_FOLDER"] = os.path.join(settings.name, "log")
    config.add_cleanup(settings.cleanup)
    if wants_own_screen():
        config.add_cleanup(start_screen().terminate)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Give the networks that a file makes when it is read the same weights in every run."""
    if isinstance(collector, pytest.Module):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _messages_for_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that a test opens does not change the words of the next test's messages."""
    monkeypatch.setattr(remedies, "_place", "command line")


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end of a parallel run, one process would wait for them."""
    items.sort(key=lambda item: item.path.name not in LONG)
