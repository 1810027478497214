"""The terminal: texts without control characters, and times as people say them."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from napari_segcam.errors import printable


def accept_any_text() -> None:
    """Let stdout show ``?`` for a character that its encoding lacks, instead of failing.

    On Windows, what goes to a file or to another program is in the system's code page, which lacks most characters.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def takes_any_text(stream: TextIO) -> bool:
    """Return whether a stream can hold every character."""
    return (stream.encoding or "").lower().startswith("utf")


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
