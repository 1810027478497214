"""The log says what took how long: loading a network, the first heat, the process for test runs."""

from __future__ import annotations

import io
import logging
import re
import threading
from pathlib import Path

import pytest

from napari_segcam.logs import SafeFormatter
from napari_segcam.network import resource_check
from napari_segcam.network.source import ModelSource


def lines(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(SafeFormatter().format(record) for record in caplog.records)


def test_the_time_to_load_a_network(caplog: pytest.LogCaptureFixture) -> None:
    from napari_segcam.demo import demo_checkpoint

    with caplog.at_level(logging.INFO, "napari_segcam"):
        ModelSource.of(demo_checkpoint()).load("cpu")
    said = lines(caplog)
    assert re.search(r"network/source:\d+: A network was loaded in \d+\.\d\d s, for cpu", said)
    assert Path(demo_checkpoint()).stem not in said


def test_a_process_that_does_not_answer(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    process = resource_check._Process()
    monkeypatch.setattr(resource_check, "_CHECK_MODULE", "time import sleep as serve; serve(60) #")
    with caplog.at_level(logging.INFO, "napari_segcam"):
        assert not process._send("{}", 0.2)
    assert "was ended: it did not answer within 0 s" in lines(caplog)


class Hanging:
    """A process that never answers; the end of its output has been read before it counts as killed."""

    def __init__(self) -> None:
        self.stdin, self.stdout = io.StringIO(), self
        self._killed, self._reader = threading.Event(), threading.current_thread()

    def readline(self) -> str:
        self._reader = threading.current_thread()
        self._killed.wait()
        return ""

    def kill(self) -> None:
        self._killed.set()
        self._reader.join()

    def wait(self) -> None:
        """It has ended."""


def test_a_killed_process_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    process = resource_check._Process()
    monkeypatch.setattr(process, "_start", Hanging)
    assert not process._send("{}", 0.1)
