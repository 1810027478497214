"""What all commands have: ``--verbose``, which shows the log on the terminal, and words when Ctrl-C ends them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from napari_segcam.commands.waits.stopped import INTERRUPTED, words_of
from napari_segcam.logs import start_log

Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        metavar="",
        help="Show the log on the terminal; twice for all of it.",
    ),
]

_PARAMETER = "verbose"


class CommandLine(typer.Typer):
    """A Typer whose commands all have ``--verbose``, and end with exit code 130 and a sentence after Ctrl-C."""

    def command(  # type: ignore[override]
        self, *names: Any, **settings: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that adds a function as a command; as ``typer.Typer.command``."""
        register = super().command(*names, **settings)

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            name = str(names[0] if names else function.__name__.replace("_", "-"))
            register(_with_log(_stopped_in_words(function, name)))
            return function

        return add


def _stopped_in_words(function: Callable[..., Any], command: str) -> Callable[..., Any]:
    """Return a function that says after Ctrl-C what is kept, where the command itself does not."""

    @wraps(function)
    def call(**options: Any) -> Any:
        try:
            return function(**options)
        except KeyboardInterrupt:
            print(words_of(command), file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None

    return call


def _with_log(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with one option more, which starts the log first."""
    signature = inspect.signature(function, eval_str=True)

    @wraps(function)
    def call(**options: Any) -> Any:
        start_log(options.pop(_PARAMETER))
        return function(**options)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in signature.parameters.values()]
    parameters.append(inspect.Parameter(_PARAMETER, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=Verbose))
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
