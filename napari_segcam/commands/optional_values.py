"""Options whose value may be left out, such as ``--evidence`` and ``--evidence influence,in_out``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

OPTIONAL_VALUES = {"--evidence": "all"}
"""What each option means when it is given alone."""

_NAMES = re.compile(r"[A-Za-z]+([_-][A-Za-z]+)*(,[A-Za-z]+([_-][A-Za-z]+)*)*,?")


class OptionalValueCommand(TyperCommand):
    """A command that fills in the values of ``OPTIONAL_VALUES`` where they are left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_values(args))


def with_values(arguments: Sequence[str]) -> list[str]:
    """Return arguments with a value after each option of ``OPTIONAL_VALUES``.

    What follows such an option is its value if it is a list of names, and there is no file or folder of that name.
    """
    given = []
    for number, argument in enumerate(arguments):
        given.append(argument)
        if argument == "--":
            return [*given, *arguments[number + 1 :]]
        if argument in OPTIONAL_VALUES:
            following = arguments[number + 1] if number + 1 < len(arguments) else ""
            if not _NAMES.fullmatch(following) or Path(following).exists():
                given[-1] = f"{argument}={OPTIONAL_VALUES[argument]}"
    return given
