"""HTML report: one page that needs no server, no network and no other file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from napari_segcam.files import whole_file
from napari_segcam.reporting.report.document import RESEARCH_ONLY, Cell, Document, Link
from napari_segcam.reporting.report.sheets import size_of
from napari_segcam.reporting.report.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_LONG_WORD = 20


def write_html(path: Path, document: Document) -> None:
    """Write a document as HTML.

    Every text is escaped. A content security policy lets the page load nothing, and run only its own script, which
    sorts tables.

    Raises:
        SegcamError: if the file cannot be written.
    """
    template = _environment().get_template("report.html.j2")
    style, script = (_template_file(name) for name in ("report.css", "sort.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(
            template.generate(
                document=document, style=style, script=script, script_digest=digest, research_only=RESEARCH_ONLY
            )
        )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode("ascii")
    environment.filters["size"] = size_of
    environment.tests["link"] = lambda cell: isinstance(cell, Link)
    environment.tests["long"] = _has_long_word
    return environment


def _has_long_word(cell: Cell) -> bool:
    """Return whether a cell must be broken within words, so that other columns keep their width."""
    text = cell.text if isinstance(cell, Link) else cell
    return max(map(len, text.split()), default=0) > _LONG_WORD


def _template_file(name: str) -> Markup:
    """Return a file of this package, which needs no escaping."""
    from markupsafe import Markup

    return Markup(files(__package__).joinpath("templates", name).read_text(encoding="utf-8"))
