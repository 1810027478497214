"""The document: what the report says, apart from how HTML and PDF show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

RESEARCH_ONLY = "Research use only – not for diagnostic use"


@dataclass(frozen=True)
class Link:
    """Text that leads to an anchor of the document."""

    text: str
    anchor: str


Cell = str | Link


@dataclass(frozen=True)
class Paragraph:
    """Running text; a note is set smaller, a warning is framed."""

    kind: ClassVar[str] = "paragraph"
    text: str
    note: bool = False
    warning: bool = False


@dataclass(frozen=True)
class Subheading:
    """Parts a section."""

    kind: ClassVar[str] = "subheading"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list, each item with an optional heading of its own."""

    kind: ClassVar[str] = "bullets"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Code:
    """A command, as it is typed."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under headings; ``wordy`` are the headings of the columns that hold words, the others hold numbers."""

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    wordy: frozenset[str]
    caption: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Plot:
    """A drawing, as SVG for the screen and PNG for the PDF; ``width`` and ``height`` are in inches."""

    kind: ClassVar[str] = "plot"
    svg: bytes
    png: bytes
    width: float
    height: float
    alternative: str
    caption: str


@dataclass(frozen=True)
class Card:
    """An image with its sheet (JPEG) and a line on it; it leads to ``anchor`` where there is one."""

    name: str
    note: str
    sheet: bytes | None
    anchor: str = ""


@dataclass(frozen=True)
class Cards:
    """Images side by side."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class ImagePage:
    """All about one image."""

    kind: ClassVar[str] = "image"
    anchor: str
    name: str
    notes: tuple[str, ...]
    sheet: bytes | None
    table: Table


Block = Paragraph | Subheading | Bullets | Facts | Code | Table | Plot | Cards | ImagePage


@dataclass(frozen=True)
class Section:
    """A part of the document that the table of contents leads to."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report; ``front`` is what stands on its first page, before the sections."""

    title: str
    subtitle: str
    front: Sequence[Block]
    sections: Sequence[Section]
