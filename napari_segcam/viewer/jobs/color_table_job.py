"""A job that reads a color table and finds the names and colors that it gives a network's classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_segcam.viewer.worker.worker import Job

if TYPE_CHECKING:  # torch comes with it: it is imported in the worker, where nobody waits for it
    from napari_segcam.network.network import Network


def color_table_job(network: Network, path: Path, then: Callable[[dict[str, Any]], None]) -> Job:
    """Return a job that reads a color table for a network.

    Args:
        network: whose classes are named, in place of names and colors that its card gives.
        path: of the table.
        then: called with the fields of the card, ``class_names`` and ``class_colors``.
    """

    def work() -> Iterator[dict[str, Any]]:
        from napari_segcam.batch.color_tables.color_table import read_colors
        from napari_segcam.batch.color_tables.named_classes import table_fields

        yield table_fields(network, read_colors(path))

    return Job("table", f"Reading {path.name}", work, on_result=then)
