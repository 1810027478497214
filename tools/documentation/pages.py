"""The pages that readers see, and what is in them: headings, links, pictures, italics and code."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BESIDE_THE_SITE = ("README.md", "CONTRIBUTING.md", "SECURITY.md")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, text, and the line of the page on which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A page in Markdown.

    Attributes:
        path: from the top of the repository.
        text: Markdown.
    """

    path: str
    text: str

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt("commonmark").enable("table").parse(self.text)

    @cached_property
    def _inline(self) -> list[tuple[Token, int]]:
        """The inline tokens, each with the line on which its paragraph begins."""
        return [
            (token, (block.map or [0])[0] + 1)
            for block in self._tokens
            if block.type == "inline"
            for token in block.children or ()
        ]

    def headings(self) -> list[tuple[int, str]]:
        """Return the level and the plain text of each heading."""
        return [
            (int(opening.tag[1]), _plain(inline.children or []))
            for opening, inline in zip(self._tokens, self._tokens[1:], strict=False)
            if opening.type == "heading_open"
        ]

    def anchors(self) -> set[str]:
        """Return the anchors of the headings, as the site makes them, and those that the page sets itself."""
        seen: Counter[str] = Counter()
        found = set(re.findall(r"\bid=\"([^\"]+)\"", self.text)) | set(re.findall(r"\{ *#([\w.-]+) *\}", self.text))
        for _, text in self.headings():
            slug = anchor_of(text)
            found.add(f"{slug}_{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return found

    def links(self) -> list[tuple[str, int]]:
        """Return where each link and picture points, with its line."""
        return [
            (str(token.attrs[name]), line)
            for token, line in self._inline
            for name in ("href", "src")
            if name in token.attrs
        ]

    def pictures(self) -> list[tuple[str, str, int]]:
        """Return where each picture is, the words that stand for it, and its line."""
        return [(str(token.attrs["src"]), token.content, line) for token, line in self._inline if token.type == "image"]

    def italics(self) -> Iterator[tuple[str, int]]:
        """Yield each phrase in italics, with its line."""
        inside: list[Token] | None = None
        for token, line in self._inline:
            if token.type == "em_open":
                inside = []
            elif token.type == "em_close" and inside is not None:
                yield _plain(inside), line
                inside = None
            elif inside is not None:
                inside.append(token)

    def codes(self) -> list[tuple[str, int]]:
        """Return each inline code, with its line."""
        return [(token.content, line) for token, line in self._inline if token.type == "code_inline"]

    def blocks(self) -> list[Block]:
        """Return the blocks of code."""
        return [
            Block(token.info.split()[0] if token.info.strip() else "", token.content, (token.map or [0])[0] + 1)
            for token in self._tokens
            if token.type == "fence"
        ]


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as the site makes it."""
    words = (
        re.sub(r"[^\w\s-]", "", unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode())
        .strip()
        .lower()
    )
    return re.sub(r"[-\s]+", "-", words)


@cache
def written_pages() -> dict[str, Page]:
    """Return the pages that are written by hand, by path; of notebooks the text."""
    paths = [*(ROOT / name for name in BESIDE_THE_SITE), *sorted(DOCS.rglob("*.md"))]
    found = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    for notebook in sorted(DOCS.glob("*.ipynb")):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        found[f"docs/{notebook.stem}.md"] = "\n\n".join(texts)
    return {path: Page(path, text) for path, text in found.items()}


@cache
def pages() -> dict[str, Page]:
    """Return all pages by path, also those that are made from the code."""
    from generated_pages import generated_pages

    made = {f"docs/{path}": Page(f"docs/{path}", text) for path, text in generated_pages().items()}
    return written_pages() | made


def _plain(tokens: list[Token]) -> str:
    """Return the text of inline tokens."""
    return "".join(" " if token.type in ("softbreak", "hardbreak") else token.content for token in tokens)
