"""The run that the tests of the report read."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_run import WriteRun, run_writer

from napari_segcam.reporting.report.document import Plot


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Writes a finished run into a folder of the test's own."""
    return run_writer(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the plots blank, as drawing them takes longer than all else."""
    monkeypatch.setattr(
        "napari_segcam.reporting.report.plots.save_plot",
        lambda _figure, height, alternative, caption: Plot(b"", b"", 7.2, height, alternative, caption),
    )
