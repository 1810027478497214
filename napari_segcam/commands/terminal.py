"""The terminal: texts without control characters, and times as people say them."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from napari_segcam.errors import printable


class PlainConsole(Console):
    """A console that prints texts from files, such as names and warnings, without their control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text, keep="\n\t"), **options)


def duration(seconds: float) -> str:
    """Return a time as people say it: ``"40 s"``, ``"12 min"``, ``"3 h 20 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
