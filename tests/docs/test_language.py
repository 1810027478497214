"""Texts, comments and names are in plain, modern English with American spelling."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OLD_FASHIONED = (
    *("albeit", "amidst", "amiss", "amongst", "anew", "at hand", "beforehand", "for want of", "gone on with", "hence"),
    *("lest", "lies", "likewise", "midst", "naught", "nought", "of one's own", "of what", "shall", "speaks for"),
    *("thereby", "therein", "thereof", "thus", "told", "upon", "what of", "where need be", "whereby", "wherein"),
    *("whilst", "whoever", "whosoever", "wish", "wished", "wishes"),
)
BRITISH = (
    *("artefacts?", "behaviours?", "cent(?:re|red|res|ring)", "colour[a-z]*", "favour[a-z]*", "grey[a-z]*"),
    *("labell(?:ed|ing)", "licence[sd]?", "modell(?:ed|ing)", "neighbour[a-z]*"),
    "(?:general|initial|maxim|minim|normal|optim|organ|quant|recogn|serial|summar|visual)is(?:e|ed|er|es|ing|ation)",
)
# Between letters of one word nothing is matched; an underscore separates words, so names are read too.
ODD = re.compile(rf"(?<![a-z])(?:{'|'.join((*OLD_FASHIONED, *BRITISH))})(?![a-z])", re.IGNORECASE)

NAMES_OF_EARLIER_VERSIONS = {
    "napari_segcam/deprecated.py",
    "napari_segcam/reporting/run_format.py",
    "tests/batch/test_resume.py",
    "tests/docs/test_language.py",
    "tests/reporting/report/test_report_run.py",
    "tests/reporting/test_run_format.py",
    "tests/test_deprecated.py",
}
"""Files that quote what an earlier version wrote."""

ALLOWED: dict[str, int] = {
    "CHANGELOG.md": 5,
    "napari_segcam/batch": 3,
    "napari_segcam/network": 1,
    "napari_segcam/reporting": 1,
    "tests/network": 27,
    "tests/reporting": 3,
}
"""How many such words a room still has. The numbers may only fall."""


def room_of(path: str) -> str:
    """Return the first two parts of a path, ``napari_segcam/viewer``; the files of a top folder are one room."""
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def texts() -> dict[str, str]:
    """Return what is checked, by path from the root."""
    found = {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in ("README.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff")
    }
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found["CHANGELOG.md"] = changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]
    for notebook in (ROOT / "docs").glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        found[f"docs/{notebook.name}"] = "\n".join("".join(cell["source"]) for cell in cells)
    for folder in (".github", "benchmarks", "docs", "napari_segcam", "tests", "tools"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".md", ".py", ".yaml", ".yml"):
                found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
    return found


def odd_words() -> dict[str, list[str]]:
    """Return the odd words of each room, each with the file and the line that it is on."""
    rooms: dict[str, list[str]] = {}
    for path, text in sorted(texts().items()):
        if path not in NAMES_OF_EARLIER_VERSIONS:
            for number, line in enumerate(text.splitlines(), start=1):
                rooms.setdefault(room_of(path), []).extend(
                    f"{path}:{number}: {match.group()}" for match in ODD.finditer(line)
                )
    return rooms


@pytest.mark.slow
def test_no_room_has_more_odd_words_than_it_is_allowed() -> None:
    too_many = {room: words for room, words in odd_words().items() if len(words) > ALLOWED.get(room, 0)}
    assert not too_many, "\n".join(word for words in too_many.values() for word in words)


@pytest.mark.parametrize("text", ["Thus it is", "a grey frame", "test_it_lies_there", "normalise(", "of What"])
def test_odd_words_are_recognized(text: str) -> None:
    assert ODD.search(text)


@pytest.mark.parametrize("text", ["enthusiast", "wrist", "cancelled", "a gray frame", "untold"])
def test_plain_words_are_left_alone(text: str) -> None:
    assert not ODD.search(text)


if __name__ == "__main__":
    print(Counter({room: len(words) for room, words in odd_words().items() if words}))
