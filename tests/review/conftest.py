"""A project that three raters have read, made once for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_review import new_project, read_by_three

from napari_segcam.review.project import ReviewProject


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> ReviewProject:
    root: Path = tmp_path_factory.mktemp("study")
    return read_by_three(new_project(root))
