"""The built site loads nothing from elsewhere, and shows notebooks with their results."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest
from loaded_files import loaded_from_elsewhere
from notebook_page import notebook_page


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<link rel="preconnect" href="https://fonts.example.org">',
        '<img src="a.png" srcset="a.png 1x, https://example.org/b.png 2x">',
        "<style>@import url('https://example.org/a.css');</style>",
        '<iframe src="https://example.org"></iframe>',
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(html: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    assert [line.split(" loads ")[0] for line in loaded_from_elsewhere(tmp_path)] == ["page.html"]


def test_links_and_files_of_its_own_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://napari.org">napari</a><link rel="canonical" href="https://example.org/page.html">'
        '<script src="assets/a.js"></script><img src="images/a.png"><code>url(https://example.org)</code>',
        encoding="utf-8",
    )
    (tmp_path / "a.css").write_text("a { background: url(a.png) }", encoding="utf-8")
    assert not loaded_from_elsewhere(tmp_path)
    (tmp_path / "a.css").write_text("a { background: url(https://example.org/a.png) }", encoding="utf-8")
    assert loaded_from_elsewhere(tmp_path) == ["a.css loads https://example.org/a.png"]


def test_a_notebook_is_shown_with_its_stored_results() -> None:
    text, pictures = notebook_page(pages.DOCS / "explain.ipynb")
    assert text.startswith("# Where did the network look?\n")
    assert "60 frames of 256 × 320 pixels" in text
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert shown == list(pictures)
    assert all(content.startswith(b"\xff\xd8") for content in pictures.values()), "the notebook stores JPEG"


def test_anchors_are_those_that_the_site_makes() -> None:
    page = pages.Page("a.md", "# In / out: `ratio` & *p*\n\n## Über μ\n\n## Same\n\n## Same\n\n## Own { #chosen }\n")
    assert page.anchors() >= {"in-out-ratio-p", "uber", "same", "same_1", "chosen"}
