"""Doubt is measured here by default, as it is for a user."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def default_doubt() -> None:
    """Leave the default as it is."""
