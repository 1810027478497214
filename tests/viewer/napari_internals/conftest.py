"""The tests of replacements need them, whatever the environment says."""

from __future__ import annotations

import pytest

from napari_segcam.viewer.napari_internals.replacement import PLAIN_NAPARI


@pytest.fixture(autouse=True)
def with_replacements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLAIN_NAPARI, raising=False)
