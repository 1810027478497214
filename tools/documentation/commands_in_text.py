"""Commands that a page gives: those of the program must exist, with their options, and so must what else is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import command_line_page

ROOT = Path(__file__).parents[2]


@cache
def _commands() -> dict[str, Any]:
    return dict(command_line_page.commands())


@cache
def all_options() -> frozenset[str]:
    """Return the options of all commands."""
    return frozenset(option for command in _commands().values() for option in command_line_page.options_of(command)) | {
        "--version"
    }


def wrong_commands(script: str) -> Iterator[str]:
    """Yield what is wrong with the commands of a shell script or a line of it.

    Args:
        script: lines; ``#`` begins a comment, and a backslash at the end of a line goes on in the next.
    """
    for line in script.replace("\\\n", " ").splitlines():
        for command in re.split(r"\s(?:&&|\||;)\s", line.removeprefix("$ ")):
            try:
                words = shlex.split(command, comments=True)
            except ValueError as error:
                yield f"{command.strip()}: {error}"
                continue
            yield from _wrong(words)


def _wrong(words: list[str]) -> Iterator[str]:
    while words and re.fullmatch(r"\w+=.*", words[0]):
        words = words[1:]
    if not words:
        return
    program, arguments = Path(words[0]).name, words[1:]
    if program == command_line_page.PROGRAM:
        yield from _wrong_arguments(arguments)
    elif program == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
        yield from (f"make {word}: no such target" for word in arguments if word.isidentifier() and word not in targets)
    elif re.fullmatch(r"python[\d.]*", program) and arguments and arguments[0].endswith(".py"):
        if "/" in arguments[0] and not (ROOT / arguments[0]).is_file():
            yield f"{arguments[0]}: no such file"
    elif words[0].startswith("tools/") and not (ROOT / words[0]).is_file():
        yield f"{words[0]}: no such file"


def _wrong_arguments(arguments: list[str]) -> Iterator[str]:
    name = ""
    while arguments and f"{name} {arguments[0]}".strip() in _commands():
        name, arguments = f"{name} {arguments[0]}".strip(), arguments[1:]
    if not name:
        if arguments and arguments[0] not in {"COMMAND", "--version", "--help"}:
            yield f"{command_line_page.PROGRAM} {arguments[0]}: no such command"
        return
    command = _commands()[name]
    if command_line_page.is_group(command):  # `review PROJECT` opens it
        name = f"{name} open" if f"{name} open" in _commands() and arguments else name
        command = _commands()[name]
    options = command_line_page.options_of(command)
    for argument in arguments:
        spelling = argument.partition("=")[0]
        if re.match(r"--?[A-Za-z]", spelling) and spelling not in options:
            yield f"{command_line_page.PROGRAM} {name} {spelling}: no such option"
