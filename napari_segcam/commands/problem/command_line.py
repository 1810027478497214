"""Commands with ``--verbose``, which all of them have: the log on the terminal."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

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
    """A Typer whose commands all have ``--verbose``."""

    def command(  # type: ignore[override]
        self, *names: Any, **settings: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that adds a function as a command; as ``typer.Typer.command``."""
        register = super().command(*names, **settings)

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            register(_with_log(function))
            return function

        return add


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
