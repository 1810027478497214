"""Pictures on public ultrasound are credited where they are shown, as their license asks for."""

from __future__ import annotations

import re

import pages
import pytest

PUBLIC = sorted((pages.DOCS / "images").glob("public-*"))
SHOWING = [path for path, page in pages.written_pages().items() if re.search(r"!\[[^]]*\]\([^)]*/public-", page.text)]


@pytest.mark.parametrize("path", SHOWING)
def test_each_picture_on_public_ultrasound_has_its_credit(path: str) -> None:
    lines = [line.strip() for line in pages.written_pages()[path].text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if re.match(r"!\[[^]]*\]\([^)]*/public-", line):
            credit = lines[number + 1]
            assert "HC18" in credit, line
            assert "CC BY 4.0" in credit, line
            assert "public-ultrasound.md#credits" in credit or "zenodo.1322001" in credit or "(#credits)" in credit


def test_there_are_pictures_on_public_ultrasound() -> None:
    assert PUBLIC
    assert "docs/public-ultrasound.md" in SHOWING


def test_the_credits_name_authors_source_license_and_changes() -> None:
    credits = (pages.DOCS / "public-ultrasound.md").read_text(encoding="utf-8").split("## Credits")[1]
    for part in (
        "van den Heuvel",
        "doi.org/10.5281/zenodo.1322001",
        "creativecommons.org/licenses/by/4.0",
        "Changed here",
    ):
        assert part in credits
