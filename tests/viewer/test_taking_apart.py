"""Whatever is taken out of a window, in whichever way, the process goes on."""

from __future__ import annotations

from pathlib import Path

from tests.viewer.own_process import run_script


def test_windows_outlive_what_is_taken_out_of_them(tmp_path: Path) -> None:
    assert run_script("taking_apart", home=tmp_path, timeout=600).endswith("done\n")
