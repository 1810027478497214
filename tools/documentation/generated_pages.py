"""The pages that are made from the code, by their path in ``docs``."""

from __future__ import annotations

from columns_page import columns_page
from command_line_page import command_line_page
from keys_page import keys_page
from python_page import python_page

PAGES = {
    "reference/keys.md": keys_page,
    "reference/command-line.md": command_line_page,
    "reference/python.md": python_page,
    "reference/columns.md": columns_page,
}


def generated_pages() -> dict[str, str]:
    """Return each page as Markdown."""
    return {path: make() for path, make in PAGES.items()}
