"""The words of the window: every text in the code of the plugin and in its manifest."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import yaml

PACKAGE = Path(__file__).parents[2] / "napari_segcam"

OF_NAPARI_AND_THE_SYSTEM = frozenset(
    {"File", "Open File(s)", "Open Folder", "Open Sample", "Layers", "Visualize", "Plugins", "Preferences", "Undo"}
    | {"Install/Uninstall Plugins"}
)
"""Words of napari's window and of the system's that pages name."""

_ENDS = " ,.:;…!?"


@cache
def _texts() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Return the fixed texts, and patterns of those with a part that varies."""
    fixed: set[str] = set()
    patterns: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        comments = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
                fixed |= _parts(node.value)
                if re.search(r"\{\w*[^}]*\}", node.value) and len(node.value) < 500:
                    patterns.add(re.sub(r"\\\{.*?\\\}", ".+", re.escape(_plain(node.value))))
            elif isinstance(node, ast.JoinedStr):
                patterns.add("".join(_piece(value) for value in node.values))
    _collect(yaml.safe_load((PACKAGE / "napari.yaml").read_text(encoding="utf-8")), fixed)
    words = (pattern for pattern in patterns if re.search(r"[A-Za-z]{3}", re.sub(r"\\.|\.\+", "", pattern)))
    return frozenset(fixed), tuple(re.compile(_strip_pattern(pattern)) for pattern in sorted(words))


def is_in_window(phrase: str) -> bool:
    """Return whether a phrase is a text of the window, of napari or of the system.

    A part after `` ▸ `` counts by itself. Words in capitals stand for something that varies, as in *NAME correction*.
    """
    return all(_is_text(part) for part in phrase.split(" ▸ "))


def _is_text(phrase: str) -> bool:
    fixed, patterns = _texts()
    plain = _plain(phrase).removesuffix(" (SegCAM)")
    if len(plain) < 2:
        return False
    if plain in fixed or phrase in fixed or plain in OF_NAPARI_AND_THE_SYSTEM:
        return True
    if re.search(r"\b[A-Z]{2,}\b", plain):
        general = re.compile(re.sub(r"\b[A-Z]{2,}\b", ".+", re.escape(plain)))
        if any(general.fullmatch(text) for text in fixed):
            return True
    return any(pattern.fullmatch(plain) for pattern in patterns)


def _plain(text: str) -> str:
    return " ".join(text.replace("&&", "\0").replace("&", "").replace("\0", "&").split()).strip(_ENDS)


def _parts(text: str) -> set[str]:
    """Return a text, its lines and its sentences, without the signs at their ends."""
    lines = text.splitlines()
    sentences = [sentence for line in lines for sentence in re.split(r"(?<=[.:;])\s+", line)]
    return {_plain(part) for part in (text, *lines, *sentences)} | {text}


def _piece(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return re.escape(" ".join(str(value.value).replace("&", "").split(" ")))
    return ".+"


def _strip_pattern(pattern: str) -> str:
    return re.sub(r"^(?:\\?[ .:…!?])+(?=\\?\w)|(?<=\w)(?:\\?[ .:…!?])+$", "", pattern)


def _collect(content: object, found: set[str]) -> None:
    if isinstance(content, str):
        found |= _parts(content)
    elif isinstance(content, dict):
        for value in content.values():
            _collect(value, found)
    elif isinstance(content, list):
        for value in content:
            _collect(value, found)
