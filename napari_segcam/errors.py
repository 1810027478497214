"""The one error type that reaches users: a sentence they can act on."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from typing import Literal

LONGEST = 800
"""Most characters of a message."""

_LONGEST_WORD = 240  # a path or a name may be of any length; its beginning and end identify it
_SHOWN_END = 200
_LOOKED_AT = 100_000

_LONGEST_WINDOWS_PATH = 247
"""Most characters of a folder's path on Windows, where long paths are not switched on; a file's may have 259."""

_REPLACEMENT = "�"

# Control characters, which include terminal commands; lone surrogates; separators of lines and paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Marks that change the direction of the text that follows.
_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


Mend = Literal[
    "",
    "choose_folders",
    "copy_command",
    "describe_network",
    "edit_card",
    "load_checkpoint",
    "open_image",
    "show_stages",
    "use_any_device",
    "use_cpu",
]
"""What mends a problem: the window offers it as a button beside the message."""


class MendableText(str):
    """A message that names the action that mends the problem; it keeps the name wherever it is handed on unchanged.

    Args:
        text: the message.
        action: what mends the problem.
    """

    __slots__ = ("action",)
    action: Mend

    def __new__(cls, text: str, action: Mend) -> MendableText:
        made = super().__new__(cls, text)
        made.action = action
        return made


class SegcamError(Exception):
    """A problem that the user can fix.

    The message says what is wrong, where, and what to do, in the user's words. The command line prints it as one
    line and exits with code 2; the viewer shows it as a notification. Any other exception is a bug.

    The message is always one line of printable text of limited length, even if it quotes a file.

    Args:
        message: what is wrong.
        action: what mends it; empty if no single action does. With one, ``str`` of the error is a ``MendableText``.
    """

    def __init__(self, message: object = "", *, action: Mend = "") -> None:
        super().__init__(one_line(message))
        self.action = action

    def __str__(self) -> str:
        text = super().__str__()
        return MendableText(text, self.action) if self.action else text


def printable(text: str, keep: str = "") -> str:
    """Return a text without the characters that a terminal or a window obeys instead of showing.

    Args:
        text: from a file: a name, a note, a reader's error.
        keep: control characters that may stay, such as the end of a line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_REPLACEMENT if is_unprintable(letter) and letter not in keep else letter for letter in text)


def is_unprintable(letter: str) -> bool:
    """Return whether a character is obeyed instead of shown."""
    return letter in _TURNS or unicodedata.category(letter) in _UNPRINTABLE


def one_line(message: object, longest: int = LONGEST) -> str:
    """Return a message as one printable line of limited length; long words and long messages lose their middle."""
    text = str(message)
    if len(text) > _LOOKED_AT:
        text = f"{text[: _LOOKED_AT // 2]} … {text[-_LOOKED_AT // 2 :]}"
    text = printable(" ".join(text.split()))
    text = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda word: _ends(word[0]), text)
    if len(text) <= longest:
        return text
    end = min(_SHOWN_END, longest // 4)
    return f"{text[: longest - end - 3].rstrip()} … {text[-end:].lstrip()}"


def error_text(error: BaseException, longest: int = LONGEST) -> str:
    """Return the message of an exception as one line without its full stop, for use within a sentence.

    For an error of the operating system, this is the system's own message, without number and path.
    """
    if isinstance(error, UnicodeDecodeError) and error.encoding.startswith("utf"):
        return f"it is not UTF-8 text, from byte {error.start + 1} on; save it as UTF-8 (in Excel, as CSV UTF-8)"
    text = one_line(getattr(error, "strerror", None) or error, longest).rstrip(".") or type(error).__name__
    return text + _too_long_path(error)


def _too_long_path(error: BaseException) -> str:
    """Return what Windows does not say when a path is too long: it only cannot find it."""
    if sys.platform == "win32" and isinstance(error, OSError):
        paths = [os.path.abspath(path) for path in (error.filename, error.filename2) if isinstance(path, str)]
        longest = max(map(len, paths), default=0)
        if longest > _LONGEST_WINDOWS_PATH:
            return (
                f". The path has {longest} characters, and Windows takes about 250 unless long paths are switched on: "
                "use a folder with a shorter path"
            )
    return ""


def _ends(word: str) -> str:
    return f"{word[: _LONGEST_WORD // 2]}…{word[-_LONGEST_WORD // 2 + 1 :]}"
