"""Names of earlier versions: they work for one more version, with a warning that gives the new name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PUBLIC_NAMES = {"Wishes": "ExplainOptions"}
"""Of ``napari_segcam``: earlier name to present one."""

CARD_FIELDS = {"normalisation": "normalization", "class_colours": "class_colors"}
"""Of model cards; the earlier names are always read: earlier name to present one."""

CLI_OPTIONS = {
    "--normalisation": "--normalization",
    "--class-colour": "--class-color",
    "--truth-colours": "--truth-colors",
}
"""Of the command line: earlier name to present one."""


def warn_renamed(old: str, new: str) -> None:
    """Warn the caller's caller that a name is deprecated."""
    warnings.warn(f"{old} is now {new}; the earlier name goes with the next version", DeprecationWarning, stacklevel=3)


def renamed_arguments(**names: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function accept keyword arguments under their earlier names too.

    Args:
        names: earlier name to present one.
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*arguments: P.args, **keywords: P.kwargs) -> T:
            for old, new in names.items():
                if old in keywords:
                    warn_renamed(old, new)
                    keywords[new] = keywords.pop(old)
            return function(*arguments, **keywords)

        return call

    return decorated


def with_present_options(arguments: Sequence[str]) -> list[str]:
    """Return command-line arguments with the present names of options; print a line on stderr for each earlier name."""
    present = []
    for argument in arguments:
        name, equals_sign, value = argument.partition("=")
        if name in CLI_OPTIONS:
            print(f"{name} is now {CLI_OPTIONS[name]}.", file=sys.stderr)
            argument = f"{CLI_OPTIONS[name]}{equals_sign}{value}"
        present.append(argument)
    return present


def present_fields(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a file under their present names.

    Args:
        content: as it was read.
        names: earlier name to present one.

    Raises:
        ValueError: if a field is there under both its names.
    """
    for old, new in names.items():
        if old in content and new in content:
            raise ValueError(f"{old} is the earlier name of {new}: give one of them")
    return {names.get(name, name): value for name, value in content.items()}
