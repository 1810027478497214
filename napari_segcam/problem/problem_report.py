"""The report: Markdown to paste into an issue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from napari_segcam.logs import last_lines
from napari_segcam.preferences.catalog import Preferences
from napari_segcam.preferences.present import origin, preferences
from napari_segcam.problem.machine import machine, versions

_LINES = 150  # of the log
_HEAD = (
    "<!-- Made by napari-segcam. It holds versions, numbers and classes of errors: no image, and no name of a file, a "
    "patient or a class. Read it before you paste it. -->"
)

Facts = Iterable[tuple[str, str]]


def problem_report(network: Facts = (), window: Facts = ()) -> str:
    """Return a report of this installation in Markdown.

    Args:
        network: facts about a network, from ``facts_of`` or ``facts_of_file``; empty to leave that part out.
        window: facts about the window; empty to leave that part out.
    """
    changed = {name: value for name, value in asdict(preferences()).items() if value != asdict(Preferences())[name]}
    parts = [
        _HEAD,
        "**What I did, what happened, and what I expected:**\n\n",
        _table("Versions", versions()),
        _table("Machine", machine()),
        _table("Window", window),
        _table("Network", network),
        _table("Preferences", [(name, f"{value} ({origin(name)})") for name, value in changed.items()]),
        "### End of the log\n\n```text\n" + "\n".join(last_lines(_LINES) or ["(empty)"]) + "\n```\n",
    ]
    return "\n".join(part for part in parts if part)


def _table(title: str, facts: Facts) -> str:
    rows = list(facts)
    if not rows:
        return ""
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows]
    return "\n".join([f"### {title}\n", "| | |", "| --- | --- |", *lines, ""])


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
