"""Ctrl-C at any time: exit code 130 and one sentence, no traceback, no file half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from napari_segcam import cli
from napari_segcam.files import whole_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")

DURING_IMPORT = """
import signal, sys
from importlib.abc import MetaPathFinder

class Pressing(MetaPathFinder):
    pressed = False
    def find_spec(self, name, path=None, target=None):
        if name == {module!r} and not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Pressing())
from napari_segcam.__main__ import run
run()
"""


def stopped_at(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in which Ctrl-C is pressed when a module begins to be imported."""
    program = [sys.executable, "-c", DURING_IMPORT.format(module=module), *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("typer.core", "Stopped before anything was done."),
        ("torch._C", "Stopped. Files that are written are complete; the same command writes them again."),
    ],
)
def test_while_packages_are_imported(module: str, said: str, tmp_path: Path) -> None:
    ended = stopped_at(module, "demo", "--out", tmp_path / "demo")
    assert (ended.returncode, ended.stderr.splitlines()) == (130, [said])
    assert not (tmp_path / "demo").exists()


def test_without_ctrl_c_the_process_ends_as_usual() -> None:
    program = [sys.executable, "-m", "napari_segcam", "--version"]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["napari-segcam", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def press(*_: Any, **__: Any) -> None:
    signal.raise_signal(signal.SIGINT)


def test_in_a_command_that_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The page is being written when Ctrl-C comes."""

    def write(*_: object, **__: object) -> Any:
        path = tmp_path / "report.html"
        path.write_text("as it was before")
        with whole_file(path) as temporary:
            temporary.write_text("half")
            press()

    run_without_truth = SimpleNamespace(images=[])
    monkeypatch.setattr("napari_segcam.reporting.report.finished_run.read_run", lambda *_: run_without_truth)
    monkeypatch.setattr("napari_segcam.reporting.report.writing.write_report", write)
    assert run(monkeypatch, "report", tmp_path) == 130
    said = capsys.readouterr().err
    assert said == "Stopped. Files that are written are complete; the same command writes them again.\n"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"report.html": "as it was before"}


def test_a_process_that_ignores_ctrl_c_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell starts commands in the background of a script like this."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr("napari_segcam.problem.problem_report.problem_report", lambda *_: (press(), "done")[1])
        monkeypatch.setattr(sys, "argv", ["napari-segcam", "report-problem", "--out", str(tmp_path / "problem.md")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        assert (tmp_path / "problem.md").read_text() == "done"
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("name", [command.name or command.callback.__name__ for command in cli.app.registered_commands])  # type: ignore[union-attr]
def test_every_command_says_what_is_kept(name: str) -> None:
    from napari_segcam.commands.waits.stopped import _KEPT

    assert name.replace("_", "-") in _KEPT
