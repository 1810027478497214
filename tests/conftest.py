"""What all tests share: one thread a process, and a screen of its own for each process of a parallel run."""

from __future__ import annotations

import gc
import os
import signal
import tempfile

# On small networks torch's threads cost more than they give, and beside other work they cost tenfold.
os.environ["OMP_NUM_THREADS"] = "1"  # also in the processes that tests start

import pytest
import torch
from screens import forget_settings, start_screen, wants_own_screen

from napari_segcam import remedies

torch.set_num_threads(1)

LONG = {"test_window_soak.py", "test_soak.py", "test_taking_apart.py"}
"""Files of tests that take a minute or more."""


class OldObjects:
    """Keeps Python's collector from looking at what packages and earlier tests have left, a million objects.

    napari runs a full collection whenever layers are removed, and its fixture another one after each test.
    """

    _EVERY = 100

    def __init__(self) -> None:
        self._tests = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if self._tests % self._EVERY == 0:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        self._tests += 1


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell; tests press Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    forget_settings(os.environ)
    settings = tempfile.TemporaryDirectory()  # no test reads or writes the user's settings
    os.environ["NAPARI_SEGCAM_CONFIG"] = settings.name
    os.environ["NAPARI_SEGCAM_LOG_FOLDER"] = os.path.join(settings.name, "log")
    config.add_cleanup(settings.cleanup)
    config.pluginmanager.register(OldObjects())
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
