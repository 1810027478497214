"""The page of the command line: every command, argument and option, from the program itself."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from typing import Any

import typer
from markup import as_markdown, code, table

from napari_segcam.cli import app
from napari_segcam.commands.optional_values import OPTIONAL_VALUES
from napari_segcam.preferences.catalog import PREFERENCES

PROGRAM = "napari-segcam"

EXIT_CODES = {
    0: "All is well.",
    1: "The command has run, but some images or files failed, or a criterion of `report --criteria` fails; the output "
    "says which.",
    2: "An argument is wrong, a file cannot be read, or a server fails. A line on stderr says what to do.",
    3: "No criterion of `report --criteria` fails, but some have not enough cases.",
    130: "Stopped by Ctrl-C. What was finished is kept.",
}

ENVIRONMENT = {
    "NAPARI_SEGCAM_TUNING": "`off` leaves the process as it is: no settings of OpenMP and of the memory "
    "allocator, and libraries are imported as usual.",
    "NAPARI_SEGCAM_LOG_FOLDER": "Another folder for the log.",
    "NAPARI_SEGCAM_CONFIG": "Another folder for the files of settings: preferences and servers.",
    "NAPARI_SEGCAM_PACS_URL": "A PACS, in addition to those in the settings.",
    "NAPARI_SEGCAM_PACS_NAME": "Its name; without it, that of its host.",
    "NAPARI_SEGCAM_PACS_USER": "The user there; without one, a token is used.",
    "NAPARI_SEGCAM_PACS_CA": "A file of certificates that its own is checked with.",
    "NAPARI_SEGCAM_PACS_PASSWORD": "The password of that user. `NAPARI_SEGCAM_PACS_PASSWORD_NAME` for a server of the "
    "settings, by its name in capitals.",
    "NAPARI_SEGCAM_PACS_TOKEN": "The token, where there is no user. `NAPARI_SEGCAM_PACS_TOKEN_NAME` for a server of "
    "the settings.",
}
"""Every environment variable of the program but those of the preferences, and what it does."""

_INTRODUCTION = f"""\
# Command line

`{PROGRAM} COMMAND --help` prints the same in the terminal. Options may come in any order; `--` ends them. Values that
are lists are separated by commas. Only `demo --window` and `review PROJECT` open a window.
"""


def command_line_page() -> str:
    """Return the page as Markdown."""
    parts = [_INTRODUCTION, table(("command", "what it does"), _overview())]
    for name, command in commands():
        parts += _command_parts(name, command)
    parts += ["## Exit codes\n", table(("code", "meaning"), ((code(str(k)), text) for k, text in EXIT_CODES.items()))]
    parts += ["## Environment variables\n", table(("variable", "what it does"), _environment_rows())]
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command with its name after the program, groups before their commands."""
    yield from _walk("", typer.main.get_command(app))


def options_of(command: Any) -> set[str]:
    """Return the spellings of a command's options."""
    return {
        spelling for parameter in command.params for spelling in _spellings(parameter) if spelling.startswith("-")
    } | {"--help"}


def is_group(command: Any) -> bool:
    """Return whether a command has commands of its own."""
    return bool(getattr(command, "commands", None))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    for sub_name, sub in getattr(command, "commands", {}).items():
        if not sub.hidden:
            full = f"{name} {sub_name}".strip()
            yield full, sub
            yield from _walk(full, sub)


def _overview() -> Iterator[tuple[str, str]]:
    for name, command in commands():
        if not is_group(command):
            anchor = f"{PROGRAM} {name}".replace(" ", "-").lower()
            yield f"[{code(name)}](#{anchor})", as_markdown(command.help.partition("\n\n")[0])


def _command_parts(name: str, command: Any) -> list[str]:
    parts = [f"{'###' if ' ' in name else '##'} {PROGRAM} {name}\n", _help_of(command)]
    if is_group(command):
        return parts
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([PROGRAM, name, *(_argument_usage(p) for p in arguments), *(["[OPTIONS]"] if options else [])])
    parts.append(f"```text\n{usage}\n```\n")
    if arguments:
        rows = ((code(p.metavar or p.name.upper()), as_markdown(p.help or ""), _default(p)) for p in arguments)
        parts.append(table(("argument", "what it is", "default, range"), rows))
    for panel, group in groupby(sorted(options, key=_panel_order(options)), lambda p: p.rich_help_panel or ""):
        if panel:
            parts.append(f"**{panel}**\n")
        rows = ((_option(p), as_markdown(p.help or ""), _default(p)) for p in group)
        parts.append(table(("option", "what it does", "default, range"), rows))
    return parts


def _help_of(command: Any) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(as_markdown(" ".join(paragraph.split())) for paragraph in paragraphs) + "\n"


def _panel_order(options: list[Any]) -> Any:
    """Return a sort key that keeps panels in the order in which they come first."""
    order: dict[str, int] = {}
    for option in options:
        order.setdefault(option.rich_help_panel or "", len(order))
    return lambda option: order[option.rich_help_panel or ""]


def _spellings(parameter: Any) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]


def _argument_usage(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name.upper()) + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(code(spelling) for spelling in _spellings(parameter))
    if not parameter.is_flag and parameter.metavar:
        names += f" {code(parameter.metavar)}"
    elif not parameter.is_flag:
        names += f" {code(parameter.name.upper())}"
    return names + (", repeatable" if parameter.multiple else "")


def _default(parameter: Any) -> str:
    value, words = parameter.default, []
    if callable(value) or value in (None, "", [], ()) or (parameter.param_type_name == "argument" and value is None):
        value = None
    if isinstance(value, Enum):
        value = value.value
    if value is not None and value is not False:
        words.append(code(", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))
    if parameter.required:
        words.append("required")
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is not None and high is not None:
        words.append(f"{low} to {high}")
    elif low is not None:
        words.append(f"{low} or more")
    words += [f"alone: {code(OPTIONAL_VALUES[name])}" for name in parameter.opts if name in OPTIONAL_VALUES]
    return "; ".join(words)


def environment() -> dict[str, str]:
    """Return every environment variable, and what it does as Markdown."""
    preferences = {
        each.variable: f"{as_markdown(each.help)} Else the preference *{each.title}*, at first {_shown(each.default)}."
        for each in PREFERENCES
    }
    return preferences | ENVIRONMENT


def _shown(value: object) -> str:
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def _environment_rows() -> Iterator[tuple[str, str]]:
    for name, text in environment().items():
        yield code(name), text
