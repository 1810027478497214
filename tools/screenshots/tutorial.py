"""A tutorial's Markdown as what is to be done: steps in the window, blocks of commands, and pictures between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tools.screenshots.grammar import VERBS, Action, NotUnderstoodError, actions_of, sentences


@dataclass(frozen=True)
class Step:
    """A numbered step in the window.

    Attributes:
        line: its line in the file.
        words: what it says.
        actions: what it asks for, in order.
    """

    line: int
    words: str
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class Block:
    """A block of commands or Python, and the lines that its output must have.

    Attributes:
        line: its line in the file.
        language: ``sh`` or ``python``.
        code: the block as written.
        output: what the page says it prints; ``…`` stands for anything.
    """

    line: int
    language: str
    code: str
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture that the page shows.

    Attributes:
        line: its line in the file.
        path: as the page names it, ``../images/first-heat.png``.
        of: the dock that is cut out, or a file that a block has written; empty for the whole window.
    """

    line: int
    path: str
    of: str = ""


@dataclass(frozen=True)
class Recording:
    """From here on, what happens in the window is recorded; without a name, the recording ends.

    Attributes:
        line: its line in the file.
        name: the file's name in the folder of pictures.
    """

    line: int
    name: str = ""


Part = Step | Block | Picture | Recording

RECORDING_ENDING = ".webp"

_STEP = re.compile(r"^(\d+)\. +")
_PICTURE = re.compile(r"^!\[[^\]]*\]\(([^) ]+)")
_PICTURE_OF = re.compile(r"^<!-- picture of: (.+?) -->")
_RECORDING = re.compile(r"^<!-- recording: (\S+) -->")
_RECORDING_END = re.compile(r"^<!-- end of the recording -->")
_FENCE = re.compile(r"^```(\w*)")
_MARKS = (_STEP, _FENCE, _PICTURE, _PICTURE_OF, _RECORDING, _RECORDING_END)


def parts_of(path: Path) -> list[Part]:
    """Return what a tutorial asks for, in the order of the page.

    Raises:
        NotUnderstoodError: if a step cannot be followed, or something is asked for outside of a numbered step.
    """
    parts: list[Part] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    of = ""
    number = 0
    while number < len(lines):
        first, line = number + 1, lines[number]
        text = line.strip()
        if fence := _FENCE.match(text):
            end = next(i for i in range(number + 1, len(lines)) if lines[i].strip() == "```")
            indent = len(line) - len(line.lstrip())
            _add_block(parts, first, fence.group(1), [row[indent:] for row in lines[number + 1 : end]], path)
            number = end + 1
        elif shown := _PICTURE.match(text):
            if not shown.group(1).endswith(RECORDING_ENDING):  # a recording is made by its two comments
                parts.append(Picture(first, shown.group(1), of))
            of, number = "", number + 1
        elif cut := _PICTURE_OF.match(text):
            of, number = cut.group(1), number + 1
        elif (begins := _RECORDING.match(text)) or _RECORDING_END.match(text):
            parts.append(Recording(first, begins.group(1) if begins else ""))
            number += 1
        else:
            end = _end_of_paragraph(lines, number)
            words = " ".join(row.strip() for row in lines[number:end])
            if step := _STEP.match(text):
                parts.append(_step(first, words[step.end() :], path))
            else:
                _must_not_ask(first, words, path)
            number = max(end, number + 1)
    return parts


def _end_of_paragraph(lines: list[str], start: int) -> int:
    end = start
    while end < len(lines) and lines[end].strip():
        if end > start and any(mark.match(lines[end].strip()) for mark in _MARKS):
            break
        end += 1
    return end


def _step(line: int, words: str, path: Path) -> Step:
    try:
        return Step(line, words, tuple(actions_of(words)))
    except NotUnderstoodError as error:
        raise NotUnderstoodError(f"{path.name}, line {line}: {error}") from None


def _add_block(parts: list[Part], line: int, language: str, rows: list[str], path: Path) -> None:
    """Add a block; the output that a page shows belongs to the block before it."""
    if language in ("sh", "python"):
        parts.append(Block(line, language, "\n".join(rows)))
    elif language == "text":
        if not parts or not isinstance(parts[-1], Block):
            raise NotUnderstoodError(f"{path.name}, line {line}: this output follows no block of commands.")
        last = parts.pop()
        parts.append(Block(last.line, last.language, last.code, tuple(row.strip() for row in rows if row.strip())))
    else:
        message = f"{path.name}, line {line}: a block of a tutorial is sh, python or text, not “{language}”."
        raise NotUnderstoodError(message)


def _must_not_ask(line: int, words: str, path: Path) -> None:
    """Raise if a sentence outside of the numbered steps asks the reader to do something in the window."""
    for sentence in sentences(words):
        first = sentence.split(" ", 1)[0]
        if first in VERBS and first != "In" and re.search(r"[*`]", sentence):
            raise NotUnderstoodError(f"{path.name}, line {line}: make this a numbered step: “{sentence}”")
