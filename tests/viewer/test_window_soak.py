"""250 actions of a user in real windows, in a separate process: a window says what it draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.viewer.own_process import run_script


@pytest.mark.slow
def test_the_window_says_what_it_draws(tmp_path: Path) -> None:
    counts = json.loads(run_script("soak", "250", "1", home=tmp_path, timeout=1200).splitlines()[-1])
    assert counts["actions"] == 250
    kinds = ("area", "scale", "region", "exported mask", "exported correction")
    assert all(counts.get(kind, 0) > 0 for kind in kinds), counts
