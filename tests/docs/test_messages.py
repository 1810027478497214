"""The messages that the page on troubleshooting quotes are those of the program."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from napari_segcam.remedies import REMEDIES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
LEAST_SYMPTOMS = 28
LEAST_MESSAGES = 30


def piece_of(part: ast.expr) -> str:
    """Return what a part of a formatted text says on the command line; … if that varies."""
    match part:
        case ast.Constant(value=value):
            return str(value)
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="remedy"), args=[ast.Constant(value=name), *_])):
            return re.sub(r"\{\w+\}", "…", REMEDIES[str(name)].command_line)
        case _:
            return "…"


@cache
def texts() -> str:
    """Return all texts in the package, one a line, with … for what varies."""
    found = []
    for path in (ROOT / "napari_segcam").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(map(piece_of, node.values)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"\{\w+\}", "…", node.value))
    return "\n".join(" ".join(text.split()) for text in found)


def is_written(message: str) -> bool:
    """Return whether a text of the package holds a message; … in the message stands for anything."""
    pieces = [re.escape(piece) for piece in re.split("…", message.strip("… ."))]
    return re.search(r"[^\n]*?".join(pieces), texts()) is not None


def quoted() -> list[str]:
    page = PAGE.read_text(encoding="utf-8")
    reasons = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    return re.findall(r"^\*\*Message:\*\* `([^`]+)`", page, re.MULTILINE) + reasons


def test_the_program_writes_the_messages_of_the_page() -> None:
    assert len(quoted()) > LEAST_MESSAGES
    assert [message for message in quoted() if not is_written(message)] == []


def test_other_messages_are_not_found() -> None:
    assert not is_written("The network … is tired.")
    assert not is_written("The true mask … has … pixels, but the moon …")


def test_each_symptom_says_what_to_do() -> None:
    symptoms = re.split(r"^### ", PAGE.read_text(encoding="utf-8").partition("\n## Still wrong?")[0], flags=re.M)[1:]
    assert len(symptoms) >= LEAST_SYMPTOMS
    silent = [symptom.splitlines()[0] for symptom in symptoms if not re.search(r"\*\*Do\.\*\*|what to do", symptom)]
    assert silent == []
