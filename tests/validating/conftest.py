"""What the tests of validation share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reporting" / "report"))


@pytest.fixture
def pdf_text() -> Callable[[Path], str]:
    """Reads the text of a PDF."""
    from pdf_text import Pdf

    return lambda path: Pdf(path).text
