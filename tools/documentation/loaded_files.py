"""What a built page loads by itself from another server: nothing should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADED_BY = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "embed": "src",
    "object": "data",
}
_LOADED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_IN_STYLES = re.compile(r"(?:url\(\s*|@import\s*)[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class _Loads(HTMLParser):
    """Collects the addresses that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag loads."""
        values = {name: value or "" for name, value in attrs}
        if tag in _LOADED_BY:
            self.addresses.append(values.get(_LOADED_BY[tag], ""))
            self.addresses += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
        if tag == "link" and _LOADED_LINKS & set(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))


def loaded_from_elsewhere(site: Path) -> list[str]:
    """Return, for each page or style sheet and what it loads from another server, a line that names both."""
    return [
        f"{path.relative_to(site)} loads {address}"
        for path in sorted(site.rglob("*"))
        for address in _loads(path)
        if _ELSEWHERE.match(address)
    ]


def _loads(path: Path) -> Iterator[str]:
    if path.suffix == ".html":
        page = _Loads()
        page.feed(text := path.read_text(encoding="utf-8"))
        yield from page.addresses
        yield from _IN_STYLES.findall("".join(re.findall(r"<style.*?</style>", text, re.DOTALL)))
    elif path.suffix == ".css":
        yield from _IN_STYLES.findall(path.read_text(encoding="utf-8"))
