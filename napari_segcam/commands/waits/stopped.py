"""Ctrl-C: the exit code of all commands, and what each says is kept when it is ended at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells expect it."""

_NOTHING = "Stopped: nothing is written."
_AGAIN = "Stopped. Files that are written are complete; the same command writes them again."
_GOES_ON = "Stopped; the same command goes on."

_KEPT = {
    "inspect": "Stopped.",
    "compare": _NOTHING,
    "report-problem": _NOTHING,
    "explain": _AGAIN,
    "demo": _AGAIN,
    "check": _AGAIN,
    "report": _AGAIN,
    "batch": "Stopped. Images that are finished are complete; the same command resumes.",
    "robustness": "Stopped. Rows that are written are kept; the same command goes on.",
    "deidentify": "Stopped. Copies that are there are complete, but not their log: give the command again with another "
    "place for the copies.",
    "new": "Stopped: the project is not made; the same command makes it.",
    "export": "Stopped: nothing is exported; the same command begins again.",
    "open": "Stopped. All that was answered and painted is kept; the same command opens the review as it was.",
    "search": "Stopped.",
    "fetch": _GOES_ON,
    "send": _GOES_ON,
}


def words_of(command: str) -> str:
    """Return what a command says when Ctrl-C ends it at once: what is kept, and how to go on.

    Args:
        command: its own name, such as ``export`` for ``review export``.
    """
    return _KEPT.get(command, "Stopped. No file is left half written; give the command again.")


@contextmanager
def stoppable(console: Console, answer: str = "Stopping after this run of the network …") -> Iterator[threading.Event]:
    """Give an event that Ctrl-C sets, with an answer to the user. A second Ctrl-C interrupts at once, as usual."""
    stop = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()  # only this one can handle signals
    if not is_main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield stop
        return

    def on_interrupt(_number: int, _frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, previous_handler)
        console.print(answer)

    previous_handler = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous_handler)
