"""The page of columns: every table that the program writes, from the code's own lists and ``columns.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from markup import code, table

_TEXTS = Path(__file__).with_name("columns.yaml")
_TYPES = {str: "text", int: "integer", float: "number", bool: "True or False"}
_INTRODUCTION = """\
# Columns of the tables

Every table is CSV in UTF-8 with one line of headings. An undefined figure is an empty cell, never 0, and another
column says why. A text that a spreadsheet would compute (`=…`, `+…`, `-…`, `@…`) has an apostrophe in front, which
`napari_segcam.files.from_cell` removes. [What each number means](../numbers.md) defines the numbers.
"""


@dataclass(frozen=True)
class WrittenTable:
    """A table that the program writes.

    Attributes:
        file: its name.
        written_by: the commands, as Markdown.
        row: what a row is about.
        columns: in their order, each with the type of its values if the code fixes it.
        texts: what each column holds.
        also: another file with the same columns.
        note: what else to know, as Markdown.
    """

    file: str
    written_by: str
    row: str
    columns: Mapping[str, type | None]
    texts: Mapping[str, str]
    also: str = ""
    note: str = ""


@cache
def written_tables() -> tuple[WrittenTable, ...]:
    """Return the tables, with the columns as the code has them."""
    content = yaml.safe_load(_TEXTS.read_text(encoding="utf-8"))
    return tuple(_written_table(entry) for entry in content["tables"])


def columns_page() -> str:
    """Return the page as Markdown.

    Raises:
        KeyError: if a column is not described.
    """
    sections = [_INTRODUCTION]
    for written in written_tables():
        also = f" Also: {written.also}." if written.also else ""
        note = f"\n\n{written.note}" if written.note else ""
        rows = [
            (code(name), _TYPES[kind] if kind else "", written.texts[name]) for name, kind in written.columns.items()
        ]
        has_types = any(kind for _, kind, _ in rows)
        headings = ("column", "type", "what it holds") if has_types else ("column", "what it holds")
        sections.append(
            f"## {written.file}\n\nWritten by {written.written_by}.{also} One row for each {written.row}.{note}\n\n"
            + table(headings, rows if has_types else [(name, text) for name, _, text in rows])
        )
    return "\n".join(sections)


def _written_table(entry: Mapping[str, Any]) -> WrittenTable:
    columns: dict[str, type | None] = {}
    for schema in entry["schema"]:
        columns |= dict.fromkeys(schema) if isinstance(schema, list) else _columns_of(schema)
    return WrittenTable(
        entry["file"],
        entry["written_by"],
        entry["row"],
        columns,
        entry["columns"],
        entry.get("also", ""),
        entry.get("note", ""),
    )


def _columns_of(schema: str) -> dict[str, type | None]:
    """Return the columns that a name in the code holds, ``module:NAME``."""
    module, _, name = schema.partition(":")
    columns = getattr(import_module(module), name)
    return dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns)
