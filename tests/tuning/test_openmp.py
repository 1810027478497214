"""Torch's threads between two pieces of work."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from napari_segcam.tuning.openmp import keep_threads_awake
from napari_segcam.tuning.switch import TUNING


def test_a_number_that_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    keep_threads_awake()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_a_policy_that_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    keep_threads_awake()
    assert "GOMP_SPINCOUNT" not in os.environ


def test_tuning_can_be_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv(TUNING, "off")
    keep_threads_awake()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.setenv(TUNING, "on")
    keep_threads_awake()
    assert os.environ["GOMP_SPINCOUNT"] == "20000000"
    monkeypatch.delenv("GOMP_SPINCOUNT")


COMMAND = "sys.argv[1:] = ['--version']; from napari_segcam.cli import main\ntry: main()\nexcept SystemExit: pass"
VIEWER = "from napari_segcam.viewer.worker.import_torch import import_torch; import_torch()"


@pytest.mark.slow
@pytest.mark.parametrize(("start", "is_set"), [(COMMAND, True), (VIEWER, False), (f"{COMMAND}\n{VIEWER}", False)])
def test_commands_set_it_before_torch_is_imported_and_the_viewer_does_not(start: str, is_set: bool) -> None:
    checks = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("spins", os.environ.get("GOMP_SPINCOUNT"))

sys.meta_path.insert(0, Watch())
"""
    clean = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", TUNING)
    }
    run = subprocess.run(
        [sys.executable, "-c", f"{checks}\n{start}\nimport torch"],
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"spins {'20000000' if is_set else None}" in run.stdout
