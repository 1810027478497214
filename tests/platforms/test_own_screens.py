"""Tests that run in parallel have screens of their own; else those of the viewer wait for each other."""

from __future__ import annotations

import pytest
from screens import VIRTUAL_SCREEN, forget_settings, shares_screen, wants_own_screen


@pytest.mark.parametrize(("is_virtual", "is_own"), [(True, True), (False, False)])
def test_a_worker_beside_others_has_its_own_screen_unless_there_is_a_real_one(
    monkeypatch: pytest.MonkeyPatch, is_virtual: bool, is_own: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    environment = {"PYTEST_XDIST_WORKER": "gw1", "DISPLAY": ":7", "NAPARI_SEGCAM_DEVICE": "cuda"}
    if is_virtual:
        environment[VIRTUAL_SCREEN] = "1"
    forget_settings(environment)
    assert "NAPARI_SEGCAM_DEVICE" not in environment
    monkeypatch.setattr("os.environ", environment)
    assert wants_own_screen() == is_own
    assert shares_screen() != is_own
