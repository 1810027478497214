"""Options on true masks that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TruthColors = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Name, color or number of each class in the true masks: a CSV file (name,r,g,b or name,#rrggbb), a label "
        "file of ITK-SNAP, or JSON. It also names the classes where the model card does not. Default: the card.",
        rich_help_panel="Images and true masks",
    ),
]

Tolerance = Annotated[
    float,
    typer.Option(
        metavar="MM",
        help="Surface dice: how far the boundaries of mask and true mask may be apart to agree. In pixels where an "
        "image is not calibrated.",
        min=0,
        rich_help_panel="Images and true masks",
    ),
]
