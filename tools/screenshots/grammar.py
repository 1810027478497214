"""The sentences of a tutorial's numbered steps, and what each asks for. A sentence that is none of them is an error.

In these sentences, italics are the exact text of something in the window, and backticks are a key or a value:

    Start napari.
    Open *Layers ▸ Visualize ▸ Review workspace (SegCAM)*.     a path through the menus
    Click *Check this map*.                                    a button, a tab, or a row of a list
    In *Segmentation*, click *Segment*.                        the one in this dock
    Check *Write a report*.  Uncheck *Write a report*.
    Choose *LayerCAM* in *Method*.
    Set *Opacity* to `0.4`.
    Type `a note` into *Note*.
    Press `Shift+D`.  Press `Right` 3 times.
    Give `results` in the dialog *Export to a folder*.         a file or folder
    Drop `images` and `model.pth` on the window.               files or folders
    Click in the image at row 140, column 160.
    Drag in the image from row 140, column 160 to row 150, column 190.
    Wait until *done in* appears.  Wait until *Cancel* is gone.
    You see *hiding it costs the mask*.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


class NotUnderstoodError(Exception):
    """A sentence of a tutorial that no one can follow word for word."""


@dataclass(frozen=True)
class Start:
    """Open a window of napari with nothing in it."""


@dataclass(frozen=True)
class Menu:
    path: tuple[str, ...]


@dataclass(frozen=True)
class Click:
    text: str
    dock: str = ""


@dataclass(frozen=True)
class Check:
    text: str
    checked: bool
    dock: str = ""


@dataclass(frozen=True)
class Choose:
    """Choose an entry of the list that has a label."""

    text: str
    label: str
    dock: str = ""


@dataclass(frozen=True)
class Type:
    """Write a value into the field that has a label."""

    text: str
    label: str
    dock: str = ""


@dataclass(frozen=True)
class Press:
    keys: str
    times: int = 1


@dataclass(frozen=True)
class AnswerDialog:
    """Give the dialog with a title a file or folder."""

    path: str
    title: str


@dataclass(frozen=True)
class Drop:
    """Drop files or folders anywhere in the window."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Drag:
    """Press at the first place ``(row, column)`` of the image, move to the last, release. One place is a click."""

    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Wait:
    text: str
    present: bool = True


@dataclass(frozen=True)
class See:
    text: str


Action = Start | Menu | Click | Check | Choose | Type | Press | AnswerDialog | Drop | Drag | Wait | See

_TEXT = r"\*([^*]+)\*"
_VALUE = r"`([^`]+)`"
_PLACE = r"row (\d+), column (\d+)"
_DOCK = re.compile(rf"^In {_TEXT}, (.)")
_WITH_DOCK = (Click, Check, Choose, Type)
_WORDS = {"once": 1, "twice": 2}

VERBS = (
    "Start",
    "Open",
    "Click",
    "Check",
    "Uncheck",
    "Choose",
    "Set",
    "Type",
    "Press",
    "Give",
    "Drop",
    "Drag",
    "Wait",
    "In",
)
"""What a sentence that asks for something begins with."""


def actions_of(paragraph: str) -> list[Action]:
    """Return what the sentences of a step's paragraph ask for, in order.

    Raises:
        NotUnderstoodError: if one of them is not in the grammar.
    """
    return [action_of(sentence) for sentence in sentences(paragraph)]


def sentences(paragraph: str) -> list[str]:
    """Split a paragraph at the full stops that end a sentence; those inside italics and backticks do not."""
    plain = re.sub(r"\s+", " ", paragraph).strip()
    hidden = re.sub(r"`[^`]*`|\*[^*]+\*", lambda match: "_" * len(match.group()), plain)
    ends = [match.end() for match in re.finditer(r"[.!?](?= |$)", hidden)]
    starts = [0, *ends]
    parts = [plain[start:end].strip() for start, end in zip(starts, [*ends, len(plain)], strict=True)]
    return [part for part in parts if part]


def action_of(sentence: str) -> Action:
    """Return what one sentence asks for.

    Raises:
        NotUnderstoodError: if it is not in the grammar.
    """
    dock = ""
    rest = sentence
    if place := _DOCK.match(sentence):
        dock = place.group(1)
        rest = sentence[place.start(2)].upper() + sentence[place.end(2) :]
    for pattern, make in _PATTERNS:
        if match := re.fullmatch(pattern + r"\.", rest):
            action = make(match)
            if not dock:
                return action
            if isinstance(action, _WITH_DOCK):
                return type(action)(**{**action.__dict__, "dock": dock})
    raise NotUnderstoodError(f"This sentence of a step cannot be followed: “{sentence}”")


def _press(match: re.Match[str]) -> Press:
    times = match.group(2) or "once"
    return Press(match.group(1), _WORDS.get(times) or int(times.split()[0]))


def _drag(match: re.Match[str]) -> Drag:
    numbers = [int(number) for number in match.groups() if number]
    return Drag(tuple(zip(numbers[::2], numbers[1::2], strict=True)))


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], Action]], ...] = (
    (r"Start napari", lambda _: Start()),
    (rf"Open {_TEXT}", lambda m: Menu(tuple(part.strip() for part in m.group(1).split("▸")))),
    (rf"Click {_TEXT}", lambda m: Click(m.group(1))),
    (rf"Check {_TEXT}", lambda m: Check(m.group(1), True)),
    (rf"Uncheck {_TEXT}", lambda m: Check(m.group(1), False)),
    (rf"Choose {_TEXT} in {_TEXT}", lambda m: Choose(m.group(1), m.group(2))),
    (rf"Set {_TEXT} to {_VALUE}", lambda m: Type(m.group(2), m.group(1))),
    (rf"Type {_VALUE} into {_TEXT}", lambda m: Type(m.group(1), m.group(2))),
    (rf"Press {_VALUE}(?: (once|twice|\d+ times))?", _press),
    (rf"Give {_VALUE} in the dialog {_TEXT}", lambda m: AnswerDialog(m.group(1), m.group(2))),
    (rf"Drop {_VALUE}(?: and {_VALUE})? on the window", lambda m: Drop(tuple(path for path in m.groups() if path))),
    (rf"Click in the image at {_PLACE}", _drag),
    (rf"Drag in the image from {_PLACE} to {_PLACE}(?:, then to {_PLACE})?", _drag),
    (rf"Wait until {_TEXT} appears", lambda m: Wait(m.group(1))),
    (rf"Wait until {_TEXT} is gone", lambda m: Wait(m.group(1), False)),
    (rf"You see {_TEXT}", lambda m: See(m.group(1))),
)
