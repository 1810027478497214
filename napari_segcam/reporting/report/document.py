"""Document: the content of a report, independent of HTML and PDF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

RESEARCH_ONLY = "Research use only – not for diagnostic use"


@dataclass(frozen=True)
class Link:
    """Text that links to an anchor of the document."""

    text: str
    anchor: str


Cell = str | Link


@dataclass(frozen=True)
class Paragraph:
    """Running text; a note is smaller, a warning has a frame."""

    kind: ClassVar[str] = "paragraph"
    text: str
    note: bool = False
    warning: bool = False


@dataclass(frozen=True)
class Subheading:
    """A heading within a section."""

    kind: ClassVar[str] = "subheading"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list; each item is a heading, which may be empty, and a text."""

    kind: ClassVar[str] = "bullets"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Code:
    """A command to copy."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under headings; the columns in ``text_columns`` hold text, the others numbers."""

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text_columns: frozenset[str]
    caption: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Plot:
    """A plot, as SVG for HTML and PNG for PDF; ``width`` and ``height`` are in inches.

    ``alternative`` is the text for readers who cannot see it.
    """

    kind: ClassVar[str] = "plot"
    svg: bytes
    png: bytes
    width: float
    height: float
    alternative: str
    caption: str


@dataclass(frozen=True)
class Card:
    """An image with its sheet (JPEG) and a note; it links to ``anchor``, if that is not empty.

    ``alternative`` is the text for readers who cannot see the sheet; by default that of a sheet with heatmaps.
    """

    name: str
    note: str
    sheet: bytes | None
    anchor: str = ""
    alternative: str = ""


@dataclass(frozen=True)
class Cards:
    """Images side by side."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class ImagePage:
    """The page of one image: its sheet and its figures."""

    kind: ClassVar[str] = "image"
    anchor: str
    name: str
    notes: tuple[str, ...]
    sheet: bytes | None
    table: Table


Block = Paragraph | Subheading | Bullets | Facts | Code | Table | Plot | Cards | ImagePage


@dataclass(frozen=True)
class Section:
    """A part of the document that the table of contents lists."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Addition:
    """What another room adds to a report: blocks for its first page, and sections before its figures."""

    front: Sequence[Block]
    sections: Sequence[Section]


def linked_anchors(sections: Iterable[Section]) -> set[str]:
    """Return the anchors that the tables and cards of sections link to."""
    blocks = [block for section in sections for block in section.blocks]
    cells = (cell for block in blocks if isinstance(block, Table) for row in block.rows for cell in row)
    cards = (card.anchor for block in blocks if isinstance(block, Cards) for card in block.cards)
    return {cell.anchor for cell in cells if isinstance(cell, Link)} | set(filter(None, cards))


@dataclass(frozen=True)
class Document:
    """A report; ``front`` is its first page, before the sections."""

    title: str
    subtitle: str
    front: Sequence[Block]
    sections: Sequence[Section]
