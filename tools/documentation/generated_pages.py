"""The pages that are made from the code, by their path in ``docs``."""

from __future__ import annotations


def generated_pages() -> dict[str, str]:
    """Return each page as Markdown."""
    return {}
