"""A closed window frees its session, its images and its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.viewer.own_process import run_script


@pytest.mark.slow
def test_a_closed_window_frees_its_session(tmp_path: Path) -> None:
    assert "freed" in run_script("closed_window", home=tmp_path, timeout=120)
